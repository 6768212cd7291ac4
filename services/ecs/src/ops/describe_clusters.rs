//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html>

use crate::choices::ClusterField;
use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::Cluster;

pub(crate) struct DescribeClusters;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    clusters: Vec<String>,
    include: Vec<ClusterField>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) clusters: Vec<shapes::ClusterShape>,
    failures: Vec<rules::Failure>,
}

impl Operation for DescribeClusters {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let arn = |named: Option<&str>| rules::cluster_arn(cx.config, &rules::cluster_name(named));
        match input.clusters.as_slice() {
            [] => vec![arn(None)],
            named => named.iter().map(|name| arn(Some(name))).collect(),
        }
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let names = if input.clusters.is_empty() { vec!["default".to_owned()] } else { input.clusters };
        let (mut clusters, mut failures) = (Vec::new(), Vec::new());
        for name in names.iter().map(|n| rules::cluster_name(Some(n))) {
            match cx.tx.get::<Cluster>(&name) {
                Some(row) => {
                    let mut shape = shapes::cluster(cx.tx, cx.config, &row);
                    let included = |field| input.include.contains(&field);
                    if !included(ClusterField::Tags) {
                        shape.tags.clear();
                    }
                    if !included(ClusterField::Settings) && !included(ClusterField::Configurations) {
                        shape.settings.clear();
                    }
                    clusters.push(shape);
                }
                None => failures
                    .push(rules::Failure { arn: rules::cluster_arn(cx.config, &name), reason: "MISSING" }),
            }
        }
        Ok(Output { clusters, failures })
    }
}
