//! Converts a load balancer's rows to one specification for the proxy plane.

use crate::{attributes, logs, network, rules, ssl_policies};
use escale_base::Secret;
use escale_proxy::spec;
use escale_store::Image;
use escale_tables::{
    acm::{self, CertificateArn},
    elbv2::{
        Action, BalancerKind, Condition, Listener, ListenerTls, LoadBalancer, Node, QueryPair, Redirect,
        Rule, Target, TargetGroup, TargetGroupArn, TargetProtocol, TargetVersion,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
};

/// The user agent of AWS's health checks.
const CHECKER: &str = "ELB-HealthChecker/2.0";

/// AWS's default for TCP listeners; the attribute that changes it is refused.
const TCP_IDLE_SECS: u64 = 350;

/// The current specification, which the plane should serve.
pub(crate) fn of(image: &Image, balancer: &LoadBalancer) -> spec::BalancerSpec {
    let listeners: Vec<_> = rules::listeners_of(image, &balancer.arn)
        .into_iter()
        .map(|l| (rules::rules_of(image, &l.arn), l))
        .collect();
    let actions = listeners
        .iter()
        .flat_map(|(rules, listener)| rules.iter().map(|r| &r.action).chain([&listener.default]));
    let used: BTreeSet<&TargetGroupArn> = actions.flat_map(groups_of).collect();
    let groups = used.into_iter().filter_map(|arn| image.get::<TargetGroup>(arn));
    spec::BalancerSpec {
        name: balancer.arn.to_string(),
        nodes: balancer.nodes.iter().map(|n| node(balancer, n)).collect(),
        listeners: listeners
            .iter()
            .map(|(rules, l)| match balancer.kind {
                BalancerKind::Application => spec::ListenerSpec {
                    port: l.port,
                    rules: rules.iter().map(|r| rule(r)).collect(),
                    default: action(&l.default),
                    tls: tls(image, balancer, l),
                },
                BalancerKind::Network => relay(image, l),
            })
            .collect(),
        groups: groups.map(|g| group(image, balancer, &g)).collect(),
        attributes: general(balancer),
    }
}

/// A hash of the specification. It is comparable only within one run of the daemon.
pub(super) fn fingerprint(spec: &spec::BalancerSpec) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{spec:?}").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn groups_of(action: &Action) -> Vec<&TargetGroupArn> {
    action.groups().iter().map(|(arn, _)| arn).collect()
}

fn node(balancer: &LoadBalancer, node: &Node) -> spec::NodeSpec {
    spec::NodeSpec { node: node_name(balancer, node), zone: node.zone.to_string() }
}

/// The node's name as [`crate::NodeSockets`] expects it.
pub(super) fn node_name(balancer: &LoadBalancer, node: &Node) -> String {
    format!("{}/{}", balancer.vpc, node.interface)
}

fn general(balancer: &LoadBalancer) -> spec::Attributes {
    let get = |key| attributes::get(attributes::of_balancer(balancer.kind), &balancer.attributes, key);
    let is_on = |key| get(key) == "true";
    let idle_secs = match balancer.kind {
        BalancerKind::Application => get("idle_timeout.timeout_seconds").parse::<u64>().unwrap_or(60),
        BalancerKind::Network => TCP_IDLE_SECS,
    };
    spec::Attributes {
        idle_timeout_ms: idle_secs * 1000,
        drop_invalid_headers: get("routing.http.drop_invalid_header_fields.enabled") == "true",
        forwarded_for: match get("routing.http.xff_header_processing.mode") {
            "preserve" => spec::ForwardedFor::Preserve,
            "remove" => spec::ForwardedFor::Remove,
            _ => spec::ForwardedFor::Append,
        },
        preserve_host: get("routing.http.preserve_host_header.enabled") == "true",
        trace_header: Some("X-Amzn-Trace-Id".into()),
        server_name: "awselb/2.0".into(),
        forwarded_port: is_on("routing.http.xff_client_port.enabled"),
        tls_headers: is_on("routing.http.x_amzn_tls_version_and_cipher_suite.enabled")
            .then(|| ("x-amzn-tls-version".to_owned(), "x-amzn-tls-cipher-suite".to_owned())),
        keepalive_ms: get("client_keep_alive.seconds").parse().unwrap_or(3600) * 1000,
        cookies: cookies(balancer),
        log: logs::is_logged(balancer),
    }
}

