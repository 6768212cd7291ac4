//! The server name of a handshake, from its first bytes, for a forwarder that passes the bytes on unchanged.

use rustls::server::Acceptor;

/// The largest first message that is waited for. Real ones have less than 2 KiB, with post-quantum keys less than 4 KiB.
pub const HELLO_BYTES: usize = 16 * 1024;

/// What the first bytes of a connection say.
#[derive(Debug, PartialEq, Eq)]
pub enum Hello {
    /// More bytes are needed.
    Incomplete,
    /// The client asks for this server, in lower case.
    Name(String),
    /// A handshake without a server name.
    Nameless,
    /// Not the beginning of a TLS handshake.
    NotTls,
}

/// Reads the name that the client asks for. `bytes` is everything that was received so far.
pub fn read(bytes: &[u8]) -> Hello {
    let mut acceptor = Acceptor::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        // Reads from memory: an error would be one of the format, which `accept` reports.
        if acceptor.read_tls(&mut rest).is_err() {
            return Hello::NotTls;
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                return match accepted.client_hello().server_name() {
                    Some(name) => Hello::Name(name.to_ascii_lowercase()),
                    None => Hello::Nameless,
                };
            }
            Err(_) => return Hello::NotTls,
        }
    }
    Hello::Incomplete
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::ring, pki_types::ServerName};
    use std::sync::Arc;

    fn first_bytes(name: &'static str) -> Vec<u8> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let server = ServerName::try_from(name).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), server).unwrap();
        let mut sent = Vec::new();
        client.write_tls(&mut sent).unwrap();
        sent
    }

    #[test]
    fn reads_the_server_name_once_all_bytes_are_there() {
        let hello = first_bytes("Shop.localhost");
        assert_eq!(read(&hello), Hello::Name("shop.localhost".into()));
        for cut in [0, 1, 5, 40, hello.len() - 1] {
            assert_eq!(read(&hello[..cut]), Hello::Incomplete, "{cut}");
        }
        assert_eq!(read(&first_bytes("127.0.0.1")), Hello::Nameless);
        for other in
            [&b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"[..], &[0; 64], &[22, 3, 1, 0, 4, 2, 0, 0, 0]]
        {
            assert_eq!(read(other), Hello::NotTls, "{other:?}");
        }
    }
}
