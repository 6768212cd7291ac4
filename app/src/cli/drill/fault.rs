//! A fault below what plans can see: processes in network namespaces are killed or stopped, and packets dropped.
//!
//! A fault belongs to its guardian, a process of its own that outlives the drill and the daemon. The drill renews the guardian's lease over a
//! pipe; the guardian lifts the fault when the pipe closes or the lease ends. Everything it does is recorded in a file first, so that the next
//! drill, or the next start of the daemon, lifts the fault of a guardian that was killed.

use crate::home::Home;
use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Without a renewal for this time, the fault is lifted. A drill renews it each second.
const LEASE: Duration = Duration::from_secs(5);

/// Processes that start in a namespace meanwhile are stopped within this time.
const LOOK_AGAIN_MS: u16 = 100;

const TABLE: &str = "escale_drill";

/// What happens to processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Harm {
    Nothing,
    /// Those that exist at the beginning, once: whatever starts again lives.
    Kill,
    /// They execute nothing until the fault is lifted; those that start meanwhile, too.
    Stop,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fault {
    /// The network namespaces. More may be added with a renewal.
    pub(super) namespaces: BTreeSet<PathBuf>,
    pub(super) harm: Harm,
    /// Whether all packets into, out of and through the namespaces are dropped.
    pub(super) cut: bool,
}

/// A process; its start distinguishes it from a later one with the same pid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Identity {
    pid: i32,
    started: u64,
}

impl Identity {
    fn of(pid: i32) -> Option<Identity> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field, the program's name, may contain spaces and parentheses.
        let (_, rest) = stat.rsplit_once(')')?;
        // A zombie has ended: nothing may ever ask for its exit code.
        if rest.trim_start().starts_with(['Z', 'X']) {
            return None;
        }
        Some(Identity { pid, started: rest.split_whitespace().nth(19)?.parse().ok()? })
    }

    /// A descriptor of this process and no other.
    fn open(&self) -> Option<OwnedFd> {
        let fd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        (Identity::of(self.pid).as_ref() == Some(self)).then_some(fd)
    }

    fn lives(&self) -> bool {
        self.open().is_some()
    }

    /// A process that has ended needs no signal.
    fn signal(&self, signal: Signal) {
        if let Some(fd) = self.open() {
            let _ = pidfd_send_signal(&fd, signal);
        }
    }
}

/// What a guardian did, and has to undo. Stored before it is done.
#[derive(Debug, Serialize, Deserialize)]
struct Held {
    guardian: Identity,
    killed: BTreeSet<PathBuf>,
    cut: BTreeSet<PathBuf>,
    stopped: BTreeSet<Identity>,
}

impl Held {
    fn apply(&mut self, fault: &Fault, file: &Path) -> Result<()> {
        let fresh: Vec<_> =
            fault.namespaces.iter().filter(|n| fault.cut && !self.cut.contains(*n)).cloned().collect();
        for namespace in fresh.into_iter().filter(|n| is_namespace(n)) {
            self.cut.insert(namespace.clone());
            self.save(file)?;
            cut(&namespace)?;
        }
        match fault.harm {
            Harm::Nothing => {}
            Harm::Kill => {
                let found = processes_in(&fault.namespaces.difference(&self.killed).cloned().collect());
                // Stopped first, so that none of them sees another one end.
                found.iter().for_each(|process| process.signal(Signal::STOP));
                found.iter().for_each(|process| process.signal(Signal::KILL));
                self.killed.extend(fault.namespaces.iter().cloned());
            }
            Harm::Stop => {
                let mut found = processes_in(&fault.namespaces);
                found.retain(|process| !self.stopped.contains(process));
                if !found.is_empty() {
                    self.stopped.extend(found.iter().cloned());
                    self.save(file)?;
                    found.iter().for_each(|process| process.signal(Signal::STOP));
                }
            }
        }
        Ok(())
    }

    /// Packets first: a process that continues finds the network as it was.
    fn lift(&self) -> Result<()> {
        let mut result = Ok(());
        for namespace in self.cut.iter().filter(|n| is_namespace(n)) {
            result = result.and(join(namespace));
        }
        self.stopped.iter().for_each(|process| process.signal(Signal::CONT));
        result
    }

