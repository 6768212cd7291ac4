//! The daemon: takes the lock, opens the store, wires the cloud, serves until it is told to stop.
//!
//! It may be killed at any moment: containers and databases are processes of their own, and the next daemon
//! finds them.
//!
//! Two sets of threads: one for the API and the reconcilers, one for the planes that answer applications (load balancers,
//! distributions, DNS), so that no request to the API can occupy what serves an application.

use crate::{cloud, home::Home, lock::Lock, memory, planes, root_key, settings::Settings};
use anyhow::{Context, Result};
use escale_containers::DaemonCgroup;
use escale_wiring::RootKey;
use rustix::process::{Resource, Rlimit};
use std::fs;
use tokio::{
    runtime::{Handle, Runtime},
    signal::unix::{SignalKind, signal},
};

/// What systemd's PID 1 becomes when it ends whatever its units did not end; the kernel cuts names at 15 letters.
const SHUTDOWN: &str = "systemd-shutdow";

/// Runs until SIGTERM or SIGINT. `to_log`: writes to the home's log instead of stderr.
pub(crate) fn run(home: &Home, to_log: bool) -> Result<()> {
    memory::share_arenas();
    if to_log {
        home.create()?;
        nix::unistd::dup2_stderr(home.open_log()?).context("cannot write to the log instead of stderr")?;
    }
    start_log()?;
    home.create()?;
    home.close()?;
    let settings = Settings::from_environment()?;
    let key = root_key::of_daemon(home)?;
    let lock = Lock::take(home, &settings.config.endpoint, settings.config.web_port, &key)?;
    // Before any thread or child: both inherit where this process is, and what it may.
    leave_the_login(home);
    raise_descriptor_limit();
    let (control, data) = (runtime("escale")?, runtime("escale-data")?);
    control.block_on(serve(home, &settings, key, data.handle()))?;
    drop(lock);
    if fs::read_to_string("/proc/1/comm").is_ok_and(|name| name.trim_end() == SHUTDOWN) {
        // No service of systemd's ran this daemon, or tasks and databases would have ended by now: see `cli/service.rs`.
        control.block_on(planes::halt(home))?;
    }
    Ok(())
}

fn runtime(thread_name: &str) -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name(thread_name).build().context("cannot start the runtime")
}

/// A login ends with everything in its cgroup, and the daemon and all that it starts shall not.
fn leave_the_login(home: &Home) {
    match DaemonCgroup::of(&home.tag()).enter() {
        Ok(left) if left.is_empty() => {}
        Ok(left) => tracing::info!(left = left.join(", "), "the daemon is in a cgroup of its own"),
        Err(error) => tracing::warn!(
            "the daemon stays in the cgroup of the login that started it and may end with it; `escale service install` \
             makes it a service: {error}"
        ),
    }
}

/// A login's soft limit is 1,024, and some hundred connections with their targets need more. Programs that cannot stand more are
/// why it is so low; containers and databases get limits of their own.
fn raise_descriptor_limit() {
    let before = rustix::process::getrlimit(Resource::Nofile);
    let set = |most: Option<u64>| {
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })
    };
    // The containers' default should be there to hand out. Above the hard limit that needs a privilege which root has, mostly.
    let enough = before.maximum.map(|hard| hard.max(escale_containers::limits::DEFAULT_OPEN_FILES));
    match set(enough).or_else(|_| set(before.maximum)) {
        Ok(()) => {
            let after = rustix::process::getrlimit(Resource::Nofile);
            tracing::info!(before = ?before.current, after = ?after.current, "open files are limited");
        }
        Err(error) => tracing::warn!(?before, "the limit of open files cannot be raised: {error}"),
    }
}

async fn serve(home: &Home, settings: &Settings, key: RootKey, data: &Handle) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A terminal that is closed is not meant for the cloud: with a handler the signal does nothing.
    let _hangup = signal(SignalKind::hangup())?;
    let cloud = cloud::start(home, settings, key, data).await?;
    tracing::info!(endpoint = settings.config.endpoint, home = %home.path().display(), "escale is up");
    tokio::select! {
        () = memory::give_back() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("escale stops; what it runs goes on");
    drop(cloud);
    Ok(())
}

fn start_log() -> Result<()> {
    let wanted = std::env::var("ESCALE_LOG").unwrap_or_else(|_| "info".into());
    let filter = tracing_subscriber::EnvFilter::try_new(&wanted).with_context(|| {
        format!("ESCALE_LOG={wanted}: not a filter; use for example info or escale_engine=debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        // It would print that a line could not be written to where it could not be written, and panic: a full disk would end
        // whatever task has something to say.
        .log_internal_errors(false)
        .init();
    Ok(())
}
