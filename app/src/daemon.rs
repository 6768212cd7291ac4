//! The daemon: takes the lock, opens the store, wires the cloud, serves until it is told to stop.
//!
//! It may be killed at any moment: containers and databases are processes of their own, and the next daemon
//! finds them.

use crate::{cloud, home::Home, settings::Settings};
use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
};
use tokio::signal::unix::{SignalKind, signal};

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(home: &Home) -> Result<()> {
    start_log()?;
    home.create()?;
    let mut lock = Lock::take(home)?;
    let settings = Settings::from_environment()?;
    lock.tell(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("escale")
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(home, &settings))?;
    drop(lock);
    Ok(())
}

async fn serve(home: &Home, settings: &Settings) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let cloud = cloud::start(home, settings).await?;
    tracing::info!(endpoint = settings.config.endpoint, home = %home.path().display(), "escale is up");
    tokio::select! {
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
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    Ok(())
}

/// The lock that says which process is the daemon of a home. The kernel lets go of it when the process dies.
struct Lock {
    file: Flock<File>,
}

impl Lock {
    fn take(home: &Home) -> Result<Lock> {
        let path = home.lock();
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        let file = exclusively(file).with_context(|| {
            format!("a daemon runs already in {} ({})", home.path().display(), told(home))
        })?;
        file.set_len(0)?;
        Ok(Lock { file })
    }

    /// Tells the command line who the daemon is and where it answers.
    fn tell(&mut self, settings: &Settings) -> Result<()> {
        let Settings { config, .. } = settings;
        write!(self.file, "{} {} {}", std::process::id(), config.endpoint, config.web_port)?;
        self.file.flush().context("cannot write the lock")
    }
}

/// Who looks whether a daemon runs (see [`running`]) shares the lock for an instant: that is no reason to give up.
fn exclusively(mut file: File) -> Result<Flock<File>> {
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((file, _)) => file,
        };
        // Only a daemon holds it against those who share.
        let shared = Flock::lock(file, FlockArg::LockSharedNonblock).map_err(|(_, error)| error)?;
        file = shared.unlock().map_err(|(_, error)| error)?;
        std::thread::yield_now();
    }
}

/// The daemon that runs in a home.
pub(crate) struct Daemon {
    pub(crate) pid: i32,
    pub(crate) endpoint: String,
    pub(crate) web_port: u16,
}

/// The daemon that runs in this home, if one does.
pub(crate) fn running(home: &Home) -> Option<Daemon> {
    let file = OpenOptions::new().read(true).write(true).open(home.lock()).ok()?;
    if Flock::lock(file, FlockArg::LockSharedNonblock).is_ok() {
        return None;
    }
    let told = told(home);
    let mut words = told.split(' ');
    Some(Daemon {
        pid: words.next()?.parse().ok()?,
        endpoint: words.next()?.to_owned(),
        web_port: words.next()?.parse().ok()?,
    })
}

fn told(home: &Home) -> String {
    fs::read_to_string(home.lock()).unwrap_or_default()
}
