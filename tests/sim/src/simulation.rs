//! The simulated machine: the state file and the planes, which outlive the daemon; and the daemon itself.

use crate::{
    accidents, client::Client, hazard::Hazard, invariants, rows::Acknowledged, zones, zones::Outage,
};
use anyhow::{Context, Result, bail};
use escale_authority::FakeAuthorities;
use escale_base::{Clock, Secret, Timestamp};
use escale_cdn::FakeCdn;
use escale_containers::Containers;
use escale_dns::FakeDns;
use escale_engine::Engine;
use escale_faults::{Fate, Risky, RiskyContainers};
use escale_network::FakeNetwork;
use escale_postgres::{FakePostgres, Postgres};
use escale_proxy::FakeProxies;
use escale_service::Config;
use escale_store::Store;
use escale_wiring::{DataPlanes, Planes, RootKey, Services};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::time::Instant;

/// The only major version that is "installed".
const POSTGRES: u32 = 15;

pub(crate) struct Simulation {
    dir: tempfile::TempDir,
    time: Arc<Time>,
    pub(crate) hazard: Arc<Hazard>,
    pub(crate) network: Arc<FakeNetwork>,
    pub(crate) containers: escale_containers::Fake,
    pub(crate) postgres: Arc<FakePostgres>,
    pub(crate) acknowledged: Acknowledged,
    /// The zone that is dark now: the machine's state, which outlives the daemon.
    pub(crate) outage: Mutex<Option<Outage>>,
    pub(crate) logs: Arc<escale_logstore::Fake>,
    pub(crate) objects: Arc<escale_objects::Fake>,
    pub(crate) registry: Arc<escale_registry::Fake>,
}

/// One running daemon, with the planes that end with it.
pub(crate) struct Daemon {
    pub(crate) client: Client,
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) containers: Arc<dyn Containers>,
    pub(crate) proxies: Arc<FakeProxies>,
    pub(crate) cdn: Arc<FakeCdn>,
    pub(crate) dns: Arc<FakeDns>,
}

/// The simulated time: base, and the instant of the running daemon's runtime at which it starts. Each daemon has a runtime of
/// its own, whose time starts anew.
struct Time(Mutex<(i64, Option<Instant>)>);

impl Time {
    fn now(&self) -> Timestamp {
        let (base, origin) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp(base + origin.map_or(0, |o| i64::try_from(o.elapsed().as_millis()).unwrap_or(i64::MAX)))
    }

    fn go(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(Instant::now());
    }

    fn step(&self, ms: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 += ms;
    }

    /// Must be called inside of the runtime whose time is stopped.
    fn stop(&self) {
        let now = self.now();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (now.0, None);
    }
}

