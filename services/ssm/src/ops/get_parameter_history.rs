//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameterHistory.html>

use crate::{Error, rules, shapes};
use escale_base::{Secret, Timestamp, Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::PrincipalArn;
use escale_tables::ssm::{ParameterName, ParameterType};

pub(crate) struct GetParameterHistory;

#[derive(Wire)]
pub(crate) struct Input {
    name: String,
    with_decryption: Option<bool>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Shown {
    name: ParameterName,
    r#type: ParameterType,
    last_modified_date: Timestamp,
    last_modified_user: PrincipalArn,
    description: Option<String>,
    value: Secret<String>,
    version: i64,
    tier: escale_tables::ssm::Tier,
    data_type: &'static str,
}

#[derive(Wire)]
pub(crate) struct Output {
    parameters: Vec<Shown>,
    next_token: Option<String>,
}

impl Operation for GetParameterHistory {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &rules::name_of(cx.tx, &input.name))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::find(cx.tx, &rules::name_of(cx.tx, &input.name))?;
        let size = input.max_results.unwrap_or(50);
        let key = |v: &&escale_tables::ssm::ParameterVersion| format!("{:012}", v.number);
        let page = paging::page(&row.versions, key, input.next_token.as_deref(), size)?;
        let decrypt = input.with_decryption == Some(true);
        let shown = page.items.into_iter().map(|version| Shown {
            name: row.name.clone(),
            r#type: row.kind,
            last_modified_date: version.modified,
            last_modified_user: version.by.clone(),
            description: row.description.clone(),
            value: shapes::value(&row, version, decrypt),
            version: version.number,
            tier: row.tier,
            data_type: "text",
        });
        Ok(Output { parameters: shown.collect(), next_token: page.next })
    }
}
