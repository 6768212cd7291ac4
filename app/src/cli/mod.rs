//! The command line: one file per verb.

mod client;
mod daemon;
mod start;
mod stop;

use crate::{home::Home, settings};
use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// AWS on one machine, for real.
#[derive(Parser)]
#[command(version, after_help = settings::VARIABLES)]
pub(crate) struct Arguments {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the cloud's daemon, without an application.
    Start,
    /// Stop the daemon. The data stays; containers and databases go on and are found again.
    Stop,
    #[command(hide = true)]
    Daemon,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let home = Home::find()?;
    let out = Output { json: arguments.json };
    match arguments.verb {
        Verb::Start => start::run(&home, &out),
        Verb::Stop => stop::run(&home, &out),
        Verb::Daemon => daemon::run(&home),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// How answers are printed.
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// One answer, for a person or for a script.
    pub(crate) fn say(&self, text: &str, value: &serde_json::Value) {
        if self.json {
            println!("{value:#}");
        } else {
            println!("{text}");
        }
    }
}

/// An error with its causes, a line each.
pub(crate) fn report(error: &anyhow::Error) {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}
