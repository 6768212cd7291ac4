//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateSubnetCidrBlock.html>

use crate::{
    Error,
    error::Kind,
    shapes::ipv6::{SubnetIpv6Shape, subnet_block},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{SubnetId, SubnetIpv6Block};

pub(crate) struct DisassociateSubnetCidrBlock;

#[derive(Wire)]
pub(crate) struct Input {
    association_id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    subnet_id: SubnetId,
    ipv6_cidr_block_association: SubnetIpv6Shape,
}

impl Operation for DisassociateSubnetCidrBlock {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let id = input.association_id;
        let block = cx.tx.scan::<SubnetIpv6Block>().find(|block| block.id.as_str() == id);
        let block = block.ok_or_else(|| Error::NotFound(Kind::SubnetCidrAssociation, id))?;
        cx.tx.delete::<SubnetIpv6Block>(block.subnet.as_str());
        Ok(Output { subnet_id: block.subnet.clone(), ipv6_cidr_block_association: subnet_block(&block) })
    }
}
