//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_CreatePrivateDnsNamespace.html>

use crate::{
    Error,
    records::refused,
    rules,
    shapes::{Accepted, PropertiesInput},
};
use escale_base::{Tag, Wire};
use escale_requests::route53::{
    ChangeAction, ChangeBatch, ChangeResourceRecordSets, CreateHostedZone, HostedZoneConfig, RecordChange,
    ResourceRecord, ResourceRecordSet, ZoneVpc, change_id, zone_id,
};
use escale_service::{Also, Cx, Operation};
use escale_tables::{
    ec2::VpcId,
    route53::{ChangeId, HostedZoneId, RecordData, RecordType},
    servicediscovery::{
        CreatorRequestId, Namespace, NamespaceDns, NamespaceName, OperationTarget, OperationType,
    },
};

pub(crate) struct CreatePrivateDnsNamespace;

/// How long resolvers keep the answer that a name does not exist, unless the request says it. With Route 53's own 15 minutes a client
/// that asks too early would wait for long.
pub(crate) const SOA_TTL_SECS: u32 = 15;

#[derive(Wire)]
pub(crate) struct Input {
    name: NamespaceName,
    creator_request_id: Option<CreatorRequestId>,
    description: Option<String>,
    vpc: VpcId,
    tags: Vec<Tag>,
    properties: Option<PropertiesInput>,
}

impl Operation for CreatePrivateDnsNamespace {
    type Input = Input;
    type Output = Accepted;
    type Error = Error;

    fn also(_input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        vec![Also::new("route53:CreateHostedZone", []), Also::new("ec2:DescribeVpcs", [])]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Accepted, Error> {
        let same = cx.tx.scan::<Namespace>().find(|n| {
            n.name.eq_ignore_ascii_case(&input.name) && n.dns.as_ref().is_none_or(|dns| dns.vpc == input.vpc)
        });
        if let Some(same) = same {
            return Err(Error::NamespaceExists(input.name, same.id.clone()));
        }
        let id = Namespace::random_id();
        let vpc = ZoneVpc { vpc_id: input.vpc.clone(), vpc_region: cx.config.region.clone() };
        let request = CreateHostedZone {
            name: input.name.to_string(),
            vpc,
            caller_reference: id.to_string(),
            hosted_zone_config: HostedZoneConfig { comment: input.description.clone(), private_zone: true },
        };
        let made = cx.call_as(rules::PRINCIPAL, request).map_err(refused)?;
        let zone = zone_id(&made.hosted_zone.id);
        let ttl = input.properties.map_or(SOA_TTL_SECS, |p| p.dns_properties.soa.ttl);
        let change = set_soa_ttl(cx, &zone, ttl)?;
        let target = OperationTarget::Namespace(id.clone());
        cx.tx.put(Namespace {
            id,
            name: input.name,
            dns: Some(NamespaceDns { zone, vpc: input.vpc }),
            description: input.description,
            creator_request_id: input.creator_request_id,
            tags: input.tags,
            created: cx.now,
        });
        let operation = rules::record(cx, OperationType::CreateNamespace, target, change);
        Ok(Accepted { operation_id: operation.id })
    }
}

/// Gives the zone's SOA record set another TTL.
pub(crate) fn set_soa_ttl(cx: &mut Cx<'_>, zone: &HostedZoneId, ttl: u32) -> Result<Option<ChangeId>, Error> {
    let Some(soa) = crate::shapes::soa(cx, zone) else { return Ok(None) };
    let RecordData::Values { values, .. } = soa.data else { return Ok(None) };
    let resource_record_set = ResourceRecordSet {
        name: soa.name.to_string(),
        r#type: RecordType::Soa,
        set_identifier: None,
        weight: None,
        multi_value_answer: None,
        ttl,
        resource_records: values.into_iter().map(|value| ResourceRecord { value }).collect(),
    };
    let changes = vec![RecordChange { action: ChangeAction::Upsert, resource_record_set }];
    let request =
        ChangeResourceRecordSets { hosted_zone_id: zone.clone(), change_batch: ChangeBatch { changes } };
    let changed = cx.call_as(rules::PRINCIPAL, request).map_err(refused)?;
    Ok(Some(change_id(&changed.change_info.id)))
}
