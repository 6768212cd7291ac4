//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateEgressOnlyInternetGateway.html>

use crate::{
    Error,
    choices::ResourceType,
    rules, shapes,
    shapes::ipv6::{EgressOnlyShape, egress_only},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{EgressOnlyInternetGateway, EgressOnlyInternetGatewayId, Vpc, VpcId};

pub(crate) struct CreateEgressOnlyInternetGateway;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
    client_token: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    client_token: Option<String>,
    pub(crate) egress_only_internet_gateway: EgressOnlyShape,
}

impl Operation for CreateEgressOnlyInternetGateway {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        let gateway = EgressOnlyInternetGateway {
            id: EgressOnlyInternetGatewayId::random(),
            vpc: vpc.id.clone(),
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::EgressOnlyInternetGateway)?,
        };
        let egress_only_internet_gateway = egress_only(&gateway);
        cx.tx.put(gateway);
        Ok(Output { client_token: input.client_token, egress_only_internet_gateway })
    }
}
