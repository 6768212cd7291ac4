//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>

use crate::{Error, entity, shapes};
use escale_base::{AwsError, Tag, Wire, ids};
use escale_policy::{Document, Kind};
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, RoleId, RoleName};

pub(crate) struct CreateRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: RoleName,
    assume_role_policy_document: String,
    path: Option<String>,
    description: Option<String>,
    max_session_duration: Option<i32>,
    permissions_boundary: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) role: shapes::RoleShape,
}

impl Operation for CreateRole {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let path = input.path.as_deref().unwrap_or("/");
        vec![format!("arn:aws:iam::{}:role{path}{}", cx.config.account, input.role_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        entity::must_be_new::<Role>(cx.tx, &input.role_name)?;
        check_trust(&input.assume_role_policy_document)?;
        if let Some(boundary) = input.permissions_boundary {
            return Err(AwsError::not_supported(format_args!("The permissions boundary {boundary}")).into());
        }
        let mut tags = Vec::new();
        entity::add_tags(&mut tags, input.tags)?;
        let role = Role {
            name: input.role_name,
            id: RoleId(format!("AROA{}", ids::random_upper(17))),
            path: entity::path(input.path)?,
            description: input.description,
            trust: input.assume_role_policy_document,
            max_session_secs: session_secs(input.max_session_duration)?,
            inline: Default::default(),
            attached: Vec::new(),
            permissions_boundary: None,
            tags,
            created: cx.now,
        };
        let shape = shapes::role(&role, cx.config);
        cx.tx.put(role);
        Ok(Output { role: shape })
    }
}

/// AWS's default quota on the size of a trust policy, in characters.
const TRUST_MAX: usize = 2048;

pub(crate) fn check_trust(document: &str) -> Result<(), Error> {
    Document::parse(document, Kind::Trust).map_err(Error::MalformedPolicy)?;
    // As on AWS, white space does not count.
    if document.chars().filter(|c| !c.is_whitespace()).count() > TRUST_MAX {
        Err(Error::Quota { quota: "ACLSizePerRole", limit: TRUST_MAX })
    } else {
        Ok(())
    }
}

/// The default length of a session.
pub(crate) const SESSION_SECS: i32 = 3600;

/// AWS's limits on the sessions of a role: one hour by default, twelve hours at most.
pub(crate) fn session_secs(requested: Option<i32>) -> Result<i32, Error> {
    let secs = requested.unwrap_or(SESSION_SECS);
    if (3600..=43_200).contains(&secs) {
        Ok(secs)
    } else {
        Err(Error::Validation(format!("MaxSessionDuration {secs} must be between 3600 and 43200")))
    }
}
