//! Checks that a task can reach the API. Fargate pulls images, reads secrets and creates log streams through the task's own
//! interface, so a task starts only if its route tables, gateways and security groups allow that.
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

/// HTTPS, the port of AWS's endpoints: a task's security groups must allow it outbound, as on AWS. No program has to listen on
/// it, since a refused connection proves the network path too.
const PORT: u16 = 443;

/// Sends packets to the API and to S3, which serves the layers of images. One check covers secrets, registry and logs: they share
/// an address.
pub(super) async fn check(network: &dyn Network, config: &Config, task: &Task) -> Result<(), Problem> {
    let within = Duration::from_millis(limits::TASK_ROAD_MS);
    let answers = |address: Ipv4Addr| {
        let to = SocketAddrV4::new(address, PORT);
        network.answers(task.vpc.as_str(), task.interface.as_str(), to, within)
    };
    let (api, s3) = tokio::join!(answers(config.api_address), answers(config.s3_address));
    let retry = |e: escale_base::PlaneError| Problem::Retry(e.into());
    match (api.map_err(retry)?, s3.map_err(retry)?) {
        (true, true) => Ok(()),
        (false, _) => Err(Problem::Failed(format!(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: \
             unable to retrieve ecr registry auth: service call has been retried 2 time(s): RequestError: send request \
             failed caused by: dial tcp {}:{PORT}: i/o timeout. Please check your task network configuration. {}",
            config.api_address,
            advice(task)
        ))),
        (true, false) => Err(Problem::Failed(format!(
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
