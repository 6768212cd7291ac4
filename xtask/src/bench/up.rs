//! `cargo xtask bench up`: the time of `escale up` from an empty home to the first answer at the public name, by phase; and a
//! database with a standby, compared with the same by hand with PostgreSQL's own programs.

use super::{cloud::Cloud, describe, finished, free_port, report};
use crate::{
    run::{root, run, run_command},
    setup, test,
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

pub(crate) fn measure_up() -> Result<()> {
    setup::all()?;
    test::release()?;
    run_command(&mut Command::new(root().join("examples/shop/build")))?;
    let cloud = Cloud::new()?;
    let measured = measure(&cloud);
    let cleaned = cloud.escale(&["reset", "--yes"]);
    let _ = fs::remove_dir_all(&cloud.home);
    cleaned?;
    report::write("up", "The wishes are those of one developer on one machine.", &measured?)
}

fn measure(cloud: &Cloud) -> Result<report::Rows> {
    cloud.make_home()?;
    let started = Instant::now();
    let report: Value = serde_json::from_slice(&cloud.escale(&["start", "--json"])?.stdout)?;
    let start = started.elapsed();
    let pid = report["daemon"]["pid"].as_i64().context("the output of `escale start` has no pid")?;
    let idle_kib = resident_kib(pid)?;
    // `up` from nothing: no daemon, and no `initdb` made beforehand.
    cloud.escale(&["reset", "--yes"])?;
    cloud.make_home()?;
    let setting = setup::postgres_setting()?;
    let words: Vec<&str> =
        ["up", "examples/shop", "--json"].into_iter().chain(setting.iter().map(String::as_str)).collect();
    let up: Value = serde_json::from_slice(&cloud.escale(&words)?.stdout)?;
    let database = creation(cloud, "DbInstance")?;
    let by_hand = database_by_hand(&cloud.home.join("by-hand"))?;
    let here = describe::median(&format!("http://{}/", cloud.endpoint))?;
    let moto = describe::median(&describe::Moto::start()?.endpoint)?;
    let mut rows = report::Rows::new(&["what", "measured", "wish"]);
    let mut row =
        |what: &str, value: String, wish: &str| rows.add(&[what.to_owned(), value, wish.to_owned()]);
    row("`escale start` to the first answer of the API", format!("{} ms", start.as_millis()), "< 100 ms");
    row("memory of the idle daemon (RSS)", format!("{:.1} MiB", idle_kib as f64 / 1024.0), "< 40 MiB");
    for (phase, seconds) in up["seconds"].as_object().context("the output of `escale up` has no phases")? {
        row(
            &format!("`escale up examples/shop`: {phase}"),
            format!("{:.2} s", seconds.as_f64().unwrap_or(0.0)),
            if phase == "together" { "5 s, at most 15 s" } else { "" },
        );
    }
    row(
        "database with standby, through RDS; its `initdb` began with the daemon",
        format!("{:.2} s", database.as_secs_f64()),
        "",
    );
    row(
        "the same by hand: initdb, start, pg_basebackup, start",
        format!("{:.2} s", by_hand.as_secs_f64()),
        "",
    );
    row("ratio", format!("{:.2}", database.as_secs_f64() / by_hand.as_secs_f64()), "at most 1.5");
    let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
    row("`DescribeVpcs` over one connection, signature verified", millis(here), "< 1 ms");
    row("the same with moto's server, which verifies none", millis(moto), "");
    Ok(rows)
}

/// How long CloudFormation took for one resource, by its own events.
fn creation(cloud: &Cloud, logical_id: &str) -> Result<Duration> {
    let aws = setup::venv().join("bin/aws");
    let query = format!("StackEvents[?LogicalResourceId=='{logical_id}'].[ResourceStatus,Timestamp]");
    let arguments =
        ["cloudformation", "describe-stack-events", "--stack-name", "shop-local", "--output", "json"];
    let out = finished(cloud.command(&aws).args(arguments).args(["--query", &query]))?;
    let events: Vec<(String, String)> = serde_json::from_slice(&out.stdout)?;
    let at = |status: &str| {
        let found = events.iter().rev().find(|(s, _)| s == status).map(|(_, at)| millis(at));
        found.flatten().with_context(|| format!("{logical_id} has no event {status}"))
    };
    let took = at("CREATE_COMPLETE")?.checked_sub(at("CREATE_IN_PROGRESS")?);
    Ok(Duration::from_millis(took.context("events out of order")?))
}

/// The time of day of `2026-11-22T11:34:29.051000+00:00` in milliseconds; a run over midnight fails and is repeated.
fn millis(at: &str) -> Option<u64> {
    let time = at.split_once('T')?.1;
    let mut parts = time.split(['+', 'Z']).next()?.split([':', '.']);
    let mut next = || parts.next()?.parse::<u64>().ok();
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    let fraction = time.split_once('.').map_or(0, |(_, f)| {
        let digits: String =
            f.chars().take_while(char::is_ascii_digit).chain("000".chars()).take(3).collect();
        digits.parse().unwrap_or(0)
    });
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction)
}

/// A primary and a synchronous standby with PostgreSQL's own programs, as its manual describes.
fn database_by_hand(folder: &Path) -> Result<Duration> {
    fs::create_dir_all(folder)?;
    let place = folder.to_str().context("a path of ours")?;
    run("chown", &["postgres", place])?;
    let (primary, standby) = (free_port()?, free_port()?);
    let programs = setup::postgres_programs()?;
    let programs = programs.display();
    let server = |data: &str, port: u16, words: &str| {
        format!(
            "{programs}/pg_ctl -D {place}/{data} -w -l {place}/{data}.log -o '-p {port} -k {place} {words}' start"
        )
    };
    let steps = [
        format!("{programs}/initdb -D {place}/primary --auth=trust --data-checksums"),
        server("primary", primary, "-c listen_addresses=127.0.0.1"),
        format!("{programs}/pg_basebackup -h 127.0.0.1 -p {primary} -D {place}/standby -R -X stream -c fast"),
        server("standby", standby, "-c listen_addresses=127.0.0.1"),
    ];
    let started = Instant::now();
    let made = steps.iter().try_for_each(|step| as_postgres(step));
    let took = started.elapsed();
    for data in ["standby", "primary"] {
        let _ = as_postgres(&format!("{programs}/pg_ctl -D {place}/{data} -m immediate stop"));
    }
    made?;
    Ok(took)
}

fn as_postgres(line: &str) -> Result<()> {
    finished(Command::new("su").args([
        "postgres",
        "-s",
        "/bin/sh",
        "-c",
        &format!("{line} >/dev/null 2>&1"),
    ]))?;
    Ok(())
}

fn resident_kib(pid: i64) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
