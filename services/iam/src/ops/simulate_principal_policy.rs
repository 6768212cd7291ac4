//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
//!
//! Evaluates the current policies of a user or role as the gate does, but without the policies of resources.

use crate::choices::EvalDecision;
use crate::{Error, entity, entity::Entity, identity};
use escale_base::{Arn, Tag, Wire};
use escale_policy::{Context, Document, Kind, Outcome, Question, Who, decide};
use escale_service::{Cx, Operation};
use escale_tables::iam::{Role, User};

pub(crate) struct SimulatePrincipalPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    policy_source_arn: String,
    action_names: Vec<String>,
    resource_arns: Vec<String>,
    /// More policies, evaluated as if they were attached to the principal.
    policy_input_list: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    evaluation_results: Vec<Evaluation>,
    is_truncated: bool,
}

#[derive(Wire)]
pub(crate) struct Evaluation {
    eval_action_name: String,
    eval_resource_name: String,
    eval_decision: EvalDecision,
}

impl Operation for SimulatePrincipalPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_source_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (who, tags, mut documents) = source(cx, &input.policy_source_arn)?;
        for text in &input.policy_input_list {
            documents.push(Document::parse(text, Kind::Identity).map_err(Error::Invalid)?);
        }
        let context = Context {
            who,
            tags,
            account: cx.config.account.clone(),
            region: cx.config.region.clone(),
            now: cx.now,
            source_ip: None,
            secure_transport: None,
            given: Vec::new(),
        };
        let all = vec!["*".to_owned()];
        let resources = if input.resource_arns.is_empty() { &all } else { &input.resource_arns };
        let mut evaluation_results = Vec::new();
        for action in &input.action_names {
            for resource in resources {
                let question = Question { context: &context, action, resource };
                evaluation_results.push(Evaluation {
                    eval_action_name: action.clone(),
                    eval_resource_name: resource.clone(),
                    eval_decision: match decide(&question, &documents, &[]) {
                        Outcome::Allowed => EvalDecision::Allowed,
                        Outcome::DeniedBy { .. } => EvalDecision::ExplicitDeny,
                        Outcome::NotAllowed => EvalDecision::ImplicitDeny,
                    },
                });
            }
        }
        Ok(Output { evaluation_results, is_truncated: false })
    }
}

/// The principal that an ARN names, with its tags and policies.
fn source(cx: &Cx<'_>, arn: &str) -> Result<(Who, Vec<Tag>, Vec<Document>), Error> {
    let invalid = |why: &str| Error::Invalid(format!("Invalid Entity Arn: {arn} {why}"));
    let unreadable = || Error::Invalid(format!("A policy of {arn} cannot be parsed. Replace this policy."));
    let parsed: Arn = arn.parse().map_err(|_| invalid("is not an ARN"))?;
    let name = parsed.resource.rsplit('/').next().unwrap_or_default();
    let account = cx.config.account.as_str();
    match parsed.resource_type() {
        User::ARN => {
            let row = entity::get::<User>(cx.tx, &name.into())?;
            let who = Who::user(account, &row.path, &row.name, &row.id);
            Ok((who, row.tags.clone(), identity::documents(cx.tx, &*row).ok_or_else(unreadable)?))
        }
        Role::ARN => {
            let row = entity::get::<Role>(cx.tx, &name.into())?;
            let who = Who::role(account, &row.path, &row.name, &row.id, "simulation");
            Ok((who, row.tags.clone(), identity::documents(cx.tx, &*row).ok_or_else(unreadable)?))
        }
        _ => Err(invalid("does not name a user or role")),
    }
}
