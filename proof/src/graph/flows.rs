//! Who talks to whom on which port, and what says so.

use super::acls::{Acls, Far};
use super::security::{self, End, Group, Peer, Ports};
use super::{Architecture, INTERNET, Subnet, Tier, edge, targets};
use crate::survey::{Resource, Survey, references};
use ipnet::{IpNet, Ipv4Net};
use serde::Serialize;
use std::net::Ipv4Addr;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flow {
    pub from: String,
    pub to: String,
    /// `tcp 443`; for requests of the AWS API `https 443`.
    pub what: String,
    pub means: Means,
}

/// What allows a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// A record of a hosted zone.
    Dns,
    /// An origin of a distribution.
    Origin,
    /// Rules of security groups on both sides, which no network ACL forbids.
    SecurityGroups,
    /// Outbound rules, and a route over a NAT gateway or an Internet gateway.
    Route,
    /// A task's image, secret, or a statement of its role's policy.
    Api,
}

impl Means {
    pub fn name(self) -> &'static str {
        match self {
            Means::Dns => "DNS record",
            Means::Origin => "origin",
            Means::SecurityGroups => "security groups",
            Means::Route => "security group, route",
            Means::Api => "task definition, role",
        }
    }
}

/// Something in a VPC that opens or accepts connections.
struct Member {
    id: String,
    end: End,
    /// The ports on which it listens; `None` if they are not known.
    ports: Option<Vec<u16>>,
    subnets: Vec<String>,
    has_public_address: bool,
    opens: bool,
}

pub(super) fn of(survey: &Survey, made: &mut Architecture) -> Vec<Flow> {
    let groups = security::groups(survey);
    let acls = Acls::of(survey, made);
    let members = members(made);
    for member in &members {
        without_groups(survey, made, member);
    }
    let mut flows = of_edge(made);
    for to in &members {
        flows.extend(inbound(made, &groups, &acls, to));
        for from in members.iter().filter(|from| from.id != to.id && from.opens) {
            let allowed = security::allowed(&groups, &from.end, &to.end);
            let passes = |ports: &Ports| pass_between(made, &acls, from, to, ports);
            flows.extend(on_ports(&allowed, to, passes).into_iter().map(|what| Flow {
                from: from.id.clone(),
                to: to.id.clone(),
                what,
                means: Means::SecurityGroups,
            }));
        }
    }
    for from in members.iter().filter(|m| m.opens) {
        flows.extend(outbound(made, &groups, &acls, from));
    }
    flows.extend(of_tasks(survey, made));
    flows
}

fn members(made: &Architecture) -> Vec<Member> {
    let end = |groups: &[String], subnets: &[String]| End {
        groups: groups.to_vec(),
        networks: subnets.iter().filter_map(|id| made.subnet(id)?.cidr.parse::<IpNet>().ok()).collect(),
    };
    let balancers = made.balancers.iter().map(|b| Member {
        id: b.id.clone(),
        end: end(&b.groups, &b.subnets),
        ports: Some(b.listeners.iter().map(|l| l.port).collect()),
        subnets: b.subnets.clone(),
        has_public_address: !b.is_internal,
        opens: true,
    });
    let services = made.services.iter().map(|s| Member {
        id: s.id.clone(),
        end: end(&s.groups, &s.subnets),
        ports: s.task_definition.as_ref().map(|_| s.ports.clone()),
        subnets: s.subnets.clone(),
        has_public_address: s.has_public_address,
        opens: true,
    });
    let databases = made.databases.iter().map(|d| Member {
        id: d.id.clone(),
        end: end(&d.groups, &d.subnets),
        ports: d.port.map(|port| vec![port]),
        subnets: d.subnets.clone(),
        has_public_address: d.is_public,
        opens: false,
    });
    balancers.chain(services).chain(databases).collect()
}

