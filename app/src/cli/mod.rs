//! The command line: one file per verb.

mod application;
mod aws;
mod client;
mod coverage;
mod doctor;
mod down;
mod env;
mod logs;
mod open;
mod output;
mod reset;
mod service;
mod sign;
mod start;
mod status;
mod stop;
mod template;
mod trail;
mod up;
mod xml;

use crate::{daemon, home::Home, settings};
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
pub(crate) use output::{Concluded, Output, print, report};
use std::process::ExitCode;

/// AWS on one machine, for real.
#[derive(Parser)]
#[command(version, after_help = settings::VARIABLES)]
pub(crate) struct Arguments {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the application of a manifest: start the daemon if needed, build, push, deploy, wait until it answers.
    Up(up::Up),
    /// Remove an application and everything that ran for it. A snapshot of its database is kept; its buckets are emptied,
    /// which is asked before.
    Down(down::Down),
    /// What runs: services, tasks, the database, addresses.
    Status(status::Status),
    /// What an application's tasks have written.
    Logs(logs::Logs),
    /// Print who called what, from where, and which policy statement denied it. The last 48 MiB of calls and 16 MiB of denials are kept.
    Trail(trail::Trail),
    /// Open an application in the browser.
    Open(open::Open),
    /// Make a signed URL for a private file.
    Sign(sign::Sign),
    /// Print the CloudFormation template that a manifest becomes.
    Template(template::TemplateArgs),
    /// Print the variables that lead the aws CLI and the SDKs here, with the root key: eval "$(escale env)".
    Env,
    /// Run the aws CLI against this cloud.
    Aws(aws::Aws),
    /// Check that this machine has what is needed.
    Doctor,
    /// List what is enacted, what is recorded only and why, what is refused.
    Coverage(coverage::Coverage),
    /// Run the cloud's daemon, without an application.
    Start,
    /// Stop the daemon. The data stays; containers and databases go on and are found again.
    Stop,
    /// Remove everything of this home: applications, resources, data.
    Reset(reset::Reset),
    /// Make the daemon a systemd service, which is there again after a reboot.
    Service(service::Service),
    /// The cloud in the foreground; what `start` starts.
    #[command(hide = true)]
    Daemon {
        /// Write to the home's daemon.log instead of stderr.
        #[arg(long)]
        to_log: bool,
    },
}

impl Arguments {
    /// Whether the verb only passes on to a program of the user's.
    pub(crate) fn runs_another_program(&self) -> bool {
        matches!(self.verb, Verb::Aws(_))
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let home = Home::find()?;
    if let Verb::Daemon { to_log } = arguments.verb {
        return daemon::run(&home, to_log).map(|()| ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(dispatch(arguments, &home))
}

async fn dispatch(arguments: Arguments, home: &Home) -> Result<ExitCode> {
    let out = Output { json: arguments.json };
    match arguments.verb {
        Verb::Up(args) => return up::run(home, &out, &args).await,
        Verb::Down(args) => down::run(home, &out, &args).await?,
        Verb::Status(args) => status::run(home, &out, &args).await?,
        Verb::Logs(args) => logs::run(home, &out, &args).await?,
        Verb::Trail(args) => trail::run(home, &out, &args).await?,
        Verb::Open(args) => open::run(home, &out, &args)?,
        Verb::Sign(args) => sign::run(home, &out, &args).await?,
        Verb::Template(args) => template::run(&out, &args)?,
        Verb::Env => env::run(home, &out)?,
        Verb::Aws(args) => return aws::run(home, &args),
        Verb::Doctor => return doctor::run(&out),
        Verb::Coverage(args) => coverage::run(&out, &args)?,
        Verb::Start => start::run(home, &out).await?,
        Verb::Stop => stop::run(home, &out)?,
        Verb::Reset(args) => reset::run(home, &out, &args).await?,
        Verb::Service(args) => service::run(home, &out, &args).await?,
        Verb::Daemon { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}
