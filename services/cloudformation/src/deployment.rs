//! `DeploymentConfig`, which selects the deployment mode of an operation on a stack.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeploymentConfig.html>

use crate::{Error, choices::DeploymentConfigMode};
use escale_base::{AwsError, Wire};

#[derive(Wire)]
pub(crate) struct DeploymentConfig {
    mode: Option<DeploymentConfigMode>,
    disable_rollback: Option<bool>,
}

/// Refuses every configuration but the default: an operation ends when the resources are ready, and a failure is rolled back.
pub(crate) fn check(config: Option<&DeploymentConfig>) -> Result<(), Error> {
    let Some(config) = config else { return Ok(()) };
    if let Some(mode) = config.mode.filter(|mode| *mode != DeploymentConfigMode::Standard) {
        return Err(AwsError::not_supported(format_args!("The deployment mode {mode}"))
            .hint("Use STANDARD.")
            .into());
    }
    if config.disable_rollback == Some(true) {
        return Err(AwsError::not_supported("The member DisableRollback of DeploymentConfig")
            .hint("Use the parameter DisableRollback of CreateStack, UpdateStack or ExecuteChangeSet.")
            .into());
    }
    Ok(())
}
