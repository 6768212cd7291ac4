//! `cargo xtask bench drills [ROUNDS]`: each drill on the shop, several times; medians and worst into docs/reliability.md.

use super::{finished, free_port};
use crate::{
    run::{root, run_command},
    setup, soak, test,
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

const DRILLS: [&[&str]; 8] = [
    &["task"],
    &["db", "--failure", "kill"],
    &["db", "--failure", "freeze"],
    &["db", "--failure", "cut"],
    &["az"],
    &["nat"],
    &["deploy-bad", "--service", "frontend"],
    &["load"],
];

const SHOWS: &str = "`escale drill` on the shop: 20 requests per second to its public name, half of them for a page and half for rows of the database, and four writers of rows ([drills.md](drills.md) \
                     explains the figures). Nothing is reported to the cloud: what recovers the application follows from health checks and replication.";

pub(super) fn measure(rounds: usize) -> Result<()> {
    setup::runtime()?;
    let program = test::program()?;
    run_command(&mut Command::new(root().join("examples/shop/build")))?;
    let home = PathBuf::from(format!("/var/tmp/escale-drills-{}", std::process::id()));
    fs::create_dir_all(&home)?;
    // Databases run as another user.
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755))?;
    let settings = [
        ("ESCALE_HOME", home.display().to_string()),
        ("ESCALE_ENDPOINT", format!("127.0.0.1:{}", free_port()?)),
        ("ESCALE_WEB_PORT", free_port()?.to_string()),
        ("ESCALE_HTTPS_PORT", free_port()?.to_string()),
        ("ESCALE_DNS_PORT", free_port()?.to_string()),
    ];
    let escale = |arguments: &[&str]| {
        let mut command = Command::new(Path::new(&program));
        command.current_dir(root()).envs(settings.iter().map(|(name, value)| (name, value))).args(arguments);
        command
    };
    let measured =
        finished(&mut escale(&["up", "examples/shop", "--json"])).and_then(|_| all(&escale, rounds));
    let cleaned = finished(&mut escale(&["reset", "--yes"]));
    let _ = fs::remove_dir_all(&home);
    cleaned?;
    soak::write_section("bench drills", "Drills", SHOWS, &measured?)
}

fn all(escale: &impl Fn(&[&str]) -> Command, rounds: usize) -> Result<soak::Finding> {
    let mut text = String::from(
        "| drill | rounds | seconds with errors: median, worst | failed requests: median, worst | users fine: median, worst | rows acknowledged | rows lost |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut passed = true;
    for words in DRILLS {
        let mut figures = Vec::new();
        for _ in 0..rounds {
            let arguments = [&["drill"], words, &["--path", "/", "--path", "/api/items", "--json"]].concat();
            let done = escale(&arguments).output().context("cannot start the drill")?;
            passed &= done.status.success();
            let value: Value = serde_json::from_slice(&done.stdout)
                .with_context(|| format!("{words:?}: {}", String::from_utf8_lossy(&done.stderr)))?;
            match value["failed_requests"].as_u64() {
                Some(failed) => println!("{}: {failed} failed, {} lost", words.join(" "), value["rows_lost"]),
                // It counts as one after which users were never fine.
                None => println!("{}: no figures: {value}", words.join(" ")),
            }
            figures.push(value);
        }
        text += &row(&words.join(" "), &figures);
    }
    Ok(soak::Finding { text, passed })
}

fn row(name: &str, figures: &[Value]) -> String {
    let sorted = |member: &str| {
        // A drill whose users were not fine within the limit has no figure: it counts as the worst.
        let mut all: Vec<u64> = figures.iter().map(|f| f[member].as_u64().unwrap_or(u64::MAX)).collect();
        all.sort_unstable();
        all
    };
    let pair = |member: &str, unit: &str| {
        let all = sorted(member);
        let shown = |n: Option<&u64>| match n {
            Some(&u64::MAX) | None => "never".to_owned(),
            Some(n) => format!("{n}{unit}"),
        };
        format!("{}, {}", shown(all.get(all.len() / 2)), shown(all.last()))
    };
    let sum = |member: &str| figures.iter().filter_map(|f| f[member].as_u64()).sum::<u64>();
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} |\n",
        figures.len(),
        pair("error_seconds", ""),
        pair("failed_requests", ""),
        pair("users_fine_ms", " ms"),
        sum("rows_acknowledged"),
        sum("rows_lost")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn row_shows_median_and_worst() {
        let round = |seconds: u64, fine: Option<u64>| json!({"error_seconds": seconds, "failed_requests": 7, "users_fine_ms": fine, "rows_acknowledged": 10, "rows_lost": 0});
        assert_eq!(
            row("db", &[round(3, Some(900)), round(1, None), round(2, Some(100))]),
            "| db | 3 | 2, 3 | 7, 7 | 900 ms, never | 30 | 0 |\n"
        );
    }
}
