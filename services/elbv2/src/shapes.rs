//! Response shapes that several operations share.

use crate::{
    actions::{self, ActionShape},
    certificates::CertificateShape,
    choices::{IpAddressType, LoadBalancerType, Protocol, TargetGroupIpAddressType},
    conditions::{self, ConditionShape},
    network, rules, status,
};
use escale_base::{Timestamp, Wire};
use escale_service::Cx;
use escale_store::Image;
use escale_tables::{
    ec2::{GroupId, SubnetId, VpcId},
    elbv2::{
        BalancerKind, Listener, ListenerTls, LoadBalancer, Rule, Scheme, SslPolicyName, TargetGroup,
        TargetProtocol, TargetType, TargetVersion,
    },
};

#[derive(Debug, Wire)]
pub(crate) struct BalancerShape {
    pub load_balancer_arn: String,
    #[wire("DNSName")]
    pub dns_name: String,
    pub canonical_hosted_zone_id: &'static str,
    pub created_time: Timestamp,
    pub load_balancer_name: String,
    pub scheme: Scheme,
    pub vpc_id: VpcId,
    pub state: StateShape,
    #[wire("Type")]
    pub kind: LoadBalancerType,
    pub availability_zones: Vec<ZoneShape>,
    /// Absent from a network load balancer that was created without any.
    pub security_groups: Option<Vec<GroupId>>,
    pub ip_address_type: IpAddressType,
}

#[derive(Debug, Wire)]
pub(crate) struct StateShape {
    pub code: status::BalancerState,
    pub reason: Option<String>,
}

#[derive(Debug, Wire)]
pub(crate) struct ZoneShape {
    pub zone_name: String,
    pub subnet_id: SubnetId,
    pub load_balancer_addresses: Vec<AddressShape>,
}

/// Only network load balancers have addresses: here the list is always empty.
#[derive(Debug, Wire)]
pub(crate) struct AddressShape {
    pub ip_address: Option<String>,
}

pub(crate) fn balancer(cx: &Cx<'_>, row: &LoadBalancer) -> BalancerShape {
    let (code, reason) = status::balancer(cx.tx, row);
    let zone = |n: &escale_tables::elbv2::Node| ZoneShape {
        zone_name: n.zone.to_string(),
        subnet_id: n.subnet.clone(),
        load_balancer_addresses: Vec::new(),
    };
    BalancerShape {
        load_balancer_arn: row.arn.to_string(),
        dns_name: row.dns_name.to_string(),
        canonical_hosted_zone_id: hosted_zone(row.kind, &cx.config.region),
        created_time: row.created,
        load_balancer_name: row.name.clone(),
        scheme: row.scheme,
        vpc_id: row.vpc.clone(),
        state: StateShape { code, reason },
        kind: match row.kind {
            BalancerKind::Application => LoadBalancerType::Application,
            BalancerKind::Network => LoadBalancerType::Network,
        },
        availability_zones: row.nodes.iter().map(zone).collect(),
        security_groups: (row.kind == BalancerKind::Application || !row.groups.is_empty())
            .then(|| row.groups.clone()),
        ip_address_type: IpAddressType::Ipv4,
    }
}

/// The hosted zone id for Route 53 aliases. Regions that are not in the list get that of Paris.
/// Source: <https://docs.aws.amazon.com/general/latest/gr/elb.html>
pub(crate) fn hosted_zone(kind: BalancerKind, region: &str) -> &'static str {
    match kind {
        BalancerKind::Application => application_zone(region),
        BalancerKind::Network => network_zone(region),
    }
}

fn network_zone(region: &str) -> &'static str {
    match region {
        "us-east-1" => "Z26RNL4JYFTOTI",
        "us-east-2" => "ZLMOA37VPKANP",
        "us-west-1" => "Z24FKFUX50B4VW",
        "us-west-2" => "Z18D5FSROUN65G",
        "ca-central-1" => "Z2EPGBW3API2WT",
        "eu-central-1" => "Z3F0SRJ5LGBH90",
        "eu-west-1" => "Z2IFOLAFXWLO4F",
        "eu-west-2" => "ZD4D7Y8KGAS4G",
        "eu-north-1" => "Z1UDT6IFJ4EJM",
        "eu-south-1" => "Z23146JA1KNAFP",
        "ap-northeast-1" => "Z31USIVHYNEOWT",
        "ap-northeast-2" => "ZIBE1TIR4HY56",
        "ap-south-1" => "ZVDDRBQ08TROA",
        "ap-southeast-1" => "ZKVM4W9LS7TM",
        "ap-southeast-2" => "ZCT6FZBF4DROD",
        "sa-east-1" => "ZTK26PT1VY4CU",
        _ => "Z1CMS0P5QUZ6D5",
    }
}

fn application_zone(region: &str) -> &'static str {
    match region {
        "us-east-1" => "Z35SXDOTRQ7X7K",
        "us-east-2" => "Z3AADJGX6KTTL2",
        "us-west-1" => "Z368ELLRRE2KJ0",
        "us-west-2" => "Z1H1FL5HABSF5",
        "ca-central-1" => "ZQSVJUPU6J1EY",
        "eu-central-1" => "Z215JYRZR1TBD5",
        "eu-west-1" => "Z32O12XQLNTSW2",
        "eu-west-2" => "ZHURV8PSTC4K8",
        "eu-north-1" => "Z23TAZ6LKFMNIO",
        "eu-south-1" => "Z3ULH7SSC9OV64",
        "ap-northeast-1" => "Z14GRHDCWA56QT",
        "ap-northeast-2" => "ZWKZPGTI48KDX",
        "ap-south-1" => "ZP97RAFLXTNZK",
        "ap-southeast-1" => "Z1LMS91P8CMLE5",
        "ap-southeast-2" => "Z1GM3OXH4ZPM65",
        "sa-east-1" => "Z2P70J7HTTTPLU",
        _ => "Z3Q77PNBQS71R4",
    }
}

