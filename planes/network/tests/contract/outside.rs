//! A host and a network around it, in namespaces of their own, for tests of what leaves the cloud.

use crate::rig::{Rig, shop};
use escale_network::*;
use nix::sched::{CloneFlags, setns, unshare};
use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsRawFd,
    process::Command,
    sync::Arc,
};

/// The host's address on the network around it.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// A server there.
pub(crate) const FAR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// An address whose packets vanish.
pub(crate) const SILENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 50);
/// An address that the host's routes call unreachable, and one that no route leads to.
pub(crate) const UNREACHABLE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
pub(crate) const NO_ROUTE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Servers at addresses that must not be reached by default.
pub(crate) const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 7, 7, 7);
pub(crate) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// A namespace that ends with its last user.
#[derive(Clone)]
pub(crate) struct Held(Arc<File>);

impl Held {
    fn new() -> Held {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Held(Arc::new(made.join().unwrap()))
    }

    /// Runs a command of `ip` inside.
    pub(crate) fn ip(&self, command: &str) {
        let path = format!("--net=/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd());
        let run = Command::new("nsenter").arg(path).arg("ip").args(command.split(' ')).output().unwrap();
        assert!(run.status.success(), "ip {command}: {}", String::from_utf8_lossy(&run.stderr));
    }

    /// Runs `f` with the calling thread inside.
    pub(crate) fn hop<T>(&self, f: impl FnOnce() -> io::Result<T>) -> T {
        let home = File::open("/proc/thread-self/ns/net").unwrap();
        setns(&*self.0, CloneFlags::CLONE_NEWNET).unwrap();
        let result = f();
        setns(home, CloneFlags::CLONE_NEWNET).unwrap();
        result.unwrap()
    }

    pub(crate) fn listen(&self, at: impl Into<SocketAddr>) -> tokio::net::TcpListener {
        let at = at.into();
        let listener = self.hop(|| std::net::TcpListener::bind(at));
        listener.set_nonblocking(true).unwrap();
        tokio::net::TcpListener::from_std(listener).unwrap()
    }

    pub(crate) fn udp(&self, at: impl Into<SocketAddr>) -> tokio::net::UdpSocket {
        let at = at.into();
        let socket = self.hop(|| std::net::UdpSocket::bind(at));
        socket.set_nonblocking(true).unwrap();
        tokio::net::UdpSocket::from_std(socket).unwrap()
    }
}

/// The network around the host, and the host itself.
pub(crate) struct Around {
    pub(crate) world: Held,
    pub(crate) host: Held,
}

/// Runs a test on a host of its own: its thread, and so the plane, is in the host's namespace.
pub(crate) fn on_host<F: Future<Output = ()>>(test: impl FnOnce(Around) -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let around = Around { world: Held::new(), host: Held::new() };
        let (world, host) = (&around.world, &around.host);
        let world_fd = format!("/proc/{}/fd/{}", std::process::id(), world.0.as_raw_fd());
        host.ip(&format!("link add eth0 type veth peer name eth0 netns {world_fd}"));
        for side in [host, world] {
            side.ip("link set lo up");
            side.ip("link set eth0 up");
        }
        host.ip(&format!("addr add {HOST}/24 dev eth0"));
        for address in [format!("{FAR}/24"), format!("{PRIVATE}/32"), format!("{METADATA}/32")] {
            world.ip(&format!("addr add {address} dev eth0"));
        }
        host.ip(&format!("neigh add {SILENT} lladdr 02:00:00:00:00:99 dev eth0"));
        host.ip(&format!("route add unreachable {UNREACHABLE}"));
        for network in ["10.0.0.0/8", "169.254.0.0/16"] {
            host.ip(&format!("route add {network} via {FAR}"));
        }
        setns(&*host.0, CloneFlags::CLONE_NEWNET).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(around));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// The example network with an open egress.
pub(crate) async fn open(rig: &Rig, allowed: &[&str]) -> Egress {
    rig.network.apply_internet(InternetSpec::default()).await.unwrap();
    rig.network.apply(shop()).await.unwrap();
    reopen(rig, allowed).await
}

pub(crate) async fn reopen(rig: &Rig, allowed: &[&str]) -> Egress {
    let allowed = allowed.iter().map(|net| net.parse().unwrap()).collect();
    Egress::open(rig.internet(), EgressSpec { allowed, connections: 64 }).await.unwrap()
}
