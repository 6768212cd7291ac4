//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupEgress.html>

use super::authorize_security_group_ingress::{Output, authorize};
use crate::{Error, permissions::RuleParameters, rules, shapes, shapes::group::IpPermission};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Group, GroupId};

pub(crate) struct AuthorizeSecurityGroupEgress;

#[derive(Wire)]
pub(crate) struct Input {
    group_id: GroupId,
    ip_permissions: Vec<IpPermission>,
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    cidr_ip: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

impl Operation for AuthorizeSecurityGroupEgress {
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
        authorize(cx, &group, parameters, &input.tag_specifications, true)
    }
}
