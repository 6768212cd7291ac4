//! The command line: one file per verb.

mod application;
mod ask;
mod aws;
mod backup;
mod changes;
mod check;
mod ci;
mod client;
mod completions;
mod coverage;
mod doctor;
mod down;
mod drill;
mod env;
mod exec;
mod history;
mod logs;
mod mailbox;
mod open;
mod output;
mod proof;
mod psql;
mod remote;
mod reset;
mod run;
mod scale;
mod secret;
mod service;
mod sign;
mod start;
mod status;
mod stop;
mod tasks;
mod template;
mod templates;
mod terminal;
mod trail;
mod trust;
mod tunnel;
mod up;
mod verify;

use crate::{daemon, home::Home, plane, settings};
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
pub(crate) use drill::fault::lift_abandoned;
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
    /// Run the application of a manifest: start the daemon if needed, build and push images, deploy, wait until it answers.
    Up(up::Up),
    /// Deploy an environment of a manifest on AWS: check account and region, push images, get a certificate, show the change set,
    /// execute it.
    Deploy(up::Deploy),
    /// Show what the next `escale up` would change, or with --environment the next `escale deploy`. Nothing is changed.
    Diff(up::Diff),
    /// List the releases of an application: each `escale up` that changed something, and each rollback.
    History(history::History),
    /// Return to an earlier release: its images, settings and resources. Data is never touched.
    Rollback(history::Rollback),
    /// Remove an application with all of its resources. A snapshot of its database is kept; its buckets are emptied after a
    /// confirmation.
    Down(down::Down),
    /// Show the running services, tasks, database and addresses.
    Status(status::Status),
    /// Print the logs of an application's tasks; with --environment those of the last hour.
    Logs(logs::Logs),
    /// Print the mail that SNS topics sent: subscriptions by email are local, and no mail leaves this machine.
    Mailbox(mailbox::Mailbox),
    /// Run a command or a shell in a running task of a service.
    Exec(exec::Exec),
    /// Run a one-off task with the task definition, network and roles of a service: print its logs, return its exit code. Ctrl-C
    /// stops it.
    Run(run::Run),
    /// Forward a port of this machine's loopback interface to the database or to a task of a service, until Ctrl-C.
    Tunnel(tunnel::Tunnel),
    /// Run psql on the application's database, as its master user.
    Psql(psql::Psql),
    /// Take a snapshot of the application's database, or list them.
    Snapshot(backup::Snapshot),
    /// Write the databases and buckets of an application into one file.
    Backup(backup::Backup),
    /// Return the data of an application to a file of `escale backup`, or its database to a snapshot or a time.
    Restore(backup::Restore),
    /// Break something on purpose while clients use the application, and measure what they notice: a task, the database, a zone, a
    /// NAT gateway, a deployment, the load. Exits with 1 if the application does not recover, or a row is lost.
    Drill(drill::Drill),
    /// Set or list the secrets of a manifest.
    Secret(secret::Secret),
    /// Change how many tasks of a service run, and wait until they do.
    Scale(scale::Scale),
    /// Print the recorded API calls: caller, source address, and the policy statement that denied the call. The last 48 MiB of
    /// calls and the last 16 MiB of denials are kept.
    Trail(trail::Trail),
    /// Open an application in the browser.
    Open(open::Open),
    /// Make this machine's browsers and programs trust the certificates of this installation. They are valid for names below
    /// `localhost` and in the account's public hosted zones only.
    Trust(trust::Trust),
    /// Print a signed URL for a private file.
    Sign(sign::Sign),
    /// Print the CloudFormation template of a manifest.
    Template(template::TemplateArgs),
    /// Check which resources and properties of a CloudFormation template or CDK application are enacted, recorded only or refused.
    /// Needs no daemon; exits with 1 if something is refused.
    Check(check::Check),
    /// Draw the architecture of a template or of a running application: as SVG, PNG, or Markdown with Mermaid.
    Diagram(proof::Diagram),
    /// Print the monthly price of a template or of a running application: each resource, what redundancy costs and buys, and cheaper
    /// variants. A price without a source is unknown.
    Cost(proof::Cost),
    /// Review a template or a running application by rules of the Well-Architected Framework, and compute which ports answer from
    /// the Internet; with --live also probe them, and exit with 1 if both differ.
    Review(proof::Review),
    /// Explain why a URL or a connection fails, hop by hop: what the APIs say, what packets do, the rule that is to blame and its line
    /// in the template. Exits with 1 if it found a fault.
    Why(proof::Why),
    /// Write a document about the architecture: the diagram, each component and why it is there, and the evidence, as one HTML file
    /// that prints on A4.
    Report(proof::ReportArgs),
    /// Check a deployed application from outside: headers, redirects, cache, signatures, zones, database. With --against, print how
    /// two deployments differ. Exits with 1 if something is not as the manifest expects.
    Verify(verify::Verify),
    /// Write a workflow for continuous deployment: pull requests run the application and its drills, a merge deploys it.
    Ci(ci::Ci),
    /// Print the environment variables that point the aws CLI and the SDKs at this cloud, with the root key: eval "$(escale
    /// env)".
    Env(env::Env),
    /// Run the aws CLI against this cloud.
    Aws(aws::Aws),
    /// Check that this machine meets the requirements.
    Doctor,
    /// List which operations and parameters are enacted, which are recorded only and why, and which are refused.
    Coverage(coverage::Coverage),
    /// Start the daemon without deploying an application.
    Start,
    /// Stop the daemon and the data plane. Data is kept; containers and databases keep running, and the next daemon adopts them.
    Stop,
    /// Delete this installation: all applications, resources and data.
    Reset(reset::Reset),
    /// Run the daemon as a systemd service, so that it starts again after a reboot.
    Service(service::Service),
    /// Print the completions of a shell: `source <(escale completions bash)`.
    Completions(completions::Completions),
    /// Write manual pages, completions and a systemd unit, for a package.
    #[command(hide = true)]
    Package(completions::Package),
    /// Run the cloud in the foreground; `start` runs this in the background.
    #[command(hide = true)]
    Daemon {
        /// Write to the home's daemon.log instead of stderr.
        #[arg(long)]
        to_log: bool,
    },
    /// Hold the fault of a drill until its lease ends. `drill` starts this.
    #[command(hide = true, name = GUARDIAN)]
    Guardian,
    /// Serve applications: load balancers, distributions, DNS. The daemon starts this.
    #[command(hide = true)]
    Plane {
        /// Be the worker of this number, instead of its supervisor.
        #[arg(long)]
        worker: Option<u32>,
    },
}

