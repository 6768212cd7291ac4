//! `escale diff`: what the next `escale up` would change.

use super::{
    Given, Wanted, bases, deploy, images, parameters, site_url, sources,
    stack::{self, describe},
};
use crate::{
    cli::{
        Output,
        application::{LOCAL, manifest_path, read_manifest},
        changes::Changes,
        client::Client,
        remote::{self, On},
        up::Phases,
    },
    home::Home,
    lock,
    settings::Settings,
};
use anyhow::{Context, Result, bail};
use clap::Args;
use escale_blueprint::{Manifest, Template, registry_template, template};
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Diff {
    /// The folder of an escale.yaml, or the file itself.
    #[arg(default_value = ".")]
    manifest: PathBuf,
    /// Override one value of the manifest, as `escale up` does.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    on: On,
}

pub(crate) async fn run(home: &Home, out: &Output, diff: &Diff) -> Result<()> {
    if let Some(environment) = &diff.on.environment {
        let profile = diff.on.profile.as_deref();
        let env = remote::connect(&diff.manifest, environment, profile, &diff.set).await?;
        return deploy::diff(home, out, env).await;
    }
    let path = manifest_path(&diff.manifest)?;
    let manifest = read_manifest(&path, LOCAL, &diff.set)?;
    let folder = path.parent().context("a file has a folder")?;
    let wanted_template = template(&manifest).map_err(|p| anyhow::anyhow!("{}", p[0]))?;
    let _alone = lock::alone(home)?;
    let settings = Settings::of(home)?;
    let client = Client::new(home, &settings);
    let name = manifest.stack_name();
    if lock::running(home)?.is_none() {
        bail!(
            "the daemon does not run, so there is nothing to compare with. Run `escale start`, or `escale up` to deploy"
        );
    }
    if describe(&client, &name).await?.is_none() {
        bail!("{} is not deployed: `escale up` would create all of it", manifest.app);
    }
    let mut phases = Phases::new(out);
    // The images are built, because only their content says whether they differ. Nothing is pushed.
    let sources = sources::sources(folder, &wanted_template, &settings.config)?;
    let sources: Vec<_> = sources.iter().collect();
    let bases = bases::pull_all(home, &client, &settings, &sources, &mut phases).await?;
    phases.begin("build");
    let layouts = images::build_all(home, sources, &bases, &phases)?;
    phases.begin("compare");
    let references = images::references(&client, &wanted_template, &layouts).await?;
    let url = site_url(&manifest, &settings)?;
    let parameters = parameters(home, &name, &wanted_template, &references, &url)?;
    compare(&client, out, &manifest, &wanted_template, parameters, &mut phases).await
}

/// Makes the change sets of both stacks, shows them and discards them.
pub(super) async fn compare(
    client: &Client,
    out: &Output,
    manifest: &Manifest,
    template: &Template,
    parameters: Vec<Given>,
    phases: &mut Phases,
) -> Result<()> {
    let mut changes = Changes::default();
    let registry = registry_template(manifest).map(|t| (manifest.registry_stack_name(), t.to_json_min()));
    let stacks = registry.map(|(name, text)| (name, text, Vec::new()));
    for (name, text, parameters) in
        stacks.into_iter().chain([(manifest.stack_name(), template.to_json_min(), parameters)])
    {
        let wanted = Wanted { name: &name, template: &text, parameters, prefix: stack::RELEASE };
        if let Some(prepared) = stack::prepare(client, &wanted, phases).await? {
            prepared.discard(client).await?;
            changes.0.extend(prepared.changes.0);
        }
    }
    phases.end();
    let mut text = changes.lines(usize::MAX).join("\n");
    if !changes.is_empty() {
        text += "\n";
    }
    text += &format!("{}: {}", manifest.app, changes.summary());
    let losses = changes.losses(client).await?;
    for loss in &losses {
        text += &format!("\ndeletes data: {loss}");
    }
    out.say(&text, &json!({"app": manifest.app, "changes": changes.json(), "deletes": losses}));
    Ok(())
}
