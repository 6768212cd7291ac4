//! Operations that take a template, one per line. They are asynchronous because the template may be in S3.

escale_service::streams! {
    crate::CloudFormation;
    CreateChangeSet => create_change_set,
    CreateStack => create_stack,
    GetTemplateSummary => get_template_summary,
    UpdateStack => update_stack,
    ValidateTemplate => validate_template,
}

use crate::{
    Error, scope,
    template::{Known, Source, Template},
};
use escale_service::StreamCx;
use escale_tables::cloudformation::{StackArn, StackName};

/// The stack's ARN for authorization. A stack given by name matches with any uuid.
fn stack_arns(cx: &StreamCx, named: &str) -> Vec<String> {
    if named.starts_with("arn:") {
        return vec![named.to_owned()];
    }
    let config = &cx.config;
    let resource = format!("stack/{named}/*");
    vec![escale_base::Arn::new("cloudformation", &config.region, &config.account, resource).to_string()]
}

/// A template for a request without parameters: what its transform makes of the defaults.
fn outline(cx: &StreamCx, source: &Source) -> Result<Template, Error> {
    let defaults = source.defaults()?;
    let image = cx.store.read();
    let environment = scope::StackEnvironment::new(&image, &cx.config, None);
    let pseudo = scope::pseudo(&cx.config, &StackArn::default(), &StackName::default());
    let known = Known { parameters: &defaults.values, pseudo: &pseudo, environment: &environment };
    Ok(source.outline(known)?)
}
