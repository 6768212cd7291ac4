//! `escale aws …`: the aws CLI with this cloud as its endpoint.

use super::env;
use crate::home::Home;
use anyhow::{Result, bail};
use clap::Args;
use std::process::{Command, ExitCode};

#[derive(Args)]
pub(crate) struct Aws {
    /// Arguments of the aws CLI.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(home: &Home, aws: &Aws) -> Result<ExitCode> {
    let mut command = Command::new("aws");
    command.args(&aws.arguments).envs(env::variables(home, true)?);
    // A profile or session token of the user's real AWS account must not be sent to this cloud.
    for name in env::UNSET {
        command.env_remove(name);
    }
    match command.status() {
        Ok(status) => Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!(
                "the aws CLI is not installed. Install it with `pip install awscli` or from your distribution, then run this \
                 command again"
            )
        }
        Err(error) => Err(error.into()),
    }
}
