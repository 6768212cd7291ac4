//! The daemon: takes the lock, opens the store, wires the cloud, serves until it is told to stop.
//!
//! It may be killed at any moment: containers and databases are processes of their own, and the next daemon
//! finds them.

use crate::{cloud, home::Home, lock::Lock, settings::Settings};
use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(home: &Home) -> Result<()> {
    start_log()?;
    home.create()?;
    home.close()?;
    let settings = Settings::from_environment()?;
    let lock = Lock::take(home, &settings.config.endpoint, settings.config.web_port)?;
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
