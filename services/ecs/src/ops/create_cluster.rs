//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html>

use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{Cluster, ClusterSetting, StrategyItem};

pub(crate) struct CreateCluster;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster_name: Option<String>,
    settings: Vec<ClusterSetting>,
    capacity_providers: Vec<String>,
    default_capacity_provider_strategy: Vec<StrategyItem>,
    tags: Vec<rules::TagShape>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) cluster: shapes::ClusterShape,
}

impl Operation for CreateCluster {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::cluster_arn(cx.config, &rules::cluster_name(input.cluster_name.as_deref()))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let name = input.cluster_name.unwrap_or_else(|| "default".into());
        rules::check_name("clusterName", &name)?;
        if let Ok(there) = rules::cluster(cx.tx, Some(&name)) {
            return Ok(Output { cluster: shapes::cluster(cx.tx, cx.config, &there) });
        }
        input.capacity_providers.iter().try_for_each(|p| rules::check_provider(p))?;
        rules::check_strategy(&input.default_capacity_provider_strategy)?;
        let row = Cluster {
            name,
            settings: input.settings,
            capacity_providers: input.capacity_providers,
            default_strategy: input.default_capacity_provider_strategy,
            deleted: None,
            tags: rules::tags_in(input.tags),
            created: cx.now,
        };
        cx.tx.put(row.clone());
        Ok(Output { cluster: shapes::cluster(cx.tx, cx.config, &row) })
    }
}
