//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html>

use super::register_targets::TargetShape;
use crate::{
    Error,
    choices::TargetHealthReason,
    rules,
    status::{self, Health},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::elbv2::{Target, TargetGroup, TargetHealthState};

pub(crate) struct DescribeTargetHealth;

#[derive(Wire)]
pub(crate) struct Input {
    target_group_arn: String,
    targets: Vec<TargetShape>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) target_health_descriptions: Vec<Description>,
}

#[derive(Wire)]
pub(crate) struct Description {
    pub(crate) target: TargetShape,
    health_check_port: String,
    pub(crate) target_health: HealthShape,
}

#[derive(Wire)]
pub(crate) struct HealthShape {
    pub(crate) state: TargetHealthState,
    reason: Option<TargetHealthReason>,
    description: Option<String>,
}

impl Operation for DescribeTargetHealth {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let group = rules::target_group(cx, &input.target_group_arn)?;
        let prefix = format!("{}/", group.arn);
        let targets: Vec<_> = cx.tx.prefix::<Target>(&prefix).collect();
        let health = |t: &Target| describe(&group, shape(t), status::target(cx.tx, t));
        if input.targets.is_empty() {
            let target_health_descriptions = targets.iter().map(|t| health(t)).collect();
            return Ok(Output { target_health_descriptions });
        }
        let mut descriptions = Vec::new();
        for requested in input.targets {
            let port = requested.port.unwrap_or(group.port);
            match targets.iter().find(|t| t.ip.to_string() == requested.id && t.port == port) {
                Some(target) => descriptions.push(health(target)),
                None => {
                    let shape = TargetShape { port: Some(port), ..requested };
                    descriptions.push(describe(&group, shape, Health::not_registered()));
                }
            }
        }
        Ok(Output { target_health_descriptions: descriptions })
    }
}

fn shape(target: &Target) -> TargetShape {
    TargetShape {
        id: target.ip.to_string(),
        port: Some(target.port),
        availability_zone: Some(target.zone.as_deref().unwrap_or("all").to_owned()),
    }
}

fn describe(group: &TargetGroup, target: TargetShape, health: Health) -> Description {
    let port = group.health.port.or(target.port).unwrap_or(group.port);
    Description {
        target,
        health_check_port: port.to_string(),
        target_health: HealthShape {
            state: health.state,
            reason: health.reason,
            description: health.description,
        },
    }
}
