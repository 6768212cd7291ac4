//! The contract of the real plane and the fake, and traffic through the real one over loopback sockets.
#![allow(clippy::unwrap_used)] // helpers of tests are not marked as tests

#[path = "../../httpguard/tests/attacks/mod.rs"]
mod attacks;

mod contract {
    pub(crate) mod parts;
    pub(crate) mod rules;

    mod downgrade;
    mod paths;
    mod relay;
    mod silence;
    mod sticky;
    mod tls;
    mod traffic;
    mod under_strain;
    mod versions;
}

use contract::{parts::*, rules::keeps_the_contract};
use escale_base::Clock;
use escale_proxy::{Balancers, FakeProxies};
use std::sync::Arc;

#[tokio::test]
async fn real_keeps_the_contract() {
    let server = Server::start(Behaviour::Echo).await;
    keeps_the_contract(&Balancers::new(Arc::new(Loopback), Clock::machine()), server.addr).await;
}

#[tokio::test]
async fn fake_keeps_the_contract() {
    keeps_the_contract(&FakeProxies::default(), ([127, 0, 0, 1], 9).into()).await;
}
