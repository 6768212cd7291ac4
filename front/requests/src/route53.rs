//! Route 53: <https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53.html>

use escale_base::Wire;

crate::requests! { "route53";
    ChangeResourceRecordSets => (),
}

#[derive(Clone, Debug, Wire)]
pub struct ChangeResourceRecordSets {
    pub hosted_zone_id: String,
    pub change_batch: ChangeBatch,
}

#[derive(Clone, Debug, Wire)]
pub struct ChangeBatch {
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, Wire)]
pub struct Change {
    /// `CREATE`, `UPSERT` or `DELETE`.
    pub action: String,
    pub resource_record_set: RecordSet,
}

#[derive(Clone, Debug, Wire)]
pub struct RecordSet {
    pub name: String,
    pub r#type: String,
    #[wire("TTL")]
    pub ttl: u32,
    pub resource_records: Vec<ResourceRecord>,
}

#[derive(Clone, Debug, Wire)]
pub struct ResourceRecord {
    pub value: String,
}
