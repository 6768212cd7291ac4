//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html>

use crate::{Error, rules, shapes, status};
use escale_base::{Arn, Wire};
use escale_service::{Cx, Operation};
use escale_tables::route53::Change;

pub(crate) struct GetChange;

#[derive(Wire)]
pub(crate) struct Input {
    id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    change_info: shapes::ChangeInfo,
}

impl Operation for GetChange {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![Arn::new("route53", "", "", format!("change/{}", rules::change_id(&input.id))).to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let id = rules::change_id(&input.id);
        let row = cx.tx.get::<Change>(&id).ok_or(Error::NoChange(id))?;
        Ok(Output { change_info: shapes::change_info(&row, status::change(cx.tx, &row)) })
    }
}
