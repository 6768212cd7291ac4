//! `cargo xtask soak [PART]`: tests that take too long for every change. Each part writes its section of docs/reliability.md.

mod failover;
mod history;
mod kills;
mod memory;
mod plane;
mod report;
mod sim;

pub(crate) use report::write as write_section;

use crate::{fuzz, vm};
use anyhow::{Context, Result, bail};
use std::ops::RangeInclusive;

/// The result of a part.
pub(crate) struct Finding {
    /// Markdown, below the part's heading.
    pub(crate) text: String,
    pub(crate) passed: bool,
}

/// One long test. Add new ones to [`PARTS`].
struct Part {
    name: &'static str,
    /// The heading of its section, and what it shows, for a reader.
    title: &'static str,
    shows: &'static str,
    run: fn(&Options) -> Result<Finding>,
}

const PARTS: &[Part] = &[
    Part {
        name: "debian-12",
        title: "Debian 12 from its packages",
        shows: vm::SHOWS,
        run: |_| vm::suite("debian-12"),
    },
    Part {
        name: "debian-13",
        title: "Debian 13 from its packages",
        shows: vm::SHOWS,
        run: |_| vm::suite("debian-13"),
    },
    Part {
        name: "failover",
        title: "Automatic failover of databases",
        shows: failover::SHOWS,
        run: |options| failover::soak(options.fault.as_deref()),
    },
    Part {
        name: "history",
        title: "Histories of databases",
        shows: history::SHOWS,
        run: |options| history::soak(options.rounds, options.seed),
    },
    Part {
        name: "sim",
        title: "Simulated faults of everything",
        shows: sim::SHOWS,
        run: |options| sim::soak(options.seeds, options.seed),
    },
    Part { name: "fuzz", title: "Random input for parsers", shows: fuzz::SHOWS, run: |_| fuzz::soak() },
    Part { name: "kills", title: "Kills during updates", shows: kills::SHOWS, run: |_| kills::soak() },
    Part { name: "plane", title: "Kills under load", shows: plane::SHOWS, run: |_| plane::soak() },
    Part { name: "memory", title: "Memory under a mixed load", shows: memory::SHOWS, run: memory::soak },
];

/// The options beside the parts' names.
pub(crate) struct Options {
    /// The duration of the load of `memory`.
    pub(crate) minutes: u64,
    /// The only fault of `failover`, else all.
    pub(crate) fault: Option<String>,
    /// The rounds of `history`; each takes a minute or two.
    pub(crate) rounds: u64,
    /// The number of seeds of `sim`.
    pub(crate) seeds: u64,
    /// The first seed of `history` and `sim`.
    pub(crate) seed: u64,
}

/// `[PART…] [--minutes N] [--fault NAME] [--rounds N] [--seeds N] [--seed N]`; without a part, all of them. One that fails does not hide the next.
pub(crate) fn soak(words: &[&str]) -> Result<()> {
    let (chosen, options) = parse(words)?;
    let mut failed = Vec::new();
    for part in chosen {
        println!("▶ soak: {}", part.name);
        let finding = (part.run)(&options).unwrap_or_else(|error| Finding {
            text: format!("It could not be run to its end: {error:#}"),
            passed: false,
        });
        println!("\n{}", finding.text);
        report::write(&format!("soak {}", part.name), part.title, part.shows, &finding)?;
        failed.extend((!finding.passed).then_some(part.name));
    }
    if failed.is_empty() { Ok(()) } else { bail!("these parts failed: {}", failed.join(", ")) }
}

fn parse(words: &[&str]) -> Result<(Vec<&'static Part>, Options)> {
    let mut chosen = Vec::new();
    let mut options = Options { minutes: 60, fault: None, rounds: 20, seeds: 10_000, seed: 1 };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match (*word, PARTS.iter().find(|part| part.name == *word)) {
            (_, Some(part)) => chosen.push(part),
            ("--minutes", _) => match words.next().map(|n| n.parse()) {
                Some(Ok(minutes)) if minutes > memory::SETTLED_MIN => options.minutes = minutes,
                _ => bail!("--minutes needs a number greater than {}", memory::SETTLED_MIN),
            },
            ("--fault", _) => match words.next() {
                Some(fault) => options.fault = Some((*fault).to_owned()),
                None => bail!("--fault needs the name of a fault, such as 'primary frozen'"),
            },
            ("--rounds", _) => options.rounds = number(word, words.next(), 1..=1000)?,
            ("--seeds", _) => options.seeds = number(word, words.next(), 1..=1_000_000)?,
            ("--seed", _) => options.seed = number(word, words.next(), 0..=u64::MAX / 2)?,
            _ => {
                let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
                bail!("there is no part '{word}'. The parts are: {}", names.join(", "))
            }
        }
    }
    if chosen.is_empty() {
        chosen.extend(PARTS);
    }
    Ok((chosen, options))
}

fn number(option: &str, word: Option<&&str>, allowed: RangeInclusive<u64>) -> Result<u64> {
    let given = word.and_then(|word| word.parse().ok()).filter(|n| allowed.contains(n));
    given.with_context(|| format!("{option} needs a number from {} to {}", allowed.start(), allowed.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_chosen_by_name() {
        let names = |words: &[&str]| {
            let (parts, options) = parse(words).ok()?;
            Some((parts.iter().map(|p| p.name).collect::<Vec<_>>(), options.minutes))
        };
        assert_eq!(names(&[]).unwrap().0.len(), PARTS.len());
        assert_eq!(names(&["memory", "--minutes", "20"]), Some((vec!["memory"], 20)));
        assert_eq!(names(&["memory", "--minutes", "5"]), None);
        assert_eq!(names(&["memory", "--minutes"]), None);
        assert_eq!(names(&["failover", "--fault"]), None);
        let (_, options) = parse(&["failover", "--fault", "primary frozen"]).unwrap();
        assert_eq!(options.fault.as_deref(), Some("primary frozen"));
        let (parts, options) = parse(&["history", "--rounds", "3", "--seed", "7"]).unwrap();
        assert_eq!((parts[0].name, options.rounds, options.seed), ("history", 3, 7));
        assert_eq!(parse(&["sim", "--seeds", "500"]).unwrap().1.seeds, 500);
        assert_eq!(names(&["history", "--rounds", "0"]), None);
        assert_eq!(names(&["sim", "--seeds"]), None);
        assert_eq!(names(&["memories"]), None);
    }
}
