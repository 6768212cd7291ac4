//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_SetRepositoryPolicy.html>

use super::get_repository_policy::Output;
use crate::{Error, policy, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecr::{Repository, RepositoryName};

pub(crate) struct SetRepositoryPolicy;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    policy_text: String,
    force: Option<bool>,
}

impl Operation for SetRepositoryPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, &input.repository_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::row(cx, input.registry_id.as_deref(), &input.repository_name)?;
        policy::check(&input.policy_text)?;
        let (name, policy_text) = (input.repository_name, input.policy_text);
        cx.tx.update::<Repository, ()>(&name, |r| r.policy = Some(policy_text.clone()));
        if input.force != Some(true) {
            // Without force, the caller must still be able to replace the policy: call the operation once more to find out.
            let (repository_name, policy_text) = (name.clone(), policy_text.clone());
            let again = Input { registry_id: None, repository_name, policy_text, force: Some(true) };
            cx.call_own::<SetRepositoryPolicy>(again).map_err(|_| Error::Invalid {
                parameter: "PolicyText",
                why: "The policy would deny you ecr:SetRepositoryPolicy, so you could not change it again. Set force to \
                      store it nevertheless."
                    .into(),
            })?;
        }
        Ok(Output { registry_id: cx.config.account.clone(), repository_name: name, policy_text })
    }
}
