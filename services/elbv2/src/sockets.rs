//! Opens a node's sockets in the network namespace of its interface.

use async_trait::async_trait;
use escale_network::{Namespace, Namespaces, Place};
use escale_proxy::Sockets;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// The maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Sockets for the proxy plane in namespaces of the network plane. A node's name is `<vpc>/<interface>`.
pub struct NodeSockets(pub Namespaces);

impl NodeSockets {
    fn namespace(&self, node: &str) -> io::Result<Namespace> {
        let (vpc, interface) = node
            .split_once('/')
            .ok_or_else(|| io::Error::other(format!("'{node}' does not have the form <vpc>/<interface>")))?;
        self.0.open(&Place::interface(vpc, interface)).map_err(io::Error::other)
    }
}

#[async_trait]
impl Sockets for NodeSockets {
    fn listen(&self, node: &str, port: u16) -> io::Result<TcpListener> {
        self.namespace(node)?.hop(|| {
            let socket = TcpSocket::new_v4()?;
            // Connections of the previous run may still be in TIME_WAIT.
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
            socket.listen(BACKLOG)
        })
    }

    async fn connect(&self, node: &str, to: SocketAddr) -> io::Result<TcpStream> {
        self.namespace(node)?.tcp_connect(to).await
    }
}
