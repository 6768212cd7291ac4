//! Control groups: v1, hybrid and v2, through the file system alone.
//!
//! `<tag>/<group>/<container>`: this module makes and removes the first two levels, the runtime makes the third.

use crate::{seen::Usage, spec::Limits};
use escale_base::{PlaneError, error::Context};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub(crate) const ROOT: &str = "/sys/fs/cgroup";

/// Period of the CPU ceiling, the kernel's default.
const CPU_PERIOD_US: u64 = 100_000;

/// How long processes that have ended may remain in a cgroup.
const EMPTY_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cgroups {
    /// One hierarchy per controller; hybrid is this one, with an additional empty v2 hierarchy.
    V1,
    V2,
}

impl Cgroups {
    pub(crate) fn detect() -> Cgroups {
        if Path::new(ROOT).join("cgroup.controllers").exists() { Cgroups::V2 } else { Cgroups::V1 }
    }

    fn hierarchies(&self) -> Vec<PathBuf> {
        match self {
            Cgroups::V2 => vec![PathBuf::from(ROOT)],
            Cgroups::V1 => {
                let dirs = fs::read_dir(ROOT).into_iter().flatten().flatten();
                dirs.map(|e| e.path()).filter(|p| p.is_dir() && !p.is_symlink()).collect()
            }
        }
    }

    fn file(&self, controller: &str, path: &str, name: &str) -> PathBuf {
        match self {
            Cgroups::V1 => Path::new(ROOT).join(controller).join(path).join(name),
            Cgroups::V2 => Path::new(ROOT).join(path).join(name),
        }
    }

    /// Creates the cgroup of a group and writes its limits. May be repeated.
    pub(crate) fn make(&self, path: &str, limits: &Limits) -> Result<(), PlaneError> {
        for controller in ["cpu", "cpuacct", "memory", "pids"] {
            let dir = self.file(controller, path, "");
            // Readable whatever the umask: programs in containers read their limits there, as any user.
            crate::store::open_dir(&dir).machine(|| format!("make the cgroup {}", dir.display()))?;
        }
        if *self == Cgroups::V2 {
            self.delegate(path)?;
        }
        for (controller, name, value) in self.settings(limits) {
            let file = self.file(controller, path, name);
            fs::write(&file, &value).machine(|| format!("write {value} to {}", file.display()))?;
        }
        if let Some((name, value)) = self.no_swap(limits)
            && self.limits_swap(path)
        {
            let file = self.file("memory", path, name);
            fs::write(&file, &value).machine(|| format!("write {value} to {}", file.display()))?;
        }
        Ok(())
    }

    /// A process above its memory limit is killed, as on AWS, and never swapped: v1 limits memory and swap together, v2 limits
    /// swap by itself. Written after the memory limit, since v1 refuses a combined limit below it.
    fn no_swap(&self, limits: &Limits) -> Option<(&'static str, String)> {
        let bytes = limits.memory_bytes?;
        Some(match self {
            Cgroups::V1 => ("memory.memsw.limit_in_bytes", bytes.to_string()),
            Cgroups::V2 => ("memory.swap.max", "0".to_owned()),
        })
    }

    /// On v2 a controller works in a cgroup only if all its ancestors delegate it.
    fn delegate(&self, path: &str) -> Result<(), PlaneError> {
        let mut at = PathBuf::from(ROOT);
        for part in std::iter::once("").chain(path.split('/')) {
            at.push(part);
            let file = at.join("cgroup.subtree_control");
            fs::write(&file, "+cpu +memory +pids")
                .machine(|| format!("enable controllers in {}", file.display()))?;
        }
        Ok(())
    }

    fn settings(&self, limits: &Limits) -> Vec<(&'static str, &'static str, String)> {
        let mut all = Vec::new();
        let v1 = *self == Cgroups::V1;
        if let Some(millis) = limits.cpu_millis {
            let quota = quota_us(millis);
            if v1 {
                all.push(("cpu", "cpu.cfs_quota_us", quota.to_string()))
            } else {
                all.push(("cpu", "cpu.max", format!("{quota} {CPU_PERIOD_US}")))
            }
        }
        if let Some(shares) = limits.cpu_shares {
            // The range that v1 accepts.
            let shares = u64::from(shares).clamp(2, 262_144);
            if v1 {
                all.push(("cpu", "cpu.shares", shares.to_string()));
            } else {
                // The mapping of shares to weights that OCI runtimes use.
                all.push(("cpu", "cpu.weight", (1 + ((shares - 2) * 9999) / 262_142).to_string()));
            }
        }
        if let Some(bytes) = limits.memory_bytes {
            all.push(("memory", if v1 { "memory.limit_in_bytes" } else { "memory.max" }, bytes.to_string()));
        }
        if let Some(bytes) = limits.memory_reservation_bytes {
            let name = if v1 { "memory.soft_limit_in_bytes" } else { "memory.low" };
            all.push(("memory", name, bytes.to_string()));
        }
        if let Some(pids) = limits.pids {
            all.push(("pids", "pids.max", pids.to_string()));
        }
        all
    }

