//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html>

use crate::{
    Error,
    choices::{IpAddressType, ResourceType, VpcEndpointType},
    prefix_lists, rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Endpoint, EndpointId, RouteTable, RouteTableId, Vpc, VpcId};

pub(crate) struct CreateVpcEndpoint;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
    service_name: Option<String>,
    vpc_endpoint_type: Option<VpcEndpointType>,
    route_table_ids: Vec<RouteTableId>,
    policy_document: Option<String>,
    private_dns_enabled: Option<bool>,
    ip_address_type: Option<IpAddressType>,
    client_token: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) vpc_endpoint: shapes::gateway::EndpointShape,
    pub(crate) client_token: Option<String>,
}

impl Operation for CreateVpcEndpoint {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        let service_name = input.service_name.ok_or(Error::Missing("serviceName"))?;
        if let Some(kind) = input.vpc_endpoint_type.filter(|k| *k != VpcEndpointType::Gateway) {
            return Err(rules::refuse_with_hint(
                format_args!("An endpoint of the type {kind} for {service_name}"),
                format_args!("Use VpcEndpointType=Gateway with {}.", prefix_lists::s3_service(cx.config)),
            ));
        }
        if prefix_lists::of_service(cx.config, &service_name).is_none() {
            return Err(rules::refuse_with_hint(
                format_args!("A gateway endpoint for {service_name}"),
                format_args!("Use {}.", prefix_lists::s3_service(cx.config)),
            ));
        }
        check_options(input.private_dns_enabled, input.ip_address_type)?;
        let mut route_tables = Vec::new();
        for id in input.route_table_ids {
            route_table(cx, &vpc, &id, &service_name)?;
            if !route_tables.contains(&id) {
                route_tables.push(id);
            }
        }
        let endpoint = Endpoint {
            id: EndpointId::random(),
            vpc: vpc.id.clone(),
            service_name,
            route_tables,
            policy: policy(input.policy_document)?,
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::VpcEndpoint)?,
            created: cx.now,
        };
        cx.tx.put(endpoint.clone());
        let vpc_endpoint = shapes::gateway::endpoint(cx, &endpoint);
        Ok(Output { vpc_endpoint, client_token: input.client_token })
    }
}

/// A gateway endpoint has a single value of each of these options.
pub(crate) fn check_options(
    private_dns: Option<bool>,
    addresses: Option<IpAddressType>,
) -> Result<(), Error> {
    if private_dns == Some(true) {
        let why = "Private DNS can only be set to true for interface endpoints.";
        return Err(Error::invalid("privateDnsEnabled", true, why));
    }
    match addresses.filter(|t| *t != IpAddressType::Ipv4) {
        Some(kind) => {
            Err(rules::refuse_with_hint(format_args!("IpAddressType={kind}"), "Use IpAddressType=ipv4."))
        }
        None => Ok(()),
    }
}

/// Checks that a route table belongs to this VPC and has no route to the service yet.
pub(super) fn route_table(cx: &Cx<'_>, vpc: &Vpc, id: &RouteTableId, service: &str) -> Result<(), Error> {
    let table = rules::find::<RouteTable>(cx, id.as_str())?;
    if table.vpc != vpc.id {
        return Err(Error::WrongVpc(format!("route table {id} does not belong to {}", vpc.id)));
    }
    let same = |e: &Endpoint| e.service_name == service && e.route_tables.contains(id);
    if cx.tx.scan::<Endpoint>().any(|e| same(&e)) {
        Err(Error::RouteExists(format!(
            "route table {id} already has a route with destination-prefix-list-id {}",
            prefix_lists::of_service(cx.config, service).map_or("", |list| list.id)
        )))
    } else {
        Ok(())
    }
}

/// Accepts only a policy that allows everything, because endpoint policies are not evaluated.
pub(super) fn policy(text: Option<String>) -> Result<Option<String>, Error> {
    let Some(text) = text else { return Ok(None) };
    let document = escale_base::json::with_unique_keys(&text)
        .map_err(|e| Error::invalid("policyDocument", &text, format!("It is not valid JSON: {e}.")))?;
    let statements = match &document["Statement"] {
        serde_json::Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    let full = |s: &serde_json::Value| {
        let any = |v: &serde_json::Value| *v == "*" || *v == serde_json::json!(["*"]);
        let everyone = any(&s["Principal"]) || any(&s["Principal"]["AWS"]);
        // An unknown key, such as NotAction, could restrict the statement.
        let known = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];
        s.as_object().is_some_and(|s| s.keys().all(|key| known.contains(&key.as_str())))
            && s["Effect"] == "Allow"
            && everyone
            && any(&s["Action"])
            && any(&s["Resource"])
            && s["Condition"].is_null()
    };
    if statements.len() == 1 && full(&statements[0]) {
        Ok(Some(text))
    } else {
        Err(rules::refuse_with_hint(
            "A PolicyDocument that does not allow everything",
            "Restrict access with policies of identities and buckets.",
        ))
    }
}
