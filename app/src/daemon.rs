//! The daemon: takes the lock, opens the store, starts the cloud, serves until SIGTERM or SIGINT.
//!
//! It may be killed at any moment: containers, databases and the data plane are processes of their own, and the next daemon
//! adopts them.
//!
//! The planes that serve applications (load balancers, distributions, DNS) run in another process (`plane.rs`), so that they go
//! on when it dies, and no request to the API can occupy the threads that serve an application.

use crate::{cloud, home::Home, lock::Lock, memory, planes, root_key, settings::Settings};
use anyhow::{Context, Result};
use escale_containers::DaemonCgroup;
use escale_wiring::RootKey;
use rustix::process::{Resource, Rlimit};
use std::fs;
use tokio::signal::unix::{SignalKind, signal};

/// The name of PID 1 when systemd ends the processes that its units did not end; the kernel cuts names at 15 letters.
const SHUTDOWN: &str = "systemd-shutdow";

/// Runs until SIGTERM or SIGINT. With `to_log` it writes to the home's log instead of stderr.
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
    let lock = Lock::take(home, &settings.config, &key)?;
    match crate::cli::lift_abandoned(home) {
        Ok(0) => {}
        Ok(lifted) => tracing::warn!(lifted, "lifted the faults of drills that were killed"),
        Err(error) => tracing::error!("the fault of a drill that was killed could not be lifted: {error:#}"),
    }
    // Before any thread or child exists, because both inherit the cgroup and the limits of this process.
    leave_the_login(home);
    raise_descriptor_limit();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().thread_name("escale").build().context("cannot start the runtime")?;
    runtime.block_on(serve(home, &settings, key))?;
    drop(lock);
    if fs::read_to_string("/proc/1/comm").is_ok_and(|name| name.trim_end() == SHUTDOWN) {
        // The machine shuts down and this daemon is not a systemd service, whose `ExecStop` would have stopped tasks and
        // databases: see `cli/service.rs`.
        runtime.block_on(planes::halt(home))?;
    }
    Ok(())
}

/// Moves the daemon out of the login session's cgroup: systemd may kill everything in it when the session ends, and the daemon
/// and its children must keep running.
fn leave_the_login(home: &Home) {
    match DaemonCgroup::of(&home.tag()).enter() {
        Ok(left) if left.is_empty() => {}
        Ok(left) => tracing::info!(left = left.join(", "), "the daemon moved to its own cgroup"),
        Err(error) => tracing::warn!(
            "the daemon could not leave the cgroup of the login session that started it, and may be killed when the session \
             ends: {error}. `escale service install` makes it a systemd service"
        ),
    }
}

/// Raises the limit of open files. A login's soft limit is 1,024, and a few hundred connections with their targets need more.
/// The limit is low for programs that use `select`; containers and databases get limits of their own.
fn raise_descriptor_limit() {
    let before = rustix::process::getrlimit(Resource::Nofile);
    let set = |most: Option<u64>| {
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })
    };
    // At least the default limit of containers, so that they can get it. Raising the hard limit needs CAP_SYS_RESOURCE, which
    // root may lack in a container; then the hard limit has to do.
    let enough = before.maximum.map(|hard| hard.max(escale_containers::limits::DEFAULT_OPEN_FILES));
    match set(enough).or_else(|_| set(before.maximum)) {
        Ok(()) => {
            let after = rustix::process::getrlimit(Resource::Nofile);
            tracing::info!(before = ?before.current, after = ?after.current, "raised the limit of open files");
        }
        Err(error) => tracing::warn!(?before, "cannot raise the limit of open files: {error}"),
    }
}

async fn serve(home: &Home, settings: &Settings, key: RootKey) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A closed terminal must not end the daemon. With this handler, SIGHUP has no effect.
    let _hangup = signal(SignalKind::hangup())?;
    let cloud = cloud::start(home, settings, key).await?;
    tracing::info!(endpoint = settings.config.endpoint, home = %home.path().display(), "the daemon serves the API");
    tokio::select! {
        () = memory::give_back() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("the daemon stops; tasks, databases and the data plane keep running");
    drop(cloud);
    Ok(())
}

pub(crate) fn start_log() -> Result<()> {
    let wanted = std::env::var("ESCALE_LOG").unwrap_or_else(|_| "info".into());
    let filter = tracing_subscriber::EnvFilter::try_new(&wanted).with_context(|| {
        format!("ESCALE_LOG={wanted}: this is not a log filter. Use for example info or escale_engine=debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        // On a full disk the library would report the failed write to the same full disk and panic, which would end whichever
        // task logs something.
        .log_internal_errors(false)
        .init();
    Ok(())
}
