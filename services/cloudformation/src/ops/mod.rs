//! The operations of CloudFormation that read no template from S3, one per line.

escale_service::operations! { "cloudformation";
    CancelUpdateStack => cancel_update_stack,
    ContinueUpdateRollback => continue_update_rollback,
    DeleteChangeSet => delete_change_set,
    DeleteStack => delete_stack,
    DescribeAccountLimits => describe_account_limits,
    DescribeChangeSet => describe_change_set,
    DescribeStackDriftDetectionStatus => describe_stack_drift_detection_status,
    DescribeStackEvents => describe_stack_events,
    DescribeStackResource => describe_stack_resource,
    DescribeStackResourceDrifts => describe_stack_resource_drifts,
    DescribeStackResources => describe_stack_resources,
    DescribeStacks => describe_stacks,
    DetectStackDrift => detect_stack_drift,
    DetectStackResourceDrift => detect_stack_resource_drift,
    ExecuteChangeSet => execute_change_set,
    GetTemplate => get_template,
    ListChangeSets => list_change_sets,
    ListExports => list_exports,
    ListImports => list_imports,
    ListStackResources => list_stack_resources,
    ListStacks => list_stacks,
    RollbackStack => rollback_stack,
    UpdateTerminationProtection => update_termination_protection,
}

use escale_service::Cx;

/// For lists of one page: they return no token, so any token is wrong.
fn only_page(token: Option<&str>) -> Result<(), crate::Error> {
    match token {
        None => Ok(()),
        Some(token) => {
            Err(crate::Error::invalid(format!("'{token}' is not a pagination token of this list")))
        }
    }
}

/// The stack's ARN for authorization. A stack given by name matches with any uuid.
fn stack_arns(cx: &Cx<'_>, named: &str) -> Vec<String> {
    if named.starts_with("arn:") {
        return vec![named.to_owned()];
    }
    vec![cx.arn("cloudformation", format!("stack/{named}/*")).to_string()]
}
