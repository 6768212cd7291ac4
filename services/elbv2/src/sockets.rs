//! Opens a node's sockets in the network namespace of its interface.

use async_trait::async_trait;
use escale_network::{Namespace, Namespaces, Place};
use escale_proxy::Sockets;
use escale_sockets::Kept;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};
use tokio::net::{TcpListener, TcpStream};

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
    fn listen(&self, node: &str, port: u16) -> io::Result<Kept<TcpListener>> {
        self.namespace(node)?.keep_tcp((Ipv4Addr::UNSPECIFIED, port).into())
    }

    async fn connect(&self, node: &str, to: SocketAddr) -> io::Result<TcpStream> {
        self.namespace(node)?.tcp_connect(to).await
    }
}
