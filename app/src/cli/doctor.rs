//! `escale doctor`: checks whether this machine meets the requirements, and says how to fix what is missing.

use super::Output;
use crate::{home::Home, planes, settings::Settings};
use anyhow::{Result, bail};
use escale_base::packages::{self, Package};
use escale_containers::Accounting;
use escale_imagebuild::Engine;
use escale_network::Egress;
use escale_postgres::Installed;
use escale_service::Internet;
use nix::sched::{CloneFlags, setns, unshare};
use serde_json::json;
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, ToSocketAddrs, UdpSocket},
    process::ExitCode,
};

/// The result of one check.
struct Finding {
    name: &'static str,
    /// What is wrong and what to do; `None` if the check passed.
    lack: Option<String>,
    /// Whether nothing works without it.
    needed: bool,
    /// Which of several implementations is used, if the check passed.
    way: Option<String>,
}

impl Finding {
    /// A requirement without which nothing works.
    fn needed(name: &'static str, lack: Option<String>) -> Finding {
        Finding { name, lack, needed: true, way: None }
    }

    /// A requirement that only some features need.
    fn useful(name: &'static str, lack: Option<String>) -> Finding {
        Finding { needed: false, ..Finding::needed(name, lack) }
    }
}

pub(crate) async fn run(out: &Output) -> Result<ExitCode> {
    let mut found = look(&[ANY_POSTGRES]);
    found.push(internet().await);
    let lines: Vec<String> = found
        .iter()
        .map(|f| match &f.lack {
            None => {
                format!(
                    "  ok      {}{}",
                    f.name,
                    f.way.as_ref().map(|way| format!(": {way}")).unwrap_or_default()
                )
            }
            Some(lack) if f.needed => format!("  MISSING {}: {lack}", f.name),
            Some(lack) => format!("  warning {}: {lack}", f.name),
        })
        .collect();
    let list: Vec<_> = found
        .iter()
        .map(|f| json!({"name": f.name, "ok": f.lack.is_none(), "needed": f.needed, "lack": f.lack, "way": f.way}))
        .collect();
    out.say(&lines.join("\n"), &json!({"findings": list}));
    let well = found.iter().all(|f| f.lack.is_none() || !f.needed);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks the requirements before anything is started. One error names everything that is missing. `engines` are the major
/// versions of PostgreSQL that the manifest needs.
pub(crate) fn require(engines: &[u32]) -> Result<()> {
    let engines: BTreeSet<Option<u32>> = engines.iter().copied().map(Some).collect();
    let engines: Vec<Option<u32>> = engines.into_iter().collect();
    let lacks: Vec<String> = look(&engines)
        .into_iter()
        .filter(|f| f.needed)
        .filter_map(|f| Some(format!("  {}: {}", f.name, f.lack?)))
        .collect();
    if !lacks.is_empty() {
        bail!("this machine does not meet the requirements:\n{}", lacks.join("\n"));
    }
    Ok(())
}

/// Any version of PostgreSQL.
const ANY_POSTGRES: Option<u32> = None;

/// Runs all checks. `engines` are the major versions of PostgreSQL that are needed.
fn look(engines: &[Option<u32>]) -> Vec<Finding> {
    let root = nix::unistd::geteuid().is_root();
    let mut found = vec![
        Finding::needed(
            "root",
            (!root).then(|| {
                "networks and container limits need root. Run this command as root, for example with sudo".to_owned()
            }),
        ),
        Finding::needed(
            "root folder",
            is_chroot().then(|| {
                "this is a chroot: containers could not leave it, and health checks would run outside of it. Make the folder \
                 the root of a mount namespace of its own, with systemd-nspawn, or with `unshare --mount` and pivot_root"
                    .to_owned()
            }),
        ),
        program("nft", Package::Nftables, "security groups and NAT are nftables rules"),
        program("conntrack", Package::Conntrack, "security groups use it to end connections that are no longer allowed"),
        either(&["crun", "runc"], Package::Crun, "an OCI runtime runs the containers"),
    ];
    found.extend(kernel(root && found.iter().all(|f| f.lack.is_none())));
    if !engines.is_empty() {
        let installed = Installed::find().majors();
        let lacks: Vec<String> = engines.iter().filter_map(|e| postgres_lack(*e, &installed)).collect();
        let lack = (!lacks.is_empty()).then(|| lacks.join("; "));
        found.push(Finding::needed("postgresql", lack));
    }
    let names = ("shop.localhost", 80).to_socket_addrs().is_err().then(|| {
        format!(
            "only browsers and curl resolve *.localhost to this machine. For other programs: {}",
            packages::install(Package::MyHostname)
        )
    });
    found.push(Finding::useful("names", names));
    found.push(task_storage());
    found.push(registries());
    found.push(builder());
    found.push(Finding { needed: false, ..program("aws", Package::AwsCli, "`escale aws` runs it") });
    found
}

/// Checks the kernel's features by using them in separate namespaces. Lists of loaded modules are no evidence: the kernel
/// loads most modules at their first use. `can_try` is false without root or the programs above, which are reported first.
fn kernel(can_try: bool) -> Vec<Finding> {
    if !can_try {
        let lack = Some("not checked, because a requirement above is missing".to_owned());
        return vec![Finding::useful("kernel", lack)];
    }
    let overlay = Finding::needed("overlayfs", escale_containers::probe_overlay().err());
    let network = escale_network::probe().into_iter().map(|probe| {
        let part = probe.part;
        let lack = probe.failed.map(|why| {
            format!(
                "networks need this kernel feature, and it does not work: {why}. Its module may not be loaded: modprobe {part}"
            )
        });
        Finding::needed(part, lack)
    });
    std::iter::once(overlay).chain(network).collect()
}

fn postgres_lack(wanted: Option<u32>, installed: &[u32]) -> Option<String> {
    let install = packages::install(Package::Postgres(wanted));
    let Some(newest) = installed.last() else {
        return Some(format!("databases need PostgreSQL's programs. Install them: {install}"));
    };
    let wanted = wanted.filter(|major| !installed.contains(major))?;
    Some(format!(
        "the manifest names `postgres {wanted}`, but {newest} is installed. Install it: {install}, or use the installed \
         version: --set 'database.NAME.engine=postgres {newest}'"
    ))
}

/// Whether the root folder differs from the root of the mount namespace. `setns` switches to the latter and needs root; without
/// root the answer is `false`.
fn is_chroot() -> bool {
    use std::os::unix::fs::MetadataExt;
    let look = || std::fs::metadata("/").map(|root| (root.dev(), root.ino()));
    let here = look();
    // In a separate thread: the change of root affects the calling thread only, and the others must stay where they are.
    let there = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_FS).ok()?;
        setns(std::fs::File::open("/proc/thread-self/ns/mnt").ok()?, CloneFlags::CLONE_NEWNS).ok()?;
        look().ok()
    });
    matches!((here, there.join()), (Ok(here), Ok(Some(there))) if here != there)
}

