//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateDhcpOptions.html>

use crate::{Error, dhcp, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{DhcpOptions, DhcpOptionsAssociation, DhcpOptionsId, Vpc, VpcId};

pub(crate) struct AssociateDhcpOptions;

#[derive(Wire)]
pub(crate) struct Input {
    dhcp_options_id: DhcpOptionsId,
    vpc_id: VpcId,
}

impl Operation for AssociateDhcpOptions {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        // The word is AWS's for the default options.
        if ["default", dhcp::DEFAULT].contains(&input.dhcp_options_id.as_str()) {
            cx.tx.delete::<DhcpOptionsAssociation>(vpc.id.as_str());
            return Ok(());
        }
        let options = rules::find::<DhcpOptions>(cx, input.dhcp_options_id.as_str())?;
        cx.tx.put(DhcpOptionsAssociation { vpc: vpc.id.clone(), options: options.id.clone() });
        Ok(())
    }
}
