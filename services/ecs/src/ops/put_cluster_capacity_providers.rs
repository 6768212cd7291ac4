//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html>

use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::Cluster;

pub(crate) struct PutClusterCapacityProviders;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: String,
    capacity_providers: Vec<String>,
    default_capacity_provider_strategy: Vec<rules::StrategyInput>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    cluster: shapes::ClusterShape,
}

impl Operation for PutClusterCapacityProviders {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::cluster_arn(cx.config, &rules::cluster_name(Some(&input.cluster)))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let name = rules::cluster(cx.tx, Some(&input.cluster))?.name.clone();
        let providers = rules::providers(&input.capacity_providers)?;
        let strategy = rules::strategy(&input.default_capacity_provider_strategy)?;
        if let Some(item) = strategy.iter().find(|i| !providers.contains(&i.capacity_provider)) {
            return Err(Error::Invalid(format!(
                "The capacity provider {} of the default strategy is not associated with the cluster.",
                item.capacity_provider
            )));
        }
        let row = cx.tx.update(&name, |c: &mut Cluster| {
            c.capacity_providers = providers;
            c.default_strategy = strategy;
            c.clone()
        });
        let row = row.ok_or(Error::NoCluster)?;
        Ok(Output { cluster: shapes::cluster(cx.tx, cx.config, &row) })
    }
}
