//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcEndpoints.html>

use crate::{Error, error::Kind, shapes::unsuccessful};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Endpoint, EndpointId};

pub(crate) struct DeleteVpcEndpoints;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_endpoint_ids: Vec<EndpointId>,
}

#[derive(Wire)]
pub(crate) struct Output {
    unsuccessful: Vec<unsuccessful::Item>,
}

impl Operation for DeleteVpcEndpoints {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut unsuccessful = Vec::new();
        for id in input.vpc_endpoint_ids {
            // AWS reports an unknown endpoint in the response and deletes the others.
            if !cx.tx.delete::<Endpoint>(id.as_str()) {
                unsuccessful.push(unsuccessful::item(Error::NotFound(Kind::Endpoint, id.to_string()), &id));
            }
        }
        Ok(Output { unsuccessful })
    }
}
