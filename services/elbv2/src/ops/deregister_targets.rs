//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html>

use super::register_targets::TargetShape;
use crate::{Error, error::invalid, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::elbv2::Target;

pub(crate) struct DeregisterTargets;

#[derive(Wire)]
pub(crate) struct Input {
    target_group_arn: String,
    targets: Vec<TargetShape>,
}

impl Operation for DeregisterTargets {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.target_group_arn.clone()]
    }

    /// Without a port, deregisters the address on all its ports. Deregistering an unknown target succeeds, as on AWS.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let group = rules::target_group(cx, &input.target_group_arn)?;
        if input.targets.is_empty() {
            return Err(invalid("At least one target must be specified"));
        }
        let prefix = format!("{}/", group.arn);
        let targets: Vec<_> = cx.tx.prefix::<Target>(&prefix).collect();
        for target in targets {
            let ip = target.ip.to_string();
            let matches = |t: &TargetShape| t.id == ip && t.port.is_none_or(|p| p == target.port);
            // A second request must not restart the draining.
            if target.draining.is_none() && input.targets.iter().any(matches) {
                cx.tx.put(Target { draining: Some(cx.now), ..(*target).clone() });
            }
        }
        rules::clean_up_unused_groups(cx.tx);
        Ok(())
    }
}
