//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetRulePriorities.html>

use super::create_rule::priority;
use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::elbv2::Rule;

pub(crate) struct SetRulePriorities;

#[derive(Wire)]
pub(crate) struct Input {
    rule_priorities: Vec<Pair>,
}

#[derive(Wire)]
pub(crate) struct Pair {
    rule_arn: String,
    priority: u32,
}

#[derive(Wire)]
pub(crate) struct Output {
    rules: Vec<shapes::RuleShape>,
}

impl Operation for SetRulePriorities {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        input.rule_priorities.iter().map(|p| p.rule_arn.clone()).collect()
    }

    /// Sets all priorities before it checks for duplicates, so that two rules can swap theirs.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut changed = Vec::new();
        for pair in input.rule_priorities {
            priority(pair.priority)?;
            let rule = Rule { priority: pair.priority, ..(*rules::rule(cx, &pair.rule_arn)?).clone() };
            cx.tx.put(rule.clone());
            changed.push(rule);
        }
        for rule in &changed {
            let all = rules::rules_of(cx.tx, &rule.listener);
            if all.iter().filter(|r| r.priority == rule.priority).count() > 1 {
                return Err(Error::PriorityInUse(rule.priority));
            }
        }
        Ok(Output { rules: changed.iter().map(shapes::rule).collect() })
    }
}
