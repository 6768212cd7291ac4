//! The real network plane, on the Linux kernel.

use crate::{
    Applied, Flows, Network, Observed, ObservedInterface, Place, check,
    fake::absent,
    internet::{Internet, pinned},
    namespace::Namespace,
    netlink::{Netlink, leading_to},
    peerings::Peerings,
    router::{Router, unpin_all},
    spec::{InternetSpec, VpcSpec},
    translations::{self, Translations},
};
use async_trait::async_trait;
use escale_base::{PlaneError, error::Context as _};
use escale_sockets::Keeper;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::SocketAddrV4,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Mutex as AsyncMutex;

/// A router that was opened, or `None` when it must be read from the kernel first.
type Slot = Arc<AsyncMutex<Option<Router>>>;

/// Networks of namespaces, all pinned below one directory.
pub struct KernelNetwork {
    root: PathBuf,
    /// Locked while a router changes its part of the Internet.
    internet: AsyncMutex<Option<Internet>>,
    routers: Mutex<BTreeMap<String, Slot>>,
    peerings: Peerings,
}

impl KernelNetwork {
    /// Adopts the networks below `state_dir`, the instance's own directory. The error names the missing privilege or
    /// program.
    pub async fn open(state_dir: &Path) -> Result<KernelNetwork, PlaneError> {
        for (program, package) in [("nft", "nftables"), ("conntrack", "conntrack")] {
            let run =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            run.machine(|| {
                format!(
                    "run '{program}', which networks need (install the package {package} if it is missing)"
                )
            })?;
        }
        let root = root_of(state_dir);
        share(&root)?;
        let internet = Internet::open(&root).await?;
        let (internet, peerings) = (AsyncMutex::new(Some(internet)), Peerings::of(&root));
        Ok(KernelNetwork { root, internet, routers: Mutex::default(), peerings })
    }

    fn slot(&self, vpc: &str) -> Slot {
        let mut routers = self.routers.lock().unwrap_or_else(PoisonError::into_inner);
        routers.entry(vpc.to_owned()).or_default().clone()
    }

    fn vpc_dir(&self, vpc: &str) -> PathBuf {
        vpc_dir(&self.root, vpc)
    }
}

/// The namespaces of the networks below a directory, for processes other than the one whose [`KernelNetwork`] keeps them.
#[derive(Clone, Debug)]
pub struct Namespaces {
    root: PathBuf,
    keeper: Keeper,
}

impl Namespaces {
    pub fn of(state_dir: &Path) -> Namespaces {
        Namespaces { root: root_of(state_dir), keeper: Keeper::default() }
    }

    /// Listening sockets are opened by this keeper.
    #[must_use]
    pub fn kept_by(self, keeper: Keeper) -> Namespaces {
        Namespaces { keeper, ..self }
    }

    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    pub fn open(&self, place: &Place) -> Result<Namespace, PlaneError> {
        Ok(existing(&self.root, place)?.kept_by(self.keeper.clone()))
    }
}

fn root_of(state_dir: &Path) -> PathBuf {
    state_dir.join("netns")
}

fn vpc_dir(root: &Path, vpc: &str) -> PathBuf {
    root.join("vpcs").join(vpc)
}

fn path_of(root: &Path, place: &Place) -> PathBuf {
    match place {
        Place::Interface { vpc, interface } => vpc_dir(root, vpc).join("interfaces").join(interface),
        Place::Router(vpc) => vpc_dir(root, vpc).join("router"),
        Place::Internet => root.join("internet"),
        Place::Host(name) => root.join("hosts").join(name),
    }
}

fn existing(root: &Path, place: &Place) -> Result<Namespace, PlaneError> {
    let path = path_of(root, place);
    Namespace::open(&path)?.ok_or_else(|| {
        PlaneError::asked(format!("{place} does not exist (no network namespace {})", path.display()))
    })
}

#[async_trait]
impl Network for KernelNetwork {
    async fn apply(&self, spec: VpcSpec) -> Result<Applied, PlaneError> {
        check::vpc(&spec)?;
        let slot = self.slot(&spec.name);
        let mut slot = slot.lock().await;
        // Taken out of the slot: after a failure or a cancellation, the next call reads the actual state from the kernel.
        let mut router = match slot.take() {
            Some(router) => router,
            None => Router::open(&self.vpc_dir(&spec.name)).await?,
        };
        let mut internet = self.internet.lock().await;
        if internet.is_none() {
            share(&self.root)?;
            *internet = Some(Internet::open(&self.root).await?);
        }
        let applied = match internet.as_ref() {
            Some(internet) => router.apply(&spec, internet, &self.peerings).await?,
            None => {
                return Err(PlaneError::plane(
                    "the Internet's namespace no longer exists although it was just opened",
                ));
            }
        };
        tracing::debug!(vpc = spec.name, ?applied, "applied");
        *slot = Some(router);
        Ok(applied)
    }

    async fn remove(&self, vpc: &str) -> Result<(), PlaneError> {
        check::name("the network plane", "network", vpc)?;
        let slot = self.slot(vpc);
        let mut slot = slot.lock().await;
        // Taken out, so that no handle keeps the removed namespace alive.
        let known = slot.take();
        if known.is_none() && !self.vpc_dir(vpc).exists() {
            return Ok(());
        }
        let router = match known {
            Some(router) => router,
            None => Router::open(&self.vpc_dir(vpc)).await?,
        };
        // Locked as by `apply`, which may attach another network to the same peering.
        let _internet = self.internet.lock().await;
        router.remove(&self.peerings).await
    }