    fn save(&self, file: &Path) -> Result<()> {
        let next = file.with_extension("next");
        fs::write(&next, serde_json::to_vec(self)?)
            .and_then(|()| fs::rename(&next, file))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

fn cut(namespace: &Path) -> Result<()> {
    let chain = |hook: &str, rule: &str| {
        format!("chain {hook} {{ type filter hook {hook} priority -300; {rule} drop; }}\n")
    };
    let chains = chain("input", "iif != lo") + &chain("output", "oif != lo") + &chain("forward", "");
    nft(namespace, &format!("table inet {TABLE} {{\n{chains}}}\n"))
}

/// Adding it first makes the deletion succeed also where the table was never made.
fn join(namespace: &Path) -> Result<()> {
    nft(namespace, &format!("add table inet {TABLE}\ndelete table inet {TABLE}\n"))
}

fn nft(namespace: &Path, rules: &str) -> Result<()> {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", namespace.display())).args(["nft", "-f", "-"]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = piped.spawn().context("cannot run nsenter")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(rules.as_bytes())?;
    }
    let done = child.wait_with_output()?;
    // An interface may be deleted at any time, and its fault with it.
    if !done.status.success() && is_namespace(namespace) {
        bail!("nft failed in {}: {}", namespace.display(), String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}

/// A namespace that was removed may leave an empty file for a moment.
fn is_namespace(path: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).ok().map(|m| m.dev());
    device(path).is_some_and(|found| device(Path::new("/proc/self/ns/net")) == Some(found))
}

/// The processes that run in these network namespaces. Planes that only open sockets there are not among them.
fn processes_in(namespaces: &BTreeSet<PathBuf>) -> Vec<Identity> {
    let id = |path: &Path| fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    let wanted: BTreeSet<_> = namespaces.iter().filter_map(|n| id(n)).collect();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let inside =
        |pid: &i32| id(Path::new(&format!("/proc/{pid}/ns/net"))).is_some_and(|n| wanted.contains(&n));
    pids.filter(inside).filter_map(Identity::of).collect()
}

fn folder(home: &Home) -> PathBuf {
    home.path().join("faults")
}

/// The guardian's process: reads a fault from each line of its standard input.
pub(crate) fn guard(home: &Home) -> Result<()> {
    let folder = folder(home);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let own = i32::try_from(std::process::id())
        .ok()
        .and_then(Identity::of)
        .context("cannot read this process's start")?;
    let file = folder.join(format!("{}.json", own.pid));
    let none = BTreeSet::new;
    let mut held = Held { guardian: own, killed: none(), cut: none(), stopped: BTreeSet::new() };
    let ended = hold(&mut held, &file);
    let lifted = held.lift();
    if lifted.is_ok() {
        let _ = fs::remove_file(&file);
    }
    // The drill may be gone, and nobody reads this.
    let _ = writeln!(io::stdout(), "lifted");
    ended.and(lifted)
}

fn hold(held: &mut Held, file: &Path) -> Result<()> {
    let mut input = io::stdin().lock();
    let (mut unread, mut fault, mut lease): (Vec<u8>, Option<Fault>, _) = (Vec::new(), None, Instant::now());
    loop {
        let ready =
            poll(&mut [PollFd::new(input.as_fd(), PollFlags::POLLIN)], PollTimeout::from(LOOK_AGAIN_MS));
        if ready.is_ok_and(|n| n > 0) {
            let mut chunk = [0; 4096];
            match input.read(&mut chunk) {
                Ok(0) | Err(_) => return Ok(()),
                Ok(length) => unread.extend_from_slice(&chunk[..length]),
            }
            while let Some(end) = unread.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = unread.drain(..=end).collect();
                let is_first = fault.is_none();
                let renewed: Fault = serde_json::from_slice(&line).context("a fault cannot be read")?;
                held.apply(&renewed, file)?;
                (fault, lease) = (Some(renewed), Instant::now());
                if is_first {
                    writeln!(io::stdout(), "injected")?;
                }
            }
        }
        if lease.elapsed() > LEASE {
            return Ok(());
        }
        if let Some(fault) = fault.as_ref().filter(|f| f.harm == Harm::Stop) {
            held.apply(fault, file)?;
        }
    }
}

/// Lifts the faults of guardians that were killed. Returns how many there were.
pub(crate) fn lift_abandoned(home: &Home) -> Result<usize> {
    let mut lifted = 0;
    for entry in fs::read_dir(folder(home)).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(bytes) = fs::read(&path) else { continue };
        // A file that was never renamed describes nothing that was done.
        let Ok(held) = serde_json::from_slice::<Held>(&bytes) else { continue };
        if !held.guardian.lives() {
            held.lift()?;
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            lifted += 1;
        }
    }
    Ok(lifted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_distinguishes_processes() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let process = Identity::of(pid).unwrap();
        assert!(process.lives());
        assert!(!Identity { started: process.started + 1, ..process.clone() }.lives());
        process.signal(Signal::KILL);
        // Before it is waited for, it is a zombie.
        let end = Instant::now() + Duration::from_secs(10);
        while process.lives() {
            assert!(Instant::now() < end, "a killed process lives");
        }
        child.wait().unwrap();
    }
}
