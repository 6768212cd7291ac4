//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateClusterSettings.html>

use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{Cluster, ClusterSetting};

pub(crate) struct UpdateClusterSettings;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: String,
    settings: Vec<ClusterSetting>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    cluster: shapes::ClusterShape,
}

impl Operation for UpdateClusterSettings {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::cluster_arn(cx.config, &rules::cluster_name(Some(&input.cluster)))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let name = rules::cluster(cx.tx, Some(&input.cluster))?.name.clone();
        let row = cx.tx.update(&name, |c: &mut Cluster| {
            for setting in input.settings {
                c.settings.retain(|s| s.name != setting.name);
                c.settings.push(setting);
            }
            c.clone()
        });
        let row = row.ok_or(Error::NoCluster)?;
        Ok(Output { cluster: shapes::cluster(cx.tx, cx.config, &row) })
    }
}
