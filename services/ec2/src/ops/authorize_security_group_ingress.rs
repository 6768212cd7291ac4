//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html>

use crate::{
    Error,
    choices::ResourceType,
    permissions::{self, RuleParameters},
    rules,
    shapes::{
        self,
        group::{self, IpPermission, RuleShape},
    },
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Group, GroupId};

pub(crate) struct AuthorizeSecurityGroupIngress;

#[derive(Wire)]
pub(crate) struct Input {
    group_id: Option<GroupId>,
    group_name: Option<String>,
    ip_permissions: Vec<IpPermission>,
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    cidr_ip: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("Return")]
    pub(crate) done: bool,
    pub(crate) security_group_rules: Vec<RuleShape>,
}

impl Operation for AuthorizeSecurityGroupIngress {
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
        authorize(cx, &group, parameters, &input.tag_specifications, false)
    }
}

/// Adds the requested rules, in one of the two directions.
pub(super) fn authorize(
    cx: &mut Cx<'_>,
    group: &Group,
    parameters: RuleParameters,
    tags: &[shapes::TagSpecification],
    egress: bool,
) -> Result<Output, Error> {
    let tags = shapes::tags_for(tags, ResourceType::SecurityGroupRule)?;
    let requested = permissions::requested_rules(cx, group, parameters)?;
    let added = permissions::add(cx, &group.id, egress, requested, &tags)?;
    let security_group_rules = added.iter().map(|r| group::rule(cx, r)).collect();
    Ok(Output { done: true, security_group_rules })
}
