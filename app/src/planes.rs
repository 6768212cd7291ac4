//! The real planes: opened on a home, and taken down again.

use crate::home::Home;
use anyhow::{Context, Result};
use escale_base::Clock;
use escale_containers::{Containers, Machine, ShimCommand};
use escale_dns::DnsPlane;
use escale_journal::FileJournal;
use escale_network::{KernelNetwork, Network};
use escale_postgres::{Postgres, PostgresPlane};
use escale_wiring::DataPlanes;
use std::{path::Path, pin::Pin, sync::Arc};

/// The planes that run things. What CloudFront and the load balancers need besides is made where the cloud is.
pub(crate) struct Opened {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) containers: Arc<dyn Containers>,
    pub(crate) postgres: escale_rds::Plane,
    pub(crate) data: DataPlanes,
    /// What makes the first requests quicker. For the time when the cloud answers.
    pub(crate) preparation: Pin<Box<dyn Future<Output = ()> + Send>>,
}

pub(crate) async fn open(home: &Home, clock: &Clock) -> Result<Opened> {
    let network = KernelNetwork::open(&home.plane("network")).await.context("cannot open the network")?;
    let opened = PostgresPlane::open(escale_postgres::Config::new(home.databases()));
    let newest = postgres_majors().last().copied();
    let preparation = opened.as_ref().ok().zip(newest).map(|((plane, _), major)| plane.prepare(major));
    let postgres = opened.map(|(plane, told)| (Arc::new(plane) as Arc<dyn Postgres>, told));
    let objects = escale_objects::Settings {
        root: home.private_folder("objects")?,
        clock: clock.clone(),
        durability: escale_objects::Durability::Power,
        limits: escale_objects::Limits::default(),
    };
    let registry = escale_registry::Settings { root: home.private_folder("images")?, clock: clock.clone() };
    // Calls: the last 48 MiB, some 60,000 of them; denials: the last 16 MiB. A segment of 4 MiB is what one lookup holds in memory.
    let journal = |name: &str, segments| {
        let limits = escale_journal::Limits { segment_bytes: 4 * 1024 * 1024, segments };
        let folder = home.private_folder("trail")?.join(name);
        FileJournal::open(&folder, limits).context("cannot open the record of calls")
    };
    let (calls, denials) = (journal("calls", 12)?, journal("denials", 4)?);
    let logs =
        escale_logstore::FileStore::open(&home.private_folder("logs")?).context("cannot open the logs")?;
    Ok(Opened {
        network: Arc::new(network),
        containers: Arc::new(containers(home, clock)?),
        postgres,
        preparation: Box::pin(async {
            if let Some(preparation) = preparation {
                preparation.await;
            }
        }),
        data: DataPlanes {
            dns: Arc::new(DnsPlane::new()),
            logs: Arc::new(logs),
            objects: Arc::new(escale_objects::Store::open(objects).context("cannot open the objects")?),
            registry: Arc::new(escale_registry::Store::open(registry).context("cannot open the images")?),
            calls: Arc::new(calls),
            denials: Arc::new(denials),
        },
    })
}

fn containers(home: &Home, clock: &Clock) -> Result<impl Containers + use<>> {
    let settings = escale_containers::Settings {
        state_dir: home.plane("containers"),
        tag: home.tag(),
        // The registry's own files: an image that was pushed is there.
        blobs: home.plane("images").join("blobs"),
        shim: ShimCommand::this_program(),
        runtime: None,
    };
    Machine::open(settings, clock.clone()).context("cannot open the containers")
}

/// The versions of PostgreSQL that are installed.
pub(crate) fn postgres_majors() -> Vec<u32> {
    escale_postgres::installed(Path::new("/usr/lib/postgresql"))
}

/// Takes down what stands on the machine outside of the home and would outlive the daemon without use.
pub(crate) async fn take_down(home: &Home) -> Result<()> {
    containers(home, &Clock::machine())?.wipe().await?;
    KernelNetwork::open(&home.plane("network")).await?.wipe().await?;
    Ok(())
}

/// Takes down everything and forgets it.
pub(crate) async fn wipe(home: &Home) -> Result<()> {
    // Where none was ever made the plane need not open: a machine without PostgreSQL can be cleared, too.
    let folder = home.databases();
    if folder.exists() {
        let opened = PostgresPlane::open(escale_postgres::Config::new(folder));
        opened.context("cannot open the databases, to remove them")?.0.wipe().await?;
    }
    take_down(home).await
}
