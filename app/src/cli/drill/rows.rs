//! Writers of rows with unique values, through the database's name, and the check that every acknowledged row is there at the end.
//!
//! A row is acknowledged when its COMMIT returned without a warning, at `synchronous_commit = on`. A commit with a warning does not count: PostgreSQL
//! sends it when the wait for the standby was cancelled, and such a row may be lost.

use crate::{
    cli::{application::Application, client::Client, psql, tasks, tunnel},
    home::Home,
};
use anyhow::{Context, Result, anyhow, bail};
use escale_base::Secret;
use escale_network::{Namespace, Namespaces, Place};
use escale_wire::Element;
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, NoTls};
use tokio_util::task::AbortOnDropHandle;

/// The limit of a connection and of a statement: how soon a client notices that its server is silent.
const WITHIN: Duration = Duration::from_secs(1);
const WRITERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);
/// The last reading waits for a server that is busy.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// In a schema of the drill's own, which is dropped at the end, and at the beginning if the last drill was killed.
const CREATE: &str = "drop schema if exists escale_drill cascade; create schema escale_drill; create table escale_drill.written (value int8 primary key)";
const DROP: &str = "drop schema if exists escale_drill cascade";

/// The figures of the rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// The moments of the acknowledgements, in order.
    pub(super) acknowledged: Vec<Instant>,
    pub(super) lost: usize,
    /// Commits that returned with a warning.
    pub(super) warned: u64,
}

impl Written {
    /// The longest time between two acknowledgements; zero with fewer than two.
    pub(super) fn longest_pause(&self) -> Duration {
        self.acknowledged.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }
}

/// How to reach the database: its name, asked of the VPC's resolver for each connection, from the network namespace of a task.
struct Way {
    router: Namespace,
    resolver: Ipv4Addr,
    name: String,
    port: u16,
    /// Tasks that may connect to the database, outside of what the drill breaks.
    from: Vec<Namespace>,
    turn: AtomicU64,
    user: String,
    password: Secret<String>,
    database: String,
}

#[derive(Default)]
struct Shared {
    next: AtomicI64,
    warned: Arc<AtomicU64>,
    acknowledged: Mutex<Vec<(i64, Instant)>>,
}

pub(super) struct Writers {
    way: Arc<Way>,
    shared: Arc<Shared>,
    running: JoinSet<()>,
}

impl Writers {
    /// Tasks with the interfaces `broken` are not used.
    pub(super) async fn start(
        home: &Home,
        client: &Client,
        application: &Application,
        instance: &Element,
        broken: &BTreeSet<String>,
    ) -> Result<Writers> {
        let way = Arc::new(Way::find(home, client, application, instance, broken).await?);
        let session = way.connect(&Arc::default()).await?;
        session.run(CREATE, READ_WITHIN).await.context("cannot create the drill's table")?;
        let shared = Arc::<Shared>::default();
        let mut running = JoinSet::new();
        for _ in 0..WRITERS {
            running.spawn(write(Arc::clone(&way), Arc::clone(&shared)));
        }
        Ok(Writers { way, shared, running })
    }

    /// Whether a row was acknowledged in this period, given as its beginning and its end, both before now.
    pub(super) fn acknowledged_between(&self, begin: Duration, end: Duration) -> bool {
        let now = Instant::now();
        let all = self.shared.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let ages = all.iter().rev().map(|(_, at)| now.saturating_duration_since(*at));
        ages.take_while(|age| *age <= begin).any(|age| age >= end)
    }

    /// Ends the writers, and compares the acknowledged rows with those in the table.
    pub(super) async fn stop(mut self) -> Result<Written> {
        self.running.shutdown().await;
        let session = self.way.connect(&Arc::default()).await.context("the drill's rows cannot be read")?;
        let found = session.values().await.context("the drill's rows cannot be read")?;
        let all = self.shared.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lost = all.iter().filter(|(value, _)| !found.contains(value)).count();
        // Rows that are lost are kept as evidence.
        if lost == 0 {
            session.run(DROP, READ_WITHIN).await.context("cannot remove the drill's table")?;
        }
        let mut acknowledged: Vec<Instant> = all.into_iter().map(|(_, at)| at).collect();
        acknowledged.sort();
        Ok(Written { acknowledged, lost, warned: self.shared.warned.load(Ordering::Relaxed) })
    }
}

