//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupEgress.html>

use super::revoke_security_group_ingress::{Output, revoke};
use crate::{Error, permissions::RuleParameters, rules, shapes::group::IpPermission};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Group, GroupId, RuleId};

pub(crate) struct RevokeSecurityGroupEgress;

#[derive(Wire)]
pub(crate) struct Input {
    group_id: GroupId,
    security_group_rule_ids: Vec<RuleId>,
    ip_permissions: Vec<IpPermission>,
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    cidr_ip: Option<String>,
}

impl Operation for RevokeSecurityGroupEgress {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let group = rules::find::<Group>(cx, input.group_id.as_str())?;
        let parameters = RuleParameters {
            permissions: input.ip_permissions,
            ip_protocol: input.ip_protocol,
            from_port: input.from_port,
            to_port: input.to_port,
            cidr_ip: input.cidr_ip,
        };
        revoke(cx, &group, parameters, &input.security_group_rule_ids, true)
    }
}
