//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html>

use crate::{Error, rules};
use crate::{
    shapes,
    status::{Known, Status},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{Cluster, Service, Task};

pub(crate) struct DeleteCluster;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: String,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    cluster: shapes::ClusterShape,
}

impl Operation for DeleteCluster {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::cluster_arn(cx.config, &rules::cluster_name(Some(&input.cluster)))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::cluster(cx.tx, Some(&input.cluster))?;
        let prefix = format!("{}/", row.name);
        if cx.tx.prefix::<Service>(&prefix).any(|s| s.deleted.is_none()) {
            return Err(Error::ClusterHasServices);
        }
        let of = |t: &std::sync::Arc<Task>| t.cluster == row.name;
        if cx.tx.scan::<Task>().filter(of).any(|t| Known::of(cx.tx, t).status() != Status::Stopped) {
            return Err(Error::ClusterHasTasks);
        }
        // The row stays, so that DescribeClusters can return the cluster as INACTIVE.
        cx.tx.update(&row.name, |c: &mut Cluster| c.deleted = Some(cx.now));
        let row = Cluster { deleted: Some(cx.now), ..(*row).clone() };
        Ok(Output { cluster: shapes::cluster(cx.tx, cx.config, &row) })
    }
}
