//! The runc-compatible runtime that makes containers: found by a probe, called in one place.

use escale_base::PlaneError;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Crun,
    Runc,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    pub kind: Kind,
    pub program: PathBuf,
}

impl Runtime {
    /// The fastest installed runtime: crun, then runc. Each is run to print its version, not only looked up.
    pub fn probe() -> Result<Runtime, PlaneError> {
        let found = [("crun", Kind::Crun), ("runc", Kind::Runc)].into_iter().find_map(|(name, kind)| {
            let program = on_path(name)?;
            let answer = Command::new(&program).arg("--version").output().ok()?;
            answer.status.success().then_some(Runtime { kind, program })
        });
        found.ok_or_else(|| {
            PlaneError::machine("no container runtime answers on this machine; install crun or runc")
                .retry(false)
        })
    }

    /// Whether cgroup v2's mount must be hidden: crun otherwise takes a hybrid machine for a pure v2 one.
    pub(crate) fn hides_unified(&self) -> bool {
        self.kind == Kind::Crun && Path::new("/sys/fs/cgroup/unified/cgroup.procs").exists()
    }

    pub(crate) fn command(&self, root: &Path, log: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(root).arg("--log").arg(log).args(["--log-format", "json"]);
        if self.kind == Kind::Crun {
            command.arg("--cgroup-manager=cgroupfs");
        }
        command
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file())
}

/// The error message in a runtime's log, without the runtime's prefixes.
pub(crate) fn error_text(log: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Line {
        level: String,
        msg: String,
    }
    let mut lines = log.lines().filter_map(|l| serde_json::from_str::<Line>(l).ok());
    let last = lines.rfind(|l| l.level == "error" || l.level == "fatal")?;
    let mut text = last.msg.as_str();
    for dressing in [
        "runc run failed: ",
        "runc create failed: ",
        "container_linux.go: ",
        "unable to start container process: ",
        "error during container init: ",
    ] {
        text = text.strip_prefix(dressing).unwrap_or(text);
    }
    Some(text.trim_end().to_owned())
}

/// `SIGTERM`, `TERM` or `15`.
pub(crate) fn signal(word: &str) -> Result<i32, String> {
    let unknown = || format!("'{word}' is not a signal; see signal(7)");
    if let Ok(number) = word.parse::<i32>() {
        return if (1..=31).contains(&number) { Ok(number) } else { Err(unknown()) };
    }
    let upper = word.to_ascii_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    if full.starts_with("SIGRT") {
        return Err(format!("'{word}' is a real-time signal; those are not supported"));
    }
    Signal::from_str(&full).map(|s| s as i32).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_signal_names_and_numbers() {
        assert_eq!(signal("SIGTERM"), Ok(15));
        assert_eq!(signal("quit"), Ok(3));
        assert_eq!(signal("9"), Ok(9));
        assert!(signal("SIGRTMIN+3").unwrap_err().contains("not supported"));
        assert!(signal("SIGNOPE").unwrap_err().contains("SIGNOPE"));
        assert!(signal("0").is_err());
    }

    #[test]
    fn error_text_drops_the_runtime_prefixes() {
        let log = r#"{"level":"error","msg":"runc run failed: unable to start container process: exec: \"x\": not found","time":""}"#;
        assert_eq!(error_text(log).unwrap(), "exec: \"x\": not found");
        assert_eq!(error_text("noise"), None);
    }
}
