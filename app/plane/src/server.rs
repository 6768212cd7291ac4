//! The worker's socket: greetings, and the connection of the daemon.

use crate::{
    build::build,
    frame,
    message::{Call, Event, Failure, Greeting, HandedOver, Hello, Request, Retired},
    snapshot::Snapshot,
    worker::{Parts, Worker},
};
use escale_cdn::Cdn;
use escale_proxy::Proxies;
use std::{
    collections::BTreeMap,
    io,
    os::{
        fd::OwnedFd,
        unix::{
            net::{UnixListener as StdListener, UnixStream as StdStream},
            process::parent_id,
        },
    },
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::{
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, mpsc},
    task::spawn_blocking,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// A client greets at once.
const GREETS_WITHIN: Duration = Duration::from_secs(5);
/// For this long a retired worker completes its requests.
const RETIRES_WITHIN: Duration = Duration::from_secs(30);
/// For this long the sockets of the worker before wait for the specs that open them. The daemon's reconcilers, which have the specs if
/// the snapshot does not, need less.
const SPARE_FOR: Duration = Duration::from_secs(10);
/// Calls that wait while one is executed. The daemon waits for most answers, so there are few.
const WAITING: usize = 64;

struct Server {
    worker: Arc<Worker>,
    supervisor: u32,
    starts: u32,
    /// Held by the connection of the daemon.
    turn: Mutex<()>,
    /// Ends the connection of the daemon.
    current: std::sync::Mutex<Option<CancellationToken>>,
    ending: mpsc::Sender<Ending>,
}

/// Why the worker ends. The client that retires it is disconnected at its end.
enum Ending {
    Now,
    Retired(UnixStream),
}

/// Runs the worker until a client ends it. `listener` is a Unix socket. The result is an error only if the socket is unusable.
pub async fn serve(parts: Parts, listener: OwnedFd, snapshot: Snapshot, starts: u32) -> io::Result<()> {
    let supervisor = parent_id();
    let listener = StdListener::from(listener);
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let keeper = parts.namespaces.keeper().clone();
    let worker = Worker::start(parts, snapshot).await;
    let _spare = AbortOnDropHandle::new(tokio::spawn(async move {
        // No event shows that a spec will not come.
        sleep(SPARE_FOR).await;
        keeper.close_spare();
    }));
    let (ending, mut ended) = mpsc::channel(1);
    let (turn, current) = (Mutex::default(), std::sync::Mutex::default());
    let server = Arc::new(Server { worker, supervisor, starts, turn, current, ending });
    let mut retired = None;
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            ending = ended.recv() => match ending {
                Some(Ending::Retired(stream)) => {
                    tracing::info!("another process serves from now on; requests in progress are completed");
                    retired = Some((stream, Instant::now() + RETIRES_WITHIN));
                    continue;
                }
                Some(Ending::Now) | None => return Ok(()),
            },
            () = at(retired.as_ref().map(|(_, end)| *end)) => return Ok(()),
        };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            if let Err(error) = server.connection(stream).await {
                tracing::warn!(%error, "a connection to the data plane failed");
            }
        });
    }
}

/// A stream for descriptors, which block.
pub(crate) fn blocking(stream: UnixStream) -> io::Result<StdStream> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(GREETS_WITHIN))?;
    stream.set_write_timeout(Some(GREETS_WITHIN))?;
    Ok(stream)
}

