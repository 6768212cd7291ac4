//! The daemon's memory under a mixed load: its size after an hour, compared with its size after five minutes.

use super::{Finding, Options};
use crate::{
    run::{root, run, run_command},
    setup, test,
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    fmt, fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

pub(super) const SHOWS: &str = "One daemon runs the shop while unmodified clients load it: they request pages and items through the load balancer, put, read \
                                and delete objects, describe resources, stop tasks, create and delete stacks, and write log lines. The test samples the \
                                daemon's resident memory every 10 s. At the end, it may be at most 1.15 times the memory after 5 minutes.";

/// Minutes until everything that is loaded once is loaded; any later increase is growth.
pub(super) const SETTLED_MIN: u64 = 5;

/// The greatest growth from then to the end that passes.
const GROWTH: f64 = 1.15;

const SAMPLE: Duration = Duration::from_secs(10);

/// Samples around a moment whose median is its figure: a single one may fall into a burst.
const AROUND: usize = 6;

pub(super) fn soak(options: &Options) -> Result<Finding> {
    setup::all()?;
    let program = test::program()?;
    run("examples/shop/build", &[])?;
    let cloud = Cloud::new(program)?;
    let measured = measure(&cloud, options);
    let cleaned = cloud.escale(&["reset", "--yes"]);
    let log = cloud.home.join("daemon.log");
    if let Err(error) = &measured {
        println!("{error:#}; the daemon's last lines:\n{}", fs::read_to_string(log).unwrap_or_default());
    }
    let _ = fs::remove_dir_all(&cloud.home);
    let finding = measured?;
    cleaned?;
    Ok(finding)
}

/// The counts that the load prints at its end.
type Counts = serde_json::Map<String, Value>;

fn measure(cloud: &Cloud, options: &Options) -> Result<Finding> {
    let setting = setup::postgres_setting()?;
    let words: Vec<&str> =
        ["up", "examples/shop"].into_iter().chain(setting.iter().map(String::as_str)).collect();
    cloud.escale(&words)?;
    let status: Value =
        serde_json::from_slice(&cloud.command(&["status", "shop", "--json"]).output()?.stdout)?;
    let pid = status["daemon"]["pid"].as_i64().context("status names no daemon")?;
    let mut load = cloud.environment(Command::new(setup::venv().join("bin/python")));
    load.arg("xtask/src/soak/load.py").args(["--seconds", &(options.minutes * 60).to_string()]);
    let started = Instant::now();
    let mut load = load.stdout(Stdio::piped()).spawn().context("cannot start the load")?;
    let mut samples = vec![Sample::of(pid)?];
    while load.try_wait()?.is_none() {
        if started.elapsed() > Duration::from_secs(options.minutes * 60 + 300) {
            load.kill()?;
            bail!("the load did not end in time");
        }
        pause();
        let sample = Sample::of(pid).context("the daemon has ended under the load")?;
        if samples.len() % 6 == 0 {
            println!("  {:>4} s: {}", started.elapsed().as_secs(), sample);
        }
        samples.push(sample);
    }
    let done = load.wait_with_output()?;
    if !done.status.success() {
        bail!("the load failed: {}", done.status);
    }
    let counts: Counts = serde_json::from_slice(&done.stdout).context("the load prints its counts")?;
    finding(&samples, &counts, options.minutes)
}

/// The daemon's memory at one moment, in KiB.
#[derive(Clone, Copy)]
struct Sample {
    resident: u64,
    /// The part without file-backed pages, whose number grows while more of the program runs for the first time.
    anonymous: u64,
}

impl Sample {
    fn of(pid: i64) -> Result<Sample> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| {
            let line =
                status.lines().find_map(|l| l.strip_prefix(name)).with_context(|| format!("no {name}"))?;
            Ok::<u64, anyhow::Error>(line.trim().trim_end_matches(" kB").parse()?)
        };
        Ok(Sample { resident: field("VmRSS:")?, anonymous: field("RssAnon:")? })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |kib: u64| kib as f64 / 1024.0;
        write!(f, "{:.1} MiB, of which {:.1} MiB anonymous", mib(self.resident), mib(self.anonymous))
    }
}

