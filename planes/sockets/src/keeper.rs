//! The worker's side.

use crate::{Address, Message, Sockets, Store, Transport, passing};
use rustix::net::getsockname;
use std::{
    fs, io,
    net::SocketAddr,
    ops::Deref,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::MetadataExt, net::UnixStream},
    },
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A supervisor answers in microseconds. One that was stopped must not stop its worker, too.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Opens sockets that are kept. The default keeps none: they end with this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Keeper(Option<Shared>);

type Shared = Arc<Mutex<Inner>>;

#[derive(Debug)]
struct Inner {
    /// To the supervisor's store; `None` after it failed.
    store: Option<UnixStream>,
    /// Duplicates of the sockets that are in use.
    used: Sockets,
    /// Sockets of the worker before, which nothing has opened yet.
    spare: Sockets,
}

/// A socket that the next worker gets, unless it is dropped before.
#[derive(Debug)]
pub struct Kept<S> {
    // Closed first: afterwards the address is free.
    socket: S,
    _close: Option<CloseOnDrop>,
}

#[derive(Debug)]
struct CloseOnDrop {
    address: Address,
    shared: Shared,
}

impl Keeper {
    /// `store` leads to [`Store::follow`], `sockets` are those of the worker before.
    pub fn new(store: UnixStream, sockets: Store) -> io::Result<Keeper> {
        store.set_read_timeout(Some(ANSWERS_WITHIN))?;
        store.set_write_timeout(Some(ANSWERS_WITHIN))?;
        let inner = Inner { store: Some(store), used: Sockets::new(), spare: sockets.into_sockets() };
        Ok(Keeper(Some(Arc::new(Mutex::new(inner)))))
    }

    /// The socket of this address that the worker before had, or one that `open` binds. `network` is the inode of its network
    /// namespace.
    pub fn open<S: From<OwnedFd> + AsFd>(
        &self,
        transport: Transport,
        network: impl FnOnce() -> io::Result<u64>,
        at: SocketAddr,
        open: impl FnOnce() -> io::Result<S>,
    ) -> io::Result<Kept<S>> {
        let Some(shared) = &self.0 else { return Ok(open()?.into()) };
        let address = Address { network: network()?, transport, at };
        let mut inner = lock(shared);
        if let Some(socket) = inner.spare.remove(&address) {
            let used = socket.try_clone()?;
            inner.used.insert(address, socket);
            return Ok(Kept {
                socket: S::from(used),
                _close: Some(CloseOnDrop { address, shared: shared.clone() }),
            });
        }
        let socket = open()?;
        let at = SocketAddr::try_from(getsockname(&socket)?)
            .map_err(|_| io::Error::other("not a socket of IP"))?;
        let address = Address { at, ..address };
        inner.keep(address, socket.as_fd().try_clone_to_owned()?);
        Ok(Kept { socket, _close: Some(CloseOnDrop { address, shared: shared.clone() }) })
    }

    /// As [`Keeper::open`], in the network namespace of the calling thread.
    pub fn open_here<S: From<OwnedFd> + AsFd>(
        &self,
        transport: Transport,
        at: SocketAddr,
        open: impl FnOnce() -> io::Result<S>,
    ) -> io::Result<Kept<S>> {
        self.open(transport, || Ok(fs::metadata("/proc/thread-self/ns/net")?.ino()), at, open)
    }

    /// Duplicates of all sockets.
    pub fn duplicates(&self) -> io::Result<Store> {
        let Some(shared) = &self.0 else { return Ok(Store::default()) };
        let inner = lock(shared);
        let all = inner.used.iter().chain(&inner.spare);
        let all = all.map(|(address, socket)| Ok((*address, socket.try_clone()?)));
        Ok(Store::new(all.collect::<io::Result<_>>()?))
    }

    /// Closes the sockets of the worker before that were not opened again.
    pub fn close_spare(&self) {
        let Some(shared) = &self.0 else { return };
        let mut inner = lock(shared);
        while let Some((address, socket)) = inner.spare.pop_first() {
            tracing::info!(?address, "closes a socket of the worker before, which nothing serves any more");
            drop(socket);
            inner.close(address);
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Inner> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn keep(&mut self, address: Address, socket: OwnedFd) {
        self.with_store(|store| {
            passing::write(store, &Message::Keep(vec![address]))?;
            passing::send(store, &[socket.as_fd()])
        });
        self.used.insert(address, socket);
    }

    /// Returns when the supervisor has closed it, too.
    fn close(&mut self, address: Address) {
        self.with_store(|store| {
            passing::write(store, &Message::Close(address))?;
            loop {
                match passing::read(store) {
                    Ok(Message::Closed(closed)) if closed == address => return Ok(()),
                    // It was stopped, and closes the socket when it goes on. Its answer is skipped then.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    read => drop(read?),
                }
            }
        });
    }

    fn with_store(&mut self, f: impl FnOnce(&UnixStream) -> io::Result<()>) {
        let failed = self.store.as_ref().and_then(|store| f(store).err());
        if let Some(error) = failed {
            // Half of a message may have been sent, so nothing can follow.
            tracing::warn!(%error, "the supervisor does not answer, so the sockets end with this process");
            self.store = None;
        }
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        let mut inner = lock(&self.shared);
        drop(inner.used.remove(&self.address));
        inner.close(self.address);
    }
}

impl<S> From<S> for Kept<S> {
    fn from(socket: S) -> Kept<S> {
        Kept { socket, _close: None }
    }
}

impl<S> Deref for Kept<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.socket
    }
}

