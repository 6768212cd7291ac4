//! Failed tests are run once more, alone. A test that passes then is named as unstable at the end, so that it is not overlooked.
//!
//! More than [`MOST`] failures are no accident: they fail the run at once.

use crate::run::{line_of, root, run_command};
use anyhow::{Context, Result, bail};
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Stdio},
    sync::mpsc::channel,
};

/// So many failures of one run are repeated.
const MOST: usize = 3;

/// Runs a `cargo test` of several packages to its end, and its failed tests again.
pub(crate) fn cargo_test(command: &mut Command) -> Result<()> {
    let (succeeded, text) = tee(command.arg("--no-fail-fast"))?;
    if succeeded {
        return Ok(());
    }
    let failed = Failed::of(&text);
    if failed.names.is_empty() || failed.targets.is_empty() {
        bail!("failed: {}", line_of(command));
    }
    let names = bounded(failed.names)?;
    let mut ran = 0;
    for target in &failed.targets {
        let mut again = Command::new(command.get_program());
        again.current_dir(root()).envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        again.args(["test", "--locked"]).args(target.split(' ')).args(["--", "--exact"]).args(&names);
        let (succeeded, text) = tee(&mut again)?;
        if !succeeded {
            bail!("failed twice: {}", names.join(" "));
        }
        ran += text.lines().filter(|line| line.starts_with("test ") && line.ends_with("... ok")).count();
    }
    if ran < names.len() {
        bail!("not all of the failed tests were found again: {}", names.join(" "));
    }
    report(&names);
    Ok(())
}

/// Runs pytest to its end, and its failed tests again.
pub(crate) fn pytest(command: &mut Command) -> Result<()> {
    let first = run_command(command);
    let Err(error) = first else { return Ok(()) };
    let cache = root().join(".pytest_cache/v/cache/lastfailed");
    let text = std::fs::read_to_string(&cache).unwrap_or_default();
    let failed: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap_or_default();
    let names = bounded(failed.into_iter().map(|(name, _)| name).collect()).context(error)?;
    let mut again = Command::new(command.get_program());
    again.current_dir(root()).envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    again.args(["-m", "pytest", "-q"]).args(&names);
    run_command(&mut again).context("a failed test failed again")?;
    report(&names);
    Ok(())
}

fn bounded(names: Vec<String>) -> Result<Vec<String>> {
    match names.len() {
        0 => bail!("the run failed, and no test did"),
        n if n > MOST => bail!("{n} tests failed: {}", names.join(" ")),
        _ => Ok(names),
    }
}

fn report(names: &[String]) {
    for name in names {
        println!(
            "UNSTABLE: {name} failed, and passed when it was run again alone. docs/flakes.md lists such tests."
        );
    }
}

/// What the output of `cargo test` says about failures.
#[derive(Debug, Default, PartialEq)]
struct Failed {
    names: Vec<String>,
    /// Arguments that choose a target: `-p escale-postgres --test contract`.
    targets: Vec<String>,
}

impl Failed {
    fn of(text: &str) -> Self {
        let mut failed = Self::default();
        let mut lists = false;
        for line in text.lines() {
            let word = line.strip_prefix("    ").filter(|word| !word.is_empty() && !word.starts_with(' '));
            if let Some(target) = word.and_then(|word| word.strip_prefix('`')?.strip_suffix('`')) {
                failed.targets.push(target.to_owned());
            } else if let Some(name) = word.filter(|word| lists && !word.contains(' ')) {
                failed.names.push(name.to_owned());
            } else {
                lists = line == "failures:";
            }
        }
        failed.names.sort_unstable();
        failed.names.dedup();
        failed
    }
}

/// Runs a program, prints what it prints, and returns both streams, one after the other: their lines must not mix.
fn tee(command: &mut Command) -> Result<(bool, String)> {
    println!("▶ {}", line_of(command));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start: {}", line_of(command)))?;
    let (sender, receiver) = channel();
    let pass = |from: Option<Box<dyn Read + Send>>| {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut lines = String::new();
            for line in
                from.into_iter().flat_map(|from| BufReader::new(from).split(b'\n')).map_while(Result::ok)
            {
                let line = String::from_utf8_lossy(&line).into_owned();
                lines.push_str(&line);
                lines.push('\n');
                let _ = sender.send(line);
            }
            lines
        })
    };
    let out = pass(child.stdout.take().map(|s| Box::new(s) as Box<dyn Read + Send>));
    let err = pass(child.stderr.take().map(|s| Box::new(s) as Box<dyn Read + Send>));
    drop(sender);
    for line in receiver {
        // A closed pipe of ours is no fault of the tests.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    let lines = [out, err].map(|reader| reader.join().unwrap_or_default()).concat();
    Ok((child.wait()?.success(), lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_read_from_the_output() {
        let text = "..\nreal::a --- FAILED\n\nfailures:\n\n---- real::a stdout ----\n    at ./x.rs\n\nfailures:\n    real::a\n    real::b\n\n\
                    test result: FAILED. 18 passed; 2 failed\n\nerror: 2 targets failed:\n    `-p escale-postgres --test contract`\n    `-p x --lib`\n";
        let failed = Failed::of(text);
        assert_eq!(failed.names, ["real::a", "real::b"]);
        assert_eq!(failed.targets, ["-p escale-postgres --test contract", "-p x --lib"]);
        assert!(bounded(vec![]).is_err() && bounded(vec![String::new(); MOST + 1]).is_err());
    }
}
