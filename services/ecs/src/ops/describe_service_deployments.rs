//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html>

use crate::{
    Error,
    deployment_shapes::{self, ServiceDeploymentShape},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::ServiceDeployment;

pub(crate) struct DescribeServiceDeployments;

const MOST: usize = 20;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    service_deployment_arns: Vec<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    service_deployments: Vec<ServiceDeploymentShape>,
    failures: Vec<rules::Failure>,
}

impl Operation for DescribeServiceDeployments {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        input.service_deployment_arns.clone()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::check_number("serviceDeploymentArns", &input.service_deployment_arns, MOST)?;
        let (mut service_deployments, mut failures) = (Vec::new(), Vec::new());
        for arn in input.service_deployment_arns {
            let parsed = deployment_shapes::parse("service-deployment", &arn);
            let row = parsed.and_then(|(key, id)| cx.tx.get::<ServiceDeployment>(&format!("{key}/{id}")));
            match row {
                Some(row) => service_deployments.push(deployment_shapes::full(cx.tx, cx.config, &row)),
                None => failures.push(rules::Failure { arn, reason: "MISSING" }),
            }
        }
        Ok(Output { service_deployments, failures })
    }
}
