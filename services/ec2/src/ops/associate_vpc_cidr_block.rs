//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateVpcCidrBlock.html>

use crate::{
    Error, ipv6, rules,
    shapes::ipv6::{VpcIpv6Shape, vpc_block},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Vpc, VpcId};

pub(crate) struct AssociateVpcCidrBlock;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
    amazon_provided_ipv6_cidr_block: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    vpc_id: VpcId,
    pub(crate) ipv6_cidr_block_association: VpcIpv6Shape,
}

impl Operation for AssociateVpcCidrBlock {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        if input.amazon_provided_ipv6_cidr_block != Some(true) {
            return Err(Error::Missing("amazonProvidedIpv6CidrBlock"));
        }
        let block = ipv6::associate_vpc(cx.tx, &vpc.id)?;
        Ok(Output { vpc_id: vpc.id.clone(), ipv6_cidr_block_association: vpc_block(&block) })
    }
}
