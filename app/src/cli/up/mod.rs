//! `escale up`: from a manifest to a running application.
//!
//! It uses only the cloud's own API, like any client: CloudFormation for the stacks, ECR for the images, S3 for the static
//! files.

mod bases;
mod begun;
mod buckets;
mod deploy;
mod diff;
mod ecr;
mod events;
mod guard;
mod images;
mod kept;
mod keys;
mod named;
mod phases;
mod release;
mod removal;
mod sources;
mod stack;
mod static_files;
mod template_bucket;
mod watch;

use super::{
    Concluded, Output,
    application::{Application, LOCAL, manifest_path, read_manifest},
    ask::ask,
    changes::{Changes, Kind},
    client::{self, Client},
    doctor, history, start,
};
use crate::{home::Home, lock, settings::Settings};
use anyhow::{Context, Result, bail};
use bases::Bases;
use begun::Begun;
use clap::Args;
pub(crate) use deploy::{Deploy, run as deploy};
pub(crate) use diff::{Diff, run as diff};
use escale_blueprint::{Manifest, Purpose, Template, registry_template, template};
use escale_files::{FileError, Folder};
use escale_imagebuild::Layout;
pub(crate) use keys::private as private_key;
pub(crate) use phases::Phases;
use serde_json::json;
use sources::Source;
use stack::Deployment;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use watch::Watch;

#[derive(Args)]
pub(crate) struct Up {
    /// The folder of an escale.yaml, or the file itself.
    #[arg(default_value = ".")]
    manifest: PathBuf,
    /// Override one value of the manifest, as an environment can: `--set services.*.count=1`.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Do not ask for confirmation before data is deleted: a database, a bucket, a repository, a secret or a log group that is
    /// replaced or removed.
    #[arg(long)]
    yes: bool,
    /// After the deployment, watch the manifest, the folders of services with `build:` and those that buckets `sync`, and roll
    /// out what changes, until Ctrl-C.
    #[arg(long)]
    watch: bool,
}

pub(crate) use buckets::empty_buckets;
pub(crate) use release::{families, forget_retained};
pub(crate) use removal::{in_bucket, losses};
pub(crate) use stack::{Given, Prepared, RELEASE, Wanted, describe, prepare, remove};

/// The tasks are healthy when the stack is complete, so only the request path through the distribution is left to wait for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// The plan of an update shows so many lines; `escale diff` shows all.
const PLAN_LINES: usize = 16;

/// The exit code that shells use for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

pub(crate) async fn run(home: &Home, out: &Output, up: &Up) -> Result<ExitCode> {
    // Begun before the deployment, so that no change during it is missed.
    let watch = if up.watch { Some(Watch::begin(home, out, up)?) } else { None };
    let mut phases = Phases::new(out);
    let Some(deployed) = once(home, out, up, &mut phases).await? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    phases.end();
    let Deployed { app, stack, url, outputs, changes, existed } = deployed;
    let changed = if existed { format!(" ({})", changes.summary()) } else { String::new() };
    let endpoint = Settings::of(home)?.endpoint_url();
    let text = format!("\n{app} is running at {url}{changed}\nThe AWS API is at {endpoint}");
    let value = json!({
        "app": app, "stack": stack, "url": url, "endpoint": endpoint, "outputs": outputs, "changes": changes.json(),
        "seconds": phases.seconds(),
    });
    out.say(&text, &value);
    match watch {
        Some(watch) => watch.follow().await,
        None => Ok(ExitCode::SUCCESS),
    }
}

/// One deployment. `None` after Ctrl-C, which is reported.
async fn once(home: &Home, out: &Output, up: &Up, phases: &mut Phases) -> Result<Option<Deployed>> {
    let path = manifest_path(&up.manifest)?;
    let manifest = read_manifest(&path, LOCAL, &up.set)?;
    let folder = path.parent().context("a file has a folder")?;
    let template = template(&manifest).map_err(|p| anyhow::anyhow!("{}", p[0]))?;
    static_files::check(folder, &template)?;
    let engines: Vec<u32> = manifest.databases.iter().map(|d| d.engine.major()).collect();
    doctor::require(&engines)?;
    let config = Settings::of(home)?.config;
    named::check(&template, &config)?;
    let sources = sources::sources(folder, &template, &config)?;
    let (later, first): (Vec<_>, Vec<_>) = sources.iter().partition(|source| !source.own_bases.is_empty());

    let _alone = lock::alone(home)?;
    // Built before anything is started, so that a failed build leaves nothing behind.
    let settings = Settings::of(home)?;
    let bases = bases::pull_others(home, &settings, &sources.iter().collect::<Vec<_>>(), phases).await?;
    phases.begin("build");
    let layouts = images::build_all(home, first, &bases, phases)?;

    let daemon_is_ours = lock::running(home)?.is_none();
    let client = Client::new(home, &settings);
    let mut begun = None;
    let mut stopped = stop_signals()?;
    let work = Work {
        home,
        out,
        yes: up.yes,
        path: &path,
        folder,
        manifest: &manifest,
        template: &template,
        settings: &settings,
    };
    let done = tokio::select! {
        done = work.deploy(&client, layouts, (later, bases), &mut begun, phases) => done,
        () = any(&mut stopped) => {
            phases.hide();
            let error = begun::interrupted(home, begun.as_ref(), &client, &up.manifest).await;
            super::report(&error, out.json);
            return Ok(None);
        }
    };
    match (done, &begun) {
        (Ok(deployed), _) => Ok(Some(deployed)),
        // Nothing of the application was created yet. The usual cause is a missing secret or image, and the commands that
        // create it need the daemon, so the daemon keeps running.
        (Err(error), None) if daemon_is_ours && matches!(lock::running(home), Ok(Some(_))) => {
            Err(Concluded::of(error, "The daemon keeps running. Run `escale stop` to stop it.".to_owned()))
        }
        (Err(error), None) => Err(error),
        (Err(error), Some(begun)) => {
            let outcome = tokio::select! {
                outcome = begun.undo(home, &client, daemon_is_ours, phases) => outcome,
                () = any(&mut stopped) => {
                    format!(
                        "The rollback was interrupted. Run `escale down {}` to remove the resources that are left.",
                        manifest.app
                    )
                }
            };
            Err(Concluded::of(error, outcome))
        }
    }
}

