//! `cargo xtask <verb>`: everything a developer does here, each verb a file.

mod again;
mod audit;
mod bench;
mod check;
mod demo;
mod dist;
mod fuzz;
mod new;
mod prices;
mod run;
mod setup;
mod soak;
mod test;
mod tidy;
mod tools;
mod vm;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask <verb>
  setup            install what is missing: Debian packages, Python clients for the tests
  demo             setup, build, `escale up examples/shop`, print the URLs and the status
  test [FILTER]    setup, then everything: check, unit, contract, sim and client tests
  fmt              format every Rust file, also those that `cargo fmt` does not see
  check            fmt, clippy, tidy, doc: what needs no root and no network
  fuzz [TARGET] [--inputs N] [--seed N]
                   random inputs for every parser of outside bytes, a million each; prints a table for docs/reliability.md
  audit            licences, bans, sources and known vulnerabilities of dependencies, by cargo-deny; needs the network
  tidy             the rules of CONTRIBUTING.md that a program can check
  ratchet          lower the figures of xtask/ratchet.txt to what is measured
  models [--check] generate models/*.json from pinned packages (botocore, cfn-lint), or check that they are up to date
  new-service NAME             the files of a new AWS service, and its place in the wiring
  new-operation SERVICE NAME   the file of a new operation, and its line in the service's list
  prices FILE      read a price list of AWS (offers/v1.0/aws/…/index.json) into proof/prices.json
  dist             a Debian package and a tarball of the release binary, in target/dist
  bench NAME       measure, and compare with the alternatives
  vm [SUITE]       run the shop on a real Debian in QEMU: debian-12, debian-13 [--fresh] [--only TEXT]
  soak [PART]      what takes long, into docs/reliability.md: debian-12, debian-13, failover, fuzz, history, kills, memory, plane, sim
                     [--minutes N] [--fault NAME] [--rounds N] [--seeds N] [--seed N]";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["setup"] => setup::all(),
        ["demo"] => demo::demo(),
        ["test"] => test::all(),
        ["test", filter] => test::some(filter),
        ["fmt"] => check::format(&[]),
        ["check"] => check::all(),
        ["fuzz", arguments @ ..] => fuzz::fuzz(arguments),
        ["audit"] => audit::audit(),
        ["tidy"] => tidy::all(),
        ["ratchet"] => tidy::ratchet::lower(),
        ["models"] => setup::models(&[]),
        ["models", "--check"] => setup::models(&["--check"]),
        ["new-service", name] => new::service(name),
        ["new-operation", service, name] => new::operation(service, name),
        ["prices", file] => prices::prices(file),
        ["dist"] => dist::dist(),
        ["bench", name, rest @ ..] => bench::bench(name, rest),
        ["soak", words @ ..] => soak::soak(words),
        ["vm", words @ ..] => vm::vm(words),
        _ => bail!("{USAGE}"),
    }
}
