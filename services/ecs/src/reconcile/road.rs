//! Whether a task has a road to the API: Fargate pulls images, reads secrets and opens log streams through the task's own interface, so
//! route tables, gateways and security groups decide on a start as well.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html>

use super::start::Problem;
use escale_base::limits;
use escale_network::Network;
use escale_service::Config;
use escale_tables::ecs::Task;
use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

/// HTTPS: the port of AWS's endpoints, which the groups of a task must let out there as here. Nobody has to listen at it: a refusal that
/// comes back has found its way too.
const PORT: u16 = 443;

/// Tries it with packets, to the API and to S3, which hands out the layers of images. One try for secrets, registry and logs together:
/// all stand at one address.
pub(super) async fn check(network: &dyn Network, config: &Config, task: &Task) -> Result<(), Problem> {
    let within = Duration::from_millis(limits::TASK_ROAD_MS);
    let answers = |address: Ipv4Addr| {
        let to = SocketAddrV4::new(address, PORT);
        network.answers(task.vpc.as_str(), task.interface.as_str(), to, within)
    };
    let (api, s3) = tokio::join!(answers(config.api_address), answers(config.s3_address));
    let passing = |e: escale_base::PlaneError| Problem::Passing(e.into());
    match (api.map_err(passing)?, s3.map_err(passing)?) {
        (true, true) => Ok(()),
        (false, _) => Err(Problem::Failed(format!(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: \
             unable to retrieve ecr registry auth: service call has been retried 2 time(s): RequestError: send request \
             failed caused by: dial tcp {}:{PORT}: i/o timeout. Please check your task network configuration. {}",
            config.api_address,
            way_out(task)
        ))),
        (true, false) => Err(Problem::Failed(format!(
            "CannotPullContainerError: ref pull has been retried 2 time(s): failed to copy: httpReadSeeker: failed open: \
             failed to do request: dial tcp {}:{PORT}: i/o timeout. {}",
            config.s3_address,
            way_out(task)
        ))),
    }
}

fn way_out(task: &Task) -> String {
    let how = match task.allocation {
        Some(_) => "an Internet gateway, since it has a public address",
        None => "a NAT gateway in a public subnet, or give it a public address in one (assignPublicIp)",
    };
    format!(
        "The task's interface {} ({}) in {} must be able to reach it: let the subnet's route table lead to {how}, and its security \
         groups let TCP {PORT} out",
        task.interface, task.private_ip, task.subnet
    )
}
