//! The identity with which a stack acts: its caller's, or a role that CloudFormation assumes.

use crate::{Error, begin};
use escale_base::AwsError;
use escale_requests::sts::AssumeRole;
use escale_service::{Cx, Principal};
use escale_tables::cloudformation::{ServiceRoleArn, Stack};

/// CloudFormation as a service, which a role's trust policy names.
const SERVICE: &str = "cloudformation.amazonaws.com";

/// The session's name in ARNs of the assumed role.
const SESSION: &str = "AWSCloudFormation";

/// The shortest session: its credentials are not used, only its identity.
const SECONDS: i64 = 900;

/// Sets the stack's identity for the operation that its caller starts. A role stays with the stack, so that later operations use
/// it, too: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html>
pub(crate) fn act(cx: &mut Cx<'_>, stack: &mut Stack, given: Option<ServiceRoleArn>) -> Result<(), Error> {
    // Only a role that the stack does not have yet is passed.
    if given.is_some() && stack.role != given {
        pass(cx, given.as_ref())?;
    }
    act_as_passed(cx, stack, given)
}

/// Checks that the caller may pass the role to CloudFormation.
pub(crate) fn pass(cx: &Cx<'_>, given: Option<&ServiceRoleArn>) -> Result<(), Error> {
    match given {
        Some(role) => Ok(cx.pass_role(role, SERVICE)?),
        None => Ok(()),
    }
}

/// As [`act`], with a role that was passed before, when a change set was created.
pub(crate) fn act_as_passed(
    cx: &mut Cx<'_>,
    stack: &mut Stack,
    given: Option<ServiceRoleArn>,
) -> Result<(), Error> {
    stack.role = given.or_else(|| stack.role.take());
    stack.principal = match &stack.role {
        None => begin::principal(cx.caller),
        Some(role) => begin::stored(&assumed(cx, role)?),
    };
    Ok(())
}

/// The role's session. Fails if the role does not exist or does not trust CloudFormation.
fn assumed(cx: &mut Cx<'_>, role: &ServiceRoleArn) -> Result<Principal, Error> {
    let unusable = || Error::invalid(format!("Role {role} is invalid or cannot be assumed"));
    let request = AssumeRole {
        role_arn: role.to_string(),
        role_session_name: SESSION.to_owned(),
        duration_seconds: SECONDS,
    };
    let answer = cx.call_as(SERVICE, request).map_err(|error| match error.status {
        500.. => Error::Aws(error),
        _ => unusable(),
    })?;
    let (role_id, session) =
        answer.assumed_role_user.assumed_role_id.split_once(':').ok_or_else(AwsError::internal)?;
    let name = role.rsplit('/').next().unwrap_or_default();
    Ok(Principal::Role { name: name.to_owned(), session: session.to_owned(), role_id: role_id.to_owned() })
}
