//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html>

use crate::{Error, entity, shapes};
use escale_base::{Tag, Wire, ids};
use escale_policy::{Document, Kind};
use escale_service::{Cx, Operation};
use escale_tables::iam::{Policy, PolicyArn, PolicyId, PolicyName, PolicyVersion};

pub(crate) struct CreatePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    policy_name: PolicyName,
    path: Option<String>,
    policy_document: String,
    description: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) policy: shapes::PolicyShape,
}

impl Operation for CreatePolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let path = input.path.as_deref().unwrap_or("/");
        vec![format!("arn:aws:iam::{}:policy{path}{}", cx.config.account, input.policy_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let path = entity::path(input.path)?;
        check(&input.policy_document)?;
        let name = input.policy_name;
        if cx.tx.scan::<Policy>().any(|p| p.name.eq_ignore_ascii_case(&name)) {
            return Err(Error::PolicyExists(name));
        }
        let mut tags = Vec::new();
        entity::add_tags(&mut tags, input.tags)?;
        let first = PolicyVersion { id: "v1".into(), document: input.policy_document, created: cx.now };
        let policy = Policy {
            arn: PolicyArn(format!("arn:aws:iam::{}:policy{path}{name}", cx.config.account)),
            id: PolicyId(format!("ANPA{}", ids::random_upper(17))),
            name,
            path,
            description: input.description,
            default_version: first.id.clone(),
            versions: vec![first],
            last_version: 1,
            tags,
            created: cx.now,
            updated: cx.now,
        };
        let shape = shapes::policy(&policy, cx.tx);
        cx.tx.put(policy);
        Ok(Output { policy: shape })
    }
}

/// AWS's quota on the size of a managed policy, in characters.
const DOCUMENT_MAX: usize = 6144;

pub(crate) fn check(document: &str) -> Result<(), Error> {
    Document::parse(document, Kind::Identity).map_err(Error::MalformedPolicy)?;
    // As on AWS, white space does not count.
    if document.chars().filter(|c| !c.is_whitespace()).count() > DOCUMENT_MAX {
        Err(Error::Quota { quota: "PolicySize", limit: DOCUMENT_MAX })
    } else {
        Ok(())
    }
}
