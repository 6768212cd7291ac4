//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html>

use crate::choices::TemplateStage;
use crate::{Error, find};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetTemplate;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: Option<String>,
    change_set_name: Option<String>,
    template_stage: Option<TemplateStage>,
}

#[derive(Wire)]
pub(crate) struct Output {
    template_body: String,
    stages_available: Vec<TemplateStage>,
}

impl Operation for GetTemplate {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.stack_name.as_deref().map(|name| super::stack_arns(cx, name)).unwrap_or_default()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let content = match (&input.change_set_name, &input.stack_name) {
            (Some(named), stack) => find::change_set(cx.tx, named, stack.as_deref())?.1.content.clone(),
            // Empty for a stack in REVIEW_IN_PROGRESS: the CDK compares its template with this one.
            (None, Some(named)) => {
                let stack = find::stack(cx.tx, named)?;
                find::content(cx.tx, &stack)?.content.clone()
            }
            (None, None) => {
                return Err(Error::invalid("Either StackName or ChangeSetName must be specified"));
            }
        };
        let template_body = match (input.template_stage, content.original) {
            (Some(TemplateStage::Original), Some(original)) => original,
            // Without a transform, both stages are equal.
            _ => content.template,
        };
        Ok(Output { template_body, stages_available: TemplateStage::ALL.to_vec() })
    }
}
