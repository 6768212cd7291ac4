//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSecurityGroups.html>

use crate::{Error, PRINCIPAL, error::invalid, rules};
use escale_base::Wire;
use escale_requests::ec2::ModifyNetworkInterfaceAttribute;
use escale_service::{Cx, Operation};
use escale_tables::ec2::GroupId;

pub(crate) struct SetSecurityGroups;

#[derive(Wire)]
pub(crate) struct Input {
    load_balancer_arn: String,
    security_groups: Vec<GroupId>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) security_group_ids: Vec<GroupId>,
}

impl Operation for SetSecurityGroups {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.load_balancer_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut balancer = (*rules::load_balancer(cx, &input.load_balancer_arn)?).clone();
        if input.security_groups.is_empty() {
            return Err(invalid("At least one security group must be specified"));
        }
        if balancer.groups.is_empty() {
            return Err(Error::InvalidConfiguration(
                "You cannot set security groups on a network load balancer that was created without security groups"
                    .into(),
            ));
        }
        balancer.groups = rules::groups(cx, &balancer.vpc, input.security_groups)?;
        // The groups apply at the network interfaces; the balancer's row only shows them.
        for node in &balancer.nodes {
            let network_interface_id = node.interface.clone();
            let groups = balancer.groups.clone();
            cx.call_as(PRINCIPAL, ModifyNetworkInterfaceAttribute { network_interface_id, groups })?;
        }
        let security_group_ids = balancer.groups.clone();
        cx.tx.put(balancer);
        Ok(Output { security_group_ids })
    }
}
