//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBParameterGroup.html>

use crate::{Error, engines, rules, shapes};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::rds::ParameterGroup;
use std::collections::BTreeMap;

pub(crate) struct CreateDBParameterGroup;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBParameterGroupName")]
    name: String,
    #[wire("DBParameterGroupFamily")]
    family: String,
    description: String,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("DBParameterGroup")]
    parameter_group: shapes::ParameterGroupShape,
}

impl Operation for CreateDBParameterGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "pg", &input.name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let name = rules::identifier("DBParameterGroupName", &input.name, 255)?;
        if cx.tx.has::<ParameterGroup>(&name) {
            return Err(Error::ParameterGroupExists(name));
        }
        let known: Vec<String> = engines::majors(cx.tx).iter().map(|m| format!("postgres{m}")).collect();
        if !known.contains(&input.family) {
            return Err(Error::NotHere(format!(
                "ParameterGroupFamily {} is not a valid parameter group family. The installed versions have {}",
                input.family,
                known.join(", ")
            )));
        }
        let row = ParameterGroup {
            name,
            family: input.family,
            description: input.description,
            parameters: BTreeMap::new(),
            revision: 1,
            tags: input.tags,
        };
        cx.tx.put(row.clone());
        Ok(Output { parameter_group: shapes::parameter_group(cx, &row) })
    }
}
