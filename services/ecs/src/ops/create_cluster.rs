//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html>

use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{Cluster, ClusterName, ClusterSetting};

pub(crate) struct CreateCluster;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster_name: Option<ClusterName>,
    settings: Vec<ClusterSetting>,
    capacity_providers: Vec<String>,
    default_capacity_provider_strategy: Vec<rules::StrategyInput>,
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
        // CreateCluster is idempotent: for an existing name it returns that cluster.
        if let Ok(existing) = rules::cluster(cx.tx, Some(&name)) {
            return Ok(Output { cluster: shapes::cluster(cx.tx, cx.config, &existing) });
        }
        let row = Cluster {
            name,
            settings: if input.settings.is_empty() { rules::settings(cx.tx) } else { input.settings },
            capacity_providers: rules::providers(&input.capacity_providers)?,
            default_strategy: rules::strategy(&input.default_capacity_provider_strategy)?,
            deleted: None,
            tags: rules::tags_in(input.tags),
            created: cx.now,
        };
        cx.tx.put(row.clone());
        Ok(Output { cluster: shapes::cluster(cx.tx, cx.config, &row) })
    }
}
