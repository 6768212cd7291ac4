//! The daemon's side: starts the data plane's process or adopts a running one, and keeps a connection to it.

use crate::{
    build::build,
    frame,
    inheritance::Inheritance,
    message::{Answer, Call, Event, Greeting, HandedOver, OriginKeys, Request, Retired, State},
    server::blocking,
    snapshot::Snapshot,
    visit::{RETIRED, SOCKET, address, greet, retired},
};
use escale_base::PlaneError;
use escale_proxy::Seen;
use escale_sockets::Store;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    os::unix::{net::UnixListener, process::CommandExt},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{UnixStream, unix::OwnedWriteHalf},
    process::Command,
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// Within this time a step fails that waits for the data plane's process, and is repeated by its reconciler.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Calls that wait for the connection. Reconcilers execute few steps at once.
const WAITING: usize = 64;
/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the process is started with.
pub struct Start {
    /// A folder that only its owner can enter, with the socket.
    pub folder: PathBuf,
    /// The log, for its standard error.
    pub log: Box<dyn Fn() -> io::Result<File> + Send + Sync>,
    /// As [`crate::Parts::settings`]. A process with others is replaced.
    pub settings: String,
    /// The arguments of this program that run the supervisor.
    pub arguments: &'static [&'static str],
}

/// The connection to the data plane's process. It is opened again whenever it ends. Dropping it leaves the process running.
pub struct Link {
    shared: Arc<Shared>,
    calls: mpsc::Sender<Outgoing>,
    _pump: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// The specs that this daemon has sent, for a process that starts again.
    sent: Mutex<Sent>,
    mirror: Mutex<Mirror>,
}

#[derive(Clone, Default)]
pub(crate) struct Sent {
    pub(crate) state: State,
    pub(crate) keys: BTreeMap<String, OriginKeys>,
    pub(crate) is_serving: bool,
}

/// The process's observations, as far as they were reported.
#[derive(Default)]
pub(crate) struct Mirror {
    pub(crate) balancers: BTreeMap<String, watch::Sender<Arc<Seen>>>,
    pub(crate) distributions: BTreeSet<String>,
}

struct Outgoing {
    request: Request,
    answer: oneshot::Sender<Result<Answer, PlaneError>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// Connects, and starts the process if none runs. What it serves already is known when this returns.
    pub async fn open(start: Start) -> io::Result<Link> {
        let folder = File::open(&start.folder)?;
        let opener = Opener { folder, start };
        let (calls, waiting) = mpsc::channel(WAITING);
        let shared: Arc<Shared> = Arc::default();
        let (stream, retired) = opener.connect().await?;
        let mut connection = Connection::begin(stream, &shared).await?;
        if let Some(state) = retired {
            // Served at once, not only when the reconcilers have applied it again.
            connection.add(&shared, state, BTreeMap::new()).await?;
        }
        let pump = pump(opener, connection, Arc::clone(&shared), waiting);
        Ok(Link { shared, calls, _pump: AbortOnDropHandle::new(tokio::spawn(pump)) })
    }

    pub(crate) async fn call(&self, request: Request) -> Result<Answer, PlaneError> {
        let (answer, answered) = oneshot::channel();
        let call = async {
            // The pump ends with the link only.
            let _ = self.calls.send(Outgoing { request, answer }).await;
            answered.await
        };
        let failed = |why: &str| {
            Err(PlaneError::machine(format!(
                "the data plane's process {why}. It is started again; see plane.log for the reason"
            )))
        };
        match timeout(ANSWERS_WITHIN, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => failed("ended before it answered"),
            Err(_) => failed("does not answer"),
        }
    }

    /// Changes what is sent to a process that starts again.
    pub(crate) fn note<T>(&self, change: impl FnOnce(&mut Sent) -> T) -> T {
        change(&mut lock(&self.shared.sent))
    }

    pub(crate) fn mirror<T>(&self, read: impl FnOnce(&Mirror) -> T) -> T {
        read(&lock(&self.shared.mirror))
    }
}

