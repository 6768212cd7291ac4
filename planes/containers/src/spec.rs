//! The complete interface of this plane.

use escale_base::{PlaneError, Secret};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
};

/// Containers that live and die together: they share a network namespace, limits and scratch volumes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Unique in the plane; letters, digits, `-` and `_`, at most 64.
    pub id: String,
    /// The failure domain, see [`crate::Containers::power`]. The same letters as `id`.
    pub zone: String,
    pub network: Network,
    pub hostname: String,
    pub dns: Dns,
    /// Further lines of `/etc/hosts`.
    pub hosts: Vec<(IpAddr, String)>,
    pub limits: Limits,
    /// Names of scratch directories: empty at the start, gone with the group.
    pub volumes: Vec<String>,
    pub containers: Vec<ContainerSpec>,
}

/// The network of a group's containers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Network {
    /// An existing network namespace, for example `/run/netns/x`. It must stay until the group is removed.
    Namespace(PathBuf),
    /// Each container gets an empty namespace of its own: no interface, no connections.
    None,
}

/// The content of `/etc/resolv.conf`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dns {
    pub nameservers: Vec<IpAddr>,
    pub search: Vec<String>,
    pub options: Vec<String>,
}

/// Upper bounds, enforced by the kernel; `None` means no limit of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Hard ceiling in thousandths of a CPU.
    pub cpu_millis: Option<u32>,
    /// Weight relative to other groups when CPU is scarce; 1024 is the kernel's default.
    pub cpu_shares: Option<u32>,
    /// Processes above it are killed.
    pub memory_bytes: Option<u64>,
    /// Memory that the kernel leaves to it when the machine is short of memory.
    pub memory_reservation_bytes: Option<u64>,
    pub pids: Option<u32>,
    /// Groups only: what the containers may write to their roots and volumes together. A group above it is killed.
    #[serde(default)]
    pub storage_bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Unique in its group; letters, digits, `-` and `_`, at most 255.
    pub name: String,
    /// Digest of a manifest or an index in the blob directory: `sha256:<hex>`.
    pub image: String,
    /// Replaces the image's entry point, and then also its command.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// Added to the image's environment, which it overrides. Values may be passwords.
    pub env: BTreeMap<String, Secret<String>>,
    /// `user[:group]`, by name or number; defaults to the image's.
    pub user: Option<String>,
    pub workdir: Option<String>,
    pub mounts: Vec<Mount>,
    /// Containers whose mounts this one has, too, at the same paths: also those that they take from others themselves, and the
    /// volumes of their images.
    #[serde(default)]
    pub volumes_from: Vec<VolumesFrom>,
    pub limits: Limits,
    pub security: Security,
    pub ulimits: Vec<Ulimit>,
    /// Its end stops the whole group.
    pub essential: bool,
    pub depends_on: Vec<DependsOn>,
    pub health: Option<HealthCheck>,
    /// How long it may take, once started, to satisfy a dependency of another container.
    pub start_timeout_ms: u64,
    /// Time between the stop signal and SIGKILL.
    pub stop_timeout_ms: u64,
    /// `SIGTERM`, `SIGQUIT`, …; defaults to the image's, then to SIGTERM.
    pub stop_signal: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    pub source: MountSource,
    /// Absolute path in the container.
    pub target: String,
    pub readonly: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumesFrom {
    pub container: String,
    pub readonly: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MountSource {
    /// One of the group's volumes.
    Volume(String),
    /// A directory or file of the host.
    Host(PathBuf),
    /// A tmpfs of this size.
    Memory { size_bytes: u64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Security {
    pub readonly_root: bool,
    /// Capabilities beyond or below the default set: `NET_ADMIN`, or `ALL`.
    pub add_capabilities: Vec<String>,
    pub drop_capabilities: Vec<String>,
    /// Set-user-id programs gain no privileges.
    pub no_new_privileges: bool,
}

impl Default for Security {
    fn default() -> Security {
        Security {
            readonly_root: false,
            add_capabilities: vec![],
            drop_capabilities: vec![],
            no_new_privileges: true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ulimit {
    /// The kernel's name in lower case: `nofile`, `nproc`, `core`, …
    pub name: String,
    pub soft: u64,
    pub hard: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DependsOn {
    pub container: String,
    pub condition: Condition,
}

/// The condition that the other container must satisfy before this one starts. The stop order is the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// It was started.
    Start,
    /// It ended.
    Complete,
    /// It ended with exit code 0.
    Success,
    /// Its health check passed.
    Healthy,
}

/// A command run inside the container; exit code 0 is healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub command: Vec<String>,
    pub interval_ms: u64,
    pub timeout_ms: u64,
    /// Consecutive failures until it is unhealthy.
    pub retries: u32,
    /// Failures within this time after the start do not count.
    pub start_period_ms: u64,
}

impl GroupSpec {
    pub fn container(&self, name: &str) -> Option<&ContainerSpec> {
        self.containers.iter().find(|c| c.name == name)
    }

    /// Refuses what no machine could run; the error names the object and the fix.
    pub fn check(&self) -> Result<(), PlaneError> {
        let bad = |what: String| Err(PlaneError::asked(format!("group '{}': {what}", self.id)));
        if !is_name(&self.id, 64) {
            return bad("its id is not valid: use 1 to 64 letters, digits, '-' and '_'".into());
        }
        if !is_name(&self.zone, 64) {
            return bad(format!(
                "zone '{}' is not valid: use 1 to 64 letters, digits, '-' and '_'",
                self.zone
            ));
        }
        let host_ok = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if self.hostname.is_empty() || self.hostname.len() > 63 || !self.hostname.chars().all(host_ok) {
            return bad(format!(
                "hostname '{}' is not valid: use 1 to 63 letters, digits, '-' or '.'",
                self.hostname
            ));
        }
        let words = self.dns.search.iter().chain(&self.dns.options).chain(self.hosts.iter().map(|(_, n)| n));
        for word in words {
            if word.is_empty() || word.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return bad(format!(
                    "'{word}' cannot be used in resolv.conf or hosts: it must not be empty or contain blanks"
                ));
            }
        }
        if self.containers.is_empty() {
            return bad("it has no container; add at least one".into());
        }
        if !self.containers.iter().any(|c| c.essential) {
            return bad("no container is essential; mark at least one".into());
        }
        if let Some(v) = self.volumes.iter().find(|v| !is_name(v, 255)) {
            return bad(format!("volume '{v}' is not valid: use 1 to 255 letters, digits, '-' and '_'"));
        }
        let mut names = BTreeSet::new();
        for c in &self.containers {
            if !names.insert(&c.name) {
                return bad(format!("two containers are named '{}'", c.name));
            }
            if let Err(what) = self.check_container(c) {
                return bad(format!("container '{}': {what}", c.name));
            }
        }
        if let Some(name) = self.cycle(|c| c.depends_on.iter().map(|d| d.container.as_str()).collect()) {
            return bad(format!("container '{name}' waits for itself through depends_on"));
        }
        match self.cycle(|c| c.volumes_from.iter().map(|v| v.container.as_str()).collect()) {
            Some(name) => bad(format!("container '{name}' takes its own mounts through volumes_from")),
            None => Ok(()),
        }
    }

    fn check_container(&self, c: &ContainerSpec) -> Result<(), String> {
        if !is_name(&c.name, 255) {
            return Err("its name is not valid: use 1 to 255 letters, digits, '-' and '_'".into());
        }
        crate::image::blob_hex(&c.image)?;
        if c.limits.storage_bytes.is_some() {
            return Err("a storage limit applies to a group; remove it from the container".into());
        }
        for key in c.env.keys() {
            if key.is_empty() || key.contains(['=', '\0']) {
                return Err(format!("'{key}' cannot be the name of an environment variable"));
            }
        }
        for m in &c.mounts {
            if !m.target.starts_with('/') || m.target.split('/').any(|p| p == "..") || m.target == "/" {
                return Err(format!("mount target '{}' must be an absolute path below '/'", m.target));
            }
            match &m.source {
                MountSource::Volume(v) if !self.volumes.contains(v) => {
                    return Err(format!("volume '{v}' is not a volume of the group"));
                }
                MountSource::Host(p) if !p.is_absolute() => {
                    return Err(format!("host path '{}' must be absolute", p.display()));
                }
                _ => {}
            }
        }
        if let Some(from) = c.volumes_from.iter().find(|from| self.container(&from.container).is_none()) {
            return Err(format!("volumes_from names '{}', which is not in the group", from.container));
        }
        for d in &c.depends_on {
            let Some(other) = self.container(&d.container) else {
                return Err(format!("depends_on names '{}', which is not in the group", d.container));
            };
            if d.condition == Condition::Healthy && other.health.is_none() {
                return Err(format!("depends on the health of '{}', which has no health check", other.name));
            }
            if matches!(d.condition, Condition::Complete | Condition::Success) && other.essential {
                return Err(format!(
                    "depends on the end of '{}', which is essential and would stop the group",
                    other.name
                ));
            }
        }
        if let Some(h) = &c.health
            && (h.command.is_empty() || h.interval_ms == 0 || h.timeout_ms == 0 || h.retries == 0)
        {
            return Err("a health check needs a command, an interval, a timeout and retries".into());
        }
        if let Some(s) = &c.stop_signal {
            crate::runtime::signal(s)?;
        }
        crate::caps::resolve(&c.security)?;
        c.ulimits.iter().try_for_each(crate::bundle::check_ulimit)
    }

    /// A container in a cycle of what containers need of each other.
    fn cycle(&self, needs: fn(&ContainerSpec) -> Vec<&str>) -> Option<&str> {
        let mut done: BTreeSet<&str> = BTreeSet::new();
        while done.len() < self.containers.len() {
            let free = self.containers.iter().find(|c| {
                !done.contains(c.name.as_str()) && needs(c).into_iter().all(|other| done.contains(other))
            });
            match free {
                Some(c) => done.insert(&c.name),
                None => {
                    return self.containers.iter().map(|c| c.name.as_str()).find(|n| !done.contains(n));
                }
            };
        }
        None
    }
}

/// Whether a text is valid as a file name, a cgroup's name and part of a runtime's container id.
pub(crate) fn is_name(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.len() <= max
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && !text.starts_with('-')
}
