//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
//!
//! Unlike on AWS, the account's root key may assume a role whose trust policy names the account, because most users have only
//! this key.

use crate::{
    Error, role_name,
    session::{self, Credentials},
};
use escale_base::{Arn, Wire};
use escale_policy::{Context, Document, Kind, Question, Who, trusts};
use escale_service::{Cx, Operation, Principal};
use escale_tables::iam::{Role, RoleSessionName, SessionOf, User};

pub(crate) struct AssumeRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_arn: String,
    role_session_name: RoleSessionName,
    duration_seconds: Option<i64>,
    external_id: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    credentials: Credentials,
    assumed_role_user: AssumedRoleUser,
}

#[derive(Wire)]
pub(crate) struct AssumedRoleUser {
    assumed_role_id: String,
    arn: String,
}

/// AWS's default and limits. The maximum is the role's `MaxSessionDuration`, but one hour if a role assumes another role.
const DEFAULT_SECS: i64 = 3600;
const MIN_SECS: i64 = 900;
const CHAINED_SECS: i64 = 3600;

impl Operation for AssumeRole {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.role_arn.clone()]
    }

    fn keys(input: &Input) -> Vec<(&'static str, String)> {
        given(input)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let arn: Arn = input
            .role_arn
            .parse()
            .map_err(|_| Error::Validation(format!("{} is invalid", input.role_arn)))?;
        let refused = || Error::NotTrusted {
            caller: cx.caller.principal.arn(&cx.config.account),
            role: input.role_arn.clone(),
        };
        // As on AWS, the error for a missing role is the same, so that callers cannot find out which roles exist.
        let role = cx.tx.get::<Role>(role_name(&arn)).ok_or_else(refused)?;
        let arn_of_role = Arn::new("iam", "", &cx.config.account, format!("role{}{}", role.path, role.name));
        let trust = Document::parse(&role.trust, Kind::Trust).map_err(|_| refused())?;
        let context = context(cx, &input);
        let question = Question { context: &context, action: "sts:AssumeRole", resource: &input.role_arn };
        // The role was found by its name alone, so the path and the account of the request must match, too.
        if arn_of_role != arn || !trusts(&question, &trust) {
            return Err(refused());
        }
        let secs = duration(cx, &input, &role)?;
        let session = input.role_session_name;
        let assumed_role_user = AssumedRoleUser {
            assumed_role_id: format!("{}:{session}", role.id),
            arn: format!("arn:aws:sts::{}:assumed-role/{}/{session}", cx.config.account, role.name),
        };
        let of = SessionOf::Role { name: role.name.clone(), id: role.id.clone(), session };
        Ok(Output { credentials: session::issue(cx, of, secs), assumed_role_user })
    }
}

fn duration(cx: &Cx<'_>, input: &Input, role: &Role) -> Result<i64, Error> {
    let secs = input.duration_seconds.unwrap_or(DEFAULT_SECS);
    if secs < MIN_SECS {
        return Err(Error::Validation(format!(
            "1 validation error detected: Value '{secs}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to {MIN_SECS}"
        )));
    }
    if secs > i64::from(role.max_session_secs) {
        return Err(Error::Validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".to_owned(),
        ));
    }
    if matches!(cx.caller.principal, Principal::Role { .. }) && secs > CHAINED_SECS {
        return Err(Error::Validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
                .to_owned(),
        ));
    }
    Ok(secs)
}

/// The condition keys of this request.
fn given(input: &Input) -> Vec<(&'static str, String)> {
    let mut given = vec![("sts:rolesessionname", input.role_session_name.to_string())];
    given.extend(input.external_id.clone().map(|id| ("sts:externalid", id)));
    given
}

/// The context in which the trust policy is evaluated.
fn context(cx: &Cx<'_>, input: &Input) -> Context {
    let account = cx.config.account.as_str();
    let (who, tags) = match &cx.caller.principal {
        Principal::Root => (Who::Account, Vec::new()),
        Principal::User { name } => match cx.tx.get::<User>(name) {
            Some(user) => (Who::user(account, &user.path, name, &user.id), user.tags.clone()),
            None => (Who::Anonymous, Vec::new()),
        },
        Principal::Role { name, session, role_id } => match cx.tx.get::<Role>(name) {
            Some(role) => (Who::role(account, &role.path, name, role_id, session), role.tags.clone()),
            None => (Who::Anonymous, Vec::new()),
        },
        Principal::Service(name) => (Who::Service { name: name.clone(), source_arn: None }, Vec::new()),
        Principal::OnBehalf { service, source_arn } => {
            (Who::Service { name: service.clone(), source_arn: Some(source_arn.clone()) }, Vec::new())
        }
        Principal::Foreign { arn, canonical_id } => {
            (Who::Foreign { arn: arn.clone(), canonical_id: canonical_id.clone() }, Vec::new())
        }
        Principal::Anonymous => (Who::Anonymous, Vec::new()),
    };
    Context {
        who,
        tags,
        account: account.to_owned(),
        region: cx.config.region.clone(),
        now: cx.now,
        source_ip: cx.caller.source.ip(),
        secure_transport: Some(cx.caller.source.is_secure()),
        given: given(input),
    }
}
