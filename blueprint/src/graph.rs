//! The graph of connections between an application's parts, for diagrams, cost estimates and checks.

use crate::manifest::{Manifest, Nat};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    pub components: Vec<Component>,
    pub edges: Vec<Edge>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub name: String,
    pub kind: ComponentKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentKind {
    Users,
    Cdn,
    LoadBalancer,
    Service,
    Database,
    Bucket,
    Internet,
}

/// `from` opens connections to `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub kind: EdgeKind,
    /// The path pattern, for what is routed by path.
    pub path: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// A user's request on its way in.
    Request,
    /// A service's `uses`.
    Uses,
    /// Egress through a NAT gateway.
    Egress,
}

pub fn graph(manifest: &Manifest) -> Graph {
    let mut graph = Graph { components: Vec::new(), edges: Vec::new() };
    let mut edge = |from: &str, to: &str, kind, path: Option<&String>| {
        graph.edges.push(Edge { from: from.into(), to: to.into(), kind, path: path.cloned() });
    };
    edge("users", "cdn", EdgeKind::Request, None);
    edge("cdn", "load-balancer", EdgeKind::Request, None);
    for bucket in &manifest.buckets {
        edge("cdn", &bucket.name, EdgeKind::Request, Some(&bucket.path));
    }
    for service in &manifest.services {
        if service.path.is_some() {
            edge("load-balancer", &service.name, EdgeKind::Request, service.path.as_ref());
        }
        for used in &service.uses {
            edge(&service.name, used, EdgeKind::Uses, None);
        }
        if manifest.network.nat != Nat::None {
            edge(&service.name, "internet", EdgeKind::Egress, None);
        }
    }
    let mut add = |name: &str, kind| graph.components.push(Component { name: name.into(), kind });
    add("users", ComponentKind::Users);
    add("cdn", ComponentKind::Cdn);
    add("load-balancer", ComponentKind::LoadBalancer);
    manifest.services.iter().for_each(|s| add(&s.name, ComponentKind::Service));
    manifest.databases.iter().for_each(|d| add(&d.name, ComponentKind::Database));
    manifest.buckets.iter().for_each(|b| add(&b.name, ComponentKind::Bucket));
    if manifest.network.nat != Nat::None {
        add("internet", ComponentKind::Internet);
    }
    graph
}