/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#sticky-sessions>
fn cookies(balancer: &LoadBalancer) -> spec::Cookies {
    let name = |name: &str| name.to_owned();
    spec::Cookies {
        key: balancer.cookie_key.clone().unwrap_or_else(|| Secret::new(String::new())),
        target: name("AWSALB"),
        target_cors: name("AWSALBCORS"),
        group: name("AWSALBTG"),
        group_cors: name("AWSALBTGCORS"),
        application: name("AWSALBAPP-0"),
    }
}

/// A TCP listener. Its action was checked, so it has one group.
fn relay(image: &Image, row: &Listener) -> spec::ListenerSpec {
    let group = groups_of(&row.default).into_iter().next();
    let attributes = group.and_then(|arn| image.get::<TargetGroup>(arn)).map(|g| g.attributes.clone());
    let attributes = attributes.unwrap_or_default();
    let is_on = |key| attributes::get(attributes::of_group(TargetProtocol::Tcp), &attributes, key) == "true";
    let default = spec::Action::Relay(spec::Relay {
        group: group.map(ToString::to_string).unwrap_or_default(),
        end_after_drain: is_on("deregistration_delay.connection_termination.enabled"),
        end_when_unhealthy: is_on("target_health_state.unhealthy.connection_termination.enabled"),
    });
    spec::ListenerSpec { port: row.port, rules: Vec::new(), default, tls: None }
}

fn rule(r: &Rule) -> spec::Rule {
    spec::Rule {
        priority: r.priority,
        conditions: r.conditions.iter().map(condition).collect(),
        action: action(&r.action),
    }
}

fn tls(image: &Image, balancer: &LoadBalancer, listener: &Listener) -> Option<spec::tls::TlsSpec> {
    let row = image.get::<ListenerTls>(&listener.arn)?;
    let certificate = |arn: &CertificateArn| {
        // Operations accept only certificates that are issued, and ACM deletes none that is in use.
        let material = acm::usable(image, arn)?;
        Some(spec::tls::CertificateSpec { chain_pem: material.full_chain(), key_pem: material.key_pem })
    };
    let all = attributes::of_balancer(balancer.kind);
    let http2 = attributes::get(all, &balancer.attributes, "routing.http2.enabled");
    Some(spec::tls::TlsSpec {
        certificates: row.certificates.iter().filter_map(certificate).collect(),
        policy: ssl_policies::find(&row.policy).unwrap_or(&ssl_policies::ALL[0]).policy(),
        http2: http2 != "false",
    })
}

fn action(action: &Action) -> spec::Action {
    match action {
        Action::Forward(groups) | Action::StickyForward { groups, .. } => {
            let weighted = |(group, weight): &(TargetGroupArn, u32)| spec::Weighted {
                group: group.to_string(),
                weight: *weight,
            };
            let sticky_s = match action {
                Action::StickyForward { secs, .. } => Some(u64::from(*secs)),
                _ => None,
            };
            spec::Action::Forward(spec::Forward { groups: groups.iter().map(weighted).collect(), sticky_s })
        }
        Action::Redirect(Redirect { protocol, host, port, path, query, permanent }) => {
            spec::Action::Redirect(spec::Redirect {
                protocol: protocol.clone(),
                host: host.clone(),
                port: port.clone(),
                path: path.clone(),
                query: query.clone(),
                permanent: *permanent,
            })
        }
        Action::Fixed(fixed) => spec::Action::Fixed(spec::Fixed {
            status: fixed.status,
            content_type: fixed.content_type.clone().unwrap_or_else(|| "text/plain".into()),
            body: fixed.body.clone().unwrap_or_default(),
        }),
    }
}

