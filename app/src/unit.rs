//! The text of the systemd unit and of its environment file. Pure.

use anyhow::{Context, Result, bail};
use std::{ffi::OsString, path::Path, time::Duration};

/// Tasks get their stop signal at once and then their own `stopTimeout`, but at most this time: a task that ignores the signal
/// must not block a shutdown.
pub(crate) const TASKS_WITHIN: Duration = Duration::from_secs(20);

/// The limit for a fast shutdown of all database servers, with a checkpoint each. A server that takes longer is killed and
/// recovers from its WAL.
pub(crate) const DATABASES_WITHIN: Duration = Duration::from_secs(30);

/// systemd's own limit, which is longer than both together. With `KillMode=process` it then kills this program only.
const STOP_WITHIN: Duration = Duration::from_secs(90);

/// The first line of a unit that the command line has written.
pub(crate) const INSTALLED_BY: &str =
    "# Written by `escale service install`; `escale service remove` deletes it.";

/// The paths in a unit.
pub(crate) struct Unit<'a> {
    pub(crate) program: &'a Path,
    pub(crate) home: &'a Path,
    /// The file with the settings.
    pub(crate) environment: &'a Path,
}

pub(crate) fn text(unit: &Unit<'_>) -> Result<String> {
    let (program, home) = (quoted(unit.program)?, quoted(unit.home)?);
    let (environment, variable) = (escaped(unit.environment)?, home_variable(unit.home)?);
    Ok(format!(
        "\
{INSTALLED_BY}
[Unit]
Description=Escale
After=network.target
RequiresMountsFor={home} {program}
StartLimitIntervalSec=0

[Service]
Type=exec
{variable}
EnvironmentFile={environment}
ExecStart={program} daemon --to-log
# Stops the data plane, tasks, then databases, when the unit is stopped or the machine goes down; not at a restart.
ExecStop={program} service halt
TimeoutStopSec={stop}
# Containers, databases and the data plane are processes of their own: they outlive the daemon, and the next one adopts them.
KillMode=process
Restart=always
RestartSec=1
# The exit code is 0 after `escale stop`, `down` and `reset`: then systemd must not start it again.
RestartPreventExitStatus=0
OOMPolicy=continue
TasksMax=infinity
Delegate=yes

[Install]
WantedBy=multi-user.target
",
        stop = STOP_WITHIN.as_secs(),
    ))
}

/// Whether a unit with this text belongs to this home.
pub(crate) fn is_of(text: &str, home: &Path) -> bool {
    home_variable(home).is_ok_and(|variable| text.lines().any(|line| line == variable))
}

fn home_variable(home: &Path) -> Result<String> {
    Ok(format!("Environment=\"ESCALE_HOME={}\"", escaped_in_quotes(home)?))
}

/// The daemon's settings as systemd's `EnvironmentFile`. ESCALE_HOME is in the unit itself, which [`is_of`] reads.
pub(crate) fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<String> {
    let mut lines = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|n| n.starts_with("ESCALE_") && *n != "ESCALE_HOME") else {
            continue;
        };
        let value = value.to_str().with_context(|| format!("{name} is not UTF-8"))?;
        if value.chars().any(char::is_control) {
            bail!(
                "the value of {name} has a control character, which systemd's EnvironmentFile cannot contain. Remove the \
                 character and install the service again"
            );
        }
        let special = |c: char| matches!(c, '"' | '\\' | '`' | '$');
        let escaped: String =
            value.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect();
        lines.push(format!("{name}=\"{escaped}\"\n"));
    }
    lines.sort();
    Ok(lines.concat())
}

/// Whether the output of `systemctl list-jobs` has a job that stops the unit. After `systemctl restart` the job is `restart`.
pub(crate) fn has_stop_job(jobs: &str, unit: &str) -> bool {
    jobs.lines().any(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != unit).skip(1);
        words.next() == Some("stop")
    })
}

fn quoted(path: &Path) -> Result<String> {
    Ok(format!("\"{}\"", escaped_in_quotes(path)?))
}

/// Escapes backslashes and quotes as in C, and percent signs, which begin systemd's specifiers: systemd.syntax(7).
fn escaped_in_quotes(path: &Path) -> Result<String> {
    Ok(escaped(path)?.replace('\\', "\\\\").replace('"', "\\\""))
}

fn escaped(path: &Path) -> Result<String> {
    let text = path.to_str().filter(|t| !t.chars().any(char::is_control));
    let text = text.with_context(|| {
        format!(
            "{}: a systemd unit cannot contain this path, because it has control characters or is not UTF-8. Move it to \
             another path",
            path.display()
        )
    })?;
    Ok(text.replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(home: &str) -> String {
        let unit = Unit {
            program: "/usr/bin/escale".as_ref(),
            home: home.as_ref(),
            environment: "/etc/e.env".as_ref(),
        };
        text(&unit).unwrap()
    }

    #[test]
    fn unit_restarts_the_daemon_and_stops_tasks_before_databases() {
        let unit = of("/var/lib/my \"50%\" home");
        for line in [
            "ExecStart=\"/usr/bin/escale\" daemon --to-log",
            "ExecStop=\"/usr/bin/escale\" service halt",
            "KillMode=process",
            "Restart=always",
            "WantedBy=multi-user.target",
            "RequiresMountsFor=\"/var/lib/my \\\"50%%\\\" home\" \"/usr/bin/escale\"",
            "Environment=\"ESCALE_HOME=/var/lib/my \\\"50%%\\\" home\"",
            "EnvironmentFile=/etc/e.env",
        ] {
            assert!(unit.lines().any(|l| l == line), "{line} is not in\n{unit}");
        }
        assert!(TASKS_WITHIN + DATABASES_WITHIN < STOP_WITHIN);
        assert!(is_of(&unit, Path::new("/var/lib/my \"50%\" home")) && !is_of(&unit, Path::new("/var/lib")));
        let odd = Unit { program: "/a\nb".as_ref(), home: "/h".as_ref(), environment: "/e".as_ref() };
        assert!(text(&odd).is_err());
    }

    #[test]
    fn environment_file_has_the_settings_of_the_shell() {
        let variables = |list: &[(&str, &str)]| {
            let owned: Vec<_> = list.iter().map(|(k, v)| (OsString::from(k), OsString::from(v))).collect();
            environment(owned.into_iter())
        };
        let set = [
            ("PATH", "/bin"),
            ("ESCALE_SECRET_KEY", "a\"b$c\\d"),
            ("ESCALE_HOME", "/h"),
            ("ESCALE_ENDPOINT", "127.0.0.1:1"),
        ];
        assert_eq!(
            variables(&set).unwrap(),
            "ESCALE_ENDPOINT=\"127.0.0.1:1\"\nESCALE_SECRET_KEY=\"a\\\"b\\$c\\\\d\"\n"
        );
        assert!(
            variables(&[("ESCALE_LOG", "a\nESCALE_ACCOUNT=1")])
                .unwrap_err()
                .to_string()
                .contains("ESCALE_LOG")
        );
    }

    #[test]
    fn restart_is_not_a_stop_job() {
        for (jobs, stops) in [
            ("", false),
            ("123 escale.service stop running\n", true),
            ("  7 escale.service restart running", false),
            ("7 other.service stop waiting\n8 escale.service start waiting", false),
        ] {
            assert_eq!(has_stop_job(jobs, "escale.service"), stops, "{jobs}");
        }
    }
}
