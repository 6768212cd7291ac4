//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ValidateTemplate.html>

use crate::{CloudFormation, Error, fetch, template};
use escale_base::Wire;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use std::sync::Arc;

pub(crate) struct ValidateTemplate;

#[derive(Wire)]
pub(crate) struct Input {
    template_body: Option<String>,
    #[wire("TemplateURL")]
    template_url: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    parameters: Vec<Parameter>,
    description: Option<String>,
    capabilities: Vec<escale_tables::cloudformation::Capability>,
    capabilities_reason: Option<String>,
    declared_transforms: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Parameter {
    parameter_key: String,
    default_value: Option<String>,
    no_echo: bool,
    description: Option<String>,
}

impl StreamOperation<CloudFormation> for ValidateTemplate {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(
        _: Arc<CloudFormation>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let (text, origin) = fetch::template(&cx, input.template_body, input.template_url).await?;
        let template = super::outline(&cx, &template::read(&text, origin)?)?;
        // The request has no parameter values, so conditions are unknown: only resources without a condition are checked.
        crate::accept::types(&cx.cloud, &template, &Default::default())?;
        crate::properties::enacted(&cx.cloud, &template, &Default::default())?;
        let needs = template.capabilities();
        let parameters = template.parameters.iter().map(|(name, p)| Parameter {
            parameter_key: name.clone(),
            default_value: p.default.clone(),
            no_echo: p.no_echo,
            description: p.description.clone(),
        });
        let output = Output {
            parameters: parameters.collect(),
            description: template.description.clone(),
            capabilities: needs.needed,
            capabilities_reason: needs.reason,
            declared_transforms: template.transforms,
        };
        Ok(output.into())
    }
}
