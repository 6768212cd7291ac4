//! `escale doctor`: has this machine what is needed? Each lack with its way out.

use super::Output;
use crate::home::Home;
use anyhow::{Result, bail};
use escale_base::packages::{self, Package};
use escale_containers::Accounting;
use escale_postgres::Installed;
use nix::sched::{CloneFlags, setns, unshare};
use serde_json::json;
use std::{collections::BTreeSet, net::ToSocketAddrs, process::ExitCode};

/// One thing that was looked at.
struct Finding {
    name: &'static str,
    /// What is wrong and what to do; `None` when it is well.
    lack: Option<String>,
    /// Whether nothing works without it.
    needed: bool,
    /// Which of several ways is used, when it is well.
    way: Option<&'static str>,
}

impl Finding {
    /// Of what nothing works without.
    fn needed(name: &'static str, lack: Option<String>) -> Finding {
        Finding { name, lack, needed: true, way: None }
    }

    /// Of what is only better to have.
    fn useful(name: &'static str, lack: Option<String>) -> Finding {
        Finding { needed: false, ..Finding::needed(name, lack) }
    }
}

pub(crate) fn run(out: &Output) -> Result<ExitCode> {
    let found = look(&[POSTGRES_AT_ALL]);
    let lines: Vec<String> = found
        .iter()
        .map(|f| match &f.lack {
            None => {
                format!("  ok      {}{}", f.name, f.way.map(|way| format!(": {way}")).unwrap_or_default())
            }
            Some(lack) if f.needed => format!("  LACKS   {}: {lack}", f.name),
            Some(lack) => format!("  without {}: {lack}", f.name),
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

/// Before anything is started: one error that names all that lacks. `engines` are the major versions of PostgreSQL that
/// are wanted.
pub(crate) fn require(engines: &[u32]) -> Result<()> {
    let engines: BTreeSet<Option<u32>> = engines.iter().copied().map(Some).collect();
    let engines: Vec<Option<u32>> = engines.into_iter().collect();
    let lacks: Vec<String> = look(&engines)
        .into_iter()
        .filter(|f| f.needed)
        .filter_map(|f| Some(format!("  {}: {}", f.name, f.lack?)))
        .collect();
    if !lacks.is_empty() {
        bail!("this machine lacks something:\n{}", lacks.join("\n"));
    }
    Ok(())
}

/// Some version of PostgreSQL, whichever it is.
const POSTGRES_AT_ALL: Option<u32> = None;

/// `engines` are the major versions of PostgreSQL that are wanted.
fn look(engines: &[Option<u32>]) -> Vec<Finding> {
    let root = nix::unistd::geteuid().is_root();
    let mut found = vec![
        Finding::needed(
            "root",
            (!root).then(|| {
                "networks and container limits need root; run it as root, for example through sudo".to_owned()
            }),
        ),
        Finding::needed(
            "root folder",
            is_chroot().then(|| {
                "this is a chroot: containers could not leave it, and health checks would run outside of it. Enter the \
                 folder as a root of its own: systemd-nspawn, or unshare --mount and pivot_root"
                    .to_owned()
            }),
        ),
        program("nft", Package::Nftables, "security groups and NAT are nftables rules"),
        program("conntrack", Package::Conntrack, "it looks after connections that a rule allowed"),
        either(&["crun", "runc"], Package::Crun, "containers are run by an OCI runtime"),
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
            "browsers and curl know that *.localhost is this machine, other programs do not: {}",
            packages::install(Package::MyHostname)
        )
    });
    found.push(Finding::useful("names", names));
    found.push(task_storage());
    found.push(Finding { needed: false, ..program("aws", Package::AwsCli, "`escale aws` passes on to it") });
    found
}

/// What the kernel can do, found out by doing it in namespaces of its own: it loads most modules at their first use, so that
/// lists of what is loaded say nothing. Cannot be tried without root or the programs above, whose lack is reported first.
fn kernel(can_try: bool) -> Vec<Finding> {
    if !can_try {
        let lack = Some("not tried yet, as something above is missing".to_owned());
        return vec![Finding::useful("kernel", lack)];
    }
    let overlay = Finding::needed("overlayfs", escale_containers::probe_overlay().err());
    let network = escale_network::probe().into_iter().map(|probe| {
        let part = probe.part;
        let lack = probe.failed.map(|why| {
            format!("networks need it of the kernel, and it does not work: {why}; its module may be missing: modprobe {part}")
        });
        Finding::needed(part, lack)
    });
    std::iter::once(overlay).chain(network).collect()
}

fn postgres_lack(wanted: Option<u32>, installed: &[u32]) -> Option<String> {
    let install = packages::install(Package::Postgres(wanted));
    let Some(newest) = installed.last() else {
        return Some(format!("databases need PostgreSQL's programs: {install}"));
    };
    let wanted = wanted.filter(|major| !installed.contains(major))?;
    Some(format!(
        "the manifest asks for `postgres {wanted}` and {newest} is installed: {install}, or try with what there is: \
         --set 'database.NAME.engine=postgres {newest}'"
    ))
}

/// Whether the root folder is another than that of the mount namespace, which is where `setns` leads. Unknown to who is not root.
fn is_chroot() -> bool {
    use std::os::unix::fs::MetadataExt;
    let look = || std::fs::metadata("/").map(|root| (root.dev(), root.ino()));
    let here = look();
    // In a thread of its own, which alone goes there.
    let there = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_FS).ok()?;
        setns(std::fs::File::open("/proc/thread-self/ns/mnt").ok()?, CloneFlags::CLONE_NEWNS).ok()?;
        look().ok()
    });
    matches!((here, there.join()), (Ok(here), Ok(Some(there))) if here != there)
}

/// How a task is kept within its `ephemeralStorage`.
fn task_storage() -> Finding {
    let home = Home::find().map(|home| home.plane("containers"));
    let way = home.map(|dir| match escale_containers::storage_accounting(&dir) {
        Accounting::ProjectQuota => "project quota: the kernel refuses what a task writes above its ephemeralStorage",
        Accounting::Measured => {
            "measured: a task that is found above its ephemeralStorage is stopped (ext4 or xfs mounted with prjquota would refuse the write)"
        }
    });
    Finding { way: way.ok(), ..Finding::useful("task storage", None) }
}

fn program(name: &'static str, package: Package, why: &str) -> Finding {
    either(&[name], package, why)
}

fn either(names: &[&'static str], package: Package, why: &str) -> Finding {
    let there = names.iter().any(|n| on_path(n));
    let lack = (!there).then(|| format!("{why}, and it is not installed: {}", packages::install(package)));
    Finding::needed(names.first().copied().unwrap_or_default(), lack)
}

/// Where the planes look, too: see `path.rs`.
fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
