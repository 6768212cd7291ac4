//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcEndpoints.html>

use crate::{Error, error::Kind};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Endpoint, EndpointId};

pub(crate) struct DeleteVpcEndpoints;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_endpoint_ids: Vec<EndpointId>,
}

#[derive(Wire)]
pub(crate) struct Output {
    unsuccessful: Vec<Unsuccessful>,
}

#[derive(Wire)]
pub(crate) struct Unsuccessful {
    resource_id: String,
    error: ItemError,
}

#[derive(Wire)]
pub(crate) struct ItemError {
    code: String,
    message: String,
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
                let AwsError { code, message, .. } = Error::NotFound(Kind::Endpoint, id.to_string()).into();
                let error = ItemError { code, message };
                unsuccessful.push(Unsuccessful { resource_id: id.to_string(), error });
            }
        }
        Ok(Output { unsuccessful })
    }
}
