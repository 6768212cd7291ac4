//! Connections from tasks of one zone to the Internet, as a NAT gateway carries them.

use super::super::{application::Application, client::Client, tasks};
use super::targets;
use crate::home::Home;
use anyhow::{Result, bail};
use escale_network::{Namespace, Namespaces, Place};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::task::AbortOnDropHandle;

const EVERY: Duration = Duration::from_millis(250);
const WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Egress {
    samples: Arc<Mutex<Vec<(Instant, bool)>>>,
    _running: AbortOnDropHandle<()>,
}

impl Egress {
    pub(super) async fn start(
        home: &Home,
        client: &Client,
        application: &Application,
        zone: &str,
        to: SocketAddr,
    ) -> Result<Egress> {
        let namespaces = Namespaces::of(&home.plane("network"));
        for task in tasks::all(client, application).await? {
            let Some(interface) = task.interface("networkInterfaceId") else { continue };
            if !task.is_running() || task.0["availabilityZone"] != zone {
                continue;
            }
            let found =
                targets::interfaces(client, &[("network-interface-id", interface.to_owned())]).await?;
            let vpc = found.first().map_or("", |i| i.text_of("vpcId"));
            let from = namespaces.open(&Place::interface(vpc, interface))?;
            if connects(&from, to).await {
                let samples = Arc::<Mutex<Vec<(Instant, bool)>>>::default();
                let running = tokio::spawn(probe(from, to, Arc::clone(&samples)));
                return Ok(Egress { samples, _running: AbortOnDropHandle::new(running) });
            }
        }
        bail!("no task in {zone} reaches the Internet, so nothing would notice a lost NAT gateway")
    }

    pub(super) fn stop(self) -> Vec<(Instant, bool)> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn connects(from: &Namespace, to: SocketAddr) -> bool {
    matches!(tokio::time::timeout(WITHIN, from.tcp_connect(to)).await, Ok(Ok(_)))
}

async fn probe(from: Namespace, to: SocketAddr, samples: Arc<Mutex<Vec<(Instant, bool)>>>) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        let begun = Instant::now();
        let done = connects(&from, to).await;
        samples.lock().unwrap_or_else(PoisonError::into_inner).push((begun, done));
    }
}
