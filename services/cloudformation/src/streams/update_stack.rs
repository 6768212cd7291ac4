//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html>

use crate::{
    CloudFormation, Error,
    accept::{self, Wanted},
    deployment::{self, DeploymentConfig},
    fetch, find,
    nested::{Templates, with_templates},
    role,
    shapes::ParameterShape,
    template::Origin,
    update,
};
use escale_base::{Tag, Wire};
use escale_service::{Body, Cx, StreamCx, StreamOperation, StreamReply};
use escale_tables::cloudformation::{ClientRequestToken, OnFailure, ServiceRoleArn, Stack, StackArn};
use std::sync::Arc;

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
    disable_rollback: Option<bool>,
    client_request_token: Option<ClientRequestToken>,
    retain_except_on_create: Option<bool>,
    #[wire("RoleARN")]
    role_arn: Option<ServiceRoleArn>,
    deployment_config: Option<DeploymentConfig>,
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
        mut input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let (template, origin) = {
            let image = cx.store.read();
            let stack = find::created(&image, &input.stack_name)?;
            match (input.use_previous_template, &input.template_body, &input.template_url) {
                (Some(true), None, None) => {
                    (Some(find::content(&image, &stack)?.content.written().to_owned()), Origin::File)
                }
                (Some(true), ..) => {
                    return Err(Error::invalid(
                        "Specify either UsePreviousTemplate or a template (TemplateBody or TemplateURL), not both.",
                    ));
                }
                _ => (None, Origin::Body),
            }
        };
        let (template, origin) = match template {
            Some(previous) => (previous, origin),
            None => fetch::template(&cx, input.template_body.take(), input.template_url.take()).await?,
        };
        let stack_id =
            with_templates(&cx, |cx, templates| start(cx, &input, (&template, origin), templates)).await?;
        Ok(Output { stack_id }.into())
    }
}

fn start(
    cx: &mut Cx<'_>,
    input: &Input,
    (template, origin): (&str, Origin),
    templates: &Templates,
) -> Result<StackArn, Error> {
    deployment::check(input.deployment_config.as_ref())?;
    // Read again: the stack may have changed while the template was fetched.
    let stack = find::created(cx.tx, &input.stack_name)?;
    if input.client_request_token.is_some()
        && stack.token == input.client_request_token
        && stack.stable.is_some()
    {
        // A retry of a client that did not receive the answer.
        return Ok(stack.arn.clone());
    }
    update::updatable(&stack)?;
    let old = find::content(cx.tx, &stack)?;
    let wanted = Wanted {
        template: template.to_owned(),
        origin,
        parameters: input.parameters.clone(),
        capabilities: input.capabilities.clone(),
        tags: input.tags.clone().unwrap_or_else(|| old.content.tags.clone()),
        for_change_set: false,
    };
    let (content, _) = accept::content(cx, wanted, templates, (&stack.arn, &stack.name), Some(&old.content))?;
    if !update::is_to_repeat(stack.phase) && accept::is_same(&content, &old.content) {
        return Err(Error::invalid("No updates are to be performed."));
    }
    let on_failure = match input.disable_rollback {
        Some(true) => OnFailure::DoNothing,
        _ => OnFailure::Rollback,
    };
    let mut stack = Stack {
        on_failure,
        retain_except_on_create: input.retain_except_on_create.unwrap_or(false),
        token: input.client_request_token.clone(),
        ..(*stack).clone()
    };
    let arn = stack.arn.clone();
    role::act(cx, &mut stack, input.role_arn.clone())?;
    update::apply(cx.cloud(), cx, stack, content)?;
    Ok(arn)
}
