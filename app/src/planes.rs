//! Opens the real planes on a home, and removes them again.

use crate::{home::Home, plane, settings::Settings, unit};
use anyhow::{Context, Result};
use escale_base::Clock;
use escale_containers::{Containers, DaemonCgroup, Machine, ShimCommand};
use escale_dns::Dns;
use escale_journal::FileJournal;
use escale_network::{KernelNetwork, Network};
use escale_postgres::{Postgres, PostgresPlane};
use escale_service::Internet;
use escale_upstream::{Proxies, Roots};
use escale_wiring::DataPlanes;
use std::{path::Path, pin::Pin, sync::Arc};

/// The opened planes of the daemon's own process.
pub(crate) struct Opened {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) containers: Arc<dyn Containers>,
    pub(crate) postgres: escale_rds::Plane,
    /// The planes that services hold, with the DNS of the data plane's process.
    pub(crate) data: Box<dyn FnOnce(Arc<dyn Dns>) -> DataPlanes + Send>,
    /// Work that makes the first requests faster. It should run once the cloud answers.
    pub(crate) preparation: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Opens the planes of the daemon's own process.
pub(crate) async fn open(home: &Home, clock: &Clock) -> Result<Opened> {
    let network =
        KernelNetwork::open(&home.plane("network")).await.context("cannot open the network plane")?;
    let opened = PostgresPlane::open(escale_postgres::Config::new(home.databases()));
    let newest = postgres_majors().last().copied();
    let preparation = opened.as_ref().ok().zip(newest).map(|((plane, _), major)| plane.prepare(major));
    // Without PostgreSQL on this machine `opened` is an error. The cloud starts nevertheless, and RDS reports it.
    let postgres = opened.map(|(plane, events)| (Arc::new(plane) as Arc<dyn Postgres>, events));
    let objects = escale_objects::Settings {
        root: home.private_folder("objects")?,
        clock: clock.clone(),
        durability: escale_objects::Durability::Power,
        limits: escale_objects::Limits::default(),
    };
    let registry = escale_registry::Settings {
        root: home.private_folder("images")?,
        clock: clock.clone(),
        cache_bytes: escale_registry::CACHE_BYTES,
    };
    // Calls: the last 48 MiB, some 60,000 of them; denials: the last 16 MiB. A segment of 4 MiB is what one lookup holds in memory.
    let journal = |name: &str, segments| {
        let limits = escale_journal::Limits { segment_bytes: 4 * 1024 * 1024, segments };
        let folder = home.private_folder("trail")?.join(name);
        FileJournal::open(&folder, limits)
            .with_context(|| format!("cannot open the record of calls in {}", folder.display()))
    };
    let (calls, denials) = (journal("calls", 12)?, journal("denials", 4)?);
    let folder = home.private_folder("logs")?;
    let logs = escale_logstore::FileStore::open(&folder)
        .with_context(|| format!("cannot open the logs in {}", folder.display()))?;
    let folder = home.private_folder("metrics")?;
    let metrics = escale_metrics::FileMetrics::open(&folder)
        .with_context(|| format!("cannot open the metrics in {}", folder.display()))?;
    let objects = escale_objects::Store::open(objects).context("cannot open the object store")?;
    let registry = escale_registry::Store::open(registry).context("cannot open the image registry")?;
    let (logs, objects, registry) = (Arc::new(logs), Arc::new(objects), Arc::new(registry));
    let (calls, denials, metrics) = (Arc::new(calls), Arc::new(denials), Arc::new(metrics));
    Ok(Opened {
        network: Arc::new(network),
        containers: Arc::new(containers(home, clock)?),
        postgres,
        preparation: Box::pin(async {
            if let Some(preparation) = preparation {
                preparation.await;
            }
        }),
        data: Box::new(move |dns| DataPlanes { dns, logs, metrics, objects, registry, calls, denials }),
    })
}

/// The registries on the Internet, as the daemon and the command line read them.
pub(crate) fn upstream(settings: &Settings) -> escale_upstream::Client {
    let client =
        escale_upstream::Client::new(settings.image_mirrors.clone(), Proxies::from_environment(), roots());
    match settings.config.internet {
        Internet::None => client.of_mirrors_only(),
        Internet::Host { .. } => client,
    }
}

/// The certificates that this machine trusts.
pub(crate) fn roots() -> Roots {
    Roots::from_environment()
}

fn containers(home: &Home, clock: &Clock) -> Result<impl Containers + use<>> {
    let settings = escale_containers::Settings {
        state_dir: home.plane("containers"),
        tag: home.tag(),
        // The registry's own files, so that a pushed image needs no copy.
        blobs: home.plane("images").join("blobs"),
        shim: ShimCommand::this_program(),
        runtime: None,
    };
    Machine::open(settings, clock.clone()).context("cannot open the containers plane")
}

/// The versions of PostgreSQL that are installed.
pub(crate) fn postgres_majors() -> Vec<u32> {
    escale_postgres::Installed::find().majors()
}

/// Removes a file or a folder with its content. A path that does not exist is no error.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes what outlives the daemon on the machine outside of the home without being useful.
pub(crate) async fn take_down(home: &Home) -> Result<()> {
    escale_containers::clear(&home.plane("containers"), &home.tag()).await?;
    // Opening the plane creates its folder, so it is opened only if it exists.
    let network = home.plane("network");
    if network.exists() {
        KernelNetwork::open(&network).await?.wipe().await?;
    }
    // The cgroup may contain databases that keep running.
    Ok(DaemonCgroup::of(&home.tag()).remove_if_empty()?)
}

/// Stops the data plane, tasks and then databases before the machine shuts down. No daemon may run. The next start runs them
/// again.
pub(crate) async fn halt(home: &Home) -> Result<()> {
    // First, so that no request reaches a task that stops.
    let plane = plane::end(home).await.map(drop);
    let tasks = halt_tasks(home).await;
    let databases = halt_databases(home).await;
    plane.and(tasks).and(databases)
}

async fn halt_tasks(home: &Home) -> Result<()> {
    if !home.plane("containers").exists() {
        return Ok(());
    }
    containers(home, &Clock::machine())?.halt(unit::TASKS_WITHIN).await.context("cannot stop all tasks")
}

async fn halt_databases(home: &Home) -> Result<()> {
    let folder = home.databases();
    if !folder.exists() {
        return Ok(());
    }
    let (plane, _) = PostgresPlane::open(escale_postgres::Config::new(folder))
        .context("cannot open the databases plane")?;
    plane.halt(unit::DATABASES_WITHIN).await.context("cannot stop all databases")
}

/// Files that no process uses once the daemon and the data plane have ended.
const UNUSED: [&str; 10] = [
    "builds",
    "cdn",
    "logs",
    "objects",
    "images",
    "state.db",
    "state.db-wal",
    "state.db-shm",
    "daemon.log",
    "plane.log",
];

/// Removes everything. It works on a full disk, too: files that only take space are removed first, and the later steps write
/// only what they must.
pub(crate) async fn wipe(home: &Home) -> Result<()> {
    for name in UNUSED {
        remove(&home.plane(name))?;
    }
    // Without databases the plane is not opened, so that a reset works on a machine without PostgreSQL.
    let folder = home.databases();
    if folder.exists() {
        let opened = PostgresPlane::open(escale_postgres::Config::new(folder));
        opened.context("cannot open the databases plane to remove the databases")?.0.wipe().await?;
    }
    take_down(home).await?;
    // Everything that could be in the cgroup has ended.
    Ok(DaemonCgroup::of(&home.tag()).remove()?)
}