fn finding(samples: &[Sample], counts: &Counts, minutes: u64) -> Result<Finding> {
    let per_minute = (60 / SAMPLE.as_secs()) as usize;
    let settled = around(samples, SETTLED_MIN as usize * per_minute)?;
    let end = around(samples, samples.len())?;
    let ratio = end.resident as f64 / settled.resident as f64;
    let first = samples.first().context("no sample")?;
    let most = samples.iter().max_by_key(|s| s.resident).context("no sample")?;
    let mut text = format!("| | {minutes} min of load |\n| --- | --- |\n| before the load | {first} |\n");
    text += &format!("| after {SETTLED_MIN} min | {settled} |\n| at the end | {end} |\n| most | {most} |\n");
    text += &format!("| ratio | {ratio:.2} of at most {GROWTH} |\n");
    for (what, count) in counts {
        text += &format!("| {what} | {} |\n", count.as_str().unwrap_or_default());
    }
    Ok(Finding { text, passed: ratio <= GROWTH })
}

/// The median of the samples that end at `end`.
fn around(samples: &[Sample], end: usize) -> Result<Sample> {
    let mut window =
        samples.get(end.saturating_sub(AROUND)..end).context("the load ended too soon")?.to_vec();
    window.sort_unstable_by_key(|s| s.resident);
    window.get(window.len() / 2).copied().context("no sample")
}

/// A separate installation, beside any other on the machine.
struct Cloud {
    program: PathBuf,
    home: PathBuf,
    endpoint: String,
    web: String,
    dns: String,
}

impl Cloud {
    fn new(program: PathBuf) -> Result<Cloud> {
        let port = || -> Result<u16> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()) };
        let home = PathBuf::from(format!("/var/tmp/escale-soak-{}", std::process::id()));
        fs::create_dir_all(&home)?;
        // Databases run as another user, who must be able to traverse the folder.
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755))?;
        let endpoint = format!("127.0.0.1:{}", port()?);
        Ok(Cloud { program, home, endpoint, web: port()?.to_string(), dns: port()?.to_string() })
    }

    fn environment(&self, mut command: Command) -> Command {
        command
            .current_dir(root())
            .env("ESCALE_HOME", &self.home)
            .env("ESCALE_ENDPOINT", &self.endpoint)
            .env("ESCALE_WEB_PORT", &self.web)
            .env("ESCALE_DNS_PORT", &self.dns)
            .envs([("ESCALE_ACCESS_KEY", "soak"), ("ESCALE_SECRET_KEY", "soak-secret")])
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.endpoint))
            .envs([("AWS_ACCESS_KEY_ID", "soak"), ("AWS_SECRET_ACCESS_KEY", "soak-secret")])
            .env("AWS_DEFAULT_REGION", "eu-west-3");
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.environment(Command::new(&self.program));
        command.args(arguments);
        command
    }

    fn escale(&self, arguments: &[&str]) -> Result<()> {
        run_command(&mut self.command(arguments))
    }
}

/// Sleeps, because samples are taken by time; there is no event to wait for.
#[allow(clippy::disallowed_methods)]
fn pause() {
    std::thread::sleep(SAMPLE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_after_five_minutes_fails() {
        let passes = |later: u64| {
            let sample = |resident| Sample { resident, anonymous: resident };
            let samples: Vec<Sample> = (0..120).map(|n| sample(if n < 30 { 1000 } else { later })).collect();
            finding(&samples, &Counts::new(), 20).unwrap().passed
        };
        assert!(passes(1000));
        assert!(passes(1149));
        assert!(!passes(1160));
    }

    #[test]
    fn a_load_that_ended_too_soon_is_an_error() {
        assert!(finding(&[Sample { resident: 1000, anonymous: 1000 }; 20], &Counts::new(), 20).is_err());
    }
}
