//! Linux capabilities: Docker's default set, with the container's additions and removals.

use crate::spec::Security;

/// Source: <https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities>
const DEFAULT: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// capabilities(7), in the kernel's order.
#[rustfmt::skip]
const ALL: &[&str] = &[
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
];

/// The capabilities of a container, as `CAP_…` names. `ALL` is applied first, then the single ones.
pub(crate) fn resolve(security: &Security) -> Result<Vec<String>, String> {
    let add = words(&security.add_capabilities)?;
    let drop = words(&security.drop_capabilities)?;
    let base: &[&str] = match (add.contains(&"ALL"), drop.contains(&"ALL")) {
        (true, _) => ALL,
        (false, true) => &[],
        (false, false) => DEFAULT,
    };
    let has = |c: &str| (base.contains(&c) && !drop.contains(&c)) || (add.contains(&c) && !drop.contains(&c));
    Ok(ALL.iter().filter(|c| has(c)).map(|c| format!("CAP_{c}")).collect())
}

fn words(given: &[String]) -> Result<Vec<&'static str>, String> {
    let known = |word: &String| {
        let bare = word.strip_prefix("CAP_").unwrap_or(word);
        ALL.iter().chain(&["ALL"]).find(|c| **c == bare).copied()
    };
    given
        .iter()
        .map(|w| known(w).ok_or_else(|| format!("'{w}' is not a capability; see capabilities(7)")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(add: &[&str], drop: &[&str]) -> Result<Vec<String>, String> {
        let own = |l: &[&str]| l.iter().map(|s| s.to_string()).collect();
        resolve(&Security { add_capabilities: own(add), drop_capabilities: own(drop), ..Security::default() })
    }

    #[test]
    fn adds_and_drops() {
        assert_eq!(set(&[], &[]).unwrap().len(), DEFAULT.len());
        assert_eq!(set(&["CAP_NET_ADMIN"], &["ALL"]).unwrap(), ["CAP_NET_ADMIN"]);
        assert!(!set(&["ALL"], &["SYS_ADMIN"]).unwrap().contains(&"CAP_SYS_ADMIN".to_string()));
        assert!(set(&["NET_ADMN"], &[]).unwrap_err().contains("NET_ADMN"));
    }
}
