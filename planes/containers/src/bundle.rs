//! The OCI runtime configuration (`config.json`) of one container.
//!
//! Source: <https://github.com/opencontainers/runtime-spec/blob/main/config.md>, with Docker's defaults.

use crate::{
    caps,
    cgroup::{self, Cgroups},
    image::{self, Config},
    limits, seccomp,
    spec::{ContainerSpec, GroupSpec, MountSource, Network, Ulimit},
    user::User,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The input of a configuration.
pub(crate) struct Parts<'a> {
    pub(crate) group: &'a GroupSpec,
    pub(crate) container: &'a ContainerSpec,
    pub(crate) image: &'a Config,
    pub(crate) user: &'a User,
    pub(crate) cgroup: &'a str,
    pub(crate) cgroups: &'a Cgroups,
    /// Contains hostname, hosts, resolv.conf and the volumes.
    pub(crate) group_dir: &'a Path,
}

const MASKED: &[&str] = &[
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
const READONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(crate) fn config(p: &Parts<'_>) -> Result<Value, String> {
    let capabilities = caps::resolve(&p.container.security)?;
    let mut namespaces = vec![
        json!({"type": "pid"}),
        json!({"type": "ipc"}),
        json!({"type": "uts"}),
        json!({"type": "mount"}),
    ];
    namespaces.push(match &p.group.network {
        Network::Namespace(path) => json!({"type": "network", "path": path}),
        Network::None => json!({"type": "network"}),
    });
    if *p.cgroups == Cgroups::V2 {
        namespaces.push(json!({"type": "cgroup"}));
    }
    Ok(json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": p.container.security.readonly_root},
        "hostname": p.group.hostname,
        "process": process(p, &capabilities)?,
        "mounts": mounts(p),
        "linux": {
            "namespaces": namespaces,
            "cgroupsPath": format!("/{}", p.cgroup),
            "resources": resources(p),
            "seccomp": seccomp::profile(&capabilities),
            "maskedPaths": MASKED,
            "readonlyPaths": READONLY,
            // As Docker does: binding port 80 needs no root, and ping needs no raw socket.
            "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"},
        },
    }))
}

fn process(p: &Parts<'_>, capabilities: &[String]) -> Result<Value, String> {
    let c = p.container;
    // As execve would leave it: an unprivileged user holds no capability, but the bounding set remains.
    let held: &[String] = if p.user.uid == 0 { capabilities } else { &[] };
    let rlimit = |name: &str, soft: u64, hard: u64| json!({"type": format!("RLIMIT_{}", name.to_uppercase()), "soft": soft, "hard": hard});
    let mut rlimits: Vec<Value> = c.ulimits.iter().map(|u| rlimit(&u.name, u.soft, u.hard)).collect();
    if !c.ulimits.iter().any(|u| u.name == OPEN_FILES) {
        // Not inherited from the daemon, whose limits depend on the login that started it.
        let most =
            hard_limit(OPEN_FILES).unwrap_or(limits::DEFAULT_OPEN_FILES).min(limits::DEFAULT_OPEN_FILES);
        rlimits.push(rlimit(OPEN_FILES, most, most));
    }
    Ok(json!({
        "terminal": false,
        // The umask of Docker and Fargate; the daemon's own is stricter.
        "user": {"uid": p.user.uid, "gid": p.user.gid, "umask": 0o022, "additionalGids": p.user.groups},
        "args": image::arguments(p.image, c.entrypoint.as_ref(), c.command.as_ref())?,
        "env": environment(p),
        "cwd": workdir(p),
        "capabilities": {"bounding": capabilities, "effective": held, "permitted": held},
        "rlimits": rlimits,
        "noNewPrivileges": c.security.no_new_privileges,
    }))
}

pub(crate) fn workdir(p: &Parts<'_>) -> PathBuf {
    let own = p.container.workdir.as_deref().or(p.image.working_dir.as_deref()).unwrap_or_default();
    Path::new("/").join(own)
}

fn environment(p: &Parts<'_>) -> Vec<String> {
    let mut env = BTreeMap::from([
        ("PATH", PATH.to_owned()),
        ("HOSTNAME", p.group.hostname.clone()),
        ("HOME", p.user.home.clone()),
    ]);
    // Later entries win: the image over the defaults, the container over the image.
    for pair in p.image.env.iter().flatten() {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        env.insert(key, value.to_owned());
    }
    for (key, value) in &p.container.env {
        env.insert(key, value.reveal().clone());
    }
    env.into_iter().map(|(k, v)| format!("{k}={v}")).collect()
}

