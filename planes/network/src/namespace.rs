//! A network namespace: created, pinned to a path so that it outlives the daemon, entered by single calls.
//!
//! To enter it, the calling thread switches namespaces, works without awaiting, and switches back; that takes
//! microseconds, so sockets in any namespace belong to the daemon's own process. It needs no fork and no helper.

use escale_base::{PlaneError, error::Context as _};
use escale_sockets::{Keeper, Kept, Transport};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::statfs::{NSFS_MAGIC, statfs},
};
use std::{
    fs::{self, File},
    io,
    net::SocketAddr,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket, TcpStream, UdpSocket},
    process::Command,
};

/// Connections that may wait to be accepted on a listener.
const BACKLOG: u32 = 1024;

/// A handle that keeps the namespace alive and opens sockets in it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Namespace {
    inside: Inside,
    path: Arc<PathBuf>,
    keeper: Keeper,
}

#[derive(Clone, Debug)]
enum Inside {
    Kernel(Arc<File>),
    /// A namespace of the network in memory. It cannot be entered, and its listeners cannot be reached.
    Memory,
}

/// Where the sockets of the network in memory are really bound: unreachable from other machines, and without conflicts, as
/// each gets a port of its own.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

impl Namespace {
    /// The path it is pinned at, for `nsenter --net=` or a container runtime.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Listens in the namespace. `addr` must be one of its addresses, or unspecified for all of them.
    pub async fn tcp_listen(&self, addr: SocketAddr) -> Result<TcpListener, PlaneError> {
        self.receive(addr, listen).machine(|| format!("listen on {addr} in {}", self.path.display()))
    }

    /// As [`Namespace::tcp_listen`], a listener that the keeper keeps.
    pub fn keep_tcp(&self, addr: SocketAddr) -> io::Result<Kept<TcpListener>> {
        let open = || self.receive(addr, listen)?.into_std();
        let kept = self.keeper.open(Transport::Tcp, || self.inode(), addr, open)?;
        kept.try_map(TcpListener::from_std)
    }

    /// As [`Namespace::udp_bind`], a socket that the keeper keeps. It does not block.
    pub fn keep_udp(&self, addr: SocketAddr) -> io::Result<Kept<std::net::UdpSocket>> {
        let bind = || {
            let socket = self.receive(addr, std::net::UdpSocket::bind)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        self.keeper.open(Transport::Udp, || self.inode(), addr, bind)
    }

    /// The keeper of the sockets of [`Namespace::keep_tcp`] and [`Namespace::keep_udp`], and of the process's own.
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    pub(crate) fn kept_by(self, keeper: Keeper) -> Namespace {
        Namespace { keeper, ..self }
    }

    /// The kernel's number of the namespace.
    fn inode(&self) -> io::Result<u64> {
        match &self.inside {
            Inside::Kernel(file) => Ok(file.metadata()?.ino()),
            Inside::Memory => Ok(0),
        }
    }

    /// Connects from the namespace. Returns the plain I/O error, because health checks and proxies distinguish its kinds;
    /// the caller sets the time limit.
    pub async fn tcp_connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.hop(TcpSocket::new_v4)?;
        socket.connect(to).await
    }

    /// As [`Namespace::tcp_connect`], from one of several addresses of the namespace.
    pub async fn tcp_connect_from(&self, from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.hop(TcpSocket::new_v4)?;
        socket.bind(from)?;
        socket.connect(to).await
    }

    pub async fn udp_bind(&self, addr: SocketAddr) -> Result<UdpSocket, PlaneError> {
        let bind = |addr| {
            let socket = std::net::UdpSocket::bind(addr)?;
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        };
        self.receive(addr, bind).machine(|| format!("bind UDP {addr} in {}", self.path.display()))
    }

    /// Opens a socket that receives.
    fn receive<T>(&self, addr: SocketAddr, open: impl FnOnce(SocketAddr) -> io::Result<T>) -> io::Result<T> {
        match self.inside {
            Inside::Kernel(_) => self.hop(|| open(addr)),
            Inside::Memory => open(NOWHERE),
        }
    }

    /// Runs `f` with the calling thread inside the namespace. `f` must be short and cannot await; sockets and child
    /// processes that it opens stay in the namespace.
    pub fn hop<T>(&self, f: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let fd = self.fd()?;
        let home = File::open("/proc/thread-self/ns/net")?;
        setns(fd, CloneFlags::CLONE_NEWNET)?;
        // From here on the thread switches back on every path, also after a panic in `f`.
        let back = WayBack(home);
        let result = f();
        drop(back);
        result
    }

