//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateVpcCidrBlock.html>

use crate::{
    Error,
    error::Kind,
    ipv6,
    shapes::ipv6::{VpcIpv6Shape, vpc_block},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{SubnetIpv6Block, Vpc, VpcId, VpcIpv6Block};

pub(crate) struct DisassociateVpcCidrBlock;

#[derive(Wire)]
pub(crate) struct Input {
    association_id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    vpc_id: VpcId,
    ipv6_cidr_block_association: VpcIpv6Shape,
}

impl Operation for DisassociateVpcCidrBlock {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let id = input.association_id;
        if let Some(vpc) = cx.tx.scan::<Vpc>().find(|vpc| ipv6::ipv4_association_id(&vpc.id) == id) {
            return Err(Error::NotPermitted(format!(
                "The vpc CIDR block with association ID {id} may not be disassociated. It is the primary CIDR block of the VPC {}.",
                vpc.id
            )));
        }
        let block = cx.tx.scan::<VpcIpv6Block>().find(|block| block.id.as_str() == id);
        let block = block.ok_or_else(|| Error::NotFound(Kind::VpcCidrAssociation, id.clone()))?;
        let used = cx.tx.scan::<SubnetIpv6Block>().filter(|s| s.vpc == block.vpc);
        let used: Vec<String> = used.map(|s| s.subnet.to_string()).collect();
        if !used.is_empty() {
            return Err(Error::InUse(format!(
                "The IPv6 block {} of {} has dependencies and cannot be disassociated: {}",
                block.cidr,
                block.vpc,
                used.join(", ")
            )));
        }
        cx.tx.delete::<VpcIpv6Block>(block.vpc.as_str());
        Ok(Output { vpc_id: block.vpc.clone(), ipv6_cidr_block_association: vpc_block(&block) })
    }
}
