//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcPeeringConnectionOptions.html>

use crate::{Error, peerings, rules, shapes::peering::Options, status::PeeringState};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::VpcPeeringId;

pub(crate) struct ModifyVpcPeeringConnectionOptions;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_peering_connection_id: VpcPeeringId,
    requester_peering_connection_options: Option<Options>,
    accepter_peering_connection_options: Option<Options>,
}

#[derive(Wire)]
pub(crate) struct Output {
    requester_peering_connection_options: Option<Options>,
    accepter_peering_connection_options: Option<Options>,
}

impl Operation for ModifyVpcPeeringConnectionOptions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let linked = [PeeringState::Provisioning, PeeringState::Active];
        peerings::find_in(cx, &input.vpc_peering_connection_id, &linked, PeeringState::Active)?;
        let (requester, accepter) =
            (input.requester_peering_connection_options, input.accepter_peering_connection_options);
        for options in [&requester, &accepter].into_iter().flatten() {
            check(options)?;
        }
        Ok(Output {
            requester_peering_connection_options: requester,
            accepter_peering_connection_options: accepter,
        })
    }
}

/// All options can only be off: no name of a VPC resolves to a public address from inside, and there are no ClassicLink instances.
fn check(options: &Options) -> Result<(), Error> {
    if options.allow_dns_resolution_from_remote_vpc == Some(true) {
        return Err(rules::refuse_with_hint(
            "AllowDnsResolutionFromRemoteVpc=true",
            "Set it to false, and use private addresses or a private hosted zone that is associated with both VPCs.",
        ));
    }
    let classic = [
        options.allow_egress_from_local_classic_link_to_remote_vpc,
        options.allow_egress_from_local_vpc_to_remote_classic_link,
    ];
    if classic.contains(&Some(true)) {
        return Err(rules::refuse_with_hint("ClassicLink", "Set the options of ClassicLink to false."));
    }
    Ok(())
}
