//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDefaultVpc.html>

use crate::{Error, default_vpc, shapes, status};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::DefaultVpc;

pub(crate) struct CreateDefaultVpc;

#[derive(Wire)]
pub(crate) struct Input {}

#[derive(Wire)]
pub(crate) struct Output {
    vpc: shapes::vpc::VpcShape,
}

impl Operation for CreateDefaultVpc {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, _: Input) -> Result<Output, Error> {
        if let Some(existing) = DefaultVpc::of(cx.tx) {
            return Err(Error::DefaultVpcExists(existing.to_string()));
        }
        let vpc = default_vpc::create(cx.tx, cx.config, cx.now);
        let vpc = shapes::vpc::vpc(cx, &vpc, status::vpc(cx.tx, &vpc.id));
        Ok(Output { vpc })
    }
}
