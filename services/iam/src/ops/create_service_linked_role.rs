//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceLinkedRole.html>

use crate::{Error, entity, shapes};
use escale_base::{AwsError, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::iam::{IamPath, Role, RoleId};
use serde_json::json;

pub(crate) struct CreateServiceLinkedRole;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("AWSServiceName")]
    service: String,
    description: Option<String>,
    custom_suffix: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    role: shapes::RoleShape,
}

/// The services and AWS's names of their roles.
const NAMES: &[(&str, &str)] = &[
    ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
    ("ecs.amazonaws.com", "AWSServiceRoleForECS"),
    ("ecs.application-autoscaling.amazonaws.com", "AWSServiceRoleForApplicationAutoScaling_ECSService"),
    ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"),
    ("rds.amazonaws.com", "AWSServiceRoleForRDS"),
];

impl Operation for CreateServiceLinkedRole {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let prefix = format!("arn:aws:iam::{}:role{}", cx.config.account, entity::SERVICE_PATH);
        vec![format!("{prefix}{}/*", input.service)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if let Some(suffix) = input.custom_suffix {
            return Err(AwsError::not_supported(format_args!("The custom suffix '{suffix}'"))
                .hint("Create the role without a CustomSuffix.")
                .into());
        }
        let service = input.service;
        let known = NAMES.iter().find(|(s, _)| *s == service);
        let name = known
            .ok_or_else(|| Error::Invalid(format!("Escale has no service-linked role for {service}.")))?
            .1;
        if cx.tx.has::<Role>(name) {
            return Err(Error::Invalid(format!(
                "Service role name {name} has been taken in this account, please try a different suffix."
            )));
        }
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": [&service]}, "Action": ["sts:AssumeRole"]}
        ]});
        let role = Role {
            name: name.into(),
            id: RoleId(format!("AROA{}", ids::random_upper(17))),
            path: IamPath(format!("{}{service}/", entity::SERVICE_PATH)),
            description: input.description,
            trust: trust.to_string(),
            max_session_secs: 3600,
            inline: Default::default(),
            attached: Vec::new(),
            permissions_boundary: None,
            tags: Vec::new(),
            created: cx.now,
        };
        let shape = shapes::role(&role, cx.config);
        cx.tx.put(role);
        Ok(Output { role: shape })
    }
}
