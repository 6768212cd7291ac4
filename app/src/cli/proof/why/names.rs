//! The hop of DNS: the record of a host name, and where it leads.

use super::{Walk, failed, probes};
use anyhow::Result;
use escale_proof::{
    survey::text_of,
    why::{Deployed, Explained, Place, Step},
};
use escale_wire::Element;

/// Where a name leads, by the APIs.
pub(super) enum Target {
    Distribution(Box<Element>),
    Balancer(Box<Element>),
    None,
}

/// What has names of its own on this cloud.
struct Known {
    distributions: Vec<Element>,
    balancers: Vec<Element>,
}

impl Known {
    fn named(&self, name: &str) -> Target {
        let name = bare(name);
        let name = name.strip_prefix("dualstack.").unwrap_or(&name);
        if let Some(found) = self.distributions.iter().find(|d| bare(d.text_of("DomainName")) == name) {
            return Target::Distribution(Box::new(found.clone()));
        }
        let balancer = self.balancers.iter().find(|b| bare(b.text_of("DNSName")) == name);
        balancer.map_or(Target::None, |found| Target::Balancer(Box::new(found.clone())))
    }

    /// The distribution that has the name as an alias, whatever DNS says; else the only load balancer of the stack, because names of
    /// its listener rules may be in the DNS of somebody else.
    fn without_dns(&self, name: &str, deployed: &Deployed) -> Target {
        let has = |d: &&Element| {
            d.child("Aliases").is_some_and(|a| a.list("Items").iter().any(|cname| bare(&cname.text) == name))
        };
        if let Some(found) = self.distributions.iter().find(has) {
            return Target::Distribution(Box::new(found.clone()));
        }
        let is_own = |b: &&Element| deployed.logical(b.text_of("LoadBalancerArn")).is_some();
        let own: Vec<&Element> = self.balancers.iter().filter(is_own).collect();
        match own.as_slice() {
            [only] => Target::Balancer(Box::new((*only).clone())),
            _ => Target::None,
        }
    }
}

/// Names are compared without the final dot and without case.
fn bare(name: &str) -> String {
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

impl Walk<'_> {
    /// The target of a name; if DNS is wrong, what the name is for in the stack, so that the rest is explained, too.
    pub(super) async fn name(&mut self, host: &str) -> Result<Target> {
        let host = bare(host);
        let known = Known {
            distributions: self.get("cloudfront", "/2020-05-31/distribution").await?.list("Items").to_vec(),
            balancers: self
                .client
                .query("elbv2", "DescribeLoadBalancers", &[])
                .await?
                .list("LoadBalancers")
                .to_vec(),
        };
        let probe = match self.settings.config.dns_port {
            0 => None,
            port => Some(probes::resolve_here(port, &host).await),
        };
        let (explained, target) = match self.record(&host).await {
            Err(error) => {
                self.push_unread(Step::Dns, &host, &host, &error);
                return Ok(known.without_dns(&host, self.deployed));
            }
            Ok((explained, leads_to)) => {
                let names = leads_to.iter().map(|name| known.named(name));
                let target =
                    names.into_iter().find(|t| !matches!(t, Target::None)).unwrap_or(known.named(&host));
                (explained, target)
            }
        };
        let place = self.record_place(&host, &host);
        let explained = match (&explained, &target) {
            // Names of distributions and load balancers need no hosted zone.
            (Explained::Failed(_), Target::Distribution(_) | Target::Balancer(_)) => {
                Explained::Ok("a name of AWS's own".to_owned())
            }
            (Explained::Ok(said), Target::None) => failed(
                format!("{said}, which is no distribution and no load balancer of this account"),
                place.clone(),
                "Let the record be an alias of the distribution or load balancer.",
            ),
            _ => explained,
        };
        self.push(Step::Dns, &host, place, explained, probe);
        Ok(match target {
            Target::None => known.without_dns(&host, self.deployed),
            found => found,
        })
    }

    /// The record of a name, and what it leads to.
    async fn record(&self, host: &str) -> Result<(Explained, Vec<String>)> {
        let zones = self.get("route53", "/2013-04-01/hostedzone").await?;
        let is_public = |z: &&Element| z.child("Config").is_none_or(|c| c.text_of("PrivateZone") != "true");
        let contains = |z: &&Element| {
            let zone = bare(z.text_of("Name"));
            host == zone || host.ends_with(&format!(".{zone}"))
        };
        let zones = zones.list("HostedZones").iter().filter(is_public).filter(contains);
        let Some(zone) = zones.max_by_key(|z| z.text_of("Name").len()) else {
            let fix = "Create the hosted zone and a record, or correct the host in the URL.";
            let rule = format!("no public hosted zone of this account contains {host}");
            return Ok((failed(rule, self.record_place(host, host), fix), Vec::new()));
        };
        let id = zone.text_of("Id").trim_start_matches("/hostedzone/").to_owned();
        let found = self.get("route53", &format!("/2013-04-01/hostedzone/{id}/rrset")).await?;
        let is_own = |r: &&Element| {
            bare(r.text_of("Name")) == host && ["A", "AAAA", "CNAME"].contains(&r.text_of("Type"))
        };
        let records: Vec<&Element> = found.list("ResourceRecordSets").iter().filter(is_own).collect();
        if records.is_empty() {
            let rule = format!(
                "the hosted zone {id} ({}) has no A, AAAA or CNAME record of {host}",
                zone.text_of("Name")
            );
            let fix = format!(
                "Create the record: `aws route53 change-resource-record-sets --hosted-zone-id {id} …`, an alias of the distribution."
            );
            return Ok((failed(rule, self.record_place(host, &id), fix), Vec::new()));
        }
        let mut leads_to: Vec<String> = Vec::new();
        for record in records {
            leads_to.extend(record.child("AliasTarget").map(|a| bare(a.text_of("DNSName"))));
            leads_to.extend(record.list("ResourceRecords").iter().map(|r| bare(r.text_of("Value"))));
        }
        Ok((
            Explained::Ok(format!("the record in the hosted zone {id} leads to {}", leads_to.join(", "))),
            leads_to,
        ))
    }

    /// The line of the record, else that of its zone.
    fn record_place(&self, host: &str, id: &str) -> Place {
        let is_own = |r: &escale_proof::survey::Resource| {
            text_of(r.get("/Name")).is_some_and(|name| bare(&name) == host)
        };
        let record = self.deployed.find("AWS::Route53::RecordSet", id, is_own);
        record.unwrap_or_else(|| self.deployed.place(id))
    }
}