fn stop_signals() -> Result<[Signal; 2]> {
    Ok([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?])
}

/// Waits for the first of these signals. A closed signal stream is the same as no signal.
async fn any([interrupt, terminate]: &mut [Signal; 2]) {
    tokio::select! {
        Some(()) = interrupt.recv() => {}
        Some(()) = terminate.recv() => {}
        else => std::future::pending().await,
    }
}

/// The inputs of an `up`.
struct Work<'a> {
    home: &'a Home,
    out: &'a Output,
    yes: bool,
    path: &'a Path,
    folder: &'a Path,
    manifest: &'a Manifest,
    template: &'a Template,
    settings: &'a Settings,
}

/// The result of an `up`.
struct Deployed {
    app: String,
    stack: String,
    url: String,
    outputs: BTreeMap<String, String>,
    changes: Changes,
    /// Whether it was deployed before.
    existed: bool,
}

impl Work<'_> {
    /// Does everything from the start of the daemon to the first answer of the application. `begun` is set before anything of
    /// the application is created, so that the caller can roll back if this fails or is dropped.
    async fn deploy(
        &self,
        client: &Client,
        mut layouts: BTreeMap<String, Layout>,
        (later, mut bases): (Vec<&Source<'_>>, Bases),
        begun: &mut Option<Begun>,
        phases: &mut Phases,
    ) -> Result<Deployed> {
        let Work { home, manifest, template, .. } = *self;
        phases.begin("daemon");
        start::ensure(home).await?;
        refuse_missing_secrets(client, template).await?;
        named::check_images(client, self.settings, template, &manifest.stack_name()).await?;

        // Images on top of the cloud's own images need the daemon. They are built before any resource of the application is
        // created, so that a failed build leaves none.
        if !later.is_empty() {
            phases.begin("base images");
            bases::pull_own(home, client, &later, &mut bases, phases).await?;
            phases.begin("build on bases");
            layouts.extend(images::build_all(home, later, &bases, phases)?);
        }
        if !bases.pulled.is_empty() {
            bases::forget_old(home)?;
        }

        phases.begin("push");
        let (name, registry_stack) = (manifest.stack_name(), manifest.registry_stack_name());
        let url = site_url(manifest, self.settings)?;
        let application = Application {
            app: manifest.app.clone(),
            stack: name.clone(),
            registry_stack: registry_stack.clone(),
            manifest: self.path.to_owned(),
            url: url.clone(),
        };
        *begun = Some(Begun::now(home, client, application).await?);
        if let Some(registry) = registry_template(manifest) {
            let text = registry.to_json_min();
            let wanted =
                Wanted { name: &registry_stack, template: &text, parameters: Vec::new(), prefix: RELEASE };
            let agree = async |changes: &Changes| self.agree(client, changes, phases).await;
            stack::deploy(client, &wanted, agree, phases).await?;
        }
        let references = images::push_all(client, &template.images, &layouts, phases).await?;

        phases.begin("stack");
        let parameters = parameters(home, &name, template, &references, &url)?;
        let text = template.to_json_min();
        let wanted = Wanted { name: &name, template: &text, parameters, prefix: RELEASE };
        let agree = async |changes: &Changes, phases: &Phases| self.agree(client, changes, phases).await;
        let Deployment { outputs, changes } =
            release::deploy(client, template, wanted, agree, phases).await?;
        if let Err(failure) = guard::checks_pass(client, &changes, phases).await {
            phases.begin("undo");
            let undone = history::undo(client, &name, phases).await;
            let outcome = match undone {
                Ok(()) => "The release was undone.".to_owned(),
                Err(error) => format!("The release could not be undone: {error:#}"),
            };
            return Err(failure.context(outcome));
        }

        phases.begin("static files");
        static_files::sync_all(client, self.folder, template, &outputs).await?;

        phases.begin("first answer");
        first_answer(&url).await?;
        let existed = begun.as_ref().is_some_and(Begun::existed);
        Ok(Deployed { app: manifest.app.clone(), stack: name, url, outputs, changes, existed })
    }

    /// Shows what an update changes, and asks before data is deleted.
    async fn agree(&self, client: &Client, changes: &Changes, phases: &Phases) -> Result<()> {
        // The first deployment creates everything: a list of it says nothing.
        if changes.0.iter().all(|change| change.kind == Kind::Create) {
            return Ok(());
        }
        for line in changes.lines(PLAN_LINES) {
            phases.line(&line);
        }
        let losses = changes.losses(client).await?;
        if self.yes || losses.is_empty() {
            return Ok(());
        }
        let app = &self.manifest.app;
        phases.pause(|| {
            ask(
                self.out,
                &format!("This update of {app} deletes data:"),
                &losses,
                &format!("{app} was not changed"),
            )
        })
    }
}

