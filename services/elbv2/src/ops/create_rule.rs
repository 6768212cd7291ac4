//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html>

use crate::{
    Error,
    actions::{self, ActionShape},
    conditions::{self, ConditionShape},
    error::{TooMany, invalid},
    network, rules, shapes,
};
use escale_base::{Tag, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::elbv2::{BalancerKind, ListenerTls, Rule};

pub(crate) struct CreateRule;

#[derive(Wire)]
pub(crate) struct Input {
    listener_arn: String,
    conditions: Vec<ConditionShape>,
    priority: u32,
    actions: Vec<ActionShape>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) rules: Vec<shapes::RuleShape>,
}

/// AWS's quota of rules on a listener.
const RULES: usize = 100;

impl Operation for CreateRule {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.listener_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let listener = rules::listener(cx, &input.listener_arn)?;
        if network::kind_of_listener(&listener.arn) == BalancerKind::Network {
            return Err(invalid("A listener of a network load balancer has no rules"));
        }
        priority(input.priority)?;
        rules::tags(&input.tags)?;
        let others = rules::rules_of(cx.tx, &listener.arn);
        if others.iter().any(|r| r.priority == input.priority) {
            return Err(Error::PriorityInUse(input.priority));
        }
        if others.len() >= RULES {
            return Err(Error::TooMany(TooMany::Rules));
        }
        let action = actions::read(input.actions)?;
        let balancer = rules::load_balancer(cx, &listener.load_balancer)?;
        let has_tls = cx.tx.has::<ListenerTls>(&listener.arn);
        rules::check_forward(cx, &balancer, &action, has_tls)?;
        let rule = Rule {
            arn: format!(
                "{}/{}",
                listener.arn.replacen(":listener/", ":listener-rule/", 1),
                ids::random_hex(16)
            )
            .into(),
            listener: listener.arn.clone(),
            priority: input.priority,
            conditions: conditions::read(input.conditions)?,
            action,
            tags: input.tags,
        };
        let shape = shapes::rule(&rule);
        cx.tx.put(rule);
        Ok(Output { rules: vec![shape] })
    }
}

pub(super) fn priority(priority: u32) -> Result<(), Error> {
    match priority {
        1..=50_000 => Ok(()),
        other => Err(invalid(format!("Rule priority '{other}' must be between 1 and 50000"))),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn lists_rules_by_priority() {
        let cloud = FakeCloud::new();
        let listener = cloud.listener(&cloud.balancer("web"), 80);
        let fixed = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]);
        let rule = |priority: u32| {
            json!({"ListenerArn": listener, "Priority": priority, "Actions": fixed,
                "Conditions": [{"Field": "path-pattern", "Values": [format!("/{priority}/*")]}]})
        };
        let arns: Vec<_> = [20, 10]
            .map(|p| cloud.ok("CreateRule", rule(p))["Rules"][0]["RuleArn"].as_str().unwrap().to_owned())
            .into();
        assert_eq!(cloud.error("CreateRule", rule(10)).code, "PriorityInUse");
        assert_eq!(cloud.error("CreateRule", rule(50_001)).code, "ValidationError");
        let priorities = || {
            let all = cloud.ok("DescribeRules", json!({"ListenerArn": listener}));
            let all = all["Rules"].as_array().unwrap().clone();
            all.iter().map(|r| r["Priority"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(priorities(), ["10", "20", "default"]);
        let swap = json!([{"RuleArn": arns[0], "Priority": 10}, {"RuleArn": arns[1], "Priority": 20}]);
        cloud.ok("SetRulePriorities", json!({"RulePriorities": swap}));
        let clash = json!([{"RuleArn": arns[0], "Priority": 20}]);
        let clash = json!({"RulePriorities": clash});
        assert_eq!(cloud.error("SetRulePriorities", clash).code, "PriorityInUse");
        let all = cloud.ok("DescribeRules", json!({"ListenerArn": listener}));
        assert_eq!(all["Rules"][0]["RuleArn"], arns[0]);
        let default = json!({"RuleArn": all["Rules"][2]["RuleArn"]});
        assert_eq!(cloud.error("DeleteRule", default).code, "OperationNotPermitted");
        cloud.ok("DeleteRule", json!({"RuleArn": arns[0]}));
        assert_eq!(cloud.error("DeleteRule", json!({"RuleArn": arns[0]})).code, "RuleNotFound");
        assert_eq!(priorities(), ["20", "default"]);
    }
}
