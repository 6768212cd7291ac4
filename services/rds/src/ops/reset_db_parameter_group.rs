//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ResetDBParameterGroup.html>

use super::modify_db_parameter_group::{Output, Setting, check_method, group, modifiable};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ResetDBParameterGroup;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBParameterGroupName")]
    name: String,
    reset_all_parameters: Option<bool>,
    parameters: Vec<Setting>,
}

impl Operation for ResetDBParameterGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "pg", &input.name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut group = group(cx, &input.name)?;
        let all = input.reset_all_parameters;
        if !input.parameters.is_empty() && all == Some(true) {
            return Err(Error::Combination("Set Parameters or ResetAllParameters, not both.".into()));
        }
        if input.parameters.is_empty() {
            if all == Some(false) {
                return Err(Error::Combination("Set Parameters or ResetAllParameters.".into()));
            }
            group.parameters.clear();
        }
        for setting in input.parameters {
            let known = modifiable(&setting.parameter_name)?;
            check_method(known, setting.apply_method)?;
            group.parameters.remove(known.name);
        }
        group.revision += 1;
        let name = group.name.clone();
        cx.tx.put(group);
        Ok(Output { name })
    }
}
