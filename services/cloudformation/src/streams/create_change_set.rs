//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>

use crate::choices::ChangeSetType;
use crate::{
    CloudFormation, Error,
    accept::{self, Wanted},
    begin, changes,
    deployment::{self, DeploymentConfig},
    fetch, find,
    imports::{self, ResourceToImport},
    nested::{Templates, change_sets, with_templates},
    predict, role,
    shapes::ParameterShape,
    template::Origin,
    update,
};
use escale_base::{AwsError, Tag, Wire, ids};
use escale_service::{Body, Cloud, Cx, StreamCx, StreamOperation, StreamReply};
use escale_store::Image;
use escale_tables::cloudformation::{
    ChangeSet, ChangeSetArn, ChangeSetName, ChangeSetPhase, ChangeSetUuid, ClientRequestToken, Content,
    OnFailure, Phase, ServiceRoleArn, Stack, StackArn, StackContent, StackName, StackUuid,
};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) struct CreateChangeSet;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    change_set_name: ChangeSetName,
    change_set_type: Option<ChangeSetType>,
    template_body: Option<String>,
    #[wire("TemplateURL")]
    template_url: Option<String>,
    use_previous_template: Option<bool>,
    parameters: Vec<ParameterShape>,
    capabilities: Vec<escale_tables::cloudformation::Capability>,
    tags: Option<Vec<Tag>>,
    client_token: Option<ClientRequestToken>,
    description: Option<String>,
    include_nested_stacks: Option<bool>,
    import_existing_resources: Option<bool>,
    resources_to_import: Vec<ResourceToImport>,
    on_stack_failure: Option<OnFailure>,
    #[wire("RoleARN")]
    role_arn: Option<ServiceRoleArn>,
    deployment_config: Option<DeploymentConfig>,
}

#[derive(Wire)]
pub(crate) struct Output {
    id: ChangeSetArn,
    stack_id: StackArn,
}

impl StreamOperation<CloudFormation> for CreateChangeSet {
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
        let there = previous(&cx.store.read(), &input.stack_name)?;
        let (template, origin) = match (&there, input.use_previous_template) {
            (Some(previous), Some(true)) => (previous.content.written().to_owned(), Origin::File),
            (None, Some(true)) => return Err(Error::NoStack(input.stack_name)),
            _ => fetch::template(&cx, input.template_body.take(), input.template_url.take()).await?,
        };
        let tags = input.tags.take();
        let wanted = Wanted {
            template,
            origin,
            parameters: std::mem::take(&mut input.parameters),
            capabilities: std::mem::take(&mut input.capabilities),
            tags: tags.or_else(|| there.map(|s| s.content.tags.clone())).unwrap_or_default(),
            for_change_set: true,
        };
        let made = with_templates(&cx, |cx, templates| create(cx, &input, wanted.clone(), templates)).await;
        Ok(made?.into())
    }
}

