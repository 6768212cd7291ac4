//! `escale drill`: breaks something below what plans can see while clients use the application, and measures what they notice.
//!
//! Faults act on processes and packets of network namespaces directly, as root; nothing is reported to the daemon. So everything that recovers the
//! application follows from health checks, replication and metrics. Start reading at [`run`].

mod bad_deploy;
mod chart;
mod egress;
pub(crate) mod fault;
mod guardian;
mod load;
mod report;
mod rows;
mod stage;
mod svg;
mod targets;
mod timeline;

use super::{Output, application::Application, client::Client, tunnel};
use crate::{cli::application::LOCAL, home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use std::{path::PathBuf, process::ExitCode};

#[derive(Args)]
pub(crate) struct Drill {
    /// What happens.
    #[arg(value_enum)]
    kind: Kind,
    /// The service, for `task` and `deploy-bad`. The default is the first one by name.
    #[arg(long)]
    service: Option<String>,
    /// The zone, for `az` and `nat`. The default for `az` is that of the database's primary.
    #[arg(long)]
    zone: Option<String>,
    /// How the database's primary fails, for `db`.
    #[arg(long, value_enum, default_value_t = Failure::Kill)]
    failure: Failure,
    /// What is wrong with the release, for `deploy-bad`.
    #[arg(long, value_enum, default_value_t = Defect::MissingImage)]
    defect: Defect,
    /// A path to request; may be repeated. The default is `/` and the health check paths of the services.
    #[arg(long)]
    path: Vec<String>,
    /// Requests per second, each with a new connection.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    rate: u32,
    /// How long the fault lasts at least, in seconds. It lasts until users are fine again, too.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    hold: u32,
    /// Exit with 1 if requests fail in more different seconds than this.
    #[arg(long, value_name = "SECONDS")]
    max_error_seconds: Option<usize>,
    /// Write a picture of requests and errors over time to this file.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// The environment of the manifest. Only the local one can be drilled.
    #[arg(long = "env", default_value = LOCAL)]
    environment: String,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// All processes of one task are killed.
    Task,
    /// Everything in one zone is cut off and frozen: tasks, a database server, a load balancer's node, a NAT gateway.
    Az,
    /// The primary of the database fails.
    Db,
    /// A NAT gateway is cut off.
    Nat,
    /// A deployment that cannot work. The circuit breaker must undo it.
    DeployBad,
    /// Ten times as many requests.
    Load,
}

impl Kind {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Failure {
    /// Its processes are killed.
    Kill,
    /// Its processes are stopped: connections stay open, and nothing answers.
    Freeze,
    /// Its packets are dropped.
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Defect {
    /// Its image does not exist.
    MissingImage,
    /// It starts, and each of its health checks fails.
    Unhealthy,
}

pub(crate) async fn run(home: &Home, out: &Output, drill: &Drill) -> Result<ExitCode> {
    if drill.environment != LOCAL {
        bail!(
            "a drill of the environment '{}' is not supported: it would need AWS Fault Injection Service. Drill the local \
             environment, without --env",
            drill.environment
        );
    }
    if !nix::unistd::Uid::effective().is_root() {
        bail!("a drill kills processes and drops packets, so it needs root. Run it with sudo");
    }
    if fault::lift_abandoned(home)? > 0 {
        eprintln!("The fault of a drill that was killed has been lifted.");
    }
    let application = Application::find(home, drill.app.as_deref())?;
    let settings = Settings::of(home)?;
    let client = Client::new(home, &settings);
    let database = tunnel::only_database(&client, &application).await?;
    if drill.kind == Kind::Db && database.is_none() {
        bail!("{} has no database", application.app);
    }
    let (api, talks) = (settings.config.api_address, !out.json);
    let stage = stage::Stage { home, drill, client, application, database, api, talks };
    // Ctrl-C lifts the fault like the end of any drill: the guardian sees it.
    let figures = tokio::select! {
        done = stage.play() => done?,
        _ = tokio::signal::ctrl_c() => bail!("the drill was interrupted. Its fault is lifted"),
    };
    if let Some(file) = &drill.svg {
        std::fs::write(file, svg::draw(&figures))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let failures = figures.failures(drill.max_error_seconds);
    out.say(&report::text(&figures, &failures), &report::json(&figures, &failures));
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
