//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html>

use crate::choices::{EntityType, PolicyUsageType};
use crate::{Error, aws_managed};
use escale_base::{AwsError, Wire, wire::Value};
use escale_service::{Cx, Operation};
use escale_tables::iam::{IamPath, PolicyArn, Role, RoleId, RoleName, User, UserId, UserName};

pub(crate) struct ListEntitiesForPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
    entity_filter: Option<EntityType>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<PolicyUsageType>,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) policy_groups: Vec<Value>,
    pub(crate) policy_users: Vec<UserRef>,
    pub(crate) policy_roles: Vec<RoleRef>,
    pub(crate) is_truncated: bool,
}

#[derive(Wire)]
pub(crate) struct UserRef {
    pub(crate) user_name: UserName,
    user_id: UserId,
}

#[derive(Wire)]
pub(crate) struct RoleRef {
    pub(crate) role_name: RoleName,
    role_id: RoleId,
}

impl Operation for ListEntitiesForPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if aws_managed::find(&input.policy_arn).is_none() {
            super::policy(cx, &input.policy_arn)?;
        }
        if let Some(filter) = input.policy_usage_filter.filter(|f| *f != PolicyUsageType::PermissionsPolicy) {
            return Err(AwsError::not_supported(format_args!("The PolicyUsageFilter {filter}"))
                .hint("Use PermissionsPolicy.")
                .into());
        }
        if let Some(marker) = input.marker {
            return Err(Error::Validation(format!("Invalid Marker: {marker}.")));
        }
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let has_policy = |attached: &[PolicyArn], path: &IamPath| {
            attached.contains(&input.policy_arn) && path.starts_with(prefix)
        };
        let mut policy_users: Vec<_> = cx
            .tx
            .scan::<User>()
            .filter(|u| has_policy(&u.attached, &u.path))
            .map(|u| UserRef { user_name: u.name.clone(), user_id: u.id.clone() })
            .collect();
        let mut policy_roles: Vec<_> = cx
            .tx
            .scan::<Role>()
            .filter(|r| has_policy(&r.attached, &r.path))
            .map(|r| RoleRef { role_name: r.name.clone(), role_id: r.id.clone() })
            .collect();
        match input.entity_filter {
            Some(EntityType::Role) => policy_users.clear(),
            Some(EntityType::User) => policy_roles.clear(),
            Some(EntityType::Group | EntityType::LocalManagedPolicy | EntityType::AWSManagedPolicy) => {
                policy_users.clear();
                policy_roles.clear();
            }
            None => {}
        }
        let max = input.max_items.unwrap_or(usize::MAX);
        if policy_users.len() + policy_roles.len() > max {
            let count = policy_users.len() + policy_roles.len();
            return Err(AwsError::not_supported(format_args!(
                "A list of {count} entities in pages of {max}"
            ))
            .hint(format_args!("Use a MaxItems of at least {count}."))
            .into());
        }
        Ok(Output { policy_groups: Vec::new(), policy_users, policy_roles, is_truncated: false })
    }
}
