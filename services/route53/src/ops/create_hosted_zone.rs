//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html>

use crate::{Error, rules, shapes, system};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::route53::{CallerReference, HostedZone, RecordData, RecordSet, RecordType, Routing};

pub(crate) struct CreateHostedZone;

#[derive(Wire)]
pub(crate) struct Input {
    name: String,
    #[wire("VPC")]
    vpc: Option<shapes::VpcShape>,
    caller_reference: CallerReference,
    hosted_zone_config: Option<shapes::ZoneConfig>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) hosted_zone: shapes::ZoneShape,
    pub(crate) change_info: shapes::ChangeInfo,
    pub(crate) delegation_set: Option<shapes::DelegationSet>,
    #[wire("VPC")]
    pub(crate) vpc: Option<shapes::VpcShape>,
    pub(crate) location: String,
}

impl Operation for CreateHostedZone {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn also(input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        input.vpc.iter().map(|_| Also::new("ec2:DescribeVpcs", [])).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if cx.tx.scan::<HostedZone>().any(|z| z.caller_reference == input.caller_reference) {
            return Err(Error::ZoneExists);
        }
        let name = rules::domain_name(&input.name)?;
        let config = input.hosted_zone_config.unwrap_or_default();
        let vpc = input.vpc.as_ref().map(|named| rules::vpc(cx, named)).transpose()?;
        if config.private_zone == Some(true) && vpc.is_none() {
            let why = "When you're creating a private hosted zone (when you specify true for PrivateZone), you must \
                       also specify values for VPCId and VPCRegion.";
            return Err(Error::InvalidInput(why.to_owned()));
        }
        rules::no_conflict(cx.tx, cx.config, &name, vpc.as_ref())?;
        let zone = HostedZone {
            id: HostedZone::random_id(),
            name,
            caller_reference: input.caller_reference,
            comment: config.comment,
            private: vpc.is_some(),
            vpcs: vpc.into_iter().collect(),
            tags: Vec::new(),
            linked_service: rules::service(cx),
            created: cx.now,
        };
        for set in required_sets(&zone) {
            cx.tx.put(set);
        }
        let output = Output {
            hosted_zone: shapes::zone(cx.tx, &zone),
            change_info: rules::record_change(cx, None),
            delegation_set: shapes::delegation_set(&zone),
            vpc: shapes::vpcs(&zone, cx.config).pop(),
            location: format!("https://route53.amazonaws.com/2013-04-01/hostedzone/{}", zone.id),
        };
        cx.tx.put(zone);
        Ok(output)
    }
}

/// The NS and SOA sets of every new zone, with AWS's timers.
fn required_sets(zone: &HostedZone) -> [RecordSet; 2] {
    let set = |kind, ttl_secs, value: String| RecordSet {
        zone: zone.id.clone(),
        name: zone.name.clone(),
        kind,
        data: RecordData::Values { ttl_secs, values: vec![value] },
        routing: Routing::Simple,
        health_check: None,
    };
    let name_server = system::NAME_SERVER;
    let soa = format!("{name_server} hostmaster.dns.localhost. 1 7200 900 1209600 86400");
    [set(RecordType::Ns, 172_800, name_server.to_owned()), set(RecordType::Soa, 900, soa)]
}
