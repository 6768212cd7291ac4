//! `escale service`: runs the daemon as a systemd service, so that it starts again after a reboot.
//!
//! systemd starts the daemon and restarts it when it dies; tasks and databases keep running meanwhile. When an administrator
//! or a shutdown stops the service, it stops tasks and databases first, each within a limit. See systemd.service(5) and
//! systemd.kill(5).

use super::{Output, client::Client, doctor, start::Patience, stop};
use crate::{home::Home, lock, plane, planes, settings::Settings, unit};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::Command,
};

#[derive(Args)]
pub(crate) struct Service {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install the daemon as a systemd service and start it; it starts again after each reboot.
    Install,
    /// Stop the daemon and the data plane, and remove the service. Containers and databases keep running, as with `escale stop`.
    Remove,
    /// Stop tasks and databases; systemd calls this when it stops the service.
    #[command(hide = true)]
    Halt,
}

/// The unit's file, in the folder for the administrator's own units.
const UNIT: &str = "/etc/systemd/system/escale.service";
const NAME: &str = "escale.service";

/// The settings of the service, readable by root only. They are not part of the unit, because systemd shows a unit's
/// `Environment=` to every user, and the settings may contain the root key.
const ENVIRONMENT: &str = "/etc/systemd/system/escale.service.env";

/// Exists if systemd is the init system: sd_booted(3).
const BOOTED: &str = "/run/systemd/system";

pub(crate) async fn run(home: &Home, out: &Output, service: &Service) -> Result<()> {
    match service.verb {
        Verb::Install => install(home, out).await,
        Verb::Remove => remove(home, out).await,
        Verb::Halt => halt(home).await,
    }
}

async fn install(home: &Home, out: &Output) -> Result<()> {
    let _alone = lock::alone(home)?;
    require_systemd()?;
    require_own_unit(home)?;
    doctor::require(&[])?;
    let settings = Settings::of(home)?;
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let text = unit::text(&unit::Unit {
        program: &program,
        home: home.path(),
        environment: Path::new(ENVIRONMENT),
    })?;
    let environment = unit::environment(std::env::vars_os())?;
    write(Path::new(ENVIRONMENT), &environment, 0o600)?;
    write(Path::new(UNIT), &text, 0o644)?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", "--quiet", NAME])?;
    // A daemon that was started by hand is stopped first; the service adopts what it runs. A running service is restarted, so
    // that it reads the new settings.
    match lock::running(home)? {
        Some(daemon) if main_pid()? != Some(daemon.pid) => stop::end(daemon.pid)?,
        _ => {}
    }
    systemctl(&["restart", NAME])?;
    let pid = answers(home, &settings, Patience::new()).await?;
    let url = settings.endpoint_url();
    let text = format!(
        "Installed and started {NAME}: {url} (pid {pid}).\nTo stop it with its tasks and databases: systemctl stop escale. To \
         remove it: escale service remove"
    );
    out.say(&text, &json!({"installed": true, "unit": UNIT, "endpoint": url, "daemon": {"pid": pid}}));
    Ok(())
}

async fn remove(home: &Home, out: &Output) -> Result<()> {
    let _alone = lock::alone(home)?;
    if !Path::new(UNIT).exists() {
        out.say(
            &format!("There is no service to remove: {UNIT} does not exist."),
            &json!({"removed": false}),
        );
        return Ok(());
    }
    require_systemd()?;
    require_own_unit(home)?;
    systemctl(&["disable", "--quiet", NAME])?;
    if let Some(daemon) = lock::running(home)? {
        stop::end(daemon.pid)?;
    }
    plane::end(home).await?;
    for file in [UNIT, ENVIRONMENT] {
        match fs::remove_file(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.with_context(|| format!("cannot remove {file}"))?,
        }
    }
    systemctl(&["daemon-reload"])?;
    out.say(
        &format!(
            "Removed {NAME} and stopped the daemon. Tasks and databases keep running; `escale start` starts a daemon that \
             adopts them."
        ),
        &json!({"removed": true}),
    );
    Ok(())
}

/// Called by systemd when it stops the unit. At a restart, or after the daemon ended by itself, tasks and databases keep
/// running.
async fn halt(home: &Home) -> Result<()> {
    if !is_to_stop() {
        return Ok(());
    }
    if let Some(daemon) = lock::running(home)? {
        stop::end(daemon.pid)?;
    }
    planes::halt(home).await
}

/// Whether the unit is being stopped, by an administrator or a shutdown, and not restarted. If `systemctl` fails, the machine
/// may be shutting down, so the answer is `true`.
fn is_to_stop() -> bool {
    let jobs = Command::new("systemctl").args(["list-jobs", "--no-legend", "--plain", NAME]).output();
    match jobs {
        Ok(jobs) if jobs.status.success() => unit::has_stop_job(&String::from_utf8_lossy(&jobs.stdout), NAME),
        _ => true,
    }
}

/// Whether this home's daemon is a service.
pub(crate) fn is_installed(home: &Home) -> Result<bool> {
    if !Path::new(BOOTED).is_dir() {
        return Ok(false);
    }
    match fs::read_to_string(UNIT) {
        Ok(text) => Ok(unit::is_of(&text, home.path())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot read {UNIT}")),
    }
}

/// Starts the service and returns the daemon's pid once the API answers.
pub(crate) async fn start(home: &Home, settings: &Settings, patience: Patience) -> Result<i32> {
    systemctl(&["start", NAME])?;
    answers(home, settings, patience).await
}

async fn answers(home: &Home, settings: &Settings, mut patience: Patience) -> Result<i32> {
    let client = Client::new(home, settings);
    loop {
        if let Some(daemon) = lock::running(home)?
            && client.answers().await
        {
            return Ok(daemon.pid);
        }
        let waited = patience.wait(home, settings).await;
        waited.context("the service escale does not answer; run `systemctl status escale` for its state")?;
    }
}

fn require_systemd() -> Result<()> {
    if !Path::new(BOOTED).is_dir() {
        bail!(
            "`escale service` needs systemd, and systemd is not the init system of this machine ({BOOTED} does not exist). \
             Configure this machine's init system to run `escale start` at boot instead"
        );
    }
    Ok(())
}

/// Refuses to replace the service of another home: the unit has one name, so there is one service a machine.
fn require_own_unit(home: &Home) -> Result<()> {
    match fs::read_to_string(UNIT) {
        Ok(text) if !unit::is_of(&text, home.path()) => bail!(
            "{UNIT} is the service of another home than {}. Remove that service first: run `escale service remove` with \
             its ESCALE_HOME",
            home.path().display()
        ),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot read {UNIT}"))
        }
        _ => Ok(()),
    }
}

fn main_pid() -> Result<Option<i32>> {
    let shown = systemctl(&["show", "--property=MainPID", "--value", NAME])?;
    Ok(shown.trim().parse().ok().filter(|pid| *pid > 0))
}

fn systemctl(arguments: &[&str]) -> Result<String> {
    let what = || format!("systemctl {}", arguments.join(" "));
    let output = Command::new("systemctl").args(arguments).output();
    let output = output.with_context(|| format!("cannot run `{}`", what()))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}. See `journalctl -u escale` for the service's log", what(), stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Writes the file atomically. It never has more permissions than `mode`.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let place = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(place)?;
    }
    let temporary = path.with_extension("new");
    // A file that a crash left may have another mode; `create_new` below applies `mode` to a new one only.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        removed => removed.with_context(place)?,
    }
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(place)?;
    fs::rename(&temporary, path).with_context(place)
}
