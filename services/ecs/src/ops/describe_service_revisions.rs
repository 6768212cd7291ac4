//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html>

use crate::{
    Error,
    deployment_shapes::{self, RevisionShape},
    history, rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeServiceRevisions;

const MOST: usize = 20;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    service_revision_arns: Vec<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    service_revisions: Vec<RevisionShape>,
    failures: Vec<rules::Failure>,
}

impl Operation for DescribeServiceRevisions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        input.service_revision_arns.clone()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::check_number("serviceRevisionArns", &input.service_revision_arns, MOST)?;
        let (mut service_revisions, mut failures) = (Vec::new(), Vec::new());
        for arn in input.service_revision_arns {
            let parsed = deployment_shapes::parse("service-revision", &arn);
            let found = parsed.and_then(|(key, id)| {
                let revision = history::revision(cx.tx, &key, &id)?;
                Some(deployment_shapes::revision(cx.tx, cx.config, &key, &revision))
            });
            match found {
                Some(revision) => service_revisions.push(revision),
                None => failures.push(rules::Failure { arn, reason: "MISSING" }),
            }
        }
        Ok(Output { service_revisions, failures })
    }
}
