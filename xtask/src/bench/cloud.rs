//! An installation of the release build, for one measurement.

use super::{finished, free_port};
use crate::{run::root, test};
use anyhow::Result;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A separate installation, beside any other on the machine.
pub(super) struct Cloud {
    pub(super) home: PathBuf,
    pub(super) endpoint: String,
    web: u16,
    dns: u16,
}

impl Cloud {
    pub(super) fn new() -> Result<Cloud> {
        let home = PathBuf::from(format!("/var/tmp/escale-bench-{}", std::process::id()));
        Ok(Cloud {
            home,
            endpoint: format!("127.0.0.1:{}", free_port()?),
            web: free_port()?,
            dns: free_port()?,
        })
    }

    /// Empty, and open to the user that databases run as.
    pub(super) fn make_home(&self) -> Result<()> {
        fs::create_dir_all(&self.home)?;
        Ok(fs::set_permissions(&self.home, fs::Permissions::from_mode(0o755))?)
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(root())
            .env("ESCALE_HOME", &self.home)
            .env("ESCALE_ENDPOINT", &self.endpoint)
            .env("ESCALE_WEB_PORT", self.web.to_string())
            .env("ESCALE_DNS_PORT", self.dns.to_string())
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.endpoint))
            // A fixed key, because moto's server must accept the same one.
            .envs([("ESCALE_ACCESS_KEY", "test"), ("ESCALE_SECRET_KEY", "test")])
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .env("AWS_DEFAULT_REGION", "eu-west-3");
        command
    }

    pub(super) fn escale(&self, arguments: &[&str]) -> Result<Output> {
        let program = test::target().join("release/escale");
        finished(self.command(&program).args(arguments))
    }
}
