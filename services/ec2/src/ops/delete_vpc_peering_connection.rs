//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcPeeringConnection.html>

use crate::{Error, peerings, shapes::Return, status::PeeringState};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{PeeringDecision, VpcPeering, VpcPeeringId};

pub(crate) struct DeleteVpcPeeringConnection;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_peering_connection_id: VpcPeeringId,
}

impl Operation for DeleteVpcPeeringConnection {
    type Input = Input;
    type Output = Return;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Return, Error> {
        let open = [PeeringState::PendingAcceptance, PeeringState::Provisioning, PeeringState::Active];
        let id = &input.vpc_peering_connection_id;
        let row = peerings::find_in(cx, id, &open, PeeringState::Deleted)?;
        // The row stays for a while, and routes to it become black holes.
        cx.tx.put(VpcPeering { decision: PeeringDecision::Deleted, decided: cx.now, ..row.as_ref().clone() });
        Ok(Return { done: true })
    }
}