/// Waits until this moment, or forever.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Server {
    async fn connection(self: Arc<Server>, mut stream: UnixStream) -> io::Result<()> {
        // The folder admits its owner only; this also refuses a descriptor that was passed on.
        if stream.peer_cred()?.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        let Some(greeting) = timeout(GREETS_WITHIN, frame::read::<Greeting>(&mut stream)).await?? else {
            return Ok(());
        };
        let hello = self.hello().await;
        frame::write(&mut stream, &hello).await?;
        match greeting {
            Greeting::Visitor => {}
            Greeting::Daemon => self.daemon(stream).await?,
            Greeting::End => drop(self.ending.send(Ending::Now).await),
            Greeting::HandOver => {
                self.replace_daemon(None);
                let state = serde_json::to_value(&*self.worker.state.lock().await)?;
                let sockets = self.worker.parts.namespaces.keeper().duplicates()?;
                frame::write(&mut stream, &HandedOver { state }).await?;
                let stream = blocking(stream)?;
                spawn_blocking(move || sockets.send(&stream)).await.map_err(io::Error::other)??;
            }
            Greeting::Retire => {
                self.replace_daemon(None);
                let state = self.worker.close().await;
                frame::write(&mut stream, &Retired { state: serde_json::to_value(state)? }).await?;
                drop(self.ending.send(Ending::Retired(stream)).await);
            }
        }
        Ok(())
    }

    async fn hello(&self) -> Hello {
        let state = self.worker.state.lock().await;
        let web = self.worker.parts.web.listening().await;
        let servers = state.servers.values().filter(|server| server.place.is_none());
        Hello {
            build: build(&self.worker.parts.settings),
            pid: std::process::id(),
            // A process without its parent gets another one.
            supervisor: Some(self.supervisor).filter(|pid| *pid == parent_id()),
            starts: self.starts,
            balancers: state.balancers.len(),
            distributions: state.distributions.len(),
            resolvers: state.names.as_ref().map_or(0, |names| names.networks.len()),
            host: servers.map(|server| server.address).chain(web).collect(),
            daemon: self.turn.try_lock().is_err(),
        }
    }

    /// Ends the connection of the daemon that is connected now.
    fn replace_daemon(&self, next: Option<CancellationToken>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *current, next) {
            before.cancel();
        }
    }

    async fn daemon(&self, stream: UnixStream) -> io::Result<()> {
        let stop = CancellationToken::new();
        self.replace_daemon(Some(stop.clone()));
        // Waits until the connection before has ended: its end must not remove what this one sends.
        let turn = self.turn.lock().await;
        tracing::info!("a daemon is connected");
        let ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.pump(stream) => ended,
        };
        self.worker.parts.daemon.is_gone();
        drop(turn);
        tracing::info!("the daemon is gone; the data plane goes on with its last specs");
        ended
    }

    /// Executes calls in their order, and reports what changes meanwhile.
    async fn pump(&self, stream: UnixStream) -> io::Result<()> {
        let (from, mut to) = stream.into_split();
        let (calls, mut called) = mpsc::channel(WAITING);
        let _reader = AbortOnDropHandle::new(tokio::spawn(read_calls(from, calls)));
        let (changes, mut changed) = mpsc::channel(WAITING);
        let mut watchers = Watchers { watching: BTreeMap::new(), changes };
        watchers.follow(&self.worker);
        let proxies = &self.worker.parts.proxies;
        let seen =
            proxies.names().into_iter().filter_map(|name| Some((name.clone(), self.worker.seen(&name)?)));
        let distributions = self.worker.parts.edge.ids().into_iter().collect();
        frame::write(&mut to, &Event::Begin { seen: seen.collect(), distributions }).await?;
        loop {
            tokio::select! {
                call = called.recv() => match call {
                    Some(call) => self.call(call, &mut watchers, &mut to).await?,
                    None => return Ok(()),
                },
                Some(name) = changed.recv() => {
                    // The newest state, not that of the notification.
                    if let Some(seen) = self.worker.seen(&name) {
                        frame::write(&mut to, &Event::Seen { name, seen }).await?;
                    }
                }
            }
        }
    }

    async fn call(&self, call: Call, watchers: &mut Watchers, to: &mut OwnedWriteHalf) -> io::Result<()> {
        let Call { id, request } = call;
        let balancer = match &request {
            Request::ApplyBalancer(spec) => Some(spec.name.clone()),
            _ => None,
        };
        let result = self.worker.perform(request).await;
        // Before the state is read, so that no change after it is missed.
        watchers.follow(&self.worker);
        let seen = balancer.and_then(|name| self.worker.seen(&name));
        frame::write(to, &Event::Answered { id, result: result.map_err(Failure::from), seen }).await
    }
}

async fn read_calls(mut from: OwnedReadHalf, calls: mpsc::Sender<Call>) {
    loop {
        match frame::read::<Call>(&mut from).await {
            Ok(Some(call)) => {
                if calls.send(call).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "cannot read a message of the daemon");
                return;
            }
        }
    }
}

/// A task for each balancer, which notes that its state has changed.
struct Watchers {
    watching: BTreeMap<String, AbortOnDropHandle<()>>,
    changes: mpsc::Sender<String>,
}

impl Watchers {
    /// Follows the balancers that exist now.
    fn follow(&mut self, worker: &Worker) {
        let proxies = &worker.parts.proxies;
        let names = proxies.names();
        self.watching.retain(|name, task| names.contains(name) && !task.is_finished());
        for name in names {
            if self.watching.contains_key(&name) {
                continue;
            }
            let Some(mut seen) = proxies.seen(&name) else { continue };
            let (changes, changed) = (self.changes.clone(), name.clone());
            let task = tokio::spawn(async move {
                while seen.changed().await.is_ok() && changes.send(changed.clone()).await.is_ok() {}
            });
            self.watching.insert(name, AbortOnDropHandle::new(task));
        }
    }
}
