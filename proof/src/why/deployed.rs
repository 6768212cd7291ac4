//! Where a resource of a running stack is in its template.

use crate::{
    graph::security::{self, Peer},
    survey::{Resource, Survey},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A resource by its id, and where the template has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// As AWS names it: an id, an ARN or a name.
    pub id: String,
    pub logical_id: Option<String>,
    pub file: Option<String>,
    pub line: Option<usize>,
}

impl Place {
    /// A resource that no template has.
    pub fn of_id(id: &str) -> Place {
        Place { id: id.to_owned(), logical_id: None, file: None, line: None }
    }

    /// For people: `sg-1 (BackendSecurityGroup, web.yaml:12)`.
    pub fn shown(&self) -> String {
        match (&self.logical_id, &self.file, self.line) {
            (Some(logical), Some(file), Some(line)) => format!("{} ({logical}, {file}:{line})", self.id),
            _ => format!("{} (not in the template)", self.id),
        }
    }
}

/// The template of a running stack, and the ids of its resources.
pub struct Deployed {
    /// As the user would open it.
    pub file: String,
    pub survey: Survey,
    /// Logical id → physical id.
    pub physical: BTreeMap<String, String>,
}

impl Deployed {
    pub fn logical(&self, physical: &str) -> Option<&str> {
        self.physical.iter().find(|(_, id)| id.as_str() == physical).map(|(logical, _)| logical.as_str())
    }

    /// The resource with this physical id.
    pub fn place(&self, physical: &str) -> Place {
        let resource = self.logical(physical).and_then(|logical| self.survey.resources.get(logical));
        resource.map_or_else(|| Place::of_id(physical), |r| self.at(physical, r, r.line))
    }

    /// As [`Deployed::place`]; if the stack does not have the resource, the line of another one to which it belongs.
    pub fn place_or(&self, physical: &str, owner: &str) -> Place {
        let own = self.place(physical);
        if own.line.is_some() { own } else { Place { id: own.id, ..self.place(owner) } }
    }

    /// The first resource of a type for which this holds.
    pub fn find(&self, kind: &str, id: &str, is_it: impl Fn(&Resource) -> bool) -> Option<Place> {
        self.survey.of_kind(kind).find(|r| is_it(r)).map(|r| self.at(id, r, r.line))
    }

    fn at(&self, id: &str, resource: &Resource, line: usize) -> Place {
        Place {
            id: id.to_owned(),
            logical_id: Some(resource.id.clone()),
            file: Some(self.file.clone()),
            line: Some(line),
        }
    }

    /// Where the template says that a security group allows a port: the rule's line, and whether it has such a rule at all. Without
    /// one it is the line of the group.
    pub fn group_rule(&self, group: &str, is_inbound: bool, port: u16, peers: &[String]) -> (Place, bool) {
        let place = self.place(group);
        let Some(logical) = place.logical_id.clone() else { return (place, false) };
        let peers: Vec<&str> = peers.iter().filter_map(|id| self.logical(id)).collect();
        let groups = security::groups(&self.survey);
        let rules = groups.iter().filter(|g| g.id == logical);
        let mut rules = rules.flat_map(|g| if is_inbound { &g.ingress } else { &g.egress });
        let is_for = |peer: &Peer| match peer {
            Peer::Group(id) => peers.contains(&id.as_str()),
            Peer::Network(network) => network.prefix_len() == 0,
            Peer::Other(_) => false,
        };
        let fits = |r: &&security::Rule| {
            ["tcp", "all"].contains(&r.ports.protocol.as_str()) && r.ports.contains(port) && is_for(&r.peer)
        };
        let Some(rule) = rules.find(fits) else { return (place, false) };
        // A rule may be a resource of its own.
        let own = self
            .survey
            .resources
            .values()
            .find(|r| r.line == rule.line && r.kind.starts_with("AWS::EC2::SecurityGroup"));
        let logical_id = own.map(|r| r.id.clone()).or(place.logical_id.clone());
        (Place { line: Some(rule.line), logical_id, ..place }, true)
    }

    /// Where the template has the route of a table to a destination; else the table's line.
    pub fn route(&self, table: &str, destination: &str) -> (Place, bool) {
        let logical = self.logical(table).unwrap_or_default().to_owned();
        let found = self.find("AWS::EC2::Route", table, |r| {
            r.text("/DestinationCidrBlock").as_deref() == Some(destination)
                && crate::survey::references(r.get("/RouteTableId")).iter().any(|to| to.to == logical)
        });
        found.map_or_else(|| (self.place(table), false), |place| (place, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn deployed() -> Deployed {
        let physical = [
            ("BackendSecurityGroup", "sg-b"),
            ("LoadBalancerSecurityGroup", "sg-l"),
            ("PublicRoutes", "rtb-p"),
        ];
        Deployed {
            file: "shop.yaml".into(),
            survey: samples::survey("shop"),
            physical: physical.map(|(l, p)| (l.to_owned(), p.to_owned())).into(),
        }
    }

    fn line_of(logical: &str) -> usize {
        let text = samples::text("shop");
        text.lines().position(|l| l.trim() == format!("{logical}:")).expect("it is in the template") + 1
    }

    #[test]
    fn a_missing_rule_is_found_in_the_template_by_group_peer_and_port() {
        let (place, is_there) = deployed().group_rule("sg-b", true, 8000, &["sg-l".to_owned()]);
        assert!(is_there);
        assert_eq!(place.logical_id.as_deref(), Some("BackendFromLoadBalancer"));
        assert_eq!(place.line.map(|l| l.abs_diff(line_of("BackendFromLoadBalancer")) <= 1), Some(true));
        let (place, is_there) = deployed().group_rule("sg-b", true, 8001, &["sg-l".to_owned()]);
        assert!(!is_there);
        assert_eq!(place.logical_id.as_deref(), Some("BackendSecurityGroup"));
    }

    #[test]
    fn a_missing_route_is_found_in_the_template_by_table_and_destination() {
        let (place, is_there) = deployed().route("rtb-p", "0.0.0.0/0");
        assert_eq!((place.logical_id.as_deref(), is_there), (Some("PublicDefaultRoute"), true));
        let (place, is_there) = deployed().route("rtb-p", "10.9.0.0/16");
        assert_eq!((place.logical_id.as_deref(), is_there), (Some("PublicRoutes"), false));
    }

    #[test]
    fn a_resource_of_nobody_has_no_line() {
        let place = deployed().place("acl-1");
        assert_eq!((place.line, place.shown().as_str()), (None, "acl-1 (not in the template)"));
    }
}
