//! Every kept input, and some seconds of mutations, with every `cargo test`. `FUZZ_SECONDS` makes it longer.

use escale_fuzz::{Limits, TARGETS, run};
use std::time::Duration;

#[test]
fn every_target_endures_its_corpus_and_mutations_of_it() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|s| s.parse::<u64>().ok()).unwrap_or(1);
    for target in TARGETS {
        let figures = run(target, &Limits::Time(Duration::from_secs(seconds)), rand::random()).unwrap();
        assert!(figures.inputs > 10, "{}: {figures:?}", target.name);
    }
}

#[test]
fn every_target_has_a_program_for_libfuzzer() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/");
    let manifest = std::fs::read_to_string(format!("{folder}Cargo.toml")).unwrap();
    for target in TARGETS {
        let program = std::fs::read_to_string(format!("{folder}fuzz_targets/{}.rs", target.name)).unwrap();
        assert!(program.contains(&format!("\"{}\"", target.name)), "{}", target.name);
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
    }
}
