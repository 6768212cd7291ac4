//! `escale start`: the daemon in the background, ready when this returns.

use super::{Output, client::Client, doctor, service};
use crate::{home::Home, lock, settings::Settings};
use anyhow::{Context, Result, bail};
use escale_files::disk;
use serde_json::json;
use std::{
    net::{TcpListener, UdpSocket},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A cold disk or a busy processor may take its time; a daemon that ends, ends the wait at once.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// After so long without an answer, the user reads what is waited for.
const NOTE_AFTER: Duration = Duration::from_secs(10);

/// A daemon that is killed lets go of its lock a moment before its port.
const PORT_FREE_WITHIN: Duration = Duration::from_millis(500);

/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

pub(crate) async fn run(home: &Home, out: &Output) -> Result<()> {
    let before = lock::running(home)?.map(|daemon| daemon.pid);
    let pid = ensure(home).await?;
    let settings = Settings::of(home)?;
    // One that was dying, of a kill, held the lock still.
    let text = match before == Some(pid) {
        true => format!("runs already: {} (pid {pid})", settings.endpoint_url()),
        false => format!("up: {} (pid {pid})", settings.endpoint_url()),
    };
    out.say(&text, &json!({"endpoint": settings.endpoint_url(), "daemon": {"pid": pid}}));
    Ok(())
}

/// A wait for the daemon's answer.
pub(super) struct Patience {
    began: Instant,
    is_noted: bool,
}

impl Patience {
    pub(super) fn new() -> Patience {
        Patience { began: Instant::now(), is_noted: false }
    }

    /// Waits a moment longer, and says so once if it takes unusually long. An error when it has taken too long.
    pub(super) async fn wait(&mut self, home: &Home, settings: &Settings) -> Result<()> {
        let (at, log, waited) = (&settings.config.endpoint, home.log(), self.began.elapsed());
        let hint = "if the log has no error, a firewall may drop packets on the loopback interface `lo`";
        if waited > READY_WITHIN {
            let most = READY_WITHIN.as_secs();
            bail!(
                "the daemon runs, but does not answer at {at} within {most} s; see {}; {hint}",
                log.display()
            );
        }
        if waited > NOTE_AFTER && !self.is_noted {
            self.is_noted = true;
            eprintln!("waiting for the daemon to answer at {at}; its log is {}; {hint}", log.display());
        }
        // The kernel does not notify of another process that listens.
        tokio::time::sleep(LOOK_AGAIN).await;
        Ok(())
    }
}

/// Starts the daemon if none runs; gives its pid once the API answers.
pub(crate) async fn ensure(home: &Home) -> Result<i32> {
    let mut patience = Patience::new();
    // Who holds the lock may be starting, or dying of a kill: only an answer says that it lives.
    while let Some(daemon) = lock::running(home)? {
        let settings = Settings::of(home)?;
        if Client::new(home, &settings).answers().await {
            return Ok(daemon.pid);
        }
        patience.wait(home, &settings).await?;
    }
    start(home, patience).await
}

async fn start(home: &Home, mut patience: Patience) -> Result<i32> {
    let settings = Settings::of(home)?;
    doctor::require(&[])?;
    refuse_taken_ports(&settings).await?;
    home.create()?;
    let log = home.open_log()?;
    let from = log.metadata().map(|m| m.len()).unwrap_or(0);
    if service::is_installed(home)? {
        return service::start(home, &settings, patience).await;
    }
    let mut command = Command::new(std::env::current_exe().context("cannot find this program's own file")?);
    command.arg("daemon").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // A group of its own: Ctrl-C at the terminal is not meant for the cloud.
    command.process_group(0);
    let mut child = command.spawn().context("cannot start the daemon")?;
    let client = Client::new(home, &settings);
    loop {
        // Of two who start it at once one is too late: its child ends, and it is the other's daemon that answers.
        if client.answers().await
            && let Some(daemon) = lock::running(home)?
        {
            return Ok(daemon.pid);
        }
        if let Some(status) = child.try_wait()? {
            let mut why = log_since(home, from);
            // Its log is on that disk, too.
            if let Some(full) = disk::full_among([home.path(), home.databases().as_path()]) {
                why = format!("{full}\n{why}");
            }
            bail!("the daemon ended at once ({status}):\n{}", why.trim_end());
        }
        patience.wait(home, &settings).await?;
    }
}

/// Better said here than by a log: which port another program holds, and how to choose another.
async fn refuse_taken_ports(settings: &Settings) -> Result<()> {
    let config = &settings.config;
    let local = |port: u16| format!("127.0.0.1:{port}");
    let local6 = format!("[::1]:{}", config.web_port);
    let tcp = |at: &str| TcpListener::bind(at).map(drop);
    let both = |at: &str| tcp(at).and_then(|()| UdpSocket::bind(at).map(drop));
    free(&config.endpoint, "ESCALE_ENDPOINT=127.0.0.1:PORT", tcp).await?;
    free(&local(config.web_port), "ESCALE_WEB_PORT=PORT", tcp).await?;
    // Many clients go there first for *.localhost. A machine without IPv6 has nobody there.
    let tcp6 = |at: &str| match tcp(at) {
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => Ok(()),
        tried => tried,
    };
    free(&local6, "ESCALE_WEB_PORT=PORT", tcp6).await?;
    free(&local(config.dns_port), "ESCALE_DNS_PORT=PORT", both).await
}

async fn free(at: &str, choose: &str, bind: impl Fn(&str) -> std::io::Result<()>) -> Result<()> {
    let deadline = Instant::now() + PORT_FREE_WITHIN;
    loop {
        match bind(at) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                return Err(error)
                    .with_context(|| format!("cannot listen on {at}; choose another port: {choose}"));
            }
            Err(_) if Instant::now() > deadline => {
                bail!("{at} is in use by another program; stop it, or choose another port: {choose}")
            }
            Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

fn log_since(home: &Home, from: u64) -> String {
    let text = std::fs::read(home.log()).unwrap_or_default();
    let new = text.get(from as usize..).unwrap_or_default();
    String::from_utf8_lossy(new).trim_end().to_owned()
}
