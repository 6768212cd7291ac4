//! Runs the corpora and some mutations of them with every `cargo test`.

use escale_fuzz::{TARGETS, run};

/// For each target; all together take some seconds. `cargo xtask fuzz` runs a million.
const INPUTS: u64 = 300;

#[test]
fn every_target_survives_its_corpus_and_mutations_of_it() {
    for target in TARGETS {
        run(target, INPUTS, rand::random()).unwrap();
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
