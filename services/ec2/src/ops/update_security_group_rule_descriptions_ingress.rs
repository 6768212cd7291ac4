//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsIngress.html>

use crate::{
    Error,
    permissions::{self, RuleDescription},
    rules,
    shapes::{Return, group::IpPermission},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::GroupId;

pub(crate) struct UpdateSecurityGroupRuleDescriptionsIngress;

#[derive(Wire)]
pub(crate) struct Input {
    group_id: Option<GroupId>,
    group_name: Option<String>,
    ip_permissions: Vec<IpPermission>,
    security_group_rule_descriptions: Vec<RuleDescription>,
}

impl Operation for UpdateSecurityGroupRuleDescriptionsIngress {
    type Input = Input;
    type Output = Return;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Return, Error> {
        describe(cx, input, false)
    }
}

/// Updates the descriptions of rules, in one of the two directions.
pub(super) fn describe(cx: &mut Cx<'_>, input: Input, egress: bool) -> Result<Return, Error> {
    let group = rules::group(cx, input.group_id, input.group_name)?;
    permissions::describe(cx, &group, egress, input.ip_permissions, input.security_group_rule_descriptions)?;
    Ok(Return { done: true })
}