fn without_groups(survey: &Survey, made: &mut Architecture, member: &Member) {
    let line = survey.resources.get(&member.id).map_or(0, |r| r.line);
    let is_network = made.balancers.iter().any(|b| b.id == member.id && b.kind == "network");
    if member.end.groups.is_empty() {
        let what = if is_network {
            format!("{} has no security group: it accepts connections from everywhere", member.id)
        } else {
            format!(
                "{} has the default security group of its VPC, whose rules are not in the template",
                member.id
            )
        };
        made.note(line, what);
    }
    for group in &member.end.groups {
        if !survey.resources.contains_key(group) {
            let name = super::label(group);
            made.note(
                line,
                format!("{}: the rules of the security group {name} are not in the template", member.id),
            );
        }
    }
}

/// The allowed ports on which the member listens, and whose packets pass the network ACLs.
fn on_ports(allowed: &[Ports], to: &Member, passes: impl Fn(&Ports) -> bool) -> Vec<String> {
    let mut found: Vec<String> = match &to.ports {
        None => allowed.iter().filter(|ports| passes(ports)).map(Ports::shown).collect(),
        Some(ports) => {
            let tcp = |port: &&u16| {
                allowed.iter().any(|a| matches!(a.protocol.as_str(), "tcp" | "all") && a.contains(**port))
                    && passes(&Ports::one("tcp", **port))
            };
            ports.iter().filter(tcp).map(|port| format!("tcp {port}")).collect()
        }
    };
    found.dedup();
    found
}

fn subnets_of<'a>(made: &'a Architecture, member: &Member) -> Vec<&'a Subnet> {
    member.subnets.iter().filter_map(|id| made.subnet(id)).collect()
}

/// Whether the ACLs of any two subnets of both let a connection pass.
fn pass_between(made: &Architecture, acls: &Acls, from: &Member, to: &Member, ports: &Ports) -> bool {
    let (sources, ends) = (subnets_of(made, from), subnets_of(made, to));
    // Subnets that are not known forbid nothing.
    if sources.is_empty() || ends.is_empty() {
        return true;
    }
    sources.iter().any(|source| {
        ends.iter().any(|end| {
            acls.releases(source, Far::Subnet(end), ports) && acls.admits(end, Far::Subnet(source), ports)
        })
    })
}

/// From the Internet: an address of it, a route to it, and a rule and an ACL that let it in.
fn inbound(made: &Architecture, groups: &[Group], acls: &Acls, to: &Member) -> Vec<Flow> {
    if !to.has_public_address || !made.is_public(&to.subnets) {
        return Vec::new();
    }
    let rules = groups.iter().filter(|g| to.end.groups.contains(&g.id)).flat_map(|g| &g.ingress);
    let mut allowed: Vec<(Ports, IpNet)> = rules
        .filter(|r| security::includes_public(&r.peer))
        .filter_map(|r| match &r.peer {
            Peer::Network(network) => Some((r.ports.clone(), *network)),
            Peer::Group(_) | Peer::Other(_) => None,
        })
        .collect();
    let is_network = made.balancers.iter().any(|b| b.id == to.id && b.kind == "network");
    if is_network && to.end.groups.is_empty() {
        allowed.push((Ports { protocol: "all".to_owned(), first: 0, last: u16::MAX }, EVERYWHERE));
    }
    let public: Vec<&Subnet> =
        subnets_of(made, to).into_iter().filter(|subnet| subnet.tier == Tier::Public).collect();
    let mut found: Vec<String> = Vec::new();
    for (ports, network) in &allowed {
        let passes =
            |ports: &Ports| public.iter().any(|subnet| acls.admits(subnet, Far::Network(network), ports));
        for what in on_ports(std::slice::from_ref(ports), to, passes) {
            if !found.contains(&what) {
                found.push(what);
            }
        }
    }
    let flow =
        |what| Flow { from: INTERNET.to_owned(), to: to.id.clone(), what, means: Means::SecurityGroups };
    found.into_iter().map(flow).collect()
}

const EVERYWHERE: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));

