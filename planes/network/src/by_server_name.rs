//! One loopback port for many hosts with TLS: each connection goes to the host whose name the client sends in the first
//! message of its handshake. The bytes are passed on unchanged: the host itself completes the handshake.

use crate::{
    Directory, Forwarder, Namespace,
    by_name::{Way, refuse},
};
use escale_base::{PlaneError, limits};
use escale_tls::hello::{self, HELLO_BYTES, Hello};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
    time::timeout,
};

/// A fatal alert (RFC 8446, 6.2): the client's error then says what is wrong.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// Accepts connections at `listen`, which must be loopback, and splices each to the host that its handshake names, as reached
/// from the Internet. A name that is not in the directory gets an alert, and so does a client that sends none.
pub async fn forward_by_server_name(
    internet: Namespace,
    listen: SocketAddr,
    directory: Arc<dyn Directory>,
) -> Result<Forwarder, PlaneError> {
    start(Way::Internet(internet), listen, directory).await
}

async fn start(way: Way, listen: SocketAddr, directory: Arc<dyn Directory>) -> Result<Forwarder, PlaneError> {
    let what = "to forward TLS by server name";
    let keeper = way.keeper();
    Forwarder::start(&keeper, listen, what, move |client| {
        connection(client, way.clone(), Arc::clone(&directory))
    })
    .await
}

async fn connection(mut client: TcpStream, way: Way, directory: Arc<dyn Directory>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut received = Vec::with_capacity(4096);
    let within = Duration::from_millis(limits::FORWARDED_HEAD_MS);
    let name = match timeout(within, read_name(&mut client, &mut received)).await {
        Ok(name) => name?,
        Err(_) => return Ok(()),
    };
    let addresses = match name {
        Hello::Name(name) => directory.find(name.trim_end_matches('.')),
        Hello::Nameless => Vec::new(),
        Hello::NotTls => {
            return refuse(
                client,
                false,
                400,
                "Bad Request",
                "<p>This port accepts only HTTPS. Use an https:// URL.</p>",
            )
            .await;
        }
        Hello::Incomplete => return Ok(()),
    };
    if addresses.is_empty() {
        return client.write_all(&UNRECOGNIZED_NAME).await;
    }
    match way.connect_to_any(&addresses).await {
        Ok(mut server) => {
            server.set_nodelay(true)?;
            server.write_all(&received).await?;
            copy_bidirectional(&mut client, &mut server).await.map(drop)
        }
        // For example a load balancer without an HTTPS listener.
        Err(error) => {
            tracing::debug!(?addresses, %error, "a host with TLS does not answer");
            client.write_all(&INTERNAL_ERROR).await
        }
    }
}

/// Reads until the server name is known. All bytes read so far are in `received`, to be passed on.
async fn read_name(client: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Hello> {
    loop {
        if client.read_buf(received).await? == 0 {
            return Ok(Hello::Incomplete);
        }
        match hello::read(received) {
            Hello::Incomplete if received.len() < HELLO_BYTES => {}
            Hello::Incomplete => return Ok(Hello::NotTls),
            known => return Ok(known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// The first message of a handshake for `name`, without any of the optional parts (RFC 8446, 4.1.2).
    fn hello_for(name: &str) -> Vec<u8> {
        let short = |n: usize| (n as u16).to_be_bytes();
        let entry = [&[0][..], &short(name.len()), name.as_bytes()].concat();
        let list = [&short(entry.len())[..], &entry].concat();
        let groups = [0, 2, 0, 29];
        let schemes = [0, 2, 4, 3];
        let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &short(body.len()), body].concat();
        let extensions = [extension(0, &list), extension(10, &groups), extension(13, &schemes)].concat();
        let body =
            [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2b, 1, 0], &short(extensions.len()), &extensions]
                .concat();
        let message = [&[1, 0][..], &short(body.len()), &body].concat();
        [&[22, 3, 1][..], &short(message.len()), &message].concat()
    }

    struct One(SocketAddr);

    impl Directory for One {
        fn find(&self, name: &str) -> Vec<SocketAddr> {
            (name == "a.test").then_some(self.0).into_iter().collect()
        }
        fn names(&self) -> Vec<String> {
            Vec::new()
        }
    }

    async fn ask(at: SocketAddr, parts: &[&[u8]]) -> Vec<u8> {
        let mut stream = TcpStream::connect(at).await.unwrap();
        for part in parts {
            stream.write_all(part).await.unwrap();
        }
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn routes_by_server_name_and_changes_no_byte() {
        let host = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = host.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = host.accept().await {
                let mut got = Vec::new();
                stream.read_to_end(&mut got).await.unwrap();
                stream.write_all(&got).await.unwrap();
            }
        });
        let listen = "127.0.0.1:0".parse().unwrap();
        let forwarder = start(Way::Here, listen, Arc::new(One(at))).await.unwrap();
        let at = forwarder.local_addr();
        let hello = hello_for("A.test");
        assert_eq!(ask(at, &[&hello, b"more"]).await, [&hello[..], b"more"].concat());
        let (first, second) = hello.split_at(20);
        assert_eq!(ask(at, &[first, second]).await, hello);
        assert_eq!(ask(at, &[&hello_for("other.test")]).await, UNRECOGNIZED_NAME);
        assert_eq!(ask(at, &[&hello[..30]]).await, b"", "an incomplete handshake");
        let plain = String::from_utf8(ask(at, &[b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"]).await).unwrap();
        assert!(plain.starts_with("HTTP/1.1 400 ") && plain.contains("https://"), "{plain}");
        let endless = [&[22, 3, 1, 0x40, 0][..], &[1, 0, 0x3f, 0xfc], &[0; 20_000]].concat();
        assert!(ask(at, &[&endless]).await.starts_with(b"HTTP/1.1 400 "));
        forwarder.stop().await;
    }

    #[tokio::test]
    async fn reports_a_host_that_does_not_answer() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = closed.local_addr().unwrap();
        drop(closed);
        let listen = "127.0.0.1:0".parse().unwrap();
        let forwarder = start(Way::Here, listen, Arc::new(One(at))).await.unwrap();
        assert_eq!(ask(forwarder.local_addr(), &[&hello_for("a.test")]).await, INTERNAL_ERROR);
    }
}
