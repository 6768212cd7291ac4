//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html>

use crate::{
    CloudFormation, Error,
    accept::{self, Wanted},
    fetch, find,
    shapes::ParameterShape,
    template::Origin,
};
use escale_base::{AwsError, Tag, Wire};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::cloudformation::{Phase, Stack, StackArn, StackName};
use std::sync::Arc;

/// Stack updates are not supported: the operation refuses every update that has changes.
pub(crate) struct UpdateStack;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    template_body: Option<String>,
    #[wire("TemplateURL")]
    template_url: Option<String>,
    use_previous_template: Option<bool>,
    parameters: Vec<ParameterShape>,
    capabilities: Vec<escale_tables::cloudformation::Capability>,
    tags: Option<Vec<Tag>>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_id: StackArn,
}

impl StreamOperation<CloudFormation> for UpdateStack {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &StreamCx) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    async fn run(
        _: Arc<CloudFormation>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let stack = find::created(&cx.store.read(), &input.stack_name)?;
        updatable(&stack)?;
        let (template, origin) = if input.use_previous_template == Some(true) {
            (stack.content.template.clone(), Origin::File)
        } else {
            fetch::template(&cx, input.template_body, input.template_url).await?
        };
        let wanted = Wanted {
            template,
            origin,
            parameters: input.parameters,
            capabilities: input.capabilities,
            tags: input.tags.unwrap_or_else(|| stack.content.tags.clone()),
            for_change_set: false,
        };
        let cloud = &cx.cloud;
        // A transaction although nothing is written: `accept` reads parameters through other services' operations.
        let is_same = cloud.transact(&cx.store, &cx.caller, |cx| {
            let of = (&stack.arn, &stack.name);
            let new = accept::content(cloud, cx, wanted, of, Some(&stack.content));
            Ok(accept::is_same(&new.map_err(AwsError::from)?.0, &stack.content))
        });
        if is_same.map_err(|failed| failed.0)? {
            return Err(Error::invalid("No updates are to be performed."));
        }
        Err(refusal(&stack.name))
    }
}

/// Only a stack in CREATE_COMPLETE can be updated.
pub(super) fn updatable(stack: &Stack) -> Result<(), Error> {
    match stack.phase {
        Phase::Created => Ok(()),
        phase => Err(Error::invalid(format!(
            "Stack:{} is in {} state and can not be updated.",
            stack.arn,
            crate::status::stack(phase)
        ))),
    }
}

/// The error for an update, with the workaround.
pub(super) fn refusal(name: &StackName) -> Error {
    AwsError::not_supported(format_args!("An update of the stack {name}"))
        .hint("Delete the stack and create it again.")
        .into()
}
