//! The result of a load balancer's health check of a task, for events, stop reasons and error messages.

use escale_store::{Image, Row};
use escale_tables::{
    ecs::{LoadBalancer, Service, TargetSeen, Task},
    elbv2::{
        self, TargetGroup, TargetGroupArn, TargetHealth, TargetHealthState, TargetProtocol, TargetVersion,
    },
};

/// The first of a task's target groups that reports it unhealthy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TargetCheck {
    pub group: TargetGroupArn,
    pub port: u16,
    /// The load balancer's own message: `Health checks failed with these codes: [404]`
    pub description: String,
    /// The request of the health check and its result.
    pub message: String,
}

/// The request and result of a failing health check of any existing task of the service. Includes checks that have not yet
/// failed often enough to make the target unhealthy.
pub(crate) fn failing_check(image: &Image, service: &Service) -> Option<String> {
    let key = service.key();
    let tasks = image.scan::<Task>().filter(|t| t.service.as_ref().is_some_and(|s| s.key == key));
    let tasks: Vec<_> = tasks.collect();
    let unhealthy =
        tasks.iter().find_map(|task| of_task(image, service, task)).map(|target_check| target_check.message);
    unhealthy.or_else(|| tasks.iter().find_map(|task| initially_failing(image, service, task)))
}

fn initially_failing(image: &Image, service: &Service, task: &Task) -> Option<String> {
    balancers(service, task).iter().find_map(|b| {
        let group = image.get::<TargetGroup>(b.target_group_arn.as_ref()?)?;
        let port = u16::try_from(b.container_port?).ok()?;
        let seen =
            image.get::<elbv2::TargetSeen>(&elbv2::Target::key_of(&group.arn, task.private_ip, port))?;
        match &seen.health {
            TargetHealth::InitialFailing(health) => Some(report(&group, task, port, health, "")),
            _ => None,
        }
    })
}

fn balancers<'a>(service: &'a Service, task: &Task) -> &'a [LoadBalancer] {
    task.service.as_ref().map_or(&[], |of| service.load_balancers_of(&of.deployment))
}

/// Such as `GET http://10.9.2.7:3000/nope: answered 404, expected 200`.
fn report(group: &TargetGroup, task: &Task, port: u16, health: &TargetHealth, description: &str) -> String {
    let checked = group.health.port.unwrap_or(port);
    let request = match group.health.protocol {
        protocol @ (TargetProtocol::Http | TargetProtocol::Https) => {
            let scheme = protocol.as_str().to_ascii_lowercase();
            let method = if group.version == TargetVersion::Grpc { "POST" } else { "GET" };
            format!("{method} {scheme}://{}:{checked}{}", task.private_ip, group.health.path)
        }
        TargetProtocol::Tcp => format!("TCP connection to {}:{checked}", task.private_ip),
    };
    format!("{request}: {}", outcome(group, checked, health, description))
}

pub(crate) fn of_task(image: &Image, service: &Service, task: &Task) -> Option<TargetCheck> {
    let seen = image.get::<TargetSeen>(&task.id)?;
    balancers(service, task).iter().find_map(|b| {
        let group = image.get::<TargetGroup>(b.target_group_arn.as_ref()?)?;
        let (_, description) = seen
            .groups
            .get(group.arn.as_str())
            .filter(|(state, _)| *state == TargetHealthState::Unhealthy)?;
        let port = u16::try_from(b.container_port?).ok()?;
        let key = elbv2::Target::key_of(&group.arn, task.private_ip, port);
        let health = image.get::<elbv2::TargetSeen>(&key)?.health.clone();
        let message = report(&group, task, port, &health, description);
        Some(TargetCheck { group: group.arn.clone(), port, description: description.clone(), message })
    })
}

fn outcome(group: &TargetGroup, port: u16, health: &TargetHealth, description: &str) -> String {
    match health {
        TargetHealth::WrongStatus(status) => {
            format!("answered {status}, expected {}", group.health.matcher)
        }
        TargetHealth::TimedOut => format!("no answer within {} s", group.health.timeout_secs),
        TargetHealth::Refused => format!("connection refused, nothing listens on port {port}"),
        TargetHealth::NotHttp => "the target closed the connection or did not answer with HTTP".into(),
        TargetHealth::Unreachable(why) => why.clone(),
        // The target has recovered since. The description is all that is left of the failure.
        TargetHealth::Unused
        | TargetHealth::Initial
        | TargetHealth::InitialFailing(_)
        | TargetHealth::Healthy
        | TargetHealth::Draining => description.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Timestamp;
    use escale_tables::elbv2::{HealthCheck, TargetType};

    #[test]
    fn reports_the_result_of_the_request() {
        let health = HealthCheck {
            protocol: TargetProtocol::Http,
            path: "/".into(),
            port: None,
            interval_secs: 5,
            timeout_secs: 3,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            matcher: "200-299".into(),
        };
        let group = TargetGroup {
            arn: "".into(),
            name: String::new(),
            vpc: "vpc-0".into(),
            targets: TargetType::Ip,
            protocol: TargetProtocol::Http,
            version: TargetVersion::Http1,
            port: 80,
            health,
            attributes: Default::default(),
            tags: Vec::new(),
            created: Timestamp(0),
        };
        for (health, message) in [
            (TargetHealth::WrongStatus(503), "answered 503, expected 200-299"),
            (TargetHealth::TimedOut, "no answer within 3 s"),
            (TargetHealth::Refused, "connection refused, nothing listens on port 81"),
            (TargetHealth::NotHttp, "the target closed the connection or did not answer with HTTP"),
            (TargetHealth::Unreachable("no route to host".into()), "no route to host"),
            (TargetHealth::Healthy, "Request timed out"),
        ] {
            assert_eq!(outcome(&group, 81, &health, "Request timed out"), message);
        }
    }
}
