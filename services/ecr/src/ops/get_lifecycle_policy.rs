//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetLifecyclePolicy.html>
//!
//! No repository has a lifecycle policy, since PutLifecyclePolicy is not supported.

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecr::RepositoryName;

pub(crate) struct GetLifecyclePolicy;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
}

impl Operation for GetLifecyclePolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, &input.repository_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::row(cx, input.registry_id.as_deref(), &input.repository_name)?;
        let account = cx.config.account.clone();
        Err(Error::NoLifecyclePolicy { name: input.repository_name, account })
    }
}
