//! Route 53: <https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations.html>

use escale_base::Wire;
use escale_tables::{
    ec2::VpcId,
    route53::{ChangeId, HostedZoneId, RecordType},
};

crate::requests! { "route53";
    ChangeResourceRecordSets => Changed,
    CreateHostedZone => CreatedHostedZone,
    DeleteHostedZone => Changed,
    UpdateHostedZoneComment => (),
}

/// Creates a private zone.
#[derive(Clone, Debug, Wire)]
pub struct CreateHostedZone {
    pub name: String,
    #[wire("VPC")]
    pub vpc: ZoneVpc,
    pub caller_reference: String,
    pub hosted_zone_config: HostedZoneConfig,
}

#[derive(Clone, Debug, Wire)]
pub struct ZoneVpc {
    #[wire("VPCId")]
    pub vpc_id: VpcId,
    #[wire("VPCRegion")]
    pub vpc_region: String,
}

#[derive(Clone, Debug, Wire)]
pub struct HostedZoneConfig {
    pub comment: Option<String>,
    pub private_zone: bool,
}

#[derive(Clone, Debug, Wire)]
pub struct CreatedHostedZone {
    pub hosted_zone: CreatedZone,
    pub change_info: ChangeInfo,
}

/// The id as the answer has it: `/hostedzone/Z…`.
#[derive(Clone, Debug, Wire)]
pub struct CreatedZone {
    pub id: String,
}

#[derive(Clone, Debug, Wire)]
pub struct DeleteHostedZone {
    pub id: HostedZoneId,
}

#[derive(Clone, Debug, Wire)]
pub struct UpdateHostedZoneComment {
    pub id: HostedZoneId,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub struct Changed {
    pub change_info: ChangeInfo,
}

/// The id as the answer has it: `/change/C…`.
#[derive(Clone, Debug, Wire)]
pub struct ChangeInfo {
    pub id: String,
}

#[derive(Clone, Debug, Wire)]
pub struct ChangeResourceRecordSets {
    pub hosted_zone_id: HostedZoneId,
    pub change_batch: ChangeBatch,
}

#[derive(Clone, Debug, Wire)]
pub struct ChangeBatch {
    pub changes: Vec<RecordChange>,
}

#[derive(Clone, Debug, Wire)]
pub struct RecordChange {
    pub action: ChangeAction,
    pub resource_record_set: ResourceRecordSet,
}

escale_base::choice! { pub enum ChangeAction { Create = "CREATE", Delete = "DELETE", Upsert = "UPSERT" } }

/// A record set with values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Wire)]
pub struct ResourceRecordSet {
    pub name: String,
    pub r#type: RecordType,
    pub set_identifier: Option<String>,
    pub weight: Option<u16>,
    pub multi_value_answer: Option<bool>,
    #[wire("TTL")]
    pub ttl: u32,
    pub resource_records: Vec<ResourceRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Wire)]
pub struct ResourceRecord {
    pub value: String,
}

/// The bare id of an answer's `/hostedzone/Z…`.
pub fn zone_id(answered: &str) -> HostedZoneId {
    bare(answered).into()
}

/// The bare id of an answer's `/change/C…`.
pub fn change_id(answered: &str) -> ChangeId {
    bare(answered).into()
}

fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}
