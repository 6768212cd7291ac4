//! What a load balancer's health check saw of a task that it found unhealthy: for events, stop reasons and people.

use escale_store::{Image, Row};
use escale_tables::{
    ecs::{Service, TargetSeen, Task},
    elbv2::{self, TargetGroup, TargetHealth},
};

/// The first of a task's target groups that calls it unhealthy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub group: String,
    pub port: u16,
    /// The load balancer's own words: `Health checks failed with these codes: [404]`
    pub description: String,
    /// Which request was sent, and what came of it.
    pub told: String,
}

/// Of any of its tasks that are still there.
pub(crate) fn of_service(image: &Image, service: &Service) -> Option<Sight> {
    let key = service.key();
    let mut tasks = image.scan::<Task>().filter(|t| t.service.as_ref().is_some_and(|s| s.key == key));
    tasks.find_map(|task| of_task(image, service, &task))
}

pub(crate) fn of_task(image: &Image, service: &Service, task: &Task) -> Option<Sight> {
    let seen = image.get::<TargetSeen>(&task.id)?;
    let mut balancers = service.load_balancers.iter();
    balancers.find_map(|b| {
        let group = image.get::<TargetGroup>(b.target_group_arn.as_ref()?)?;
        let (_, description) = seen.groups.get(&group.arn).filter(|(state, _)| state == "unhealthy")?;
        let port = u16::try_from(b.container_port?).ok()?;
        let key = elbv2::Target::key_of(&group.arn, task.private_ip, port);
        let health = image.get::<elbv2::TargetSeen>(&key)?.health.clone();
        let checked = group.health.port.unwrap_or(port);
        let request = format!("GET http://{}:{checked}{}", task.private_ip, group.health.path);
        let told = format!("{request}: {}", outcome(&group, checked, &health, description));
        Some(Sight { group: group.arn.clone(), port, description: description.clone(), told })
    })
}

fn outcome(group: &TargetGroup, port: u16, health: &TargetHealth, description: &str) -> String {
    match health {
        TargetHealth::WrongStatus(status) => {
            format!("answered {status}, and {} is asked for", group.health.matcher)
        }
        TargetHealth::TimedOut => format!("no answer within {} s", group.health.timeout_secs),
        TargetHealth::Refused => format!("connection refused, nothing listens on port {port}"),
        TargetHealth::NotHttp => "what answers there is not HTTP, or hangs up".into(),
        TargetHealth::Unreachable(why) => why.clone(),
        // Not unhealthy any more; what it was is known by its words alone.
        TargetHealth::Unused | TargetHealth::Initial | TargetHealth::Healthy | TargetHealth::Draining => {
            description.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Timestamp;
    use escale_tables::elbv2::HealthCheck;

    #[test]
    fn says_what_came_of_the_request() {
        let health = HealthCheck {
            path: "/".into(),
            port: None,
            interval_secs: 5,
            timeout_secs: 3,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            matcher: "200-299".into(),
        };
        let group = TargetGroup {
            arn: String::new(),
            name: String::new(),
            vpc: "vpc-0".into(),
            port: 80,
            health,
            attributes: Default::default(),
            tags: Vec::new(),
            created: Timestamp(0),
        };
        for (health, told) in [
            (TargetHealth::WrongStatus(503), "answered 503, and 200-299 is asked for"),
            (TargetHealth::TimedOut, "no answer within 3 s"),
            (TargetHealth::Refused, "connection refused, nothing listens on port 81"),
            (TargetHealth::NotHttp, "what answers there is not HTTP, or hangs up"),
            (TargetHealth::Unreachable("no route to host".into()), "no route to host"),
            (TargetHealth::Healthy, "Request timed out"),
        ] {
            assert_eq!(outcome(&group, 81, &health, "Request timed out"), told);
        }
    }
}
