//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html>

use crate::choices::ParametersFilterKey;
use crate::{
    Error,
    filters::{self, Filter},
    rules,
};
use escale_base::{Timestamp, Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::PrincipalArn;
use escale_tables::ssm::{Parameter, ParameterName, ParameterType, Tier};

pub(crate) struct DescribeParameters;

#[derive(Wire)]
pub(crate) struct OldFilter {
    key: ParametersFilterKey,
    values: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Input {
    filters: Vec<OldFilter>,
    parameter_filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
    shared: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Shown {
    name: ParameterName,
    #[wire("ARN")]
    arn: String,
    r#type: ParameterType,
    key_id: Option<String>,
    last_modified_date: Timestamp,
    last_modified_user: PrincipalArn,
    description: Option<String>,
    allowed_pattern: Option<String>,
    version: i64,
    tier: Tier,
    data_type: &'static str,
}

#[derive(Wire)]
pub(crate) struct Output {
    parameters: Vec<Shown>,
    next_token: Option<String>,
}

impl Operation for DescribeParameters {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        // The old form of filters compares the beginnings of names.
        let old = input.filters.into_iter().map(|f| Filter {
            option: (f.key == ParametersFilterKey::Name).then(|| "BeginsWith".to_owned()),
            key: f.key.to_string(),
            values: f.values,
        });
        let filters: Vec<Filter> = input.parameter_filters.into_iter().chain(old).collect();
        let mut found = Vec::new();
        for row in cx.tx.scan::<Parameter>() {
            // There are no shared parameters, since there is only one account.
            if input.shared != Some(true) && filters::passes(&row, &filters)? {
                found.push(row);
            }
        }
        let size = input.max_results.unwrap_or(50);
        let page = paging::page(found, |r| r.name.to_string(), input.next_token.as_deref(), size)?;
        let shown = page.items.iter().filter_map(|row| {
            let last = row.versions.last()?;
            Some(Shown {
                name: row.name.clone(),
                arn: rules::arn(cx, &row.name),
                r#type: row.kind,
                key_id: row.key_id.clone().or_else(|| {
                    (row.kind == ParameterType::SecureString).then(|| "alias/aws/ssm".to_owned())
                }),
                last_modified_date: last.modified,
                last_modified_user: last.by.clone(),
                description: row.description.clone(),
                allowed_pattern: row.allowed_pattern.clone(),
                version: last.number,
                tier: row.tier,
                data_type: "text",
            })
        });
        Ok(Output { parameters: shown.collect(), next_token: page.next })
    }
}
