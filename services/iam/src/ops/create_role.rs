//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>

use crate::{Error, policy::Document, shapes};
use escale_base::{Arn, Tag, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::iam::Role;

pub(crate) struct CreateRole;

#[derive(Wire)]
pub(crate) struct Input {
    role_name: String,
    assume_role_policy_document: String,
    path: Option<String>,
    description: Option<String>,
    max_session_duration: Option<i32>,
    permissions_boundary: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    role: shapes::RoleShape,
}

impl Operation for CreateRole {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![Arn::new("iam", "", &cx.config.account, format!("role/{}", input.role_name)).to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if cx.tx.has::<Role>(&input.role_name) {
            return Err(Error::Exists { kind: "Role", name: input.role_name });
        }
        Document::parse(&input.assume_role_policy_document).map_err(Error::MalformedPolicy)?;
        if let Some(boundary) = input.permissions_boundary {
            return Err(escale_base::AwsError::not_supported(format_args!("The PermissionsBoundary {boundary}")).into());
        }
        let role = Role {
            name: input.role_name,
            id: format!("AROA{}", ids::random_upper(17)),
            path: input.path.unwrap_or_else(|| "/".into()),
            description: input.description,
            trust: input.assume_role_policy_document,
            max_session_secs: input.max_session_duration.unwrap_or(3600),
            inline: Default::default(),
            attached: Vec::new(),
            permissions_boundary: None,
            tags: input.tags,
            created: cx.now,
        };
        let shape = shapes::role(&role, cx.config);
        cx.tx.put(role);
        Ok(Output { role: shape })
    }
}
