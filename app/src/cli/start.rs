//! `escale start`: starts the daemon in the background and returns when the API answers.

use super::{Output, client::Client, doctor, service};
use crate::{home::Home, lock, plane, settings::Settings};
use anyhow::{Context, Result, bail};
use escale_files::disk;
use serde_json::json;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Long enough for a cold disk or a busy processor. If the daemon ends, the wait ends at once.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// After this time without an answer, a message says what the command waits for.
const NOTE_AFTER: Duration = Duration::from_secs(10);

/// The kernel releases the lock of a killed daemon a moment before its port.
const PORT_FREE_WITHIN: Duration = Duration::from_millis(500);

/// Pause between two checks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

pub(crate) async fn run(home: &Home, out: &Output) -> Result<()> {
    let before = lock::running(home)?.map(|daemon| daemon.pid);
    let pid = ensure(home).await?;
    let settings = Settings::of(home)?;
    // The pids are compared because a killed daemon may still have held the lock before.
    let text = if before == Some(pid) {
        format!("The daemon is already running: {} (pid {pid})", settings.endpoint_url())
    } else {
        format!("Started the daemon: {} (pid {pid})", settings.endpoint_url())
    };
    out.say(&text, &json!({"endpoint": settings.endpoint_url(), "daemon": {"pid": pid}}));
    Ok(())
}

/// Waits for the daemon's answer, with a limit.
pub(super) struct Patience {
    began: Instant,
    is_noted: bool,
}

impl Patience {
    pub(super) fn new() -> Patience {
        Patience { began: Instant::now(), is_noted: false }
    }

    /// Waits a moment longer. Prints a message once if the wait is unusually long, and fails if it is too long.
    pub(super) async fn wait(&mut self, home: &Home, settings: &Settings) -> Result<()> {
        let (at, log, waited) = (&settings.config.endpoint, home.log(), self.began.elapsed());
        let hint = "If the log has no error, a firewall may drop packets on the loopback interface `lo`";
        if waited > READY_WITHIN {
            let most = READY_WITHIN.as_secs();
            bail!(
                "the daemon runs, but has not answered at {at} within {most} s. See its log {}. {hint}",
                log.display()
            );
        }
        if waited > NOTE_AFTER && !self.is_noted {
            self.is_noted = true;
            eprintln!("waiting for the daemon to answer at {at}; its log is {}. {hint}", log.display());
        }
        // Polls, because the kernel has no notification for another process that starts to listen.
        tokio::time::sleep(LOOK_AGAIN).await;
        Ok(())
    }
}

/// Starts the daemon if none runs, and returns its pid once the API answers.
pub(crate) async fn ensure(home: &Home) -> Result<i32> {
    let mut patience = Patience::new();
    // The process that holds the lock may be starting, or dying after a kill. Only an answer shows that it serves.
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
    refuse_taken_ports(&settings, &own_ports(home).await?).await?;
    home.create()?;
    let log = home.open_log()?;
    let from = log.metadata().map(|m| m.len()).unwrap_or(0);
    if service::is_installed(home)? {
        return service::start(home, &settings, patience).await;
    }
    let mut command = Command::new(std::env::current_exe().context("cannot find this program's own file")?);
    command.arg("daemon").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // A process group of its own, so that Ctrl-C at the terminal does not reach the daemon.
    command.process_group(0);
    let mut child = command.spawn().context("cannot start the daemon")?;
    let client = Client::new(home, &settings);
    loop {
        // If two commands start the daemon at once, only one gets the lock. The other's child ends, and the answer comes from
        // the first one's daemon; so the answer is checked before the child.
        if client.answers().await
            && let Some(daemon) = lock::running(home)?
        {
            return Ok(daemon.pid);
        }
        if let Some(status) = child.try_wait()? {
            let mut why = log_since(home, from);
            // A full disk is checked for separately, because the log is on that disk, too, and may miss the error.
            if let Some(full) = disk::full_among([home.path(), home.databases().as_path()]) {
                why = format!("{full}\n{why}");
            }
            bail!("the daemon ended while it started ({status}). The end of its log:\n{}", why.trim_end());
        }
        patience.wait(home, &settings).await?;
    }
}

/// The addresses at which the data plane of this home still serves; the next daemon adopts it.
async fn own_ports(home: &Home) -> Result<Vec<SocketAddr>> {
    Ok(plane::running(home).await?.map(|hello| hello.host).unwrap_or_default())
}

/// Names a port that another program holds, and the variable that changes it. The daemon would report this in its log only.
async fn refuse_taken_ports(settings: &Settings, own: &[SocketAddr]) -> Result<()> {
    let config = &settings.config;
    let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let tcp = |at: &str| TcpListener::bind(at).map(drop);
    let both = |at: &str| tcp(at).and_then(|()| UdpSocket::bind(at).map(drop));
    free(&config.endpoint, "ESCALE_ENDPOINT=127.0.0.1:PORT", tcp).await?;
    if !own.contains(&local(config.web_port)) {
        free(&local(config.web_port).to_string(), "ESCALE_WEB_PORT=PORT", tcp).await?;
        // Many clients try ::1 first for *.localhost, so another program there would answer in place of the cloud. On a machine
        // without IPv6 the bind fails, and no program can listen there.
        let local6 = format!("[::1]:{}", config.web_port);
        let tcp6 = |at: &str| match tcp(at) {
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => Ok(()),
            tried => tried,
        };
        free(&local6, "ESCALE_WEB_PORT=PORT", tcp6).await?;
    }
    if settings.needs_https && !own.contains(&local(config.https_port)) {
        free(&local(config.https_port).to_string(), "ESCALE_HTTPS_PORT=PORT", tcp).await?;
    }
    if !own.contains(&local(config.dns_port)) {
        free(&local(config.dns_port).to_string(), "ESCALE_DNS_PORT=PORT", both).await?;
    }
    Ok(())
}

async fn free(at: &str, choose: &str, bind: impl Fn(&str) -> std::io::Result<()>) -> Result<()> {
    let deadline = Instant::now() + PORT_FREE_WITHIN;
    loop {
        match bind(at) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                return Err(error)
                    .with_context(|| format!("cannot listen on {at}. Choose another address with {choose}"));
            }
            Err(_) if Instant::now() > deadline => {
                bail!(
                    "{at} is in use by another program. Stop that program, or choose another port with {choose}"
                )
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