impl<S> Kept<S> {
    /// The same socket in another form.
    pub fn try_map<T, E>(self, f: impl FnOnce(S) -> Result<T, E>) -> Result<Kept<T>, E> {
        Ok(Kept { socket: f(self.socket)?, _close: self._close })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream, UdpSocket},
        thread::{self, JoinHandle},
    };

    /// A worker with the sockets of a store, and the supervisor's thread, which returns the store once the worker has ended.
    fn worker(store: Store) -> (Keeper, JoinHandle<Store>) {
        let (near, far) = UnixStream::pair().unwrap();
        let supervisor = thread::spawn(move || {
            let mut store = store;
            store.send(&far).unwrap();
            store.follow(&far);
            store
        });
        let sockets = Store::receive(&near).unwrap();
        (Keeper::new(near, sockets).unwrap(), supervisor)
    }

    fn listen(keeper: &Keeper, at: &str) -> io::Result<Kept<TcpListener>> {
        let at = at.parse().unwrap();
        keeper.open(Transport::Tcp, || Ok(1), at, || TcpListener::bind(at))
    }

    /// As a kill does: the supervisor hears of no socket that closes.
    fn kill<T>(sockets: T, keeper: Keeper) {
        lock(keeper.0.as_ref().unwrap()).store = None;
        drop(sockets);
    }

    #[test]
    fn connections_to_a_dead_worker_are_served_by_the_next_one() {
        let (first, supervisor) = worker(Store::default());
        let listener = listen(&first, "127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let udp_at: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let udp = first.open(Transport::Udp, || Ok(1), udp_at, || UdpSocket::bind(udp_at)).unwrap();
        let udp_at = udp.local_addr().unwrap();
        let mut early = TcpStream::connect(at).unwrap();
        early.write_all(b"e").unwrap();
        kill((listener, udp), first);
        let mut late = TcpStream::connect(at).unwrap();
        late.write_all(b"l").unwrap();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"u", udp_at).unwrap();

        let (second, _supervisor) = worker(supervisor.join().unwrap());
        let taken = listen(&second, &at.to_string()).unwrap();
        let mut got = Vec::new();
        for _ in 0..2 {
            let mut byte = [0];
            taken.accept().unwrap().0.read_exact(&mut byte).unwrap();
            got.push(byte[0]);
        }
        assert_eq!(got, b"el");
        let udp = second.open(Transport::Udp, || Ok(1), udp_at, || UdpSocket::bind(udp_at)).unwrap();
        assert_eq!(udp.recv(&mut [0]).unwrap(), 1);
    }

    #[test]
    fn a_dropped_socket_frees_its_port_at_once() {
        let (keeper, _supervisor) = worker(Store::default());
        let mut listener = listen(&keeper, "127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        for _ in 0..100 {
            assert!(TcpStream::connect(at).is_ok());
            drop(listener);
            assert!(TcpStream::connect(at).is_err());
            listener = listen(&keeper, &at.to_string()).unwrap();
        }
    }

    #[test]
    fn what_the_next_worker_does_not_open_is_closed() {
        let (first, supervisor) = worker(Store::default());
        let listeners = ["127.0.0.1:0", "127.0.0.1:0"].map(|at| listen(&first, at).unwrap());
        let [one, other] = [0, 1].map(|n: usize| listeners[n].local_addr().unwrap());
        kill(listeners, first);
        let (second, supervisor) = worker(supervisor.join().unwrap());
        let _taken = listen(&second, &one.to_string()).unwrap();
        assert_eq!(second.duplicates().unwrap().into_sockets().len(), 2);
        second.close_spare();
        assert!(TcpStream::connect(one).is_ok());
        assert!(TcpStream::connect(other).is_err());
        // Another network's socket of the same address is another one.
        let at = one;
        let refused = second.open(Transport::Tcp, || Ok(2), at, || TcpListener::bind(at));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        kill((), second);
        assert_eq!(supervisor.join().unwrap().into_sockets().len(), 1);
    }

    #[test]
    fn without_a_supervisor_sockets_are_opened_all_the_same() {
        let (near, far) = UnixStream::pair().unwrap();
        let keeper = Keeper::new(near, Store::default()).unwrap();
        drop(far);
        let listener = listen(&keeper, "127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        drop(listener);
        assert!(listen(&keeper, &at.to_string()).is_ok());
        assert!(listen(&Keeper::default(), "127.0.0.1:0").is_ok());
    }
}
