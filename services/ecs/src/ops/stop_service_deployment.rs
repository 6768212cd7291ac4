//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html>

use crate::{Error, choices::StopType, deployment_shapes, history};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{Service, ServiceDeployment};

pub(crate) struct StopServiceDeployment;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    service_deployment_arn: String,
    stop_type: Option<StopType>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    service_deployment_arn: String,
}

impl Operation for StopServiceDeployment {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.service_deployment_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let parsed = deployment_shapes::parse("service-deployment", &input.service_deployment_arn);
        let (key, id) = parsed.ok_or(Error::NoServiceDeployment)?;
        let row = cx.tx.get::<ServiceDeployment>(&format!("{key}/{id}"));
        let row = row.ok_or(Error::NoServiceDeployment)?;
        if row.end.is_some() {
            return Err(Error::Conflict("The service deployment has already ended.".into()));
        }
        let mut service = (*cx.tx.get::<Service>(&key).ok_or(Error::NoService)?).clone();
        let rolls = input.stop_type != Some(StopType::Abort);
        history::stop(cx.tx, &mut service, rolls, cx.now)?;
        cx.tx.put(service);
        Ok(Output { service_deployment_arn: deployment_shapes::arn(cx.config, &row) })
    }
}
