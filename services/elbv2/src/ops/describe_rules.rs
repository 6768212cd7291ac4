//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeRules.html>

use crate::{Error, error::invalid, rules, shapes};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};

pub(crate) struct DescribeRules;

#[derive(Wire)]
pub(crate) struct Input {
    listener_arn: Option<String>,
    rule_arns: Vec<String>,
    marker: Option<String>,
    page_size: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) rules: Vec<shapes::RuleShape>,
    next_marker: Option<String>,
}

impl Operation for DescribeRules {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// Lists rules in the order of evaluation, the default rule last.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let found = match (&input.listener_arn, input.rule_arns.is_empty()) {
            (Some(arn), true) => {
                let listener = rules::listener(cx, arn)?;
                let mut all: Vec<_> = rules::rules_of(cx.tx, arn).iter().map(|r| shapes::rule(r)).collect();
                all.push(shapes::default_rule(&listener));
                all
            }
            (None, false) => input.rule_arns.iter().map(|arn| one(cx, arn)).collect::<Result<_, _>>()?,
            _ => return Err(invalid("You must specify either rule ARNs or a listener ARN")),
        };
        let size = rules::page_size(input.page_size)?;
        // Zero-padded, so that the keys for paging sort like the numbers.
        let place = |r: &shapes::RuleShape| match r.priority.parse::<u32>() {
            Ok(priority) => format!("{priority:05}/{}", r.rule_arn),
            Err(_) => format!("default/{}", r.rule_arn),
        };
        let page = paging::page(found, place, input.marker.as_deref(), size)?;
        Ok(Output { rules: page.items, next_marker: page.next })
    }
}

fn one(cx: &Cx<'_>, arn: &str) -> Result<shapes::RuleShape, Error> {
    let of_default =
        shapes::listener_of_default(arn).and_then(|listener| rules::listener(cx, &listener).ok());
    match of_default {
        Some(listener) => Ok(shapes::default_rule(&listener)),
        None => Ok(shapes::rule(&*rules::rule(cx, arn)?)),
    }
}
