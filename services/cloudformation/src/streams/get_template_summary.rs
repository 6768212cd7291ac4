//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplateSummary.html>

use crate::{CloudFormation, Error, fetch, find, shapes, template};
use escale_base::Wire;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use std::sync::Arc;

pub(crate) struct GetTemplateSummary;

#[derive(Wire)]
pub(crate) struct Input {
    template_body: Option<String>,
    #[wire("TemplateURL")]
    template_url: Option<String>,
    stack_name: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    parameters: Vec<shapes::ParameterDeclaration>,
    description: Option<String>,
    capabilities: Vec<escale_tables::cloudformation::Capability>,
    capabilities_reason: Option<String>,
    resource_types: Vec<String>,
    version: Option<String>,
    metadata: Option<String>,
    declared_transforms: Vec<String>,
    resource_identifier_summaries: Vec<ResourceIdentifierSummary>,
}

/// What a client must know of the resources of a type to import one.
#[derive(Wire)]
pub(crate) struct ResourceIdentifierSummary {
    resource_type: String,
    logical_resource_ids: Vec<String>,
    resource_identifiers: Vec<String>,
}

fn identifiers(template: &template::Template) -> Vec<ResourceIdentifierSummary> {
    let summary = |resource_type: &str| {
        let identifier = escale_schema::schema(resource_type)?.identifier()?;
        let own = template.resources.iter().filter(|(_, resource)| resource.type_name == resource_type);
        Some(ResourceIdentifierSummary {
            resource_type: resource_type.to_owned(),
            logical_resource_ids: own.map(|(logical, _)| logical.clone()).collect(),
            resource_identifiers: vec![identifier.to_owned()],
        })
    };
    template.resource_types().into_iter().filter_map(summary).collect()
}

impl StreamOperation<CloudFormation> for GetTemplateSummary {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &StreamCx) -> Vec<String> {
        input.stack_name.as_deref().map(|name| super::stack_arns(cx, name)).unwrap_or_default()
    }

    async fn run(
        _: Arc<CloudFormation>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let (text, origin) = match (&input.stack_name, &input.template_body, &input.template_url) {
            (Some(named), None, None) => {
                let image = cx.store.read();
                let stack = find::created(&image, named)?;
                (find::content(&image, &stack)?.content.written().to_owned(), template::Origin::File)
            }
            (Some(_), ..) => {
                return Err(Error::invalid("Specify only one of StackName, TemplateBody and TemplateURL"));
            }
            _ => fetch::template(&cx, input.template_body, input.template_url).await?,
        };
        let parsed = super::outline(&cx, &template::read(&text, origin)?)?;
        let needs = parsed.capabilities();
        let version =
            template::tree(&text)?.get("AWSTemplateFormatVersion").and_then(|n| n.text()).map(str::to_owned);
        let output = Output {
            resource_identifier_summaries: identifiers(&parsed),
            parameters: shapes::declarations(&parsed),
            resource_types: parsed.resource_types().into_iter().map(str::to_owned).collect(),
            metadata: parsed.metadata.as_ref().map(ToString::to_string),
            description: parsed.description,
            capabilities: needs.needed,
            capabilities_reason: needs.reason,
            version,
            declared_transforms: parsed.transforms,
        };
        Ok(output.into())
    }
}
