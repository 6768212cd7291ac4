//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html>

use crate::{
    Error,
    permissions::{self, RuleParameters},
    rules,
    shapes::group::{IpPermission, RevokedRule},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Group, GroupId, RuleId};

pub(crate) struct RevokeSecurityGroupIngress;

#[derive(Wire)]
pub(crate) struct Input {
    group_id: Option<GroupId>,
    group_name: Option<String>,
    security_group_rule_ids: Vec<RuleId>,
    ip_permissions: Vec<IpPermission>,
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    cidr_ip: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("Return")]
    done: bool,
    revoked_security_group_rules: Vec<RevokedRule>,
}

impl Operation for RevokeSecurityGroupIngress {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let group = rules::group(cx, input.group_id, input.group_name)?;
        let parameters = RuleParameters {
            permissions: input.ip_permissions,
            ip_protocol: input.ip_protocol,
            from_port: input.from_port,
            to_port: input.to_port,
            cidr_ip: input.cidr_ip,
        };
        revoke(cx, &group, parameters, &input.security_group_rule_ids, false)
    }
}

/// Deletes the requested rules, in one of the two directions.
pub(super) fn revoke(
    cx: &mut Cx<'_>,
    group: &Group,
    parameters: RuleParameters,
    ids: &[RuleId],
    egress: bool,
) -> Result<Output, Error> {
    let revoked = permissions::revoke(cx, group, egress, ids, parameters)?;
    let revoked_security_group_rules = revoked.iter().map(|r| RevokedRule::of(r)).collect();
    Ok(Output { done: true, revoked_security_group_rules })
}
