//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteRule.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::elbv2::{Listener, Rule};

pub(crate) struct DeleteRule;

#[derive(Wire)]
pub(crate) struct Input {
    rule_arn: String,
}

impl Operation for DeleteRule {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.rule_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        // A default rule has no row of its own.
        let listener = shapes::listener_of_default(&input.rule_arn);
        if listener.is_some_and(|arn| cx.tx.has::<Listener>(&arn)) {
            return Err(Error::NotPermitted(format!("Default rule '{}' cannot be deleted", input.rule_arn)));
        }
        rules::rule(cx, &input.rule_arn)?;
        cx.tx.delete::<Rule>(&input.rule_arn);
        rules::clean_up_unused_groups(cx.tx);
        Ok(())
    }
}
