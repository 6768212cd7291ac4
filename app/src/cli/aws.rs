//! `escale aws …`: the aws CLI with this cloud as its endpoint.

use crate::{home::Home, settings::Settings};
use anyhow::{Result, bail};
use clap::Args;
use std::process::{Command, ExitCode};

#[derive(Args)]
pub(crate) struct Aws {
    /// What the aws CLI gets.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(home: &Home, aws: &Aws) -> Result<ExitCode> {
    let settings = Settings::of(home)?;
    let mut command = Command::new("aws");
    command
        .args(&aws.arguments)
        .env("AWS_ENDPOINT_URL", settings.endpoint_url())
        .env("AWS_ACCESS_KEY_ID", &settings.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &settings.secret_key)
        .env("AWS_DEFAULT_REGION", &settings.config.region)
        .env("AWS_REGION", &settings.config.region)
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
    match command.status() {
        Ok(status) => Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("the aws CLI is not installed; `pip install awscli` or your distribution has it")
        }
        Err(error) => Err(error.into()),
    }
}
