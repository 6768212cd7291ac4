//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_RegisterInstance.html>

use crate::{
    Error,
    records::{self, CNAME, IPV4, IPV6, PORT},
    rules,
    shapes::Accepted,
};
use escale_base::{AwsError, Wire, limits::discovery as limits};
use escale_service::{Also, Cx, Operation};
use escale_tables::servicediscovery::{
    CreatorRequestId, CustomHealthStatus, DiscoveryService, DnsRecordType, Instance, InstanceId,
    OperationTarget, OperationType,
};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

pub(crate) struct RegisterInstance;

#[derive(Wire)]
pub(crate) struct Input {
    service_id: String,
    instance_id: InstanceId,
    creator_request_id: Option<CreatorRequestId>,
    attributes: BTreeMap<String, String>,
}

/// The initial health, which is not an attribute of the instance.
const INIT_HEALTH: &str = "AWS_INIT_HEALTH_STATUS";

impl Operation for RegisterInstance {
    type Input = Input;
    type Output = Accepted;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::service_arn(cx, &input.service_id)]
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        records::permission(cx, &input.service_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Accepted, Error> {
        let mut service = DiscoveryService::clone(&*rules::service(cx.tx, &input.service_id)?);
        let mut attributes = input.attributes;
        let initial = attributes.remove(INIT_HEALTH);
        check(&service, &input.instance_id, &attributes)?;
        let known = rules::instances(cx.tx, &service.id);
        let before = known.iter().find(|instance| instance.id == input.instance_id);
        if before.is_none() && known.len() >= limits::INSTANCES_PER_SERVICE {
            return Err(Error::TooManyInstances(service.id, known.len()));
        }
        let health = match (service.custom_health, initial.as_deref()) {
            (false, None) => None,
            (false, Some(_)) => return Err(Error::NoCustomHealth(service.id)),
            // A registration that is repeated keeps the reported health.
            (true, None) => before.and_then(|b| b.health).or(Some(CustomHealthStatus::Healthy)),
            (true, Some(word)) => Some(word.parse().map_err(|_| {
                Error::Invalid(format!("{INIT_HEALTH} must be HEALTHY or UNHEALTHY, not '{word}'."))
            })?),
        };
        cx.tx.put(Instance {
            service: service.id.clone(),
            id: input.instance_id.clone(),
            creator_request_id: input.creator_request_id,
            attributes,
            health,
        });
        service.revision += 1;
        cx.tx.put(service.clone());
        let change = records::apply(cx, &service)?;
        let target = OperationTarget::Instance {
            namespace: service.namespace,
            service: service.id,
            instance: input.instance_id,
        };
        let operation = rules::record(cx, OperationType::RegisterInstance, target, change);
        Ok(Accepted { operation_id: operation.id })
    }
}

/// Checks the attributes that the service's records need.
///
/// Source: <https://docs.aws.amazon.com/cloud-map/latest/api/API_RegisterInstance.html#API_RegisterInstance_RequestSyntax>
fn check(
    service: &DiscoveryService,
    id: &InstanceId,
    attributes: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let invalid = |why: String| Err(Error::Invalid(why));
    if let Some(other) =
        ["AWS_ALIAS_DNS_NAME", "AWS_EC2_INSTANCE_ID"].iter().find(|a| attributes.contains_key(**a))
    {
        return Err(AwsError::not_supported(format_args!("The attribute {other}"))
            .hint("Use AWS_INSTANCE_IPV4 with the address.")
            .into());
    }
    let chars: usize = attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    if chars > limits::ATTRIBUTE_CHARS {
        return invalid(format!(
            "The attributes have {chars} characters; {} is the limit.",
            limits::ATTRIBUTE_CHARS
        ));
    }
    let get = |key: &str| attributes.get(key).map(String::as_str);
    let needs = |record: DnsRecordType, key: &str| {
        if service.has_record(record) && get(key).is_none() {
            return Err(Error::Invalid(format!(
                "The service has {record} records, which need the attribute {key}."
            )));
        }
        Ok(())
    };
    needs(DnsRecordType::A, IPV4)?;
    needs(DnsRecordType::Aaaa, IPV6)?;
    needs(DnsRecordType::Cname, CNAME)?;
    needs(DnsRecordType::Srv, PORT)?;
    if service.has_record(DnsRecordType::Srv) {
        if get(IPV4).or(get(IPV6)).is_none() {
            return invalid(format!(
                "The service has SRV records, which need the attribute {IPV4} or {IPV6}."
            ));
        }
        // Stricter than AWS, which creates a record that no client can use.
        if !id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            return invalid(format!(
                "The SRV record of an instance names a host, and '{id}' cannot be a part of a host's name. Use letters, \
                 digits, hyphens, underscores and dots."
            ));
        }
    }
    if let Some(bad) = get(IPV4).filter(|ip| ip.parse::<Ipv4Addr>().is_err()) {
        return invalid(format!("{IPV4} is not an IPv4 address: '{bad}'."));
    }
    if let Some(bad) = get(IPV6).filter(|ip| ip.parse::<Ipv6Addr>().is_err()) {
        return invalid(format!("{IPV6} is not an IPv6 address: '{bad}'."));
    }
    match get(PORT).filter(|port| port.parse::<u16>().is_err()) {
        Some(bad) => invalid(format!("{PORT} is not a port from 0 to 65535: '{bad}'.")),
        None => Ok(()),
    }
}
