//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteTargetGroup.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::elbv2::{Target, TargetGroup, TargetSeen};

pub(crate) struct DeleteTargetGroup;

#[derive(Wire)]
pub(crate) struct Input {
    target_group_arn: String,
}

impl Operation for DeleteTargetGroup {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.target_group_arn.clone()]
    }

    /// Deleting a target group that does not exist succeeds, as on AWS.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let arn = input.target_group_arn;
        if !rules::balancers_of(cx.tx, &arn).is_empty() {
            let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
            return Err(Error::InUse(message));
        }
        let prefix = format!("{arn}/");
        let targets: Vec<_> = cx.tx.prefix::<Target>(&prefix).collect();
        for target in targets {
            let key = Target::key_of(&target.group, target.ip, target.port);
            cx.tx.delete::<Target>(&key);
            cx.tx.delete::<TargetSeen>(&key);
        }
        cx.tx.delete::<TargetGroup>(&arn);
        Ok(())
    }
}
