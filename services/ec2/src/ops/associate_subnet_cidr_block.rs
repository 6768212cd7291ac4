//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateSubnetCidrBlock.html>

use crate::{
    Error, ipv6, rules,
    shapes::ipv6::{SubnetIpv6Shape, subnet_block},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Subnet, SubnetId};

pub(crate) struct AssociateSubnetCidrBlock;

#[derive(Wire)]
pub(crate) struct Input {
    subnet_id: SubnetId,
    ipv6_cidr_block: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    subnet_id: SubnetId,
    pub(crate) ipv6_cidr_block_association: SubnetIpv6Shape,
}

impl Operation for AssociateSubnetCidrBlock {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let subnet = rules::find::<Subnet>(cx, input.subnet_id.as_str())?;
        let text = input.ipv6_cidr_block.ok_or(Error::Missing("ipv6CidrBlock"))?;
        let block = ipv6::associate_subnet(cx, &subnet, &text)?;
        Ok(Output { subnet_id: subnet.id.clone(), ipv6_cidr_block_association: subnet_block(&block) })
    }
}