#[derive(Debug, Wire)]
pub(crate) struct GroupShape {
    pub target_group_arn: String,
    pub target_group_name: String,
    pub protocol: Protocol,
    pub port: u16,
    pub vpc_id: VpcId,
    pub health_check_protocol: Protocol,
    pub health_check_port: String,
    pub health_check_enabled: bool,
    pub health_check_interval_seconds: u32,
    pub health_check_timeout_seconds: u32,
    pub healthy_threshold_count: u32,
    pub unhealthy_threshold_count: u32,
    pub health_check_path: Option<String>,
    pub matcher: Option<MatcherShape>,
    pub load_balancer_arns: Vec<String>,
    pub target_type: TargetType,
    pub protocol_version: Option<TargetVersion>,
    pub ip_address_type: TargetGroupIpAddressType,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct MatcherShape {
    pub http_code: Option<String>,
    pub grpc_code: Option<String>,
}

pub(crate) fn group(image: &Image, row: &TargetGroup) -> GroupShape {
    let health = &row.health;
    let is_http = health.protocol.is_http();
    let code =
        |is_grpc: bool| (is_grpc == (row.version == TargetVersion::Grpc)).then(|| health.matcher.clone());
    GroupShape {
        target_group_arn: row.arn.to_string(),
        target_group_name: row.name.clone(),
        protocol: protocol(row.protocol),
        port: row.port,
        vpc_id: row.vpc.clone(),
        health_check_protocol: protocol(health.protocol),
        health_check_port: health.port.map_or_else(|| "traffic-port".to_owned(), |p| p.to_string()),
        health_check_enabled: true,
        health_check_interval_seconds: health.interval_secs,
        health_check_timeout_seconds: health.timeout_secs,
        healthy_threshold_count: health.healthy_threshold,
        unhealthy_threshold_count: health.unhealthy_threshold,
        health_check_path: is_http.then(|| health.path.clone()),
        matcher: is_http.then(|| MatcherShape { http_code: code(false), grpc_code: code(true) }),
        load_balancer_arns: rules::balancers_of(image, &row.arn).into_iter().collect(),
        target_type: row.targets,
        protocol_version: row.protocol.is_http().then_some(row.version),
        ip_address_type: TargetGroupIpAddressType::Ipv4,
    }
}

fn protocol(stored: TargetProtocol) -> Protocol {
    match stored {
        TargetProtocol::Http => Protocol::Http,
        TargetProtocol::Https => Protocol::Https,
        TargetProtocol::Tcp => Protocol::Tcp,
    }
}

#[derive(Debug, Wire)]
pub(crate) struct ListenerShape {
    pub listener_arn: String,
    pub load_balancer_arn: String,
    pub port: u16,
    pub protocol: Protocol,
    pub ssl_policy: Option<SslPolicyName>,
    /// The default certificate; absent without TLS.
    pub certificates: Option<Vec<CertificateShape>>,
    pub default_actions: Vec<ActionShape>,
}

pub(crate) fn listener(image: &Image, row: &Listener) -> ListenerShape {
    let tls = image.get::<ListenerTls>(&row.arn);
    let default = |tls: &ListenerTls| {
        let certificate_arn = tls.certificates.first().cloned();
        vec![CertificateShape { certificate_arn, is_default: None }]
    };
    ListenerShape {
        listener_arn: row.arn.to_string(),
        load_balancer_arn: row.load_balancer.to_string(),
        port: row.port,
        protocol: if tls.is_some() {
            Protocol::Https
        } else {
            match network::kind_of_listener(&row.arn) {
                BalancerKind::Application => Protocol::Http,
                BalancerKind::Network => Protocol::Tcp,
            }
        },
        ssl_policy: tls.as_ref().map(|tls| tls.policy.clone()),
        certificates: tls.as_deref().map(default),
        default_actions: actions::show(&row.default),
    }
}

#[derive(Debug, Wire)]
pub(crate) struct RuleShape {
    pub rule_arn: String,
    pub priority: String,
    pub conditions: Vec<ConditionShape>,
    pub actions: Vec<ActionShape>,
    pub is_default: bool,
}

pub(crate) fn rule(row: &Rule) -> RuleShape {
    RuleShape {
        rule_arn: row.arn.to_string(),
        priority: row.priority.to_string(),
        conditions: row.conditions.iter().map(conditions::show).collect(),
        actions: actions::show(&row.action),
        is_default: false,
    }
}

/// A listener's default rule. Its ARN ends in the listener's id.
pub(crate) fn default_rule(row: &Listener) -> RuleShape {
    RuleShape {
        rule_arn: default_rule_arn(&row.arn),
        priority: "default".into(),
        conditions: Vec::new(),
        actions: actions::show(&row.default),
        is_default: true,
    }
}

pub(crate) fn default_rule_arn(listener: &str) -> String {
    let id = listener.rsplit('/').next().unwrap_or_default();
    format!("{}/{id}", listener.replacen(":listener/", ":listener-rule/", 1))
}

/// The listener whose default rule has this ARN.
pub(crate) fn listener_of_default(rule: &str) -> Option<String> {
    let (listener, id) = rule.rsplit_once('/')?;
    let listener = listener.replacen(":listener-rule/", ":listener/", 1);
    listener.ends_with(&format!("/{id}")).then_some(listener)
}