/// To the Internet, over a NAT gateway or with a public address.
fn outbound(made: &Architecture, groups: &[Group], acls: &Acls, from: &Member) -> Vec<Flow> {
    let has_address = |subnet: &&&Subnet| from.has_public_address && subnet.tier == Tier::Public;
    let subnets = subnets_of(made, from);
    let ways: Vec<&&Subnet> = subnets.iter().filter(|s| s.nat.is_some() || has_address(s)).collect();
    let is_service = made.services.iter().any(|s| s.id == from.id);
    if ways.is_empty() || !is_service {
        return Vec::new();
    }
    let passes = |ports: &&Ports| ways.iter().any(|s| acls.releases(s, Far::Network(&EVERYWHERE), ports));
    let allowed = security::to_the_internet(groups, &from.end);
    let flow = |ports: &Ports| Flow {
        from: from.id.clone(),
        to: INTERNET.to_owned(),
        what: ports.shown(),
        means: Means::Route,
    };
    allowed.iter().filter(passes).map(flow).collect()
}

fn of_edge(made: &Architecture) -> Vec<Flow> {
    let mut flows = Vec::new();
    for zone in &made.dns_zones {
        for (name, target) in &zone.records {
            flows.push(Flow {
                from: zone.id.clone(),
                to: target.clone(),
                what: format!("dns {name}"),
                means: Means::Dns,
            });
        }
    }
    for distribution in &made.distributions {
        let viewers = match distribution.viewer_protocol.as_str() {
            "https-only" => vec![443],
            _ => vec![80, 443],
        };
        flows.extend(viewers.into_iter().map(|port| Flow {
            from: INTERNET.to_owned(),
            to: distribution.id.clone(),
            what: format!("tcp {port}"),
            means: Means::Origin,
        }));
        for origin in &distribution.origins {
            flows.push(Flow {
                from: distribution.id.clone(),
                to: origin.target.clone(),
                what: format!(
                    "{} {} {}",
                    origin.protocol.to_lowercase(),
                    origin.port,
                    origin.paths.join(" ")
                ),
                means: Means::Origin,
            });
        }
    }
    flows
}

/// What tasks use over AWS's APIs: images, secrets, and buckets that their roles may use.
fn of_tasks(survey: &Survey, made: &Architecture) -> Vec<Flow> {
    let mut flows: Vec<Flow> = Vec::new();
    for service in &made.services {
        let task = service.task_definition.as_ref().and_then(|id| survey.resources.get(id));
        let Some(task) = task else { continue };
        let mut add = |to: String| {
            let flow = Flow { from: service.id.clone(), to, what: "https 443".to_owned(), means: Means::Api };
            if !flows.contains(&flow) {
                flows.push(flow);
            }
        };
        for container in task.get("/ContainerDefinitions").as_array().into_iter().flatten() {
            let image = &container["Image"];
            let own = references(image).into_iter().find(|r| made.repositories.contains(&r.to));
            if !image.is_null() {
                add(own.map_or_else(|| edge::image_name(image), |r| r.to));
            }
            targets(&container["Secrets"])
                .into_iter()
                .filter(|id| made.secrets.contains(id))
                .for_each(&mut add);
            let secrets = container["Secrets"].as_array().into_iter().flatten();
            for secret in secrets.flat_map(|s| targets(&s["ValueFrom"])) {
                if made.secrets.contains(&secret) {
                    add(secret);
                }
            }
        }
        for bucket in buckets_of_role(survey, task) {
            add(bucket);
        }
    }
    flows
}

/// The buckets that the policies of a task's role name.
fn buckets_of_role(survey: &Survey, task: &Resource) -> Vec<String> {
    let Some(role) = survey.referred(task.get("/TaskRoleArn"), "AWS::IAM::Role") else { return Vec::new() };
    let separate = survey
        .resources
        .values()
        .filter(|r| {
            matches!(r.kind.as_str(), "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy" | "AWS::IAM::RolePolicy")
        })
        .filter(|r| {
            targets(r.get("/Roles")).contains(&role.id) || targets(r.get("/RoleName")).contains(&role.id)
        })
        .map(|r| &r.properties);
    let policies = std::iter::once(role.get("/Policies")).chain(separate);
    let mut found: Vec<String> = policies
        .flat_map(references)
        .map(|r| r.to)
        .filter(|id| survey.resources.get(id).is_some_and(|r| r.kind == "AWS::S3::Bucket"))
        .collect();
    found.sort();
    found.dedup();
    found
}
