//! What the worker knows of the daemon: whether it serves, its hosts, and the keys that it accepts.

use crate::message::{OriginKey, OriginKeys, OwnHosts};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::sync::watch;

/// The daemon as the worker's origins know it. Everything in it is forgotten when the daemon disconnects: a request signed with
/// the key of an earlier daemon would be denied, and the denial cached.
#[derive(Clone)]
pub struct Daemon(Arc<watch::Sender<Known>>);

#[derive(Default)]
struct Known {
    hosts: OwnHosts,
    serves: bool,
    /// Of each distribution.
    keys: BTreeMap<String, OriginKeys>,
}

impl Known {
    fn key(&self, distribution: &str, origin: &str) -> Option<&OriginKey> {
        self.keys.get(distribution)?.get(origin)
    }
}

impl Default for Daemon {
    fn default() -> Daemon {
        Daemon(Arc::new(watch::Sender::new(Known::default())))
    }
}

impl Daemon {
    /// The address of a host that the daemon serves. Waits while no daemon serves; the caller limits the time. `None` if it
    /// never was a host of a daemon.
    pub async fn address(&self, host: &str) -> Option<SocketAddr> {
        let mut known = self.0.subscribe();
        let found = known.wait_for(|k| k.serves || !k.hosts.contains_key(host)).await.ok()?;
        found.hosts.get(host).copied()
    }

    /// Waits while this is an address of the daemon and no daemon serves; the caller limits the time.
    pub async fn reachable(&self, address: Ipv4Addr) {
        let mut known = self.0.subscribe();
        let is_own = |k: &Known| k.hosts.values().any(|own| own.ip() == IpAddr::V4(address));
        // The sender exists as long as this.
        let _ = known.wait_for(|k| k.serves || !is_own(k)).await;
    }

    /// The key of a distribution's origin. Waits while there is none; the caller limits the time.
    pub async fn key(&self, distribution: &str, origin: &str) -> Option<OriginKey> {
        let mut known = self.0.subscribe();
        let found = known.wait_for(|k| k.key(distribution, origin).is_some()).await.ok()?;
        found.key(distribution, origin).cloned()
    }

    /// Replaces the keys of a distribution.
    pub(crate) fn set_keys(&self, distribution: &str, keys: OriginKeys) {
        self.0.send_modify(|known| drop(known.keys.insert(distribution.to_owned(), keys)));
    }

    pub(crate) fn remove_keys(&self, distribution: &str) {
        self.0.send_modify(|known| drop(known.keys.remove(distribution)));
    }

    /// Hosts of a daemon that may not serve at the moment.
    pub(crate) fn knows(&self, hosts: OwnHosts) {
        self.0.send_modify(|known| known.hosts = hosts);
    }

    pub(crate) fn serves(&self, hosts: OwnHosts) {
        self.0.send_modify(|known| {
            known.hosts = hosts;
            known.serves = true;
        });
    }

    /// The hosts stay known, so that requests to them wait for the next daemon.
    pub(crate) fn is_gone(&self) {
        self.0.send_modify(|known| {
            known.keys.clear();
            known.serves = false;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Secret;
    use tokio::time::{Duration, timeout};

    #[tokio::test(start_paused = true)]
    async fn keys_and_hosts_end_with_their_daemon() {
        let daemon = Daemon::default();
        let key = OriginKey { access_key: "A".into(), secret: Secret::new("s".into()), region: "r".into() };
        let keys = OriginKeys::from([("O1".to_owned(), key)]);
        let at: SocketAddr = "198.18.0.3:80".parse().unwrap();
        daemon.serves([("s3".to_owned(), at)].into());
        daemon.set_keys("D1", keys.clone());
        assert_eq!(daemon.address("s3").await, Some(at));
        assert_eq!(daemon.address("elsewhere").await, None);
        assert_eq!(daemon.key("D1", "O1").await.unwrap().access_key, "A");
        let limit = Duration::from_secs(1);
        assert!(timeout(limit, daemon.key("D1", "O2")).await.is_err(), "each origin has its own key");

        daemon.is_gone();
        assert!(timeout(limit, daemon.address("s3")).await.is_err(), "it waits for the next daemon");
        assert!(timeout(limit, daemon.reachable([198, 18, 0, 3].into())).await.is_err());
        daemon.reachable([198, 18, 0, 9].into()).await;
        assert!(timeout(limit, daemon.key("D1", "O1")).await.is_err(), "the key is not valid any more");
        assert_eq!(daemon.address("elsewhere").await, None);
        let (waiting, next) = (daemon.clone(), daemon.clone());
        let waited =
            tokio::spawn(
                async move { (waiting.address("s3").await, waiting.key("D1", "O1").await.is_some()) },
            );
        next.serves([("s3".to_owned(), at)].into());
        next.set_keys("D1", keys);
        assert_eq!(waited.await.unwrap(), (Some(at), true));
        daemon.remove_keys("D1");
        assert!(timeout(limit, daemon.key("D1", "O1")).await.is_err());
    }
}
