//! `escale start`: the daemon in the background, ready when this returns.

use super::{Output, client::Client};
use crate::{daemon, home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::{
    fs::OpenOptions,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A cold disk may take its time; an error ends the wait at once.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// How long the kernel may take over the rest of a killed daemon.
const PORT_FREE_WITHIN: Duration = Duration::from_secs(1);

/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A daemon that answers.
pub(crate) struct Daemon {
    pid: i32,
    was_running: bool,
}

pub(crate) async fn run(home: &Home, out: &Output) -> Result<()> {
    let Daemon { pid, was_running } = ensure(home).await?;
    let settings = Settings::from_environment()?;
    let text = match was_running {
        true => format!("runs already: {} (pid {pid})", settings.endpoint_url()),
        false => format!("up: {} (pid {pid})", settings.endpoint_url()),
    };
    out.say(&text, &json!({"endpoint": settings.endpoint_url(), "daemon": {"pid": pid}}));
    Ok(())
}

/// Starts the daemon if none runs; returns once the API answers.
pub(crate) async fn ensure(home: &Home) -> Result<Daemon> {
    let settings = Settings::from_environment()?;
    let client = Client::new(&settings);
    if let Some(pid) = wait_for_the_running(home, &client, &settings).await? {
        return Ok(Daemon { pid, was_running: true });
    }
    refuse_taken_port(&settings).await?;
    let log = OpenOptions::new().create(true).append(true).open(home.log());
    let log = log.with_context(|| format!("cannot write {}", home.log().display()))?;
    let from = log.metadata().map(|m| m.len()).unwrap_or(0);
    let mut command = Command::new(std::env::current_exe().context("cannot find this program's own file")?);
    command.arg("daemon").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // A group of its own: Ctrl-C at the terminal is not meant for the cloud.
    command.process_group(0);
    let mut child = command.spawn().context("cannot start the daemon")?;
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if client.is_up() {
            return Ok(Daemon { pid: child.id() as i32, was_running: false });
        }
        if let Some(status) = child.try_wait()? {
            bail!("the daemon ended at once ({status}):\n{}", log_since(home, from));
        }
        if Instant::now() > deadline {
            bail!("the daemon does not answer after {READY_WITHIN:?}; see {}", home.log().display());
        }
        // Nobody tells when another process listens.
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The daemon that holds the lock, once it answers; `None` if there is none. One that began just now does not answer yet, and one
/// that was just killed holds the lock until the kernel has taken it apart.
async fn wait_for_the_running(home: &Home, client: &Client, settings: &Settings) -> Result<Option<i32>> {
    let deadline = Instant::now() + READY_WITHIN;
    while let Some(pid) = daemon::running(home) {
        if client.is_up() {
            return Ok(Some(pid));
        }
        if Instant::now() > deadline {
            bail!(
                "the daemon (pid {pid}) does not answer at {} after {READY_WITHIN:?}; if it was started with another \
                 ESCALE_ENDPOINT, set that one; else see {}",
                settings.config.endpoint,
                home.log().display()
            );
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(None)
}

/// Better said here than by a log: who holds the port, and how to choose another. A daemon that was just killed lets go of its
/// lock a moment before its port.
async fn refuse_taken_port(settings: &Settings) -> Result<()> {
    let endpoint = &settings.config.endpoint;
    let deadline = Instant::now() + PORT_FREE_WITHIN;
    loop {
        match std::net::TcpListener::bind(endpoint) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                return Err(error).with_context(|| format!("cannot listen on {endpoint}"));
            }
            Err(_) if Instant::now() > deadline => bail!(
                "{endpoint} is in use by another program; stop it, or choose another address: ESCALE_ENDPOINT=127.0.0.1:PORT"
            ),
            Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

fn log_since(home: &Home, from: u64) -> String {
    let text = std::fs::read(home.log()).unwrap_or_default();
    let new = text.get(from as usize..).unwrap_or_default();
    String::from_utf8_lossy(new).trim_end().to_owned()
}
