//! The daemon's own cgroup, outside of the login that started it.
//!
//! systemd ends a login by killing the processes in the cgroup of its session (`KillUserProcesses=yes` in logind.conf, or a
//! stopped scope). The daemon therefore moves itself to `escale.<tag>/daemon` before it starts anything; shims and
//! database servers are forked there and stay.
//!
//! `escale.<tag>` never enables controllers for its children, which satisfies v2's rule that a cgroup with such children has no
//! processes of its own. The cgroup of an outer container manager (`/docker/…`, `/kubepods/…`) is not left: its limits apply
//! to the daemon too.

use crate::cgroup::{self, ROOT};
use escale_base::{PlaneError, error::Context};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Cgroups that systemd creates for logins and services.
const SYSTEMD: [&str; 3] = ["/user.slice", "/system.slice", "/init.scope"];

/// The cgroup of one installation's daemon, in every hierarchy through which systemd could end it.
#[derive(Clone, Debug)]
pub struct DaemonCgroup {
    /// `/sys/fs/cgroup`.
    root: PathBuf,
    name: String,
}

/// One line of `/proc/PID/cgroup`.
#[derive(Debug, PartialEq, Eq)]
struct Membership<'a> {
    /// `memory`, `cpu,cpuacct`, `name=systemd`; empty for v2.
    hierarchy: &'a str,
    path: &'a str,
}

impl DaemonCgroup {
    /// Of the installation with this tag.
    pub fn of(tag: &str) -> DaemonCgroup {
        DaemonCgroup { root: ROOT.into(), name: format!("escale.{tag}") }
    }

    /// Moves this process, with all its threads. Returns the cgroups that it left; none if it was not in a login's or a service's.
    pub fn enter(&self) -> Result<Vec<String>, PlaneError> {
        let memberships =
            fs::read_to_string("/proc/self/cgroup").machine(|| "read /proc/self/cgroup".into())?;
        self.move_process(std::process::id(), &memberships)
    }

    fn move_process(&self, pid: u32, memberships: &str) -> Result<Vec<String>, PlaneError> {
        let mut left = Vec::new();
        for membership in memberships.lines().filter_map(Membership::read) {
            if !membership.ends_with_its_maker() || membership.path.starts_with(&format!("/{}/", self.name)) {
                continue;
            }
            // A hierarchy that is not mounted here cannot be used to end the daemon.
            let Some(mounted) = self.mounted(membership.hierarchy) else { continue };
            let dir = mounted.join(&self.name).join("daemon");
            fs::create_dir_all(&dir).machine(|| format!("make the cgroup {}", dir.display()))?;
            let procs = dir.join("cgroup.procs");
            fs::write(&procs, pid.to_string()).machine(|| format!("write {pid} to {}", procs.display()))?;
            left.push(membership.path.to_owned());
        }
        Ok(left)
    }

    /// Removes it where it is empty; database servers that keep running keep it.
    pub fn remove_if_empty(&self) -> Result<(), PlaneError> {
        for dir in self.directories() {
            match cgroup::remove_below(&dir) {
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {}
                done => done.machine(|| format!("remove the cgroup {}", dir.display()))?,
            }
        }
        Ok(())
    }

    /// Removes it; waits for processes that were just killed. An error if some keep running.
    pub fn remove(&self) -> Result<(), PlaneError> {
        for dir in self.directories() {
            cgroup::remove_when_empty(&dir).machine(|| format!("remove the cgroup {}", dir.display()))?;
        }
        Ok(())
    }

    fn directories(&self) -> Vec<PathBuf> {
        let below = fs::read_dir(&self.root).into_iter().flatten().flatten().map(|e| e.path());
        let mounts = std::iter::once(self.root.clone()).chain(below.filter(|p| !p.is_symlink()));
        mounts.map(|mount| mount.join(&self.name)).filter(|dir| dir.is_dir()).collect()
    }

    /// The mount point of a hierarchy: pure v2 at the root itself, hybrid v2 at `unified`, v1 by its name.
    fn mounted(&self, hierarchy: &str) -> Option<PathBuf> {
        let candidates = match hierarchy {
            "" => vec![self.root.clone(), self.root.join("unified")],
            named => vec![self.root.join(named.trim_start_matches("name="))],
        };
        let is_hierarchy = |dir: &PathBuf| dir.join("cgroup.procs").exists();
        candidates.into_iter().find(is_hierarchy)
    }
}

