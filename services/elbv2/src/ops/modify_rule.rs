//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyRule.html>

use crate::{
    Error,
    actions::{self, ActionShape},
    conditions::{self, ConditionShape},
    rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::elbv2::ListenerTls;

pub(crate) struct ModifyRule;

#[derive(Wire)]
pub(crate) struct Input {
    rule_arn: String,
    conditions: Vec<ConditionShape>,
    actions: Vec<ActionShape>,
}

#[derive(Wire)]
pub(crate) struct Output {
    rules: Vec<shapes::RuleShape>,
}

impl Operation for ModifyRule {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.rule_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut rule = (*rules::rule(cx, &input.rule_arn)?).clone();
        if !input.conditions.is_empty() {
            rule.conditions = conditions::read(input.conditions)?;
        }
        if !input.actions.is_empty() {
            rule.action = actions::read(input.actions)?;
            let listener = rules::listener(cx, &rule.listener)?;
            let balancer = rules::load_balancer(cx, &listener.load_balancer)?;
            let has_tls = cx.tx.has::<ListenerTls>(&listener.arn);
            rules::check_forward(cx, &balancer, &rule.action, has_tls)?;
        }
        let shape = shapes::rule(&rule);
        cx.tx.put(rule);
        // The previous action may have been the last one that forwards to a group.
        rules::clean_up_unused_groups(cx.tx);
        Ok(Output { rules: vec![shape] })
    }
}
