//! The manifest from outside: what it refuses and how it says so, and the template that it becomes.

#![allow(clippy::unwrap_used, reason = "a test may fail by it; clippy only knows of #[test] functions")]

mod problems;
mod services;
mod template;

use escale_blueprint::{Manifest, Problem};

/// The reference application's own manifest.
fn shop() -> Manifest {
    let text = include_str!("../../../examples/shop/escale.yaml");
    Manifest::parse(text, "escale.yaml").unwrap_or_else(|problems| panic!("{}", all(&problems)))
}

fn all(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
