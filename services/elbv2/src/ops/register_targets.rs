//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html>

use crate::{
    Error,
    error::{TooMany, invalid},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::{
    ec2::{Subnet, Vpc},
    elbv2::{Target, TargetGroup, TargetType},
};
use std::net::Ipv4Addr;

pub(crate) struct RegisterTargets;

#[derive(Wire)]
pub(crate) struct Input {
    target_group_arn: String,
    targets: Vec<TargetShape>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub(crate) struct TargetShape {
    pub id: String,
    pub port: Option<u16>,
    pub availability_zone: Option<String>,
}

/// AWS's quota of targets in a target group.
const TARGETS: usize = 1000;

impl Operation for RegisterTargets {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.target_group_arn.clone()]
    }

    /// Registering a registered target changes nothing. A draining target becomes active again.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let group = rules::target_group(cx, &input.target_group_arn)?;
        if input.targets.is_empty() {
            return Err(invalid("At least one target must be specified"));
        }
        for shape in input.targets {
            let target = target(cx, &group, shape)?;
            cx.tx.put(target);
        }
        // Counted after the writes, so that repeated targets count once; an error rolls the writes back.
        if cx.tx.prefix::<Target>(&format!("{}/", group.arn)).count() > TARGETS {
            return Err(Error::TooMany(TooMany::Targets));
        }
        Ok(())
    }
}

fn target(cx: &Cx<'_>, group: &TargetGroup, shape: TargetShape) -> Result<Target, Error> {
    if group.targets == TargetType::Instance {
        return Err(Error::InvalidTarget(format!(
            "The target '{}' is not valid: the target group has the target type 'instance', and there are no EC2 instances. \
             Create the target group with TargetType 'ip' to register addresses",
            shape.id
        )));
    }
    let ip: Ipv4Addr = shape.id.parse().map_err(|_| {
        Error::InvalidTarget(format!("The IP address '{}' is not a valid IPv4 address", shape.id))
    })?;
    let inside = cx.tx.get::<Vpc>(group.vpc.as_str()).is_some_and(|v| v.cidr.contains(&ip));
    let everywhere = shape.availability_zone.as_deref() == Some("all");
    let zone = match cx.tx.scan::<Subnet>().find(|s| s.vpc == group.vpc && s.cidr.contains(&ip)) {
        Some(subnet) if inside => Some(subnet.zone.clone()),
        _ if inside => {
            let message = format!("No subnet of the VPC '{}' contains the IP address '{ip}'", group.vpc);
            return Err(Error::InvalidTarget(message));
        }
        _ if !everywhere || !ip.is_private() => {
            return Err(Error::InvalidTarget(format!(
                "The IP address '{ip}' is outside the VPC '{}': it must be a private address, and AvailabilityZone must be \
                 'all'",
                group.vpc
            )));
        }
        _ => None,
    };
    if let Some(named) =
        shape.availability_zone.filter(|z| inside && Some(z.as_str()) != zone.as_deref() && z != "all")
    {
        return Err(Error::InvalidTarget(format!(
            "The target '{ip}' is not in the Availability Zone '{named}'"
        )));
    }
    let zone = zone.filter(|_| !everywhere);
    let port = shape.port.unwrap_or(group.port);
    Ok(Target { group: group.arn.clone(), ip, port, zone, draining: None })
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn accepts_targets_in_subnets_and_private_networks() {
        let cloud = FakeCloud::new();
        let subnet = cloud.subnet("a");
        let inside = cloud.address_in(&subnet);
        let arn = cloud.group("web");
        for (target, code) in [
            (json!({"Id": "i-0123"}), "InvalidTarget"),
            (json!({"Id": "8.8.8.8", "AvailabilityZone": "all"}), "InvalidTarget"),
            (json!({"Id": "192.168.1.1"}), "InvalidTarget"),
            (json!({"Id": inside, "AvailabilityZone": "eu-west-3c"}), "InvalidTarget"),
            (json!({"Id": "10.0.255.9"}), "InvalidTarget"),
        ] {
            let input = json!({"TargetGroupArn": arn, "Targets": [target]});
            assert_eq!(cloud.error("RegisterTargets", input).code, code, "{target}");
        }
        let targets = json!([{"Id": inside}, {"Id": "192.168.1.1", "Port": 81, "AvailabilityZone": "all"}]);
        cloud.ok("RegisterTargets", json!({"TargetGroupArn": arn, "Targets": targets}));
        let health = cloud.ok("DescribeTargetHealth", json!({"TargetGroupArn": arn}));
        let states: Vec<_> = health["TargetHealthDescriptions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["TargetHealth"]["Reason"].clone())
            .collect();
        assert_eq!(states, ["Target.NotInUse", "Target.NotInUse"]);
    }

    #[test]
    fn target_of_unused_group_is_removed_without_draining() {
        let cloud = FakeCloud::new();
        let inside = cloud.address_in(&cloud.subnet("a"));
        let arn = cloud.group("web");
        let input = json!({"TargetGroupArn": arn, "Targets": [{"Id": inside}]});
        cloud.ok("RegisterTargets", input.clone());
        cloud.ok("DeregisterTargets", input);
        let health = cloud.ok("DescribeTargetHealth", json!({"TargetGroupArn": arn}));
        assert_eq!(health["TargetHealthDescriptions"], json!([]));
    }
}
