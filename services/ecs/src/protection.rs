//! Protection of tasks from scale-ins and deployments.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html>

use crate::{rules, status::Known};
use escale_base::{Timestamp, Wire};
use escale_service::Cx;
use escale_tables::ecs::{ClusterName, Task};
use std::sync::Arc;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct ProtectedTask {
    task_arn: String,
    protection_enabled: bool,
    expiration_date: Option<Timestamp>,
}

impl ProtectedTask {
    pub(crate) fn of(cx: &Cx<'_>, task: &Task) -> ProtectedTask {
        let until = task.protected_until.filter(|until| *until > cx.now);
        ProtectedTask {
            task_arn: rules::task_arn(cx.config, task),
            protection_enabled: until.is_some(),
            expiration_date: until,
        }
    }
}

/// The tasks as IAM policies name them.
pub(crate) fn resources(cx: &Cx<'_>, cluster: &str, tasks: &[String]) -> Vec<String> {
    let cluster = rules::cluster_name(Some(cluster));
    let arn = |task: &String| rules::arn(cx.config, format!("task/{cluster}/{}", rules::last_part(task)));
    // Without a task, a request names any.
    if tasks.is_empty() {
        return vec![arn(&"*".to_owned())];
    }
    tasks.iter().map(arn).collect()
}

/// A task that can be protected: it belongs to a service, and runs or will run.
pub(crate) fn find(cx: &Cx<'_>, cluster: &ClusterName, given: &str) -> Result<Arc<Task>, rules::Failure> {
    let id = rules::last_part(given);
    let failure =
        |reason| rules::Failure { arn: rules::arn(cx.config, format!("task/{cluster}/{id}")), reason };
    let task = rules::task(cx.tx, cluster, given).ok_or_else(|| failure("MISSING"))?;
    let is_valid = task.service.is_some() && Known::of(cx.tx, Arc::clone(&task)).is_alive();
    if is_valid { Ok(task) } else { Err(failure("TASK_NOT_VALID")) }
}
