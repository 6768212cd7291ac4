//! `escale template`: the CloudFormation template that a manifest becomes, for any environment.

use super::{
    Output,
    application::{LOCAL, manifest_path, read_manifest},
};
use anyhow::Result;
use clap::Args;
use escale_blueprint::{registry_template, template};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct TemplateArgs {
    /// The folder of an escale.yaml, or the file itself.
    #[arg(default_value = ".")]
    manifest: PathBuf,
    /// The environment whose template it is.
    #[arg(long, default_value = LOCAL)]
    environment: String,
    /// Change one value of the manifest, as an environment would: `--set services.*.count=1`.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The small template of the image repositories, which is deployed first.
    #[arg(long)]
    registry: bool,
}

pub(crate) fn run(out: &Output, args: &TemplateArgs) -> Result<()> {
    let manifest = read_manifest(&manifest_path(&args.manifest)?, &args.environment, &args.set)?;
    let made = match args.registry {
        true => registry_template(&manifest).ok_or_else(|| {
            anyhow::anyhow!("{} builds no images, so it needs no repositories", manifest.app)
        })?,
        false => template(&manifest).map_err(|p| anyhow::anyhow!("{}", p[0]))?,
    };
    match out.json {
        true => println!("{}", made.to_json_min()),
        false => print!("{}", made.to_yaml()),
    }
    Ok(())
}