/// The hidden command of a fault's guardian.
pub(crate) const GUARDIAN: &str = "drill-guardian";

impl Arguments {
    /// Whether the verb only passes its arguments on to another program of the user.
    pub(crate) fn runs_another_program(&self) -> bool {
        matches!(self.verb, Verb::Aws(_) | Verb::Psql(_))
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let home = Home::find()?;
    if let Verb::Daemon { to_log } = arguments.verb {
        return daemon::run(&home, to_log).map(|()| ExitCode::SUCCESS);
    }
    if let Verb::Guardian = arguments.verb {
        return drill::fault::guard(&home).map(|()| ExitCode::SUCCESS);
    }
    if let Verb::Plane { worker } = arguments.verb {
        let ended = match worker {
            Some(starts) => plane::work(&home, starts),
            None => plane::supervise(),
        };
        return ended.map(|()| ExitCode::SUCCESS);
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
        Verb::Deploy(args) => return up::deploy(home, &out, &args).await,
        Verb::Diff(args) => up::diff(home, &out, &args).await?,
        Verb::History(args) => history::history(home, &out, &args).await?,
        Verb::Rollback(args) => history::rollback(home, &out, &args).await?,
        Verb::Down(args) => down::run(home, &out, &args).await?,
        Verb::Status(args) => status::run(home, &out, &args).await?,
        Verb::Logs(args) => logs::run(home, &out, &args).await?,
        Verb::Mailbox(args) => mailbox::run(home, &out, &args).await?,
        Verb::Exec(args) => return exec::run(home, &args).await,
        Verb::Run(args) => return run::run(home, &out, &args).await,
        Verb::Tunnel(args) => tunnel::run(home, &out, &args).await?,
        Verb::Psql(args) => return psql::run(home, &args).await,
        Verb::Snapshot(args) => backup::snapshot(home, &out, &args).await?,
        Verb::Backup(args) => backup::backup(home, &out, &args).await?,
        Verb::Restore(args) => backup::restore(home, &out, &args).await?,
        Verb::Drill(args) => return drill::run(home, &out, &args).await,
        Verb::Secret(args) => secret::run(home, &out, &args).await?,
        Verb::Scale(args) => scale::run(home, &out, &args).await?,
        Verb::Trail(args) => trail::run(home, &out, &args).await?,
        Verb::Open(args) => open::run(home, &out, &args)?,
        Verb::Trust(args) => trust::run(home, &out, &args).await?,
        Verb::Sign(args) => sign::run(home, &out, &args).await?,
        Verb::Template(args) => template::run(&out, &args)?,
        Verb::Check(args) => return check::run(&out, &args),
        Verb::Report(args) => proof::report(home, &out, &args).await?,
        Verb::Review(args) => return proof::review(home, &out, &args).await,
        Verb::Why(args) => return proof::why(home, &out, &args).await,
        Verb::Cost(args) => proof::cost(home, &out, &args).await?,
        Verb::Diagram(args) => proof::diagram(home, &out, &args).await?,
        Verb::Verify(args) => return verify::run(home, &out, &args).await,
        Verb::Ci(args) => ci::run(&out, &args)?,
        Verb::Env(env) => env::run(home, &out, &env)?,
        Verb::Aws(args) => return aws::run(home, &args),
        Verb::Doctor => return doctor::run(&out).await,
        Verb::Coverage(args) => coverage::run(&out, &args)?,
        Verb::Start => start::run(home, &out).await?,
        Verb::Stop => stop::run(home, &out).await?,
        Verb::Reset(args) => reset::run(home, &out, &args).await?,
        Verb::Service(args) => service::run(home, &out, &args).await?,
        Verb::Completions(args) => completions::run(&args),
        Verb::Package(args) => completions::package(&args)?,
        Verb::Daemon { .. } | Verb::Plane { .. } | Verb::Guardian => {}
    }
    Ok(ExitCode::SUCCESS)
}