/// The application's URL for browsers on this machine.
fn site_url(manifest: &Manifest, settings: &Settings) -> Result<String> {
    let host = manifest.domain.as_ref().context("a manifest has a domain in the local environment")?;
    Ok(format!("http://{host}:{}", settings.config.web_port))
}

/// Refuses a deployment whose manifest names a secret that does not exist: only the user knows its value.
async fn refuse_missing_secrets(client: &Client, template: &Template) -> Result<()> {
    for name in &template.secrets {
        let found = client.json("secretsmanager", "DescribeSecret", json!({"SecretId": name})).await;
        match found {
            Err(error)
                if client::is_code(&error, "ResourceNotFoundException") && client.as_remote().is_some() =>
            {
                bail!(
                    "the secret {name}, which the manifest names, does not exist in this account and region. Create it: aws \
                 secretsmanager create-secret --name {name} --secret-string VALUE"
                )
            }
            Err(error) if client::is_code(&error, "ResourceNotFoundException") => bail!(
                "the secret {name}, which the manifest names, does not exist. Create it: escale secret set \
                 {name}"
            ),
            other => other?,
        };
    }
    Ok(())
}

fn parameters(
    home: &Home,
    stack: &str,
    template: &Template,
    images: &BTreeMap<String, String>,
    url: &str,
) -> Result<Vec<Given>> {
    let mut given = Vec::new();
    for parameter in &template.parameters {
        let value = match &parameter.purpose {
            Purpose::Environment => continue,
            Purpose::Runs { .. } => None,
            Purpose::Image { service } => images.get(service).cloned(),
            Purpose::SiteUrl => Some(url.to_owned()),
            Purpose::CdnPublicKey => Some(keys::pair(home, stack)?.public_pem),
            Purpose::CdnPrivateKey => Some(keys::pair(home, stack)?.private_pem),
            // Here the stack creates the zone, and the edge has a certificate of its own.
            Purpose::Certificate | Purpose::Zone => None,
        };
        let value = value.or_else(|| parameter.default.clone());
        let value =
            value.with_context(|| format!("the template's parameter {} has no value", parameter.name))?;
        given.push(Given::Value(parameter.name.clone(), value));
    }
    Ok(given)
}

/// Waits for the first successful response at the application's public URL.
#[allow(clippy::disallowed_methods)]
async fn first_answer(url: &str) -> Result<()> {
    let deadline = Instant::now() + ANSWERS_WITHIN;
    loop {
        let why = match client::get(&format!("{url}/")).await {
            Ok((status, _)) if status.is_success() => return Ok(()),
            Ok((status, _)) => format!("the response is {status}"),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() > deadline {
            bail!(
                "the stack is complete, but {url}/ gave no successful response within {} s: {why}. See `escale logs`",
                ANSWERS_WITHIN.as_secs()
            );
        }
        // Polls, because there is no notification for a change of the application's responses.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Opens a folder that the manifest names. A folder within the manifest's own folder is opened without following links out of
/// it. A folder outside (`../web`, `/srv/web`) must be named by the manifest itself.
fn named_folder(folder: &Path, named: &str) -> Result<Folder, FileError> {
    match within(named) {
        Some(path) => Folder::open(folder)?.folder(&path),
        None => Folder::open(&below(folder, named)),
    }
}

/// Normalizes `.` and `..`; `None` if the path is absolute or leaves the folder.
fn within(named: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in named.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!named.starts_with('/')).then(|| parts.join("/"))
}

/// Resolves a path of the manifest against the manifest's folder.
fn below(folder: &Path, named: &str) -> PathBuf {
    folder.join(named).components().collect()
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn within_accepts_only_paths_inside_the_folder() {
        for (named, expected) in [
            ("dist", Some("dist")),
            ("./web//dist/", Some("web/dist")),
            (".", Some("")),
            ("web/../dist", Some("dist")),
            ("../dist", None),
            ("web/../../dist", None),
            ("/srv/dist", None),
        ] {
            assert_eq!(within(named).as_deref(), expected, "{named}");
        }
    }
}