fn mounts(p: &Parts<'_>) -> Vec<Value> {
    let mount = |target: &str, kind: &str, options: &[&str]| json!({"destination": target, "type": kind, "source": kind, "options": options});
    let mut all = vec![
        mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        // 64 MiB, Docker's default.
        mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]),
        mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "ro"]),
    ];
    let bind = |source: &Path, target: &str, readonly: bool| {
        let options = ["rbind", "rprivate", if readonly { "ro" } else { "rw" }];
        json!({"destination": target, "type": "bind", "source": source, "options": options})
    };
    for name in ["resolv.conf", "hosts", "hostname"] {
        let readonly = p.container.security.readonly_root;
        all.push(bind(&p.group_dir.join(name), &format!("/etc/{name}"), readonly));
    }
    for m in &p.container.mounts {
        all.push(match &m.source {
            MountSource::Volume(v) => bind(&p.group_dir.join("volumes").join(v), &m.target, m.readonly),
            MountSource::Host(path) => bind(path, &m.target, m.readonly),
            MountSource::Memory { size_bytes } => {
                let size = format!("size={size_bytes}");
                let access = if m.readonly { "ro" } else { "rw" };
                mount(&m.target, "tmpfs", &["nosuid", "nodev", "noexec", "mode=1777", &size, access])
            }
        });
    }
    all
}

fn resources(p: &Parts<'_>) -> Value {
    let l = &p.container.limits;
    let mut cpu = json!({});
    if let Some(millis) = l.cpu_millis {
        cpu["quota"] = cgroup::quota_us(millis).into();
        cpu["period"] = cgroup::period_us().into();
    }
    if let Some(shares) = l.cpu_shares {
        cpu["shares"] = shares.max(2).into();
    }
    let mut memory = json!({});
    if let Some(bytes) = l.memory_bytes {
        memory["limit"] = bytes.into();
        // The group's cgroup, one level up, exists already.
        let group = Path::new(p.cgroup).parent().and_then(Path::to_str).unwrap_or_default();
        if p.cgroups.limits_swap(group) {
            // v1 limits memory and swap together: the same value for both leaves no swap.
            memory["swap"] = bytes.into();
        }
    }
    if let Some(bytes) = l.memory_reservation_bytes {
        memory["reservation"] = bytes.into();
    }
    json!({
        "cpu": cpu,
        "memory": memory,
        "pids": {"limit": l.pids.unwrap_or(limits::DEFAULT_PIDS)},
        "devices": devices(),
    })
}

/// All devices are forbidden except the harmless ones (null, zero, full, random, urandom, tty, console, ptmx, pts). Any device
/// node may be created; only the harmless ones can be opened.
fn devices() -> Value {
    let allow = |kind: &str, major: Option<i64>, minor: Option<i64>, access: &str| {
        let mut rule = json!({"allow": true, "type": kind, "access": access});
        if let Some(major) = major {
            rule["major"] = major.into();
        }
        if let Some(minor) = minor {
            rule["minor"] = minor.into();
        }
        rule
    };
    let mut rules = vec![
        json!({"allow": false, "access": "rwm"}),
        allow("c", None, None, "m"),
        allow("b", None, None, "m"),
    ];
    for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)] {
        rules.push(allow("c", Some(major), Some(minor), "rwm"));
    }
    rules.push(allow("c", Some(136), None, "rwm"));
    Value::Array(rules)
}

/// `RLIMIT_NOFILE`.
const OPEN_FILES: &str = "nofile";

/// The row of `/proc/PID/limits` for the kernel's name of a limit.
fn limit_row(name: &str) -> Option<&'static str> {
    Some(match name {
        "core" => "Max core file size",
        "cpu" => "Max cpu time",
        "data" => "Max data size",
        "fsize" => "Max file size",
        "locks" => "Max file locks",
        "memlock" => "Max locked memory",
        "msgqueue" => "Max msgqueue size",
        "nice" => "Max nice priority",
        "nofile" => "Max open files",
        "nproc" => "Max processes",
        "rss" => "Max resident set",
        "rtprio" => "Max realtime priority",
        "rttime" => "Max realtime timeout",
        "sigpending" => "Max pending signals",
        "stack" => "Max stack size",
        _ => return None,
    })
}

/// This process's hard limit; `None` means unlimited.
fn hard_limit(name: &str) -> Option<u64> {
    let row = limit_row(name)?;
    let table = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let hard = table.lines().find_map(|l| l.strip_prefix(row)?.split_whitespace().nth(1).map(str::to_owned));
    hard?.parse().ok()
}

/// Refuses a limit that the kernel would refuse: a process cannot give its children more than it has.
pub(crate) fn check_ulimit(u: &Ulimit) -> Result<(), String> {
    if limit_row(&u.name).is_none() {
        return Err(format!("'{}' is not a ulimit; see getrlimit(2)", u.name));
    }
    if u.soft > u.hard {
        return Err(format!("ulimit {}: soft {} is above hard {}", u.name, u.soft, u.hard));
    }
    match hard_limit(&u.name) {
        Some(ours) if u.hard > ours => Err(format!(
            "ulimit {}: {} is above this machine's hard limit {ours}. Use a lower value, or raise the limit of the daemon",
            u.name, u.hard
        )),
        _ => Ok(()),
    }
}
