//! The checks on the machine, in order. Each begins with a working shop, so that one failure does not hide the next.

use super::machine::{Done, End, Machine, User};
use anyhow::Result;
use std::time::{Duration, Instant};

/// A row of the table.
pub(super) struct Outcome {
    pub(super) name: &'static str,
    /// The figure, or the reason of the failure.
    pub(super) result: Result<String, String>,
}

/// One check.
struct Check {
    name: &'static str,
    needs: Needs,
    steps: &'static [Step],
}

/// The state at the beginning of a check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// The machine as the previous checks left it.
    Nothing,
    /// The shop runs and answers; it is restored if it does not.
    Shop,
}

/// A part of a check. The last line that its script prints is the figure, or the reason if it ends with an error.
enum Step {
    Script { user: User, text: &'static str, limit_s: u64 },
    Reboot,
}

const fn script(user: User, text: &'static str, limit_s: u64) -> Step {
    Step::Script { user, text, limit_s }
}

/// Functions for all scripts.
const LIBRARY: &str = include_str!("guest/library.sh");

/// Restores the shop, and prints how if that was needed.
const RESTORE: &str = include_str!("guest/restore.sh");

/// Minutes, since an emulated processor takes some 40 s for an `up` and three times that beside others.
const RESTORE_WITHIN: Duration = Duration::from_secs(900);

/// The scripts' limits are for a machine without other work.
const SLOW: u32 = 3;

const CHECKS: &[Check] = &[
    Check {
        name: "doctor on a fresh machine",
        needs: Needs::Nothing,
        steps: &[script(User::Root, include_str!("guest/doctor.sh"), 120)],
    },
    Check {
        name: "up on a fresh machine",
        needs: Needs::Nothing,
        steps: &[script(User::Root, include_str!("guest/up.sh"), 900)],
    },
    Check {
        name: "page, items, picture, static file",
        needs: Needs::Shop,
        steps: &[script(User::Root, include_str!("guest/shop.sh"), 180)],
    },
    Check {
        name: "500 kept-alive connections",
        needs: Needs::Shop,
        steps: &[script(User::Root, include_str!("guest/connections.sh"), 400)],
    },
    Check {
        name: "a task over its memory is killed, not swapped",
        needs: Needs::Shop,
        steps: &[script(User::Root, include_str!("guest/memory.sh"), 600)],
    },
    Check {
        name: "kill -9 of the daemon",
        needs: Needs::Shop,
        steps: &[script(User::Root, include_str!("guest/kill.sh"), 180)],
    },
    Check {
        name: "database failover",
        needs: Needs::Shop,
        steps: &[script(User::Root, include_str!("guest/failover.sh"), 300)],
    },
    Check {
        name: "tasks in both zones after two recoveries",
        needs: Needs::Shop,
        steps: &[script(User::Root, include_str!("guest/zones.sh"), 400)],
    },
    Check {
        name: "host firewall with policy drop",
        needs: Needs::Shop,
        steps: &[script(User::Root, include_str!("guest/firewall.sh"), 180)],
    },
    Check {
        name: "status behind a firewall that drops lo",
        needs: Needs::Shop,
        steps: &[script(User::Root, include_str!("guest/loopback.sh"), 180)],
    },
    Check {
        name: "status as an ordinary user",
        needs: Needs::Shop,
        steps: &[script(User::Dev, include_str!("guest/status.sh"), 60)],
    },
    Check {
        name: "logout with KillUserProcesses=yes",
        needs: Needs::Shop,
        steps: &[
            script(User::Root, include_str!("guest/logout-before.sh"), 300),
            script(User::Dev, include_str!("guest/logout-up.sh"), 900),
            script(User::Root, include_str!("guest/logout-after.sh"), 180),
        ],
    },
    Check {
        name: "reboot with escale service install",
        needs: Needs::Shop,
        steps: &[
            script(User::Root, include_str!("guest/reboot-before.sh"), 300),
            Step::Reboot,
            script(User::Root, include_str!("guest/reboot-after.sh"), 400),
        ],
    },
    Check {
        name: "down",
        needs: Needs::Shop,
        steps: &[script(User::Root, include_str!("guest/down.sh"), 300)],
    },
    Check {
        name: "reset leaves nothing",
        needs: Needs::Nothing,
        steps: &[script(User::Root, include_str!("guest/reset.sh"), 300)],
    },
    Check {
        name: "sudo with the user's HOME",
        needs: Needs::Nothing,
        steps: &[script(User::Dev, include_str!("guest/sudo.sh"), 300)],
    },
];

pub(super) fn run_all(machine: &mut Machine, only: Option<&str>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for check in CHECKS.iter().filter(|c| only.is_none_or(|text| c.name.contains(text))) {
        println!("▶ check: {}", check.name);
        let started = Instant::now();
        let result = run_check(machine, check)?;
        let word = if result.is_ok() { "passed" } else { "failed" };
        println!(
            "  {word} after {} s: {}",
            started.elapsed().as_secs(),
            result.as_ref().unwrap_or_else(|e| e)
        );
        outcomes.push(Outcome { name: check.name, result });
    }
    Ok(outcomes)
}

/// The outer error is one of this machine, which ends the run; the inner one is the check's.
fn run_check(machine: &mut Machine, check: &Check) -> Result<Result<String, String>> {
    let mut figures = Vec::new();
    if check.needs == Needs::Shop {
        match concluded(machine.script(User::Root, &format!("{LIBRARY}\n{RESTORE}"), RESTORE_WITHIN)?) {
            Ok(how) if how.is_empty() => {}
            Ok(how) => figures.push(format!("({how})")),
            Err(why) => return Ok(Err(format!("not tried, since the shop cannot be brought back: {why}"))),
        }
    }
    for step in check.steps {
        let step = match step {
            Step::Reboot => machine
                .reboot()
                .map(|took| format!("login {} s after the reboot", took.as_secs()))
                .map_err(|e| format!("{e:#}")),
            Step::Script { user, text, limit_s } => concluded(machine.script(
                *user,
                &format!("{LIBRARY}\n{text}"),
                Duration::from_secs(*limit_s) * SLOW,
            )?),
        };
        match step {
            Ok(figure) => figures.extend((!figure.is_empty()).then_some(figure)),
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(Ok(figures.join("; ")))
}

/// The last line is the figure or the reason; all lines are printed when it failed.
fn concluded(done: Done) -> Result<String, String> {
    let last =
        done.output.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
    let reason = match done.end {
        End::Passed => return Ok(last),
        End::Failed => last,
        End::Broken(why) => format!("{why}; it printed last: {last}"),
    };
    done.output.lines().for_each(|line| println!("  | {line}"));
    Err(reason)
}
