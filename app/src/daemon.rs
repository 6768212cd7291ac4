//! The daemon: takes the lock, opens the store, wires the cloud, serves until it is told to stop.
//!
//! It may be killed at any moment: containers and databases are processes of their own, and the next daemon
//! finds them.
//!
//! Two sets of threads: one for the API and the reconcilers, one for the planes that answer applications (load balancers,
//! distributions, DNS), so that no request to the API can occupy what serves an application.

use crate::{cloud, home::Home, lock::Lock, settings::Settings};
use anyhow::{Context, Result};
use tokio::{
    runtime::{Handle, Runtime},
    signal::unix::{SignalKind, signal},
};

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(home: &Home) -> Result<()> {
    start_log()?;
    home.create()?;
    let settings = Settings::from_environment()?;
    let lock = Lock::take(home, &settings.config.endpoint, settings.config.web_port)?;
    let (control, data) = (runtime("escale")?, runtime("escale-data")?);
    control.block_on(serve(home, &settings, data.handle()))?;
    drop(lock);
    Ok(())
}

fn runtime(thread_name: &str) -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name(thread_name).build().context("cannot start the runtime")
}

async fn serve(home: &Home, settings: &Settings, data: &Handle) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let cloud = cloud::start(home, settings, data).await?;
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
