//! A small AWS client: signs a request and reads the answer. The command line has no other door than users have.

use crate::settings::Settings;
use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

pub(crate) struct Client {
    address: Option<SocketAddr>,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Client {
        Client { address: settings.config.endpoint.parse().ok() }
    }

    /// Whether the API takes connections.
    pub(crate) fn is_up(&self) -> bool {
        self.address.is_some_and(|a| TcpStream::connect_timeout(&a, Duration::from_millis(200)).is_ok())
    }

    /// Nobody tells when another process listens: the one place that asks again after a while.
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn wait_a_moment(&self) {
        std::thread::sleep(Duration::from_millis(5));
    }
}
