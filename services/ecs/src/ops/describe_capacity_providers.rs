//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html>

use crate::{
    Error,
    choices::{CapacityProviderField, CapacityProviderStatus},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::CapacityProvider;

#[derive(Wire)]
#[wire(camelCase)]
struct Provider {
    capacity_provider_arn: String,
    name: CapacityProvider,
    status: CapacityProviderStatus,
    tags: Vec<rules::TagShape>,
}

pub(crate) struct DescribeCapacityProviders;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    capacity_providers: Vec<String>,
    include: Vec<CapacityProviderField>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    capacity_providers: Vec<Provider>,
    failures: Vec<rules::Failure>,
}

impl Operation for DescribeCapacityProviders {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let arn = |name: &str| rules::arn(cx.config, format!("capacity-provider/{name}"));
        let names = if input.capacity_providers.is_empty() {
            CapacityProvider::ALL.iter().map(ToString::to_string).collect()
        } else {
            input.capacity_providers
        };
        let (mut capacity_providers, mut failures) = (Vec::new(), Vec::new());
        for name in names.iter().map(|a| rules::last_part(a)) {
            match rules::provider(name) {
                Ok(provider) => capacity_providers.push(Provider {
                    capacity_provider_arn: arn(name),
                    name: provider,
                    status: CapacityProviderStatus::Active,
                    tags: Vec::new(),
                }),
                Err(_) => failures.push(rules::Failure { arn: arn(name), reason: "MISSING" }),
            }
        }
        Ok(Output { capacity_providers, failures })
    }
}