fn condition(condition: &Condition) -> spec::Condition {
    match condition {
        Condition::Path(values) => spec::Condition::Path(values.clone()),
        Condition::Host(values) => spec::Condition::Host(values.clone()),
        Condition::Method(values) => spec::Condition::Method(values.clone()),
        Condition::Header { name, values } => {
            spec::Condition::Header { name: name.clone(), values: values.clone() }
        }
        Condition::Query(pairs) => {
            let pair = |p: &QueryPair| spec::QueryPattern { key: p.key.clone(), value: p.value.clone() };
            spec::Condition::Query(pairs.iter().map(pair).collect())
        }
        Condition::Source(nets) => spec::Condition::Source(nets.clone()),
    }
}

fn group(image: &Image, balancer: &LoadBalancer, row: &TargetGroup) -> spec::GroupSpec {
    let get = |key| attributes::get(attributes::of_group(row.protocol), &row.attributes, key);
    let delay = get("deregistration_delay.timeout_seconds").parse::<u64>().unwrap_or(300);
    let target = |t: &Target| spec::TargetSpec {
        addr: SocketAddr::from((t.ip, t.port)),
        zone: t.zone.as_ref().map(ToString::to_string),
        draining: t.draining.is_some(),
    };
    spec::GroupSpec {
        name: row.arn.to_string(),
        targets: image.prefix::<Target>(&format!("{}/", row.arn)).map(|t| target(&t)).collect(),
        algorithm: match get("load_balancing.algorithm.type") {
            "least_outstanding_requests" => spec::Algorithm::LeastOutstanding,
            _ => spec::Algorithm::RoundRobin,
        },
        health: health(row),
        cross_zone: network::is_cross_zone(balancer, row),
        drain_delay_ms: delay * 1000,
        transport: transport(row.protocol, row.version),
        sticky: sticky(row),
        // Without a meaning for TCP, whose groups lack the attribute.
        slow_start_ms: get("slow_start.duration_seconds").parse::<u64>().unwrap_or(0) * 1000,
    }
}

fn transport(protocol: TargetProtocol, version: TargetVersion) -> spec::Transport {
    spec::Transport {
        tls: protocol == TargetProtocol::Https,
        version: match version {
            TargetVersion::Http1 => spec::Version::Http1,
            TargetVersion::Http2 => spec::Version::Http2,
            TargetVersion::Grpc => spec::Version::Grpc,
        },
    }
}

fn sticky(row: &TargetGroup) -> Option<spec::Sticky> {
    let get = |key| attributes::get(attributes::of_group(row.protocol), &row.attributes, key);
    if get("stickiness.enabled") != "true" {
        return None;
    }
    // The values were checked when they were set.
    let seconds = |key| get(key).parse().unwrap_or(86_400);
    match get("stickiness.type") {
        "lb_cookie" => Some(spec::Sticky::Own { seconds: seconds("stickiness.lb_cookie.duration_seconds") }),
        "app_cookie" => Some(spec::Sticky::Application {
            cookie: get("stickiness.app_cookie.cookie_name").to_owned(),
            seconds: seconds("stickiness.app_cookie.duration_seconds"),
        }),
        _ => None,
    }
}

fn health(row: &TargetGroup) -> spec::HealthCheck {
    let check = &row.health;
    spec::HealthCheck {
        protocol: match check.protocol {
            TargetProtocol::Http | TargetProtocol::Https => spec::Probe::Http {
                path: check.path.clone(),
                matcher: check.matcher.clone(),
                headers: BTreeMap::from([("User-Agent".to_owned(), CHECKER.to_owned())]),
                transport: transport(check.protocol, row.version),
            },
            TargetProtocol::Tcp => spec::Probe::Tcp,
        },
        port: check.port,
        interval_ms: u64::from(check.interval_secs) * 1000,
        timeout_ms: u64::from(check.timeout_secs) * 1000,
        healthy_threshold: check.healthy_threshold,
        unhealthy_threshold: check.unhealthy_threshold,
    }
}