async fn write(way: Arc<Way>, shared: Arc<Shared>) {
    let mut every = tokio::time::interval(PAUSE);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let Ok(session) = way.connect(&shared.warned).await else { continue };
        loop {
            let value = shared.next.fetch_add(1, Ordering::Relaxed);
            let warned = session.warned.load(Ordering::Relaxed);
            let sql = format!("insert into escale_drill.written values ({value})");
            if session.run(&sql, WITHIN).await.is_err() {
                break;
            }
            if session.warned.load(Ordering::Relaxed) == warned {
                let mut all = shared.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                all.push((value, Instant::now()));
            }
            every.tick().await;
        }
    }
}

impl Way {
    async fn find(
        home: &Home,
        client: &Client,
        application: &Application,
        instance: &Element,
        broken: &BTreeSet<String>,
    ) -> Result<Way> {
        let id = instance.text_of("DBInstanceIdentifier");
        let (user, password) = psql::login(client, instance).await?;
        let endpoint =
            instance.child("Endpoint").with_context(|| format!("the database {id} has no endpoint"))?;
        let vpc = instance.child("DBSubnetGroup").map_or("", |group| group.text_of("VpcId"));
        let namespaces = Namespaces::of(&home.plane("network"));
        let mut way = Way {
            router: namespaces.open(&Place::Router(vpc.to_owned()))?,
            resolver: tunnel::resolver(client, vpc).await?,
            name: endpoint.text_of("Address").to_owned(),
            port: endpoint.text_of("Port").parse().context("the endpoint has no port")?,
            from: Vec::new(),
            turn: AtomicU64::new(0),
            user,
            password: Secret::new(password),
            database: Some(instance.text_of("DBName"))
                .filter(|n| !n.is_empty())
                .unwrap_or("postgres")
                .to_owned(),
        };
        for task in tasks::all(client, application).await? {
            let Some(interface) = task.interface("networkInterfaceId") else { continue };
            if !task.is_running() || broken.contains(interface) {
                continue;
            }
            let Ok(place) = namespaces.open(&Place::interface(vpc, interface)) else { continue };
            // Security groups decide which tasks may connect.
            if way.open_from(&place).await.is_ok() {
                way.from.push(place);
            }
        }
        if way.from.is_empty() {
            bail!("no task outside of the fault may connect to the database {id}, so nothing can write rows");
        }
        Ok(way)
    }

    async fn open_from(&self, from: &Namespace) -> Result<tokio::net::TcpStream> {
        let connecting = async {
            let address = tunnel::resolve(&self.router, self.resolver, &self.name).await?;
            Ok(from.tcp_connect(SocketAddr::from((address, self.port))).await?)
        };
        tokio::time::timeout(WITHIN, connecting).await.map_err(|_| anyhow!("no answer within {WITHIN:?}"))?
    }

    /// A new connection, from the next of the tasks: the last one may be gone.
    async fn connect(&self, warned: &Arc<AtomicU64>) -> Result<Session> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let at = usize::try_from(turn).unwrap_or(0) % self.from.len().max(1);
        let from = self.from.get(at).context("no task is left to connect from")?;
        let stream = self.open_from(from).await?;
        let mut config = tokio_postgres::Config::new();
        config.user(&self.user).password(self.password.reveal()).dbname(&self.database);
        config.application_name("escale drill").options("-c synchronous_commit=on");
        let opened = tokio::time::timeout(WITHIN, config.connect_raw(stream, NoTls)).await;
        let (client, mut connection) = opened.map_err(|_| anyhow!("no answer within {WITHIN:?}"))??;
        let own = Arc::new(AtomicU64::new(0));
        let (of_session, of_all) = (Arc::clone(&own), Arc::clone(warned));
        let messages = tokio::spawn(async move {
            // A notice comes before the answer of its statement, and is counted before the answer is passed on.
            while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message
                    && notice.severity() == "WARNING"
                {
                    of_session.fetch_add(1, Ordering::Relaxed);
                    of_all.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Ok(Session { client, warned: own, _messages: AbortOnDropHandle::new(messages) })
    }
}

struct Session {
    client: tokio_postgres::Client,
    warned: Arc<AtomicU64>,
    _messages: AbortOnDropHandle<()>,
}

impl Session {
    async fn run(&self, sql: &str, within: Duration) -> Result<()> {
        let done = tokio::time::timeout(within, self.client.batch_execute(sql)).await;
        Ok(done.map_err(|_| anyhow!("no answer within {within:?}"))??)
    }

    async fn values(&self) -> Result<BTreeSet<i64>> {
        let reading = self.client.query("select value from escale_drill.written", &[]);
        let rows = tokio::time::timeout(READ_WITHIN, reading).await;
        let rows = rows.map_err(|_| anyhow!("no answer within {READ_WITHIN:?}"))??;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