/// Connects again whenever the connection ends, and sends everything again.
async fn pump(
    opener: Opener,
    mut connection: Connection,
    shared: Arc<Shared>,
    mut waiting: mpsc::Receiver<Outgoing>,
) {
    loop {
        let ended = connection.run(&shared, &mut waiting).await;
        let Err(error) = ended else { return };
        tracing::warn!(%error, "the connection to the data plane's process ended");
        let mut pause = FIRST_PAUSE;
        connection = loop {
            match again(&opener, &shared).await {
                Ok(connection) => break connection,
                Err(error) => tracing::error!(%error, "cannot connect to the data plane's process"),
            }
            // The process reports nothing while it is not connected.
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        tracing::info!("connected to the data plane's process again");
    }
}

async fn again(opener: &Opener, shared: &Shared) -> io::Result<Connection> {
    let (stream, retired) = opener.connect().await?;
    let mut connection = Connection::begin(stream, shared).await?;
    if let Some(state) = retired {
        connection.add(shared, state, BTreeMap::new()).await?;
    }
    let Sent { state, keys, is_serving } = lock(&shared.sent).clone();
    let hosts = state.hosts.clone();
    connection.add(shared, state, keys).await?;
    if is_serving {
        connection.send(Request::DaemonServes(hosts), None).await?;
    }
    Ok(connection)
}

struct Opener {
    folder: File,
    start: Start,
}

impl Opener {
    /// A connection to a process of this program, and the state of a process of another program that it replaces.
    async fn connect(&self) -> io::Result<(UnixStream, Option<State>)> {
        match greet(&self.folder, Greeting::Visitor).await? {
            None => self.spawn(None)?,
            Some((_, hello)) if hello.build == build(&self.start.settings) => {
                tracing::info!(
                    pid = hello.pid,
                    balancers = hello.balancers,
                    "the data plane's process runs already"
                );
            }
            Some((_, old)) => {
                tracing::info!(
                    pid = old.pid,
                    build = old.build,
                    "the data plane's process of another program is replaced"
                );
                let handed = self.hand_over().await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "it does not hand over its sockets, so some connections are refused");
                    None
                });
                // Under another name the old one is still reached.
                let folder = &self.start.folder;
                fs::rename(folder.join(SOCKET), folder.join(format!("{RETIRED}{}", old.pid)))?;
                self.spawn(handed)?;
            }
        }
        let greeted = greet(&self.folder, Greeting::Daemon).await?;
        let (stream, _) = greeted.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        // Only when the new process accepts connections. Also if a daemon died after the rename.
        Ok((stream, self.retire().await?))
    }

    /// The specs and the sockets of the process that runs, which serves as before.
    async fn hand_over(&self) -> io::Result<Option<(State, Store)>> {
        let Some((mut stream, _)) = greet(&self.folder, Greeting::HandOver).await? else { return Ok(None) };
        let handed = timeout(ANSWERS_WITHIN, frame::read::<HandedOver>(&mut stream)).await??;
        let Some(HandedOver { state }) = handed else { return Ok(None) };
        let stream = blocking(stream)?;
        let sockets = spawn_blocking(move || Store::receive(&stream)).await.map_err(io::Error::other)??;
        let state = serde_json::from_value::<State>(state).unwrap_or_else(|error| {
            tracing::info!(%error, "the old specs have another form; reconcilers send them again");
            State::default()
        });
        // Its sockets are not passed on: the old process closes them first, then returns the specs once more.
        Ok(Some((State { egress: None, ..state }, sockets)))
    }

    /// Processes of other programs close their listeners and complete their requests. Returns what they served.
    async fn retire(&self) -> io::Result<Option<State>> {
        let mut served = None;
        for (path, mut old) in retired(&self.folder, &self.start.folder, Greeting::Retire).await? {
            let answer = match &mut old {
                Some((stream, _)) => timeout(ANSWERS_WITHIN, frame::read::<Retired>(stream)).await??,
                None => None,
            };
            let Some(Retired { state }) = answer else {
                fs::remove_file(path)?;
                continue;
            };
            match serde_json::from_value::<State>(state) {
                Ok(state) => served = served.or(Some(state)),
                Err(error) => {
                    tracing::info!(%error, "the old specs have another form; reconcilers send them again")
                }
            }
        }
        Ok(served)
    }

    /// Starts the supervisor with a new socket, and with what another process served.
    fn spawn(&self, handed: Option<(State, Store)>) -> io::Result<()> {
        let path = self.start.folder.join(SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Opened here, so that a client can connect from now on.
        let mut inheritance = Inheritance::new(UnixListener::bind(address(&self.folder, SOCKET))?)?;
        if let Some((state, sockets)) = handed {
            Snapshot::in_memory(inheritance.memory.try_clone()?).write(&state)?;
            inheritance.sockets = sockets;
        }
        // The file that this process runs, also after it was replaced.
        let mut command = std::process::Command::new("/proc/self/exe");
        command.arg0(std::env::args_os().next().unwrap_or_else(|| "escale".into()));
        command.args(self.start.arguments);
        command.stdout(Stdio::null()).stderr((self.start.log)()?);
        let supervisor = Inheritance::stream_to(&mut command)?;
        // A process group of its own, so that Ctrl-C at the daemon's terminal does not reach it.
        command.process_group(0);
        let child = Command::from(command).spawn()?;
        inheritance.send(&supervisor)?;
        tracing::info!(pid = child.id(), "started the data plane's process");
        Ok(())
    }
}

/// What an answer changes in the mirror.
enum Effect {
    Balancer(String),
    NoBalancer(String),
    Distribution(String),
    NoDistribution(String),
}