    /// Whether swap can be limited in this cgroup: kernels can be built or booted without it. The root cgroup of v2 never has
    /// the file.
    pub(crate) fn limits_swap(&self, path: &str) -> bool {
        let name = match self {
            Cgroups::V1 => "memory.memsw.limit_in_bytes",
            Cgroups::V2 => "memory.swap.max",
        };
        self.file("memory", path, name).exists()
    }

    /// How many processes the kernel killed in this cgroup for lack of memory. Lost with the cgroup.
    pub(crate) fn oom_kills(&self, path: &str) -> u64 {
        let file = match self {
            Cgroups::V1 => self.file("memory", path, "memory.oom_control"),
            Cgroups::V2 => self.file("memory", path, "memory.events"),
        };
        keyed(&fs::read_to_string(file).unwrap_or_default(), "oom_kill").unwrap_or(0)
    }

    /// `None` if the cgroup does not exist.
    pub(crate) fn usage(&self, path: &str) -> Option<Usage> {
        let text = |controller, name| fs::read_to_string(self.file(controller, path, name)).ok();
        let number = |controller, name| text(controller, name)?.trim().parse::<u64>().ok();
        let (cpu_us, used, inactive, limit) = match self {
            Cgroups::V1 => (
                number("cpuacct", "cpuacct.usage")? / 1000,
                number("memory", "memory.usage_in_bytes")?,
                keyed(&text("memory", "memory.stat")?, "total_inactive_file"),
                // v1 reports "no limit" as the largest multiple of the page size.
                number("memory", "memory.limit_in_bytes").filter(|n| *n < i64::MAX as u64 - 65_536),
            ),
            Cgroups::V2 => (
                keyed(&text("cpu", "cpu.stat")?, "usage_usec")?,
                number("memory", "memory.current")?,
                keyed(&text("memory", "memory.stat")?, "inactive_file"),
                number("memory", "memory.max"),
            ),
        };
        Some(Usage {
            cpu_us,
            memory_bytes: used.saturating_sub(inactive.unwrap_or(0)),
            memory_limit_bytes: limit,
            pids: number("pids", "pids.current")?,
        })
    }

    /// The processes in the cgroup itself, by their pids on the host.
    pub(crate) fn processes(&self, path: &str) -> Vec<i32> {
        let text = fs::read_to_string(self.file("pids", path, "cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|l| l.parse().ok()).collect()
    }

    /// The processes of a cgroup and of all its descendants.
    pub(crate) fn processes_below(&self, path: &str) -> Vec<i32> {
        let mut found = self.processes(path);
        for entry in fs::read_dir(self.file("pids", path, "")).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found
                    .extend(self.processes_below(&format!("{path}/{}", entry.file_name().to_string_lossy())));
            }
        }
        found
    }

    /// Removes a cgroup and its descendants, in every hierarchy. Its processes must have ended.
    pub(crate) fn remove(&self, path: &str) -> Result<(), PlaneError> {
        for hierarchy in self.hierarchies() {
            let dir = hierarchy.join(path);
            remove_when_empty(&dir).machine(|| format!("remove the cgroup {}", dir.display()))?;
        }
        Ok(())
    }
}

pub(crate) fn quota_us(cpu_millis: u32) -> u64 {
    // The kernel refuses a quota below a millisecond.
    (u64::from(cpu_millis) * CPU_PERIOD_US / 1000).max(1000)
}

pub(crate) const fn period_us() -> u64 {
    CPU_PERIOD_US
}

/// A killed process stays in its cgroup until its parent reaps it, and the kernel sends no event for that: hence the polling.
#[allow(clippy::disallowed_methods)]
pub(crate) fn remove_when_empty(dir: &Path) -> io::Result<()> {
    let deadline = Instant::now() + EMPTY_WITHIN;
    loop {
        match remove_below(dir) {
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

pub(crate) fn remove_below(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries.flatten() {
        if entry.file_type()?.is_dir() {
            // Children first; the files of a cgroup's directory cannot be removed and need not be.
            remove_below(&entry.path())?;
        }
    }
    match fs::remove_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// `name value` lines, as in memory.stat.
fn keyed(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_limit_leaves_no_swap() {
        let limits = Limits { memory_bytes: Some(1 << 30), ..Limits::default() };
        let v1 = Some(("memory.memsw.limit_in_bytes", "1073741824".to_owned()));
        assert_eq!(Cgroups::V1.no_swap(&limits), v1);
        assert_eq!(Cgroups::V2.no_swap(&limits), Some(("memory.swap.max", "0".to_owned())));
        assert_eq!(Cgroups::V2.no_swap(&Limits::default()), None);
    }
}
