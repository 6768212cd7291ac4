//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html>

use crate::choices::TaskDefinitionField;
use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeTaskDefinition;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    task_definition: String,
    include: Vec<TaskDefinitionField>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) task_definition: shapes::DefinitionShape,
    tags: Vec<rules::TagShape>,
}

impl Operation for DescribeTaskDefinition {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::definition(cx.tx, &input.task_definition).ok_or(Error::NoDefinition)?;
        let with_tags = input.include.contains(&TaskDefinitionField::Tags);
        let tags = if with_tags { rules::tags_out(&row.tags) } else { Vec::new() };
        Ok(Output { task_definition: shapes::definition(cx.config, &row), tags })
    }
}
