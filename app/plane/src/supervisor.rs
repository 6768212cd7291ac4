//! The supervisor: starts the worker, and starts it again when it dies.
//!
//! It does nothing else, so that nothing else can end it. It has no thread, no runtime and no connection but that to its worker.

use crate::{inheritance::Inheritance, snapshot::Snapshot};
use std::{
    io,
    os::{
        fd::AsFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A worker that ran for at least this long has not failed because of how it started.
const STABLE: Duration = Duration::from_secs(1);
/// After this many workers that crashed soon after their start, the next one starts without the snapshot, which may be the cause.
const SUSPECT: u32 = 3;
/// This many workers in a row that ended soon after their start are started again without a pause.
const WITHOUT_PAUSE: u32 = 5;
const SIGKILL: i32 = 9;
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Runs workers until one ends with success. Each gets this process's [`Inheritance`], with the sockets that the workers before it
/// have opened. `worker` are the arguments that start a worker, followed by the number of starts.
pub fn supervise(worker: &[&str]) -> io::Result<()> {
    let (mut inheritance, _) = Inheritance::of_this_process()?;
    let name = std::env::args_os().next().unwrap_or_else(|| "escale".into());
    let (mut starts, mut soon, mut crashes) = (0u32, 0u32, 0u32);
    loop {
        starts += 1;
        let began = Instant::now();
        // The file that this process runs, also after it was replaced.
        let mut command = Command::new("/proc/self/exe");
        command.arg0(&name).args(worker).arg(starts.to_string());
        let status = run(command, &mut inheritance);
        if status.as_ref().is_ok_and(|status| status.success()) {
            return Ok(());
        }
        let is_stable = began.elapsed() >= STABLE;
        // A worker that was killed has not failed because of its specs.
        let is_crash = !status.as_ref().is_ok_and(|status| status.signal() == Some(SIGKILL));
        soon = if is_stable { 1 } else { soon + 1 };
        crashes = if is_stable { 0 } else { crashes } + u32::from(is_crash);
        tracing::error!(?status, starts, "the data plane's worker ended; it is started again");
        if crashes == SUSPECT {
            tracing::error!(
                "the worker fails again and again, so it starts without its last specs; the daemon sends them again"
            );
            Snapshot::clear(inheritance.memory.as_fd())?;
        }
        pause(soon);
    }
}

/// Starts a worker, keeps the sockets that it opens, and returns when it has ended.
fn run(mut command: Command, inheritance: &mut Inheritance) -> io::Result<ExitStatus> {
    let worker = Inheritance::stream_to(&mut command)?;
    let mut child = command.stdout(Stdio::null()).spawn()?;
    // It holds the other end, so that the end of the worker would not be seen.
    drop(command);
    match inheritance.send(&worker) {
        Ok(()) => inheritance.sockets.follow(&worker),
        Err(error) => tracing::error!(%error, "cannot pass the sockets on to a worker"),
    }
    child.wait()
}

/// At first there is no pause: a worker that was killed must be back at once.
fn pause(soon: u32) {
    let pause = Duration::from_millis(25 << soon.saturating_sub(WITHOUT_PAUSE).min(8)).min(LONGEST_PAUSE);
    if soon > WITHOUT_PAUSE {
        // There is no event to wait for: nothing shows that the next worker would not fail in the same way.
        #[allow(clippy::disallowed_methods)]
        std::thread::sleep(pause);
    }
}
