//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateInternetGateway.html>

use crate::{Error, choices::ResourceType, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{InternetGateway, InternetGatewayId};

pub(crate) struct CreateInternetGateway;

#[derive(Wire)]
pub(crate) struct Input {
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) internet_gateway: shapes::gateway::InternetGatewayShape,
}

impl Operation for CreateInternetGateway {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let gateway = InternetGateway {
            id: InternetGatewayId::random(),
            vpc: None,
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::InternetGateway)?,
        };
        let internet_gateway = shapes::gateway::internet(cx, &gateway);
        cx.tx.put(gateway);
        Ok(Output { internet_gateway })
    }
}
