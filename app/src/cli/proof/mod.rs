//! The verbs that prove what an architecture is: its diagram, its price, its review. All read the same graph, of a template or of what
//! runs.

mod cost;
mod diagram;
mod image;
pub(super) mod live;
mod probe;
mod report;
mod review;
mod why;

pub(crate) use cost::{Cost, run as cost};
pub(crate) use diagram::{Diagram, run as diagram};
pub(crate) use report::{ReportArgs, run as report};
pub(crate) use review::{Review, run as review};
pub(crate) use why::{Why, run as why};

use super::{
    application::LOCAL,
    client::Client,
    templates::{self, key_value},
};
use crate::{home::Home, settings::Settings};
use anyhow::{Result, bail};
use clap::Args;
use escale_proof::{
    graph::Architecture,
    survey::{Given, Setting, Survey},
};
use escale_service::Config;
use std::path::{Path, PathBuf};

/// What a verb reads.
#[derive(Args)]
pub(crate) struct Subject {
    /// A CloudFormation template, the folder of a synthesised CDK application with one stack, or the folder of an escale.yaml. With
    /// --live the name of an application or of a stack; the default is the application of this folder.
    #[arg(value_name = "TEMPLATE|FOLDER", default_value = ".")]
    path: PathBuf,
    /// Read what runs on this cloud instead of a template.
    #[arg(long)]
    live: bool,
    /// The environment of the manifest for which the template is made.
    #[arg(long, default_value = LOCAL, conflicts_with = "live")]
    environment: String,
    /// The region in which the template is deployed. The default is that of the manifest's environment, else that of this cloud.
    #[arg(long)]
    region: Option<String>,
    /// Values of parameters, as for `aws cloudformation deploy`; the others have their defaults.
    #[arg(long, value_name = "KEY=VALUE", num_args = 1.., value_parser = key_value, conflicts_with = "live")]
    parameter_overrides: Vec<(String, String)>,
}

/// What a verb has read.
pub(crate) struct Read {
    /// As the user would name it.
    source: String,
    survey: Survey,
    architecture: Architecture,
    /// The public addresses in the VPCs of a running stack.
    public_addresses: Vec<String>,
}

impl Subject {
    async fn read(&self, home: &Home) -> Result<Read> {
        if self.live {
            if self.region.is_some() {
                bail!(
                    "--region has no effect with --live: a running stack has the region of its cloud. Remove it"
                );
            }
            return live::read(home, self.name()).await;
        }
        let sources = templates::sources(&self.path, &self.environment)?;
        let [source] = sources.as_slice() else {
            let names: Vec<&str> = sources.iter().map(|source| source.file.as_str()).collect();
            bail!("{} has several templates. Name one of them: {}", self.path.display(), names.join(", "));
        };
        let declared = escale_cloudformation::check::parameters(&source.text);
        if let Some((key, _)) = self.parameter_overrides.iter().find(|(key, _)| !declared.contains(key)) {
            bail!("{} has no parameter {key}", source.file);
        }
        let settings = Settings::from_environment()?;
        let region = self.region.clone().or_else(|| source.region.clone()).unwrap_or(settings.config.region);
        let given = source.values.iter().chain(&self.parameter_overrides);
        let given: Given = given.map(|(key, value)| (key.as_str().into(), value.clone())).collect();
        let survey =
            survey(&source.text, &given, &region, &settings.config.account, &source.name, &source.file)?;
        let architecture = Architecture::of(&survey);
        Ok(Read { source: source.file.clone(), survey, architecture, public_addresses: Vec::new() })
    }

    /// The application or stack that --live names.
    fn name(&self) -> Option<&str> {
        if self.path == Path::new(".") { None } else { self.path.to_str() }
    }
}

fn survey(text: &str, given: &Given, region: &str, account: &str, stack: &str, file: &str) -> Result<Survey> {
    let setting = Setting {
        zones: Config::zones_of(region),
        region: region.to_owned(),
        account: account.to_owned(),
        stack: stack.to_owned(),
    };
    Survey::of_template(text, given, &setting).map_err(|error| {
        let place = error.at.map_or_else(String::new, |at| format!(":{}:{}", at.line, at.column));
        anyhow::anyhow!("{file}{place}: {error}. `escale check` reports all that is wrong with a template")
    })
}

/// A client of the running cloud.
fn client(home: &Home) -> Result<(Client, Settings)> {
    let settings = Settings::of(home)?;
    Ok((Client::new(home, &settings), settings))
}
