//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AcceptVpcPeeringConnection.html>

use crate::{
    Error,
    error::Limit,
    peerings,
    shapes::peering::{PeeringShape, peering_as},
    status::PeeringState,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{PeeringDecision, VpcPeering, VpcPeeringId};

pub(crate) struct AcceptVpcPeeringConnection;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_peering_connection_id: VpcPeeringId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) vpc_peering_connection: PeeringShape,
}

impl Operation for AcceptVpcPeeringConnection {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let pending = [PeeringState::PendingAcceptance];
        let id = &input.vpc_peering_connection_id;
        let row = peerings::find_in(cx, id, &pending, PeeringState::Active)?;
        for vpc in [&row.requester.vpc, &row.accepter.vpc] {
            if peerings::accepted(cx.tx, vpc).count() >= Limit::PeeringsPerVpc.max() {
                let why =
                    format!("The maximum number of active peering connections of {vpc} has been reached.");
                return Err(Error::TooMany(Limit::PeeringsPerVpc, why));
            }
        }
        let accepted =
            VpcPeering { decision: PeeringDecision::Accepted, decided: cx.now, ..row.as_ref().clone() };
        cx.tx.put(accepted.clone());
        // The networks are linked after this request.
        Ok(Output { vpc_peering_connection: peering_as(cx, &accepted, PeeringState::Provisioning) })
    }
}
