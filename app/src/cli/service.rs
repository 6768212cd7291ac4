//! `escale service`: the daemon as a systemd service, which is there again after a reboot.
//!
//! systemd starts the daemon and restarts it when it dies, and then what it runs goes on. When the service is stopped by
//! hand or with the machine, tasks and databases are stopped first, each within its time. The manual pages behind this are systemd.service(5)
//! and systemd.kill(5).

use super::{Output, client::Client, doctor, start::Patience, stop};
use crate::{home::Home, lock, planes, settings::Settings, unit};
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
    /// Run the daemon as a systemd service: from now on, and again after each reboot.
    Install,
    /// Undo `install`: stop the daemon and remove the service. What it runs goes on, as with `escale stop`.
    Remove,
    /// What systemd calls to stop the service.
    #[command(hide = true)]
    Halt,
}

/// Where units of the administrator are.
const UNIT: &str = "/etc/systemd/system/escale.service";
const NAME: &str = "escale.service";

/// The settings of the service, for root's eyes only. Not in the unit: systemd shows a unit's `Environment=` to every user, and
/// these hold a key.
const ENVIRONMENT: &str = "/etc/systemd/system/escale.service.env";

/// Exists as long as systemd is the init system: sd_booted(3).
const BOOTED: &str = "/run/systemd/system";

pub(crate) async fn run(home: &Home, out: &Output, service: &Service) -> Result<()> {
    match service.verb {
        Verb::Install => install(home, out).await,
        Verb::Remove => remove(home, out),
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
    // One that was started by hand makes room; the service finds what it runs. A service that runs takes over new settings.
    match lock::running(home)? {
        Some(daemon) if main_pid()? != Some(daemon.pid) => stop::end(daemon.pid)?,
        _ => {}
    }
    systemctl(&["restart", NAME])?;
    let pid = answers(home, &settings, Patience::new()).await?;
    let url = settings.endpoint_url();
    let text = format!(
        "{NAME} is installed and runs: {url} (pid {pid})\nstop it with its tasks and databases: systemctl stop escale; undo \
         this: escale service remove"
    );
    out.say(&text, &json!({"installed": true, "unit": UNIT, "endpoint": url, "daemon": {"pid": pid}}));
    Ok(())
}

fn remove(home: &Home, out: &Output) -> Result<()> {
    let _alone = lock::alone(home)?;
    if !Path::new(UNIT).exists() {
        out.say(&format!("there is no service: {UNIT} does not exist"), &json!({"removed": false}));
        return Ok(());
    }
    require_systemd()?;
    require_own_unit(home)?;
    systemctl(&["disable", "--quiet", NAME])?;
    if let Some(daemon) = lock::running(home)? {
        stop::end(daemon.pid)?;
    }
    for file in [UNIT, ENVIRONMENT] {
        match fs::remove_file(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.with_context(|| format!("cannot remove {file}"))?,
        }
    }
    systemctl(&["daemon-reload"])?;
    out.say(
        &format!("{NAME} is removed and the daemon has stopped; what it runs goes on: escale start"),
        &json!({"removed": true}),
    );
    Ok(())
}

/// Called by systemd. At a restart, or after the daemon ended by itself, tasks and databases go on.
async fn halt(home: &Home) -> Result<()> {
    if !is_to_stop() {
        return Ok(());
    }
    if let Some(daemon) = lock::running(home)? {
        stop::end(daemon.pid)?;
    }
    planes::halt(home).await
}

/// Whether systemd stops the unit: by hand, or with the machine. If systemd cannot be asked, the machine may be going down.
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

/// Starts the service; gives the daemon's pid once the API answers.
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
        waited.context("see `systemctl status escale`")?;
    }
}

fn require_systemd() -> Result<()> {
    if !Path::new(BOOTED).is_dir() {
        bail!(
            "systemd is not the init system of this machine ({BOOTED} does not exist), and `escale service` writes a systemd \
             unit. Let what starts programs at boot here run `escale start` instead"
        );
    }
    Ok(())
}

/// One service a machine: two homes would be in each other's way.
fn require_own_unit(home: &Home) -> Result<()> {
    match fs::read_to_string(UNIT) {
        Ok(text) if !unit::is_of(&text, home.path()) => bail!(
            "{UNIT} is the service of another home than {}. Remove that one first: run `escale service remove` with its \
             ESCALE_HOME",
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
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}; see `journalctl -u escale`", what(), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whole or not at all, and never open to more than `mode` says.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let place = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(place)?;
    }
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        removed => removed.with_context(place)?,
    }
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(place)?;
    fs::rename(&temporary, path).with_context(place)
}
