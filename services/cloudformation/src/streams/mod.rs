//! Operations that take a template, one per line. They are asynchronous because the template may be in S3.

escale_service::streams! {
    crate::CloudFormation;
    CreateChangeSet => create_change_set,
    CreateStack => create_stack,
    GetTemplateSummary => get_template_summary,
    UpdateStack => update_stack,
    ValidateTemplate => validate_template,
}

use escale_service::StreamCx;

/// The stack's ARN for authorization. A stack given by name matches with any uuid.
fn stack_arns(cx: &StreamCx, named: &str) -> Vec<String> {
    if named.starts_with("arn:") {
        return vec![named.to_owned()];
    }
    let config = &cx.config;
    let resource = format!("stack/{named}/*");
    vec![escale_base::Arn::new("cloudformation", &config.region, &config.account, resource).to_string()]
}
