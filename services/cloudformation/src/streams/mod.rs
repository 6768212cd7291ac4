//! Operations that take a template: it may lie in S3, hence they wait. A line each.

escale_service::streams! {
    crate::CloudFormation;
    CreateChangeSet => create_change_set,
    CreateStack => create_stack,
    GetTemplateSummary => get_template_summary,
    UpdateStack => update_stack,
    ValidateTemplate => validate_template,
}

use escale_service::StreamCx;

/// The ARN that a policy names: a stack's, by name whatever its uuid.
fn stack_arns(cx: &StreamCx, named: &str) -> Vec<String> {
    if named.starts_with("arn:") {
        return vec![named.to_owned()];
    }
    let config = &cx.config;
    let resource = format!("stack/{named}/*");
    vec![escale_base::Arn::new("cloudformation", &config.region, &config.account, resource).to_string()]
}