fn create(cx: &mut Cx<'_>, input: &Input, wanted: Wanted, templates: &Templates) -> Result<Output, Error> {
    let cloud = cx.cloud();
    deployment::check(input.deployment_config.as_ref())?;
    begin::name_form("changeSetName", &input.change_set_name)?;
    role::pass(cx, input.role_arn.as_ref())?;
    // Read again: the stack may have changed while the template was fetched.
    let there = find::stack_if_any(cx.tx, &input.stack_name);
    if let Some(stack) = &there
        && let Some(old) = cx.tx.get::<ChangeSet>(&ChangeSet::key_of(&stack.uuid, &input.change_set_name))
    {
        if input.client_token.is_some() && old.token == input.client_token {
            // A retry of a client that did not receive the answer.
            return Ok(Output { id: old.arn.clone(), stack_id: stack.arn.clone() });
        }
        return Err(Error::ChangeSetExists(old.arn.clone()));
    }
    match (input.change_set_type.unwrap_or(ChangeSetType::Update), there) {
        (ChangeSetType::Import, Some(stack)) if stack.phase != Phase::Review => {
            update::updatable(&stack)?;
            let old = find::content(cx.tx, &stack)?;
            let of = (&stack.arn, &stack.name);
            let (content, _) = accept::content(cx, wanted, templates, of, Some(&old.content))?;
            update::same_types(cx, &stack, &content)?;
            put(cloud, cx, input, &stack.uuid, content, ChangeSetPhase::Available)
        }
        (ChangeSetType::Create | ChangeSetType::Import, there) => {
            if let Some(stack) = there.as_ref().filter(|s| s.phase != Phase::Review) {
                let word = crate::status::stack(stack.phase);
                return Err(Error::invalid(format!(
                    "Stack [{}] already exists and cannot be created again with the changeSet [{}]: it is in {word}",
                    stack.name, input.change_set_name
                )));
            }
            let identity = match &there {
                Some(stack) => (stack.uuid.clone(), stack.arn.clone(), stack.name.clone()),
                None => begin::identity(cx, &input.stack_name.as_str().into())?,
            };
            let (content, _) = accept::content(cx, wanted, templates, (&identity.1, &identity.2), None)?;
            let uuid = identity.0.clone();
            if there.is_none() {
                review(cx, identity, &content);
            }
            put(cloud, cx, input, &uuid, content, ChangeSetPhase::Available)
        }
        (ChangeSetType::Update, Some(stack)) => {
            update::updatable(&stack)?;
            let of = (&stack.arn, &stack.name);
            let old = find::content(cx.tx, &stack)?;
            let (content, _) = accept::content(cx, wanted, templates, of, Some(&old.content))?;
            update::same_types(cx, &stack, &content)?;
            if update::is_to_repeat(stack.phase) || !accept::is_same(&content, &old.content) {
                return put(cloud, cx, input, &stack.uuid, content, ChangeSetPhase::Available);
            }
            // AWS stores a failed change set here instead of refusing the request; the CDK reads its reason.
            let why = "The submitted information didn't contain changes. Submit different information to create a change \
                       set.";
            put(cloud, cx, input, &stack.uuid, content, ChangeSetPhase::Failed(why.into()))
        }
        (ChangeSetType::Update, None) => {
            Err(Error::invalid(format!("Stack [{}] does not exist", input.stack_name)))
        }
    }
}

/// Writes the stack in REVIEW_IN_PROGRESS that holds its first change set.
fn review(cx: &mut Cx<'_>, identity: (StackUuid, StackArn, StackName), content: &Content) {
    let stack = begin::stack(cx, identity);
    change_sets::review(cx, &stack, content);
}

/// The content of the stack of this name, if there is one.
fn previous(image: &Image, named: &str) -> Result<Option<Arc<StackContent>>, Error> {
    find::stack_if_any(image, named).map(|stack| find::content(image, &stack)).transpose()
}

fn put(
    cloud: &Cloud,
    cx: &mut Cx<'_>,
    input: &Input,
    stack: &StackUuid,
    content: Content,
    phase: ChangeSetPhase,
) -> Result<Output, Error> {
    let uuid = ChangeSetUuid(ids::random_uuid());
    let name = input.change_set_name.clone();
    let arn = ChangeSetArn(cx.arn("cloudformation", format!("changeSet/{name}/{uuid}")).to_string());
    let row = cx.tx.get::<Stack>(stack).ok_or_else(AwsError::internal)?;
    let stack_id = row.arn.clone();
    let mut imported = imports::Imports::new();
    let predicted = match phase {
        ChangeSetPhase::Failed(_) => Vec::new(),
        _ => {
            let mut predicted = predict::predict(cloud, cx.tx, cx.config, &row, &content)?;
            if input.import_existing_resources == Some(true) {
                imports::by_name::refuse(cloud, cx, &predicted)?;
            }
            let wanted = &input.resources_to_import;
            if input.change_set_type == Some(ChangeSetType::Import) {
                imported = imports::mark(cloud, cx, &content, wanted, &mut predicted)?;
            } else if !wanted.is_empty() {
                return Err(Error::invalid("ResourcesToImport requires the ChangeSetType IMPORT"));
            }
            predicted
        }
    };
    let mut set = ChangeSet {
        uuid,
        arn: arn.clone(),
        name,
        stack: stack.clone(),
        description: input.description.clone(),
        content,
        changes: changes::of(&predicted),
        phase,
        imports: imported,
        on_failure: input.on_stack_failure,
        include_nested_stacks: input.include_nested_stacks.unwrap_or(false),
        above: None,
        nested: BTreeMap::new(),
        role: input.role_arn.clone(),
        token: input.client_token.clone(),
        created: cx.now,
    };
    if set.include_nested_stacks {
        change_sets::add(cx, &mut set, &predicted)?;
    }
    cx.tx.put(set);
    Ok(Output { id: arn, stack_id })
}
