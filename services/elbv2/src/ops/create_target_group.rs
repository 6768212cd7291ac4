//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>

use super::modify_target_group::Health;
use crate::{
    Error,
    choices::{Protocol, TargetGroupIpAddressType, TargetTypeInput},
    error::invalid,
    network, rules, shapes,
};
use escale_base::{AwsError, Tag, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::{
    ec2::{Vpc, VpcId},
    elbv2::{TargetGroup, TargetProtocol, TargetType, TargetVersion},
};

pub(crate) struct CreateTargetGroup;

#[derive(Wire)]
pub(crate) struct Input {
    name: String,
    protocol: Option<Protocol>,
    /// A string in AWS's model, so its values are checked here.
    protocol_version: Option<String>,
    port: Option<u16>,
    vpc_id: Option<VpcId>,
    health_check_protocol: Option<Protocol>,
    health_check_port: Option<String>,
    health_check_enabled: Option<bool>,
    health_check_path: Option<String>,
    health_check_interval_seconds: Option<u32>,
    health_check_timeout_seconds: Option<u32>,
    healthy_threshold_count: Option<u32>,
    unhealthy_threshold_count: Option<u32>,
    matcher: Option<shapes::MatcherShape>,
    target_type: Option<TargetTypeInput>,
    tags: Vec<Tag>,
    ip_address_type: Option<TargetGroupIpAddressType>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) target_groups: Vec<shapes::GroupShape>,
}

impl Operation for CreateTargetGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (protocol, version) = protocol(&input)?;
        rules::name("The target group", &input.name)?;
        rules::tags(&input.tags)?;
        let vpc = input.vpc_id.ok_or_else(|| invalid("A VPC ID must be specified"))?;
        if !cx.tx.has::<Vpc>(vpc.as_str()) {
            return Err(invalid(format!("The VPC ID '{vpc}' is not found")));
        }
        let targets = target_type(input.target_type)?;
        let port = input.port.filter(|p| *p > 0).ok_or_else(|| invalid("A port must be specified"))?;
        let health = Health {
            protocol: input.health_check_protocol,
            port: input.health_check_port,
            enabled: input.health_check_enabled,
            path: input.health_check_path,
            interval_secs: input.health_check_interval_seconds,
            timeout_secs: input.health_check_timeout_seconds,
            healthy_threshold: input.healthy_threshold_count,
            unhealthy_threshold: input.unhealthy_threshold_count,
            matcher: input.matcher,
        };
        let health = health.over((protocol, version), network::default_check(protocol, version))?;
        if let Some(found) = cx.tx.scan::<TargetGroup>().find(|g| g.name == input.name) {
            // Creation is idempotent: the same settings return the existing group.
            if (found.protocol, found.version, &found.vpc) == (protocol, version, &vpc)
                && found.targets == targets
                && found.port == port
                && found.health == health
            {
                return Ok(Output { target_groups: vec![shapes::group(cx.tx, &found)] });
            }
            return Err(Error::DuplicateTargetGroup(input.name));
        }
        let id = ids::random_hex(16);
        let group = TargetGroup {
            arn: cx
                .arn("elasticloadbalancing", format!("targetgroup/{}/{id}", input.name))
                .to_string()
                .into(),
            name: input.name,
            vpc,
            targets,
            protocol,
            version,
            port,
            health,
            attributes: Default::default(),
            tags: input.tags,
            created: cx.now,
        };
        let shape = shapes::group(cx.tx, &group);
        cx.tx.put(group);
        Ok(Output { target_groups: vec![shape] })
    }
}