    /// Runs a program inside, with `input` on its standard input.
    pub(crate) async fn run(&self, program: &str, args: &[&str], input: String) -> Result<Ran, PlaneError> {
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let what = || format!("run {program} {}", args.join(" "));
        let mut child = self.hop(|| command.spawn()).machine(what)?;
        let stdin = child.stdin.take();
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // A program that ends early reports the reason on stderr; the broken pipe adds nothing.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        let output = output.machine(what)?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Ran {
            success: output.status.success(),
            output: text(&output.stdout),
            errors: text(&output.stderr),
        })
    }

    /// Writes kernel settings below `/proc/sys/net`, `("ipv4/ip_forward", "1")`.
    pub(crate) fn set(&self, settings: &[(&str, &str)]) -> Result<(), PlaneError> {
        let mut at = "";
        let write = || {
            for (key, value) in settings {
                at = key;
                fs::write(format!("/proc/sys/net/{key}"), value)?;
            }
            Ok(())
        };
        let result = self.hop(write);
        result.machine(|| format!("set net.{} in {}", at.replace('/', "."), self.path.display()))
    }

    /// As [`Namespace::set`], for settings that some kernels lack.
    pub(crate) fn set_if_there(&self, key: &str, value: &str) -> Result<(), PlaneError> {
        match self.hop(|| fs::write(format!("/proc/sys/net/{key}"), value)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => {
                other.machine(|| format!("set net.{} in {}", key.replace('/', "."), self.path.display()))
            }
        }
    }

    /// The kernel's file descriptor, open as long as this handle.
    pub(crate) fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        match &self.inside {
            Inside::Kernel(file) => Ok(file.as_fd()),
            Inside::Memory => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "a simulated network has no kernel namespace"))
            }
        }
    }

    pub(crate) fn in_memory(path: PathBuf) -> Namespace {
        Namespace { inside: Inside::Memory, path: Arc::new(path), keeper: Keeper::default() }
    }

    fn in_kernel(file: File, path: &Path) -> Namespace {
        let inside = Inside::Kernel(Arc::new(file));
        Namespace { inside, path: Arc::new(path.to_owned()), keeper: Keeper::default() }
    }

    /// Creates a namespace that will be pinned at `path`. It is not pinned yet, so a crash before [`Namespace::pin`]
    /// removes it: a pinned namespace is always complete.
    pub(crate) fn create(path: &Path) -> Result<Namespace, PlaneError> {
        let make = || {
            // Runs on a thread of its own that ends afterwards, so it need not switch back.
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        };
        let made = std::thread::Builder::new().name("new-namespace".into()).spawn(make);
        let made =
            made.and_then(|t| t.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked"))));
        let fd = made.machine(|| {
            format!(
                "create the network namespace {}, which needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN)",
                path.display()
            )
        })?;
        Ok(Namespace::in_kernel(fd, path))
    }

    pub(crate) fn pin(&self) -> Result<(), PlaneError> {
        let pin = || {
            if let Some(dir) = self.path.parent() {
                fs::create_dir_all(dir)?;
            }
            // A bind mount needs a file to cover.
            File::create(&*self.path)?;
            let fd = format!("/proc/self/fd/{}", self.fd()?.as_raw_fd());
            mount(Some(fd.as_str()), &*self.path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
            io::Result::Ok(())
        };
        pin().machine(|| {
            format!("pin the network namespace {}, which needs root (CAP_SYS_ADMIN)", self.path.display())
        })
    }

    /// Opens the namespace pinned at `path`; `None` when there is none. A pin that a reboot left behind is not a namespace.
    pub(crate) fn open(path: &Path) -> Result<Option<Namespace>, PlaneError> {
        let what = || format!("open the network namespace {}", path.display());
        match File::open(path) {
            Ok(fd) => {
                // After a reboot the file is an ordinary empty one.
                let pinned = statfs(path).machine(what)?.filesystem_type() == NSFS_MAGIC;
                Ok(pinned.then(|| Namespace::in_kernel(fd, path)))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).machine(what),
        }
    }

    /// Removes the pin; the namespace ends with its last process and handle. No pin is no error.
    pub(crate) fn unpin(path: &Path) -> Result<(), PlaneError> {
        let what = || format!("unpin the network namespace {}", path.display());
        match umount2(path, MntFlags::MNT_DETACH) {
            Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
            Err(e) => return Err(e).machine(what),
        }
        match fs::remove_file(path) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e).machine(what),
        }
    }
}

/// In the namespace of the calling thread.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted daemon must not wait until the connections of the last one have left TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// The result of a program.
pub(crate) struct Ran {
    pub(crate) success: bool,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Ran {
    pub(crate) fn good(self, what: impl FnOnce() -> String) -> Result<String, PlaneError> {
        if self.success { Ok(self.output) } else { Err(self.errors.trim_end()).plane(what) }
    }
}

/// Switches the thread back when dropped, also when the work in between panics.
struct WayBack(File);

impl Drop for WayBack {
    fn drop(&mut self) {
        if setns(self.0.as_fd(), CloneFlags::CLONE_NEWNET).is_err() {
            // A worker thread left in a foreign namespace would open the next sockets of any task there.
            std::process::abort();
        }
    }
}