impl Membership<'_> {
    fn read(line: &str) -> Option<Membership<'_>> {
        let mut fields = line.splitn(3, ':').skip(1);
        Some(Membership { hierarchy: fields.next()?, path: fields.next()? })
    }

    /// Whether it belongs to a login or a service.
    fn ends_with_its_maker(&self) -> bool {
        let below = |slice: &&str| Path::new(self.path).starts_with(slice);
        // elogind has its own hierarchy, with short paths: `/c2`.
        let elogind = self.hierarchy == "name=elogind" && self.path != "/";
        elogind || SYSTEMD.iter().any(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::{
        mount::{MsFlags, mount},
        sched::{CloneFlags, unshare},
    };
    use std::process::{Child, Command};

    /// Moves a process with these `memberships` on a machine with these hierarchies. Returns the cgroups that it left and the
    /// hierarchies in which it was moved. Plain files replace the kernel's.
    fn moved(hierarchies: &[&str], memberships: &str) -> (Vec<String>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        for hierarchy in hierarchies {
            fs::create_dir_all(root.path().join(hierarchy)).unwrap();
            fs::write(root.path().join(hierarchy).join("cgroup.procs"), "").unwrap();
        }
        let cgroup = DaemonCgroup { root: root.path().into(), name: "escale.t".into() };
        let left = cgroup.move_process(7, memberships).unwrap();
        let entered = |h: &&&str| {
            let procs = root.path().join(h).join("escale.t/daemon/cgroup.procs");
            fs::read_to_string(procs).is_ok_and(|text| text == "7")
        };
        (left, hierarchies.iter().filter(entered).map(|h| (**h).to_owned()).collect())
    }

    #[test]
    fn leaves_logins_and_services_on_v1_hybrid_and_v2() {
        let session = "/user.slice/user-1000.slice/session-3.scope";
        let other = "/user.slice/user-1000.slice";
        for (machine, hierarchies, memberships, left, entered) in [
            ("v2", &[""][..], format!("0::{session}\n"), vec![session], vec![""]),
            (
                "v2, a service",
                &[""],
                "0::/system.slice/cron.service\n".into(),
                vec!["/system.slice/cron.service"],
                vec![""],
            ),
            ("v2, no login", &[""], "0::/\n".into(), vec![], vec![]),
            ("v2, another manager's", &[""], "0::/docker/0123\n".into(), vec![], vec![]),
            ("v2, at home already", &[""], "0::/escale.t/daemon\n".into(), vec![], vec![]),
            (
                "hybrid",
                &["systemd", "unified", "pids", "memory"],
                format!("4:memory:/job/1\n3:pids:{other}\n1:name=systemd:{session}\n0::{session}\n"),
                vec![other, session, session],
                vec!["systemd", "unified", "pids"],
            ),
            (
                "v1 with elogind",
                &["elogind", "cpu,cpuacct"],
                "2:name=elogind:/c2\n1:cpu,cpuacct:/\n".into(),
                vec!["/c2"],
                vec!["elogind"],
            ),
            ("not mounted here", &["pids"], format!("1:name=systemd:{session}\n"), vec![], vec![]),
        ] {
            let expected = (
                left.into_iter().map(str::to_owned).collect::<Vec<_>>(),
                entered.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            );
            assert_eq!(moved(hierarchies, &memberships), expected, "{machine}");
        }
    }

    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill().and_then(|()| self.0.wait());
        }
    }

    /// On the kernel's own v2 hierarchy: the process and its children are in the new cgroup, which can be removed when they end.
    #[test]
    fn a_real_process_is_moved() {
        let run = || {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let (private, none) = (MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>);
            mount(none, "/", none, private, none).unwrap();
            let root = tempfile::tempdir().unwrap();
            mount(Some("cgroup2"), root.path(), Some("cgroup2"), MsFlags::empty(), none).unwrap();
            let name = format!("escale.test-{}", escale_base::ids::random_hex(8));
            let cgroup = DaemonCgroup { root: root.path().into(), name: name.clone() };
            let mut shell = Running(
                Command::new("sh")
                    .args(["-c", "read line; sleep 1000 & wait"])
                    .stdin(std::process::Stdio::piped())
                    .spawn()
                    .unwrap(),
            );
            let pid = shell.0.id();
            let left = cgroup.move_process(pid, "0::/user.slice/user-0.slice/session-1.scope").unwrap();
            assert_eq!(left, ["/user.slice/user-0.slice/session-1.scope"]);
            let of = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
            assert!(of(pid).contains(&format!("0::/{name}/daemon\n")), "{}", of(pid));
            cgroup.remove_if_empty().unwrap();
            assert!(root.path().join(&name).is_dir(), "a cgroup with processes was removed");
            // Started after the move, so it is in the new cgroup as well.
            drop(shell.0.stdin.take());
            let children = format!("/proc/{pid}/task/{pid}/children");
            let child = loop {
                let text = fs::read_to_string(&children).unwrap();
                if let Some(child) = text.split_whitespace().next() {
                    break child.parse::<u32>().unwrap();
                }
                std::thread::yield_now();
            };
            assert!(of(child).contains(&format!("0::/{name}/daemon\n")), "{}", of(child));
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(child as i32),
                nix::sys::signal::Signal::SIGKILL,
            )
            .unwrap();
            drop(shell);
            cgroup.remove().unwrap();
            assert!(!root.path().join(&name).exists());
        };
        std::thread::spawn(run).join().unwrap();
    }
}
