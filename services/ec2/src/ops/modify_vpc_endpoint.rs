//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpoint.html>

use super::create_vpc_endpoint::{policy, route_table};
use crate::{Error, rules, shapes::Return};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Endpoint, EndpointId, RouteTableId, Vpc};

pub(crate) struct ModifyVpcEndpoint;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_endpoint_id: EndpointId,
    add_route_table_ids: Vec<RouteTableId>,
    remove_route_table_ids: Vec<RouteTableId>,
    policy_document: Option<String>,
    reset_policy: Option<bool>,
}

impl Operation for ModifyVpcEndpoint {
    type Input = Input;
    type Output = Return;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Return, Error> {
        let mut endpoint = rules::find::<Endpoint>(cx, input.vpc_endpoint_id.as_str())?.as_ref().clone();
        let vpc = rules::find::<Vpc>(cx, endpoint.vpc.as_str())?;
        for id in &input.remove_route_table_ids {
            if !endpoint.route_tables.contains(id) {
                let why = format!("The endpoint {} is not associated with this route table.", endpoint.id);
                return Err(Error::invalid("removeRouteTableId", id, why));
            }
        }
        endpoint.route_tables.retain(|t| !input.remove_route_table_ids.contains(t));
        for id in input.add_route_table_ids {
            if !endpoint.route_tables.contains(&id) {
                route_table(cx, &vpc, &id, &endpoint.service_name)?;
                endpoint.route_tables.push(id);
            }
        }
        if let Some(document) = input.policy_document {
            endpoint.policy = policy(Some(document))?;
        }
        if input.reset_policy == Some(true) {
            endpoint.policy = None;
        }
        cx.tx.put(endpoint);
        Ok(Return { done: true })
    }
}
