//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDhcpOptions.html>

use crate::{
    Error,
    choices::ResourceType,
    dhcp::{self, NewConfiguration},
    shapes::{self, dhcp::OptionsShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct CreateDhcpOptions;

#[derive(Wire)]
pub(crate) struct Input {
    dhcp_configurations: Vec<NewConfiguration>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) dhcp_options: OptionsShape,
}

impl Operation for CreateDhcpOptions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut options = dhcp::options(input.dhcp_configurations)?;
        options.tags = shapes::tags_for(&input.tag_specifications, ResourceType::DhcpOptions)?;
        let dhcp_options = shapes::dhcp::options(cx, &options);
        cx.tx.put(options);
        Ok(Output { dhcp_options })
    }
}
