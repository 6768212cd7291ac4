//! `escale why`: why a URL or a connection fails, hop by hop: what the APIs say, what packets do, and the rule that is to blame.

mod balancer;
mod blame;
mod edge;
mod names;
mod probes;
mod tasks;
mod vpc;

use super::{
    super::{
        Output,
        application::{Application, LOCAL},
        client::Client,
        templates,
    },
    client, survey,
};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::Args;
use escale_base::Clock;
use escale_proof::{
    survey::{Given, Survey},
    why::{Cause, Deployed, Explained, Finding, Hop, Kind, Place, Probe, State, Step, conclude},
};
use escale_wire::Element;
use probes::Prober;
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, time::Duration};
use vpc::Vpc;

/// How often a path is walked if APIs and packets disagree, and the pause in between: a change takes effect a moment after its
/// request is answered.
const WALKS: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// A walk that waited for silence has waited for changes, too: it is not repeated if the answer would take longer than this.
const REPEATS_WITHIN_MS: i64 = 4500;

#[derive(Args)]
#[command(group(clap::ArgGroup::new("subject").required(true).args(["url", "from"])))]
pub(crate) struct Why {
    /// A URL of an application on this cloud. Signed URLs must be quoted.
    url: Option<String>,
    /// Explain a connection from the tasks of this service instead.
    #[arg(long, value_name = "SERVICE", requires = "to")]
    from: Option<String>,
    /// The other end: `db` or a database's identifier, a service with a port if need be, or host:port.
    #[arg(long, value_name = "db|HOST:PORT|SERVICE", requires = "from")]
    to: Option<String>,
    /// The application or stack. The default is the application of this folder, or the only one.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The template whose lines are named: a file, or the folder of an escale.yaml. The default is the manifest of the application,
    /// else the template that was deployed.
    #[arg(long, value_name = "TEMPLATE|FOLDER")]
    template: Option<PathBuf>,
    /// The environment of the manifest. Only `local` runs on this cloud.
    #[arg(long, default_value = LOCAL)]
    environment: String,
}

/// A walk along a path: the facts it has read, and its hops so far.
struct Walk<'a> {
    home: &'a Home,
    client: Client,
    settings: Settings,
    deployed: &'a Deployed,
    prober: Prober,
    vpcs: BTreeMap<String, Vpc>,
    hops: Vec<Hop>,
}

