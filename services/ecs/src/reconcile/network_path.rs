//! Checks that a task can reach the API. Fargate pulls images, reads secrets and creates log streams through the task's own
//! interface, so a task starts only if its route tables, gateways and security groups allow that.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html>

use super::start::Problem;
use crate::image::{self, ImageSource};
use escale_base::limits;
use escale_network::Network;
use escale_service::Config;
use escale_tables::ecs::{ContainerDefinition, Task, TaskDefinition};
use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

/// HTTPS, the port of AWS's endpoints: a task's security groups must allow it outbound, as on AWS.
const PORT: u16 = 443;

/// What a task must reach before it starts.
pub(super) struct Needs {
    /// AWS's endpoints: for ECR, secrets and logs.
    api: bool,
    /// The layers of ECR's images.
    s3: bool,
    /// The image of another registry.
    upstream: Option<String>,
}

impl Needs {
    pub(super) fn of(definition: &TaskDefinition, config: &Config) -> Needs {
        // A name that is not valid fails later, with its own message.
        let sources: Vec<_> =
            definition.containers.iter().filter_map(|c| image::parse(&c.image, config).ok()).collect();
        let s3 = sources.iter().any(ImageSource::is_own);
        let upstream = sources.iter().find_map(|source| match source {
            ImageSource::Own { .. } => None,
            ImageSource::Upstream { repository, reference } => Some(repository.image(reference)),
        });
        let reads = |c: &ContainerDefinition| {
            c.secrets.is_some() || c.log_configuration.is_some() || c.repository_credentials.is_some()
        };
        Needs { api: s3 || definition.containers.iter().any(reads), s3, upstream }
    }
}

/// Sends packets to the API and to S3, which serves the layers of images. One check covers secrets, registry and logs: they share
/// an address. The API's address on the Internet is checked for other registries, too, which the host connects to: a route
/// to the Internet leads to all of them.
pub(super) async fn check(
    network: &dyn Network,
    config: &Config,
    task: &Task,
    needs: &Needs,
) -> Result<(), Problem> {
    let within = Duration::from_millis(limits::TASK_ROAD_MS);
    let answers = |address: Ipv4Addr| {
        let to = SocketAddrV4::new(address, PORT);
        network.answers(task.vpc.as_str(), task.interface.as_str(), to, within)
    };
    let (api, s3) = tokio::join!(answers(config.api_address), answers(config.s3_address));
    let retry = |e: escale_base::PlaneError| Problem::Retry(e.into());
    let (api, s3) = (api.map_err(retry)?, s3.map_err(retry)? || !needs.s3);
    match (api, s3, &needs.upstream) {
        (true, true, _) => Ok(()),
        (false, true, None) if !needs.api => Ok(()),
        (false, _, Some(image)) if !needs.api => Err(Problem::Failed(image::unresolved(
            image,
            &format!("failed to do request: dial tcp: port {PORT}: i/o timeout. {}", advice(task)),
        ))),
        (false, ..) => Err(Problem::Failed(format!(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: \
             unable to retrieve ecr registry auth: service call has been retried 2 time(s): RequestError: send request \
             failed caused by: dial tcp {}:{PORT}: i/o timeout. Please check your task network configuration. {}",
            config.api_address,
            advice(task)
        ))),
        (true, false, _) => Err(Problem::Failed(format!(
            "CannotPullContainerError: ref pull has been retried 2 time(s): failed to copy: httpReadSeeker: failed open: \
             failed to do request: dial tcp {}:{PORT}: i/o timeout. {}",
            config.s3_address,
            advice(task)
        ))),
    }
}

fn advice(task: &Task) -> String {
    let how = match task.allocation {
        Some(_) => "an Internet gateway",
        None => "a NAT gateway (or run the task in a public subnet with assignPublicIp)",
    };
    format!(
        "The task's interface {} ({}) in {} cannot reach this address. Add a route to {how} to the subnet's route table, and \
         allow TCP {PORT} outbound in the security groups; the network ACL of the subnet must allow it, too, and the replies",
        task.interface, task.private_ip, task.subnet
    )
}
