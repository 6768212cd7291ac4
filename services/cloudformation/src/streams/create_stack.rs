//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>

use crate::{
    CloudFormation, Error,
    accept::{self, Wanted},
    begin,
    deployment::{self, DeploymentConfig},
    fetch, find,
    nested::{Templates, with_templates},
    role,
    shapes::ParameterShape,
};
use escale_base::{Tag, Wire};
use escale_service::{Body, Cx, StreamCx, StreamOperation, StreamReply};
use escale_tables::cloudformation::{ClientRequestToken, OnFailure, ServiceRoleArn, StackArn, StackName};
use std::sync::Arc;

pub(crate) struct CreateStack;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: StackName,
    template_body: Option<String>,
    #[wire("TemplateURL")]
    template_url: Option<String>,
    parameters: Vec<ParameterShape>,
    disable_rollback: Option<bool>,
    timeout_in_minutes: Option<u32>,
    capabilities: Vec<escale_tables::cloudformation::Capability>,
    on_failure: Option<OnFailure>,
    tags: Vec<Tag>,
    client_request_token: Option<ClientRequestToken>,
    enable_termination_protection: Option<bool>,
    retain_except_on_create: Option<bool>,
    #[wire("RoleARN")]
    role_arn: Option<ServiceRoleArn>,
    deployment_config: Option<DeploymentConfig>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_id: StackArn,
}

impl StreamOperation<CloudFormation> for CreateStack {
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
        let (template, origin) =
            fetch::template(&cx, input.template_body.take(), input.template_url.take()).await?;
        let wanted = Wanted {
            template,
            origin,
            parameters: std::mem::take(&mut input.parameters),
            capabilities: std::mem::take(&mut input.capabilities),
            tags: std::mem::take(&mut input.tags),
            for_change_set: false,
        };
        let stack_id =
            with_templates(&cx, |cx, templates| create(cx, &input, wanted.clone(), templates)).await?;
        Ok(Output { stack_id }.into())
    }
}

fn create(cx: &mut Cx<'_>, input: &Input, wanted: Wanted, templates: &Templates) -> Result<StackArn, Error> {
    deployment::check(input.deployment_config.as_ref())?;
    let identity = begin::identity(cx, &input.stack_name)?;
    if let Some(there) = find::stack_if_any(cx.tx, &input.stack_name) {
        // A retry of a client that did not receive the answer.
        if input.client_request_token.is_some() && there.creation_token == input.client_request_token {
            return Ok(there.arn.clone());
        }
        return Err(Error::StackExists(input.stack_name.clone()));
    }
    let on_failure = on_failure(input)?;
    if input.timeout_in_minutes == Some(0) {
        return Err(Error::invalid(
            "1 validation error detected: Value '0' at 'timeoutInMinutes' failed to satisfy constraint: Member must \
             have value greater than or equal to 1",
        ));
    }
    let (content, imports) = accept::content(cx, wanted, templates, (&identity.1, &identity.2), None)?;
    let mut stack = begin::stack(cx, identity);
    stack.imports = imports;
    stack.on_failure = on_failure;
    stack.retain_except_on_create = input.retain_except_on_create.unwrap_or(false);
    stack.timeout_minutes = input.timeout_in_minutes;
    stack.termination_protection = input.enable_termination_protection.unwrap_or(false);
    stack.creation_token.clone_from(&input.client_request_token);
    stack.token.clone_from(&input.client_request_token);
    role::act(cx, &mut stack, input.role_arn.clone())?;
    let arn = stack.arn.clone();
    begin::creation(cx, stack, content);
    Ok(arn)
}

fn on_failure(input: &Input) -> Result<OnFailure, Error> {
    match (input.on_failure, input.disable_rollback) {
        (Some(_), Some(_)) => {
            Err(Error::invalid("You can specify only one of DisableRollback and OnFailure"))
        }
        (None, Some(true)) => Ok(OnFailure::DoNothing),
        (None, _) => Ok(OnFailure::Rollback),
        (Some(requested), None) => Ok(requested),
    }
}
