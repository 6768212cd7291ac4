//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContinueServiceDeployment.html>

use crate::{Error, deployment_shapes, history};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{Deployment, HookAction, HookStatus, Pause, Service, ServiceDeployment, Traffic};

pub(crate) struct ContinueServiceDeployment;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    service_deployment_arn: String,
    hook_id: String,
    action: Option<HookAction>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    service_deployment_arn: String,
}

impl Operation for ContinueServiceDeployment {
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
        let mut service = (*cx.tx.get::<Service>(&key).ok_or(Error::NoService)?).clone();
        let newest = service.deployments.first_mut().filter(|d| d.id == row.target.id && row.end.is_none());
        let awaits = |pause: &Pause| pause.id == input.hook_id;
        let traffic = newest.and_then(|d: &mut Deployment| d.traffic.as_mut());
        let traffic: &mut Traffic = traffic.filter(|t| t.pause().is_some_and(awaits)).ok_or_else(|| {
            Error::Invalid(format!("The deployment does not wait at the hook {}.", input.hook_id))
        })?;
        match input.action.unwrap_or(HookAction::Continue) {
            HookAction::Continue => traffic.answer(HookStatus::Succeeded),
            HookAction::Rollback => {
                const REASON: &str =
                    "Service deployment rolled back because of a request at a lifecycle hook.";
                traffic.answer(HookStatus::Failed);
                cx.tx.put(service.clone());
                history::roll_back(cx.tx, &mut service, REASON, cx.now)?;
            }
        }
        cx.tx.put(service);
        Ok(Output { service_deployment_arn: deployment_shapes::arn(cx.config, &row) })
    }
}
