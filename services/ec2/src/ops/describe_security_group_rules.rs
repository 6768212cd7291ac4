//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html>

use crate::{
    Error,
    error::Kind,
    filters::{self, Filter, one},
    shapes::group::{self, RuleShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{GroupRule, RuleId};

pub(crate) struct DescribeSecurityGroupRules;

#[derive(Wire)]
pub(crate) struct Input {
    security_group_rule_ids: Vec<RuleId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) security_group_rules: Vec<RuleShape>,
    next_token: Option<String>,
}

impl Operation for DescribeSecurityGroupRules {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let ids = &input.security_group_rule_ids;
        if let Some(id) = ids.iter().find(|id| !cx.tx.scan::<GroupRule>().any(|r| r.id == **id)) {
            return Err(Error::NotFound(Kind::Rule, id.to_string()));
        }
        let mut found = Vec::new();
        for row in cx.tx.scan::<GroupRule>().filter(|r| ids.is_empty() || ids.contains(&r.id)) {
            let value_of = |name: &str| match name {
                "group-id" => one(&row.group),
                "security-group-rule-id" => one(&row.id),
                _ => None,
            };
            if filters::passes(&input.filters, &row.tags, value_of)? {
                found.push(group::rule(cx, &row));
            }
        }
        // The table is ordered by group, but pages are cut by the rules' ids.
        found.sort_by(|a, b| a.security_group_rule_id.cmp(&b.security_group_rule_id));
        let key = |r: &RuleShape| r.security_group_rule_id.to_string();
        let (security_group_rules, next_token) =
            filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { security_group_rules, next_token })
    }
}
