use super::security::config;
use super::{Control, Pillar, Rule, Spot, each, is_off};
use crate::{
    graph::Architecture,
    survey::{Survey, text_of},
};

/// Pages of AWS Control Tower's proactive controls.
const RDS: &str = "https://docs.aws.amazon.com/controltower/latest/controlreference/rds-rules.html";
const S3: &str = "https://docs.aws.amazon.com/controltower/latest/controlreference/s3-rules.html";

const fn rule(
    id: &'static str,
    title: &'static str,
    fix: &'static str,
    control: Option<Control>,
    check: super::Check,
) -> Rule {
    Rule { id, pillar: Pillar::Reliability, title, fix, control, check }
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "REL01",
        "Databases have a standby in another zone",
        "Set MultiAZ to true.",
        Some(Control { id: "CT.RDS.PR.1", page: RDS }),
        |survey, _| {
            each(survey, "AWS::RDS::DBInstance", "MultiAZ", |r| {
                is_off(r, "/MultiAZ").then(|| {
                    "a failure of the server or its zone stops the database until it is restored".to_owned()
                })
            })
        },
    ),
    rule(
        "REL02",
        "Databases have backups of at least 7 days",
        "Set BackupRetentionPeriod to 7 or more.",
        Some(Control { id: "CT.RDS.PR.8", page: RDS }),
        |survey, _| {
            each(survey, "AWS::RDS::DBInstance", "BackupRetentionPeriod", |r| {
                let days = match r.get("/BackupRetentionPeriod") {
                    serde_json::Value::Null => 1.0,
                    _ => r.number("/BackupRetentionPeriod")?,
                };
                (days < 7.0).then(|| format!("backups are kept for {days} day(s)"))
            })
        },
    ),
    rule(
        "REL03",
        "Databases are protected from deletion",
        "Set DeletionProtection to true.",
        config!("RDS_INSTANCE_DELETION_PROTECTION_ENABLED", "rds-instance-deletion-protection-enabled"),
        |survey, _| {
            each(survey, "AWS::RDS::DBInstance", "DeletionProtection", |r| {
                is_off(r, "/DeletionProtection").then(|| "one request deletes the database".to_owned())
            })
        },
    ),
    rule(
        "REL04",
        "Databases outlive their stack",
        "Set DeletionPolicy to Snapshot or Retain.",
        None,
        |survey, _| {
            each(survey, "AWS::RDS::DBInstance", "", |r| {
                use escale_cloudformation::template::RemovalPolicy::Delete;
                (r.deletion_policy == Some(Delete))
                    .then(|| "the deletion of the stack deletes the data".to_owned())
            })
        },
    ),
    rule(
        "REL05",
        "The storage of databases grows by itself",
        "Set MaxAllocatedStorage.",
        None,
        |survey, _| {
            each(survey, "AWS::RDS::DBInstance", "AllocatedStorage", |r| {
                r.get("/MaxAllocatedStorage").is_null().then(|| "a full disk stops the database".to_owned())
            })
        },
    ),
    rule("REL06", "Services have at least two tasks", "Set DesiredCount to 2 or more.", None, |_, arch| {
        let single = arch.services.iter().filter(|s| s.count < 2);
        let reason = |count| format!("with {count} task(s), each failure of a task or a zone is an outage");
        single.map(|s| Spot { resource: s.id.clone(), line: s.line, reason: reason(s.count) }).collect()
    }),
    rule(
        "REL07",
        "Services and load balancers use at least two zones",
        "Add a subnet of another zone.",
        None,
        one_zone,
    ),
    rule(
        "REL08",
        "Private subnets have a NAT gateway in their own zone",
        "Add a NAT gateway and a route table for each zone.",
        None,
        foreign_nat,
    ),
    rule(
        "REL09",
        "A failed deployment of a service is undone",
        "Set DeploymentCircuitBreaker with Enable and Rollback.",
        None,
        |survey, _| {
            each(survey, "AWS::ECS::Service", "DeploymentConfiguration", |r| {
                is_off(r, "/DeploymentConfiguration/DeploymentCircuitBreaker/Rollback")
                    .then(|| "ECS starts tasks of a broken image again and again".to_owned())
            })
        },
    ),
    rule(
        "REL10",
        "Buckets keep old versions of objects",
        "Set VersioningConfiguration with Status Enabled.",
        Some(Control { id: "CT.S3.PR.11", page: S3 }),
        |survey, _| {
            each(survey, "AWS::S3::Bucket", "VersioningConfiguration", |r| {
                let status = r.get("/VersioningConfiguration/Status");
                let is_off = status.is_null() || text_of(status).is_some_and(|text| text != "Enabled");
                is_off.then(|| "an overwritten or deleted object is lost".to_owned())
            })
        },
    ),
    rule(
        "REL11",
        "Target groups check a path of the application",
        "Set HealthCheckPath to one that uses what the application needs.",
        None,
        |survey, _| {
            each(survey, "AWS::ElasticLoadBalancingV2::TargetGroup", "HealthCheckPath", |r| {
                let is_http = r.text("/Protocol").is_some_and(|p| p.starts_with("HTTP"));
                (is_http && r.get("/HealthCheckPath").is_null()).then(|| "the path `/` is checked".to_owned())
            })
        },
    ),
];

/// Zones of subnets in the template; those of others are not known.
fn zones(arch: &Architecture, subnets: &[String]) -> Option<usize> {
    let found: Vec<_> = subnets.iter().filter_map(|id| arch.subnet(id)).collect();
    if found.is_empty() || found.iter().any(|s| s.is_outside) {
        return None;
    }
    let mut zones: Vec<&str> = found.iter().map(|s| s.zone.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    Some(zones.len())
}

fn one_zone(_: &Survey, arch: &Architecture) -> Vec<Spot> {
    let services = arch.services.iter().map(|s| (&s.id, s.line, &s.subnets));
    let balancers = arch.balancers.iter().map(|b| (&b.id, b.line, &b.subnets));
    let single = services.chain(balancers).filter(|(.., subnets)| zones(arch, subnets) == Some(1));
    let reason = || "a failure of its only zone is an outage".to_owned();
    single.map(|(id, line, _)| Spot { resource: id.clone(), line, reason: reason() }).collect()
}

fn foreign_nat(_: &Survey, arch: &Architecture) -> Vec<Spot> {
    let mut spots = Vec::new();
    for subnet in arch.vpcs.iter().flat_map(|vpc| &vpc.subnets) {
        let nat = subnet.nat.as_ref().and_then(|id| arch.nats.iter().find(|n| n.id == *id));
        let Some(home) = nat.and_then(|nat| arch.subnet(&nat.subnet)) else { continue };
        if home.zone != subnet.zone {
            let reason =
                format!("its way to the Internet leads through {}: a failure there cuts it off", home.zone);
            spots.push(Spot { resource: subnet.id.clone(), line: subnet.line, reason });
        }
    }
    spots
}
