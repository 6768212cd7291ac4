//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_DeleteHostedZone.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::route53::{HostedZone, RecordSet, RecordType};

pub(crate) struct DeleteHostedZone;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    change_info: shapes::ChangeInfo,
}

impl Operation for DeleteHostedZone {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![rules::zone_arn(&input.id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let zone = rules::own_zone(cx, &input.id)?;
        let prefix = format!("{}/", zone.id);
        let sets: Vec<_> = cx.tx.prefix::<RecordSet>(&prefix).collect();
        let required =
            |set: &RecordSet| set.name == zone.name && matches!(set.kind, RecordType::Ns | RecordType::Soa);
        if !sets.iter().all(|set| required(set)) {
            return Err(Error::ZoneNotEmpty);
        }
        for set in sets {
            cx.tx.delete::<RecordSet>(&set.key());
        }
        cx.tx.delete::<HostedZone>(&zone.id);
        Ok(Output { change_info: rules::record_change(cx, None) })
    }
}