fn protocol(input: &Input) -> Result<(TargetProtocol, TargetVersion), Error> {
    let only = |what: &str, given: Option<&str>, supported: &str| match given {
        Some(other) if other != supported => {
            let hint = format_args!("Use '{supported}'.");
            Err(AwsError::not_supported(format_args!("{what} '{other}'")).hint(hint))
        }
        _ => Ok(()),
    };
    let protocol = input.protocol.ok_or_else(|| invalid("A protocol must be specified"))?;
    let protocol = match protocol {
        Protocol::Http => TargetProtocol::Http,
        Protocol::Https => TargetProtocol::Https,
        Protocol::Tcp => TargetProtocol::Tcp,
        other => {
            return Err(AwsError::not_supported(format_args!("A target group of the protocol '{other}'"))
                .hint("Use 'HTTP', 'HTTPS' or 'TCP'.")
                .into());
        }
    };
    if protocol == TargetProtocol::Tcp && input.protocol_version.is_some() {
        return Err(invalid(
            "A protocol version cannot be specified for target groups with the protocol TCP",
        ));
    }
    let addresses = input.ip_address_type.map(TargetGroupIpAddressType::as_str);
    only("The IP address type", addresses, TargetGroupIpAddressType::Ipv4.as_str())?;
    Ok((protocol, version(input.protocol_version.as_deref())?))
}

fn version(given: Option<&str>) -> Result<TargetVersion, Error> {
    let Some(text) = given else { return Ok(TargetVersion::default()) };
    text.parse()
        .map_err(|_| invalid(format!("Protocol version '{text}' must be one of '[GRPC, HTTP1, HTTP2]'")))
}

/// AWS's default is `instance`.
fn target_type(requested: Option<TargetTypeInput>) -> Result<TargetType, Error> {
    match requested {
        None | Some(TargetTypeInput::Instance) => Ok(TargetType::Instance),
        Some(TargetTypeInput::Ip) => Ok(TargetType::Ip),
        Some(other @ (TargetTypeInput::Lambda | TargetTypeInput::Alb)) => {
            Err(AwsError::not_supported(format_args!("A target group of the type '{other}'"))
                .hint("Use 'ip' or 'instance'.")
                .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn refuses_invalid_and_unsupported_target_groups() {
        let cloud = FakeCloud::new();
        for (change, code) in [
            (json!({"TargetType": "lambda"}), "NotImplemented"),
            (json!({"TargetType": "alb"}), "NotImplemented"),
            (json!({"Protocol": "TLS"}), "NotImplemented"),
            (json!({"ProtocolVersion": "HTTP3"}), "ValidationError"),
            (json!({"ProtocolVersion": "GRPC", "Matcher": {"HttpCode": "200"}}), "ValidationError"),
            (json!({"ProtocolVersion": "GRPC", "Matcher": {"GrpcCode": "100"}}), "ValidationError"),
            (json!({"VpcId": "vpc-0"}), "ValidationError"),
            (json!({"HealthCheckTimeoutSeconds": 30}), "ValidationError"),
            (json!({"HealthCheckIntervalSeconds": 4}), "ValidationError"),
            (json!({"HealthCheckPath": "health"}), "ValidationError"),
            (json!({"HealthCheckEnabled": false}), "ValidationError"),
            (json!({"Matcher": {"HttpCode": "600"}}), "ValidationError"),
            (json!({"Matcher": {"GrpcCode": "0"}}), "ValidationError"),
        ] {
            let mut input = json!({"Name": "web", "Protocol": "HTTP", "Port": 80, "VpcId": cloud.vpc, "TargetType": "ip"});
            input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(cloud.error("CreateTargetGroup", input).code, code, "{change}");
        }
    }

    /// Many templates have such a group as a placeholder that never gets a target.
    #[test]
    fn target_type_defaults_to_instance() {
        let cloud = FakeCloud::new();
        let input = json!({"Name": "web", "Protocol": "HTTP", "Port": 80, "VpcId": cloud.vpc});
        let made = cloud.ok("CreateTargetGroup", input)["TargetGroups"][0].clone();
        assert_eq!(made["TargetType"], "instance");
        for id in ["i-0123456789abcdef0", "10.0.0.9"] {
            let register = json!({"TargetGroupArn": made["TargetGroupArn"], "Targets": [{"Id": id}]});
            assert_eq!(cloud.error("RegisterTargets", register).code, "InvalidTarget", "{id}");
        }
        let same_name =
            json!({"Name": "web", "Protocol": "HTTP", "Port": 80, "VpcId": cloud.vpc, "TargetType": "ip"});
        assert_eq!(cloud.error("CreateTargetGroup", same_name).code, "DuplicateTargetGroupName");
    }
}
