//! `escale doctor`: has this machine what is needed? Each lack with its way out.

use super::Output;
use crate::home::Home;
use anyhow::{Result, bail};
use escale_containers::Accounting;
use nix::sched::{CloneFlags, setns, unshare};
use serde_json::json;
use std::{collections::BTreeSet, net::ToSocketAddrs, path::Path, process::ExitCode};

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
    let mut found = vec![
        Finding {
            name: "root",
            lack: (!nix::unistd::geteuid().is_root()).then(|| {
                "networks and container limits need root; run it as root, for example through sudo".to_owned()
            }),
            needed: true,
            way: None,
        },
        Finding {
            name: "root folder",
            lack: is_chroot().then(|| {
                "this is a chroot: containers could not leave it, and health checks would run outside of it. Enter the \
                 folder as a root of its own: systemd-nspawn, or unshare --mount and pivot_root"
                    .to_owned()
            }),
            needed: true,
            way: None,
        },
        program("nft", "nftables", "security groups and NAT are nftables rules"),
        program("conntrack", "conntrack", "it looks after connections that a rule allowed"),
        either(&["crun", "runc"], "crun", "containers are run by an OCI runtime"),
        Finding {
            name: "overlayfs",
            lack: (!filesystems().contains("overlay"))
                .then(|| "the kernel has no overlayfs; load it: modprobe overlay".to_owned()),
            needed: true,
            way: None,
        },
    ];
    if !engines.is_empty() {
        let installed = escale_postgres::installed(Path::new("/usr/lib/postgresql"));
        let lacks: Vec<String> = engines.iter().filter_map(|e| postgres_lack(*e, &installed)).collect();
        let lack = (!lacks.is_empty()).then(|| lacks.join("; "));
        found.push(Finding { name: "postgresql", lack, needed: true, way: None });
    }
    found.push(Finding {
        name: "names",
        lack: ("shop.localhost", 80).to_socket_addrs().is_err().then(|| {
            "browsers and curl know that *.localhost is this machine, other programs do not: \
             apt-get install libnss-myhostname"
                .to_owned()
        }),
        needed: false,
        way: None,
    });
    found.push(task_storage());
    found.push(Finding { needed: false, ..program("aws", "awscli", "`escale aws` passes on to it") });
    found
}

fn postgres_lack(wanted: Option<u32>, installed: &[u32]) -> Option<String> {
    let Some(newest) = installed.last() else {
        let package = wanted.map_or("postgresql".to_owned(), |major| format!("postgresql-{major}"));
        return Some(format!("databases need PostgreSQL's programs: apt-get install {package}"));
    };
    let wanted = wanted.filter(|major| !installed.contains(major))?;
    Some(format!(
        "the manifest asks for `postgres {wanted}` and {newest} is installed: apt-get install postgresql-{wanted}, or \
         try with what there is: --set 'database.NAME.engine=postgres {newest}'"
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
    Finding { name: "task storage", lack: None, needed: false, way: way.ok() }
}

fn filesystems() -> String {
    std::fs::read_to_string("/proc/filesystems").unwrap_or_default()
}

fn program(name: &'static str, package: &str, why: &str) -> Finding {
    either(&[name], package, why)
}

fn either(names: &[&'static str], package: &str, why: &str) -> Finding {
    let there = names.iter().any(|n| on_path(n));
    let lack = (!there).then(|| format!("{why}, and it is not installed: apt-get install {package}"));
    Finding { name: names.first().copied().unwrap_or_default(), lack, needed: true, way: None }
}

/// Where the planes look, too: see `path.rs`.
fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
