//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHealthCheck.html>

use crate::{Error, health, shapes};
use escale_base::{Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::route53::{CallerReference, HealthCheck, HealthCheckConfig, HealthCheckId};

pub(crate) struct CreateHealthCheck;

#[derive(Wire)]
pub(crate) struct Input {
    caller_reference: CallerReference,
    health_check_config: HealthCheckConfig,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) health_check: shapes::HealthCheckShape,
    pub(crate) location: String,
}

impl Operation for CreateHealthCheck {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let id = HealthCheckId(ids::random_uuid());
        let config = health::completed(cx.tx, cx.config, &id, input.health_check_config)?;
        let same = cx.tx.scan::<HealthCheck>().find(|c| c.caller_reference == input.caller_reference);
        let row = match same {
            // As on AWS, a repeated request returns the check that it created.
            Some(same) if same.config == config => HealthCheck::clone(&same),
            Some(_) => return Err(Error::HealthCheckExists),
            None => HealthCheck {
                id,
                caller_reference: input.caller_reference,
                config,
                version: 1,
                tags: Vec::new(),
                created: cx.now,
            },
        };
        let output = Output {
            health_check: shapes::health_check(&row),
            location: format!("https://route53.amazonaws.com/2013-04-01/healthcheck/{}", row.id),
        };
        cx.tx.put(row);
        Ok(output)
    }
}