    async fn apply_internet(&self, spec: InternetSpec) -> Result<(), PlaneError> {
        let mut internet = self.internet.lock().await;
        if internet.is_none() {
            share(&self.root)?;
            *internet = Some(Internet::open(&self.root).await?);
        }
        match internet.as_ref() {
            Some(internet) => internet.apply(&spec).await,
            None => Err(PlaneError::plane(
                "the Internet's namespace no longer exists although it was just opened",
            )),
        }
    }

    async fn vpcs(&self) -> Result<BTreeSet<String>, PlaneError> {
        Ok(pinned(&self.root.join("vpcs"))?.into_iter().collect())
    }

    async fn observe(&self, vpc: &str) -> Result<Option<Observed>, PlaneError> {
        let Some(router) = Namespace::open(&self.namespace_path(&Place::Router(vpc.into())))? else {
            return Ok(None);
        };
        let links = Netlink::open(&router)?.links().await?;
        let mut seen =
            Observed { internet: Internet::uplinks(&links).internet.is_some(), ..Observed::default() };
        for name in pinned(&self.vpc_dir(vpc).join("interfaces"))? {
            let place = Place::Interface { vpc: vpc.into(), interface: name.clone() };
            let Some(inside) = Namespace::open(&self.namespace_path(&place))? else { continue };
            let Some((address, link)) = leading_to(&inside, &links).await? else { continue };
            let stats = link.stats.unwrap_or_default();
            let interface = ObservedInterface {
                address,
                up: link.up,
                // Counted at the router's end: it receives what the interface sends.
                sent_bytes: stats.rx_bytes,
                sent_packets: stats.rx_packets,
                received_bytes: stats.tx_bytes,
                received_packets: stats.tx_packets,
            };
            seen.interfaces.insert(name, interface);
        }
        Ok(Some(seen))
    }

    async fn take_flows(&self, vpc: &str) -> Result<Flows, PlaneError> {
        check::name("the network plane", "network", vpc)?;
        let slot = self.slot(vpc);
        let mut slot = slot.lock().await;
        // As in `apply`, taken out of the slot.
        match slot.take() {
            Some(mut router) => {
                let flows = router.take_flows().await?;
                *slot = Some(router);
                Ok(flows)
            }
            None if self.vpc_dir(vpc).exists() => Ok(Flows::default()),
            None => Err(absent(vpc)),
        }
    }
    async fn translations(&self, vpc: &str, interface: &str) -> Result<Option<Translations>, PlaneError> {
        match Namespace::open(&self.namespace_path(&Place::interface(vpc, interface)))? {
            Some(inside) => translations::read(&inside).await.map(Some),
            None => Ok(None),
        }
    }

    async fn answers(
        &self,
        vpc: &str,
        interface: &str,
        to: SocketAddrV4,
        within: Duration,
    ) -> Result<bool, PlaneError> {
        let from = self.namespace(&Place::interface(vpc, interface))?;
        match tokio::time::timeout(within, from.tcp_connect(to.into())).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(e)) => match e.kind() {
                // A refusal is an answer: packets travel in both directions.
                io::ErrorKind::ConnectionRefused => Ok(true),
                io::ErrorKind::TimedOut
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::HostUnreachable => Ok(false),
                _ => Err(e).machine(|| format!("connect from {} to {to}", from.path().display())),
            },
            Err(_) => Ok(false),
        }
    }

    fn namespace(&self, place: &Place) -> Result<Namespace, PlaneError> {
        existing(&self.root, place)
    }

    fn namespace_path(&self, place: &Place) -> PathBuf {
        path_of(&self.root, place)
    }

    async fn wipe(&self) -> Result<(), PlaneError> {
        for vpc in self.vpcs().await? {
            self.remove(&vpc).await?;
        }
        let mut internet = self.internet.lock().await;
        if let Some(known) = internet.take() {
            known.apply(&InternetSpec::default()).await?;
        }
        if !self.root.exists() {
            return Ok(());
        }
        // The directory cannot be removed while it is a mount, and its pins are not visible after it is unmounted.
        for name in pinned(&self.root)? {
            let path = self.root.join(name);
            if path.is_dir() { unpin_all(&path)? } else { Namespace::unpin(&path)? }
        }
        match umount2(&self.root, MntFlags::MNT_DETACH) {
            Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
            Err(e) => return Err(e).machine(|| format!("unmount {}", self.root.display())),
        }
        unpin_all(&self.root)
    }
}

/// Makes the directory a shared mount: unpinning a namespace here then also unpins it for containers that were
/// started with a copy of the mounts.
fn share(root: &Path) -> Result<(), PlaneError> {
    let none = None::<&str>;
    let share = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        fs::create_dir_all(root)?;
        if mount(none, root, none, MsFlags::MS_SHARED | MsFlags::MS_REC, none) == Err(nix::Error::EINVAL) {
            mount(Some(root), root, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
            mount(none, root, none, MsFlags::MS_SHARED | MsFlags::MS_REC, none)?;
        }
        Ok(())
    };
    share().machine(|| format!("mount {}, which needs root (CAP_SYS_ADMIN)", root.display()))
}
