//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Subnet, Vpc, VpcId};

pub(crate) struct DeleteVpc;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
}

impl Operation for DeleteVpc {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let vpc = rules::vpc(cx, &input.vpc_id)?;
        let in_the_way = cx.tx.scan::<Subnet>().find(|s| s.vpc == vpc.id).map(|s| s.id.to_string());
        if let Some(what) = in_the_way {
            return Err(Error::VpcInUse(input.vpc_id, what));
        }
        cx.tx.delete::<Vpc>(vpc.id.as_str());
        Ok(())
    }
}