impl Effect {
    fn of(request: &Request) -> Option<Effect> {
        match request {
            Request::ApplyBalancer(spec) => Some(Effect::Balancer(spec.name.clone())),
            Request::RemoveBalancer(name) => Some(Effect::NoBalancer(name.clone())),
            Request::ApplyDistribution(spec, _) => Some(Effect::Distribution(spec.id.clone())),
            Request::RemoveDistribution(id) => Some(Effect::NoDistribution(id.clone())),
            _ => None,
        }
    }
}

type Waiting = BTreeMap<u64, (Option<oneshot::Sender<Result<Answer, PlaneError>>>, Option<Effect>)>;

/// One connection.
struct Connection {
    events: mpsc::Receiver<io::Result<Event>>,
    to: OwnedWriteHalf,
    _reader: AbortOnDropHandle<()>,
    waiting: Waiting,
    last: u64,
}

impl Connection {
    async fn begin(stream: UnixStream, shared: &Shared) -> io::Result<Connection> {
        let (mut from, to) = stream.into_split();
        let (events, mut received) = mpsc::channel(WAITING);
        let reader = tokio::spawn(async move {
            loop {
                let event = match frame::read(&mut from).await {
                    Ok(Some(event)) => Ok(event),
                    Ok(None) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                    Err(error) => Err(error),
                };
                let is_last = event.is_err();
                if events.send(event).await.is_err() || is_last {
                    return;
                }
            }
        });
        let reader = AbortOnDropHandle::new(reader);
        let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let first = timeout(ANSWERS_WITHIN, received.recv()).await?.ok_or_else(ended)??;
        let Event::Begin { seen, distributions } = first else {
            return Err(io::Error::other("the data plane's process did not begin with its state"));
        };
        let mut mirror = lock(&shared.mirror);
        for (name, seen) in seen {
            mirror.balancers.entry(name).or_default().send_replace(Arc::new(seen));
        }
        mirror.distributions.extend(distributions);
        drop(mirror);
        Ok(Connection { events: received, to, _reader: reader, waiting: BTreeMap::new(), last: 0 })
    }

    async fn send(
        &mut self,
        request: Request,
        answer: Option<oneshot::Sender<Result<Answer, PlaneError>>>,
    ) -> io::Result<()> {
        self.last += 1;
        self.waiting.insert(self.last, (answer, Effect::of(&request)));
        frame::write(&mut self.to, &Call { id: self.last, request }).await
    }

    /// Sends specs. A failure is logged by the process, which tries again.
    async fn add(
        &mut self,
        shared: &Shared,
        state: State,
        keys: BTreeMap<String, OriginKeys>,
    ) -> io::Result<()> {
        lock(&shared.mirror).expect_all(&state);
        self.send(Request::Add(Box::new(state), keys), None).await
    }

    /// Passes calls and events on until the connection ends with an error, or the link without one.
    async fn run(&mut self, shared: &Shared, calls: &mut mpsc::Receiver<Outgoing>) -> io::Result<()> {
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.receive(event?, shared),
                    None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                },
                call = calls.recv() => match call {
                    // The caller may have stopped waiting while there was no connection.
                    Some(call) if call.answer.is_closed() => {}
                    Some(call) => self.send(call.request, Some(call.answer)).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    fn receive(&mut self, event: Event, shared: &Shared) {
        let mut mirror = lock(&shared.mirror);
        match event {
            Event::Begin { .. } => {}
            Event::Seen { name, seen } => {
                if let Some(channel) = mirror.balancers.get(&name) {
                    channel.send_replace(Arc::new(seen));
                }
            }
            Event::Answered { id, result, seen } => {
                let Some((answer, effect)) = self.waiting.remove(&id) else { return };
                mirror.apply(effect, result.is_ok(), seen);
                drop(mirror);
                let result = result.map_err(PlaneError::from);
                match answer {
                    Some(answer) => drop(answer.send(result)),
                    None => {
                        drop(result.inspect_err(|error| tracing::warn!(%error, "cannot restore all specs")))
                    }
                }
            }
        }
    }
}

impl Mirror {
    /// Has what the process will serve.
    fn expect_all(&mut self, state: &State) {
        for name in state.balancers.keys() {
            self.balancers.entry(name.clone()).or_default();
        }
        self.distributions.extend(state.distributions.keys().cloned());
    }

    fn apply(&mut self, effect: Option<Effect>, is_ok: bool, seen: Option<Seen>) {
        match effect {
            // Also after a failure: the rest of the spec is applied.
            Some(Effect::Balancer(name)) => {
                if let Some(seen) = seen {
                    self.balancers.entry(name).or_default().send_replace(Arc::new(seen));
                }
            }
            Some(Effect::NoBalancer(name)) if is_ok => drop(self.balancers.remove(&name)),
            Some(Effect::Distribution(id)) if is_ok => drop(self.distributions.insert(id)),
            Some(Effect::NoDistribution(id)) if is_ok => drop(self.distributions.remove(&id)),
            _ => {}
        }
    }
}