pub(crate) async fn run(home: &Home, out: &Output, args: &Why) -> Result<ExitCode> {
    if args.environment != LOCAL {
        bail!(
            "`escale why` of the environment '{}' is not supported: it explains what runs on this cloud, which is the environment \
             '{LOCAL}'. Remove --environment",
            args.environment
        );
    }
    let deployed = deployed(home, args).await?;
    let begun = Clock::machine().now();
    let mut walked = walk(home, args, &deployed).await?;
    let longest_ms = Clock::machine().now().since_ms(begun);
    for _ in 1..WALKS {
        let elapsed_ms = Clock::machine().now().since_ms(begun);
        let is_late = elapsed_ms + longest_ms > REPEATS_WITHIN_MS;
        if is_late || walked.1.iter().all(|finding| finding.kind == Kind::Fault) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        walked = walk(home, args, &deployed).await?;
    }
    let (hops, findings, can_probe) = walked;
    let subject = args.url.clone().unwrap_or_else(|| {
        format!("{} to {}", args.from.as_deref().unwrap_or_default(), args.to.as_deref().unwrap_or_default())
    });
    out.say(
        &in_words(&subject, &hops, &findings, can_probe),
        &as_json(&subject, &hops, &findings, can_probe),
    );
    let is_known = hops.iter().all(|hop| hop.state() != State::Unknown);
    Ok(if findings.is_empty() && is_known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn walk(home: &Home, args: &Why, deployed: &Deployed) -> Result<(Vec<Hop>, Vec<Finding>, bool)> {
    let (client, settings) = client(home)?;
    let prober = Prober::new(home);
    let mut walk = Walk { home, client, settings, deployed, prober, vpcs: BTreeMap::new(), hops: Vec::new() };
    match (&args.url, &args.from, &args.to) {
        (Some(url), ..) => walk.url(url).await?,
        (None, Some(from), Some(to)) => walk.connection(from, to).await?,
        (None, ..) => bail!("name a URL, or --from and --to"),
    }
    let findings = conclude(&walk.hops);
    Ok((walk.hops, findings, walk.prober.is_able()))
}

impl Walk<'_> {
    fn push(
        &mut self,
        step: Step,
        what: impl Into<String>,
        resource: Place,
        explained: Explained,
        probed: Option<Probe>,
    ) {
        self.hops.push(Hop { step, what: what.into(), resource, explained, probed });
    }

    /// What the caller may not read is not known, and never taken for working.
    fn push_unread(&mut self, step: Step, what: impl Into<String>, id: &str, error: &anyhow::Error) {
        self.push(
            step,
            what,
            self.deployed.place(id),
            Explained::Unknown(format!("cannot be read: {error:#}")),
            None,
        );
    }

    async fn vpc(&mut self, id: &str) -> Result<&Vpc> {
        if !self.vpcs.contains_key(id) {
            let read = Vpc::read(&self.client, id).await?;
            self.vpcs.insert(id.to_owned(), read);
        }
        self.vpcs.get(id).context("the VPC was just read")
    }

    /// The items of a list of the REST APIs.
    async fn get(&self, service: &str, path: &str) -> Result<Element> {
        let answer = self.client.rest(service, http::Method::GET, path, &[], bytes::Bytes::new()).await?;
        Element::parse(&answer.body).with_context(|| format!("the response to {path} is not XML"))
    }
}

fn failed(rule: impl Into<String>, resource: Place, fix: impl Into<String>) -> Explained {
    Explained::Failed(Cause { rule: rule.into(), resource, fix: fix.into() })
}

/// The stack with its template: that of the manifest for an application, because `escale up` sends it as one line.
async fn deployed(home: &Home, args: &Why) -> Result<Deployed> {
    let application = Application::find(home, args.app.as_deref());
    let stack = match (&application, &args.app) {
        (Ok(application), _) => application.stack.clone(),
        (Err(_), Some(name)) => name.clone(),
        (Err(error), None) => bail!("{error:#}; or name a stack with --app"),
    };
    let (client, settings) = client(home)?;
    let by_name = [("StackName".to_owned(), stack.clone())];
    let found = client.query("cloudformation", "DescribeStacks", &by_name).await;
    let found = found.with_context(|| format!("the stack {stack} cannot be read"))?;
    let parameters = found.list("Stacks").first().map(|s| s.list("Parameters").to_vec()).unwrap_or_default();
    let given: Given = parameters
        .iter()
        .map(|p| (p.text_of("ParameterKey").into(), p.text_of("ParameterValue").to_owned()))
        .collect();
    let physical = super::live::physical_ids(&client, &stack).await?;
    let config = &settings.config;
    let read = |text: &str, file: &str| survey(text, &given, &config.region, &config.account, &stack, file);
    let manifest = application.as_ref().ok().map(|a| a.manifest.parent().unwrap_or(&a.manifest).to_owned());
    let (file, survey): (String, Survey) = match (&args.template, manifest) {
        (Some(path), _) => of_path(path, &read)?,
        // The manifest may have moved since.
        (None, Some(path)) if path.exists() => of_path(&path, &read)?,
        (None, _) => {
            let template = client.query("cloudformation", "GetTemplate", &by_name).await?;
            let file = format!("template of {stack}");
            let survey = read(template.text_of("TemplateBody"), &file)?;
            (file, survey)
        }
    };
    Ok(Deployed { file, survey, physical })
}

fn of_path(path: &std::path::Path, read: &impl Fn(&str, &str) -> Result<Survey>) -> Result<(String, Survey)> {
    let sources = templates::sources(path, LOCAL)?;
    let [source] = sources.as_slice() else {
        bail!("{} has several templates. Name one of them with --template", path.display());
    };
    Ok((source.file.clone(), read(&source.text, &source.file)?))
}

fn as_json(subject: &str, hops: &[Hop], findings: &[Finding], can_probe: bool) -> Value {
    let hop = |hop: &Hop| json!({"hop": hop.step, "what": hop.what, "state": hop.state(), "explanation": hop.explanation(), "probe": hop.probed});
    let finding = |f: &Finding| {
        json!({
            "hop": f.step, "what": f.what, "kind": f.kind, "because": f.rule, "fix": f.fix, "resource": f.resource,
        })
    };
    json!({
        "subject": subject, "probed": can_probe, "hops": hops.iter().map(hop).collect::<Vec<_>>(),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn in_words(subject: &str, hops: &[Hop], findings: &[Finding], can_probe: bool) -> String {
    let mut lines = vec![subject.to_owned()];
    for hop in hops {
        let state = match hop.state() {
            State::Ok => "ok     ",
            State::Failed => "FAILED ",
            State::Unknown => "unknown",
        };
        let probe = match &hop.probed {
            Some(probe) => format!("probe: {}, {} ms", probe.what, probe.ms),
            None => "not probed".to_owned(),
        };
        lines.push(format!(
            "  {state} {:<14} {}: {} ({probe})",
            hop.step.name(),
            hop.what,
            hop.explanation()
        ));
    }
    for finding in findings {
        let kind = match finding.kind {
            Kind::Fault => "Because",
            Kind::Disagreement => "Because explanation and packets DISAGREE",
        };
        lines.push(format!("{kind}: {} at {}: {}", finding.step.name(), finding.what, finding.rule));
        lines.push(format!("  resource: {}", finding.resource.shown()));
        lines.push(format!("  fix: {}", finding.fix));
    }
    if findings.is_empty() {
        let unknown = hops.iter().any(|hop| hop.state() == State::Unknown);
        lines.push(
            if unknown { "No fault found, but some hops are not known." } else { "No fault found." }
                .to_owned(),
        );
    }
    if !can_probe {
        lines.push("Namespaces were not probed, which needs root: run this command with sudo.".to_owned());
    }
    lines.join("\n")
}
