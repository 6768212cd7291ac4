//! What is outside of the VPCs: distributions with their origins, DNS, image repositories.

use super::{Architecture, targets};
use crate::survey::{Resource, Survey, references, shown, text_of};
use serde::Serialize;
use serde_json::Value;

#[derive(Clone, Debug, Serialize)]
pub struct Distribution {
    pub id: String,
    pub line: usize,
    pub aliases: Vec<String>,
    pub origins: Vec<Origin>,
    /// `allow-all`, `redirect-to-https`, `https-only`: of the default behaviour.
    pub viewer_protocol: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Origin {
    pub name: String,
    /// The logical id of the load balancer or bucket; else the domain name.
    pub target: String,
    /// The paths that lead to it; `*` for the default behaviour.
    pub paths: Vec<String>,
    pub protocol: String,
    pub port: u16,
}

#[derive(Clone, Debug, Serialize)]
pub struct DnsZone {
    pub id: String,
    pub line: usize,
    pub name: String,
    pub is_private: bool,
    /// Record name and the resource that it leads to.
    pub records: Vec<(String, String)>,
}

pub(super) fn read(survey: &Survey, made: &mut Architecture) {
    made.distributions = survey.of_kind("AWS::CloudFront::Distribution").map(distribution).collect();
    made.dns_zones = zones(survey);
    made.repositories = repositories(survey);
}

fn distribution(resource: &Resource) -> Distribution {
    let config = resource.get("/DistributionConfig");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let default = text_of(&config["DefaultCacheBehavior"]["TargetOriginId"]).unwrap_or_default();
    let behaviours = list(&config["CacheBehaviors"]);
    let listed = list(&config["Origins"]);
    let origins = listed.iter().map(|origin| {
        let name = shown(&origin["Id"]);
        let mut paths: Vec<String> = behaviours
            .iter()
            .filter(|b| shown(&b["TargetOriginId"]) == name)
            .map(|b| shown(&b["PathPattern"]))
            .collect();
        if name == default {
            paths.push("*".to_owned());
        }
        let custom = &origin["CustomOriginConfig"];
        let (protocol, port) = match text_of(&custom["OriginProtocolPolicy"]).as_deref() {
            Some("http-only") => ("HTTP", port(&custom["HTTPPort"], 80)),
            Some(_) => ("HTTPS", port(&custom["HTTPSPort"], 443)),
            None => ("HTTPS", 443),
        };
        let domain = &origin["DomainName"];
        let target = references(domain).first().map_or_else(|| shown(domain), |r| r.to.clone());
        Origin { name, target, paths, protocol: protocol.to_owned(), port }
    });
    Distribution {
        id: resource.id.clone(),
        line: resource.line,
        aliases: list(&config["Aliases"]).iter().map(shown).collect(),
        origins: origins.collect(),
        viewer_protocol: text_of(&config["DefaultCacheBehavior"]["ViewerProtocolPolicy"]).unwrap_or_default(),
    }
}

fn port(value: &Value, default: u16) -> u16 {
    crate::survey::number_of(value).map_or(default, |n| n as u16)
}

fn zones(survey: &Survey) -> Vec<DnsZone> {
    let mut zones: Vec<DnsZone> = survey
        .of_kind("AWS::Route53::HostedZone")
        .map(|r| DnsZone {
            id: r.id.clone(),
            line: r.line,
            name: shown(r.get("/Name")),
            is_private: r.get("/VPCs").as_array().is_some_and(|vpcs| !vpcs.is_empty()),
            records: Vec::new(),
        })
        .collect();
    for record in survey.of_kind("AWS::Route53::RecordSet") {
        let leads_to = targets(record.get("/AliasTarget/DNSName"));
        let values = record.get("/ResourceRecords");
        let known = |id: &String| survey.resources.contains_key(id);
        let Some(target) = leads_to.into_iter().chain(targets(values)).find(known) else { continue };
        let ids = targets(record.get("/HostedZoneId"));
        let zone = match zones.iter_mut().find(|z| ids.contains(&z.id)) {
            Some(zone) => zone,
            None => {
                let name =
                    ids.first().map_or_else(|| shown(record.get("/HostedZoneName")), |id| super::label(id));
                zones.push(DnsZone {
                    id: name.clone(),
                    line: record.line,
                    name,
                    is_private: false,
                    records: Vec::new(),
                });
                let last = zones.len() - 1;
                &mut zones[last]
            }
        };
        zone.records.push((shown(record.get("/Name")), target));
    }
    zones
}

/// The repositories of the template, and those that images of its tasks name.
fn repositories(survey: &Survey) -> Vec<String> {
    let mut found: Vec<String> = survey.of_kind("AWS::ECR::Repository").map(|r| r.id.clone()).collect();
    for task in survey.of_kind("AWS::ECS::TaskDefinition") {
        for container in task.get("/ContainerDefinitions").as_array().into_iter().flatten() {
            // An image that is not known is among the survey's unknowns already.
            if container["Image"].is_null() {
                continue;
            }
            let own = references(&container["Image"]).iter().any(|r| found.contains(&r.to));
            let name = image_name(&container["Image"]);
            if !own && !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

/// The part of an image reference that names the repository.
pub(super) fn image_name(image: &Value) -> String {
    let text = shown(image).replace("parameter ", "");
    let text = text.split('@').next().unwrap_or(&text).to_owned();
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name.to_owned(),
        _ => text,
    }
}
