//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RejectVpcPeeringConnection.html>

use crate::{Error, peerings, shapes::Return, status::PeeringState};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{PeeringDecision, VpcPeering, VpcPeeringId};

pub(crate) struct RejectVpcPeeringConnection;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_peering_connection_id: VpcPeeringId,
}

impl Operation for RejectVpcPeeringConnection {
    type Input = Input;
    type Output = Return;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Return, Error> {
        let pending = [PeeringState::PendingAcceptance];
        let id = &input.vpc_peering_connection_id;
        let row = peerings::find_in(cx, id, &pending, PeeringState::Rejected)?;
        cx.tx.put(VpcPeering {
            decision: PeeringDecision::Rejected,
            decided: cx.now,
            ..row.as_ref().clone()
        });
        Ok(Return { done: true })
    }
}