impl Simulation {
    pub(crate) fn new(seed: u64) -> Result<Simulation> {
        let time = Arc::new(Time(Mutex::new((1_800_000_000_000, None))));
        let clock = clock_of(&time);
        Ok(Simulation {
            dir: tempfile::tempdir().context("cannot create a directory for the state")?,
            time,
            hazard: Arc::new(Hazard::new(seed)),
            network: Arc::default(),
            containers: escale_containers::Fake::new(),
            postgres: Arc::new(FakePostgres::new(clock.clone())),
            acknowledged: Acknowledged::default(),
            outage: Mutex::default(),
            logs: Arc::default(),
            objects: Arc::new(escale_objects::Fake::new(clock.clone(), escale_objects::Limits::default())),
            registry: Arc::new(escale_registry::Fake::new(clock)),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Sets the machine's clock by so much; negative: back. Timers go on as before.
    pub(crate) fn set_clock(&self, ms: i64) {
        self.time.step(ms);
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.dir.path().join("state.db")
    }

    /// Runs a daemon and `script` beside it, until the script is done (`Some`) or the daemon has died (`None`). Afterwards only
    /// durable state is left.
    pub(crate) fn run_daemon<T>(&self, script: impl AsyncFnOnce(&Daemon) -> Result<T>) -> Result<Option<T>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .context("cannot create a runtime")?;
        let done = runtime.block_on(async {
            self.time.go();
            let running = async {
                let daemon = self.begin().await?;
                tokio::select! {
                    biased;
                    // Not an error of the script: `is_dead` is checked below.
                    () = cut(&daemon.store) => bail!("the state is cut off"),
                    done = script(&daemon) => done,
                    broken = accidents::happen(self, &daemon) => match broken? {},
                    broken = zones::fail(self, &daemon) => match broken? {},
                    broken = invariants::hold(self, &daemon) => match broken? {},
                }
            };
            // `biased` everywhere: a random choice by tokio would make the run depend on more than the seed.
            let done = tokio::select! {
                biased;
                () = self.hazard.death() => Ok(None),
                done = running => if self.hazard.is_dead() {
                    // The script's error is a consequence of the daemon's death.
                    Ok(None)
                } else {
                    done.map(Some)
                },
            };
            self.time.stop();
            done
        });
        drop(runtime);
        self.hazard.end();
        done
    }

    async fn begin(&self) -> Result<Daemon> {
        let store =
            Store::open(&self.state_file(), &escale_tables::all()).context("cannot open the state")?;
        self.hazard.begin(&store);
        let clock = clock_of(&self.time);
        let dns = Arc::new(FakeDns::new());
        let services = Services::new(DataPlanes {
            dns: self.risky(&dns),
            logs: self.risky(&self.logs),
            metrics: Arc::new(escale_metrics::Fake::default()),
            objects: Arc::clone(&self.objects) as _,
            registry: Arc::clone(&self.registry) as _,
            calls: Arc::new(escale_journal::Fake::default()),
            denials: Arc::new(escale_journal::Fake::default()),
        });
        let root = RootKey { id: "test".into(), secret: Secret::new("test".into()) };
        let config = Config { dns_port: 0, web_port: 0, https_port: 0, ..Config::default() };
        let cloud = Arc::new(services.cloud(config, root, clock.clone()));
        let mut engine = Engine::new(store.clone(), clock.clone());
        let containers: Arc<dyn Containers> = Arc::new(self.containers.open(clock)?);
        let (proxies, cdn) = (Arc::<FakeProxies>::default(), Arc::<FakeCdn>::default());
        let planes = Planes {
            network: self.risky(&self.network),
            containers: RiskyContainers::new(&containers, &self.fate()),
            postgres: Ok((self.risky(&self.postgres) as Arc<dyn Postgres>, self.postgres.events())),
            postgres_majors: vec![POSTGRES],
            proxies: self.risky(&proxies),
            cdn: self.risky(&cdn),
            upstream: Arc::new(escale_upstream::Fake::default()),
            authority: self.risky(&Arc::new(FakeAuthorities::new()?)),
            internet_hosts: vec![],
            ca_bundle: "/unused".into(),
        };
        // A daemon that cannot start exits with an error. No plane fails during the start here, so an error is a real one.
        escale_wiring::start(&mut engine, &store, &cloud, &services, planes).await?;
        self.hazard.set_started();
        let client = Client { store: store.clone(), cloud };
        Ok(Daemon { client, store, engine, containers, proxies, cdn, dns })
    }

    fn fate(&self) -> Arc<dyn Fate> {
        Arc::clone(&self.hazard) as _
    }

    fn risky<P: ?Sized>(&self, plane: &Arc<P>) -> Arc<Risky<P>> {
        Risky::new(plane, &self.fate())
    }
}

/// Returns after the last commit that this daemon can make.
async fn cut(store: &Store) {
    let mut changes = store.subscribe(escale_store::ALL_TABLES);
    while !store.is_cut() {
        changes.changed().await;
    }
}

fn clock_of(time: &Arc<Time>) -> Clock {
    let time = Arc::clone(time);
    Clock::from_function(move || time.now())
}