/// How the `ephemeralStorage` of a task is enforced.
fn task_storage() -> Finding {
    let home = Home::find().map(|home| home.plane("containers"));
    let way = home.map(|dir| match escale_containers::storage_accounting(&dir) {
        Accounting::ProjectQuota => "project quota: the kernel refuses writes that exceed a task's ephemeralStorage",
        Accounting::Measured => {
            "measured: a task that exceeds its ephemeralStorage is stopped (on ext4 or xfs mounted with prjquota, the kernel would refuse the write instead)"
        }
    });
    Finding { way: way.ok().map(str::to_owned), ..Finding::useful("task storage", None) }
}

/// Which registries serve the images of others, and whether the trusted certificates can be read.
fn registries() -> Finding {
    let lack = |why: String| Finding::useful("registries", Some(why));
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(error) => return lack(format!("{error:#}")),
    };
    if let Err(error) = planes::upstream(&settings).check() {
        return lack(format!("images of other registries cannot be pulled: {error}"));
    }
    let mirrors: Vec<String> =
        settings.image_mirrors.list().map(|(registry, mirror)| format!("{registry} from {mirror}")).collect();
    let way = if mirrors.is_empty() { "no mirror".to_owned() } else { mirrors.join(", ") };
    Finding { way: Some(way), ..Finding::useful("registries", None) }
}

/// The program that builds Dockerfiles with `RUN`.
fn builder() -> Finding {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = Engine::ALL.into_iter().find(|engine| engine.works(&path)).map(Engine::program);
    let lack = || {
        format!(
            "none of docker (with its daemon), podman and buildah works; one of them builds Dockerfiles with RUN. Install one: {}",
            packages::install(Package::Buildah)
        )
    };
    let lack = found.is_none().then(lack);
    Finding { way: found.map(str::to_owned), ..Finding::useful("builder", lack) }
}

/// Whether tasks can reach the Internet, and how. Not part of [`look`], because it waits for name servers.
async fn internet() -> Finding {
    const NAME: &str = "internet";
    let config = match Settings::from_environment() {
        Ok(settings) => settings.config,
        Err(error) => return Finding::useful(NAME, Some(format!("{error:#}"))),
    };
    if config.internet == Internet::None {
        let way = Some("none, because of ESCALE_INTERNET=none".to_owned());
        return Finding { way, ..Finding::useful(NAME, None) };
    }
    let servers: Vec<String> = escale_dns::host_servers().iter().map(|s| s.ip().to_string()).collect();
    let servers = servers.join(", ");
    Finding {
        way: Some(format!("through this machine's own network; names are resolved by {servers}")),
        ..Finding::useful(NAME, internet_lack(&servers).await)
    }
}

async fn internet_lack(servers: &str) -> Option<String> {
    if nix::unistd::geteuid().is_root()
        && let Err(error) = Egress::probe()
    {
        return Some(format!(
            "tasks cannot reach it: {error}. Its module may not be loaded: modprobe nft_tproxy"
        ));
    }
    // Connecting a UDP socket sends no packet; it fails without a route to this address (a DNS root server's).
    const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(198, 41, 0, 4), 53);
    let routed = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| socket.connect(ANYWHERE));
    if let Err(error) = routed {
        return Some(format!("this machine has no IPv4 route to it, so tasks have none either: {error}"));
    }
    let answers = escale_dns::host_servers_answer().await;
    (!answers).then(|| {
        format!("this machine's name servers ({servers}) do not answer, so tasks cannot resolve names. Check /etc/resolv.conf")
    })
}

fn program(name: &'static str, package: Package, why: &str) -> Finding {
    either(&[name], package, why)
}

fn either(names: &[&'static str], package: Package, why: &str) -> Finding {
    let there = names.iter().any(|n| on_path(n));
    let lack = (!there).then(|| format!("not installed; {why}. Install it: {}", packages::install(package)));
    Finding::needed(names.first().copied().unwrap_or_default(), lack)
}

/// Searches where the planes search: see `path.rs`.
fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
