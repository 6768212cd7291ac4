//! What AWS bills for each resource.

use super::{HOURS, Line, Usage};
use crate::{
    graph::{Architecture, Database, Service},
    prices,
    survey::Survey,
};

/// Types that AWS does not bill, or only through others: <https://aws.amazon.com/pricing/>
const FREE: &[&str] = &[
    "AWS::CloudFront::CachePolicy",
    "AWS::CloudFront::CloudFrontOriginAccessIdentity",
    "AWS::CloudFront::KeyGroup",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudFront::OriginRequestPolicy",
    "AWS::CloudFront::PublicKey",
    "AWS::CloudFront::ResponseHeadersPolicy",
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::CDK::Metadata",
    "AWS::EC2::NetworkInterface",
    "AWS::EC2::DHCPOptions",
    "AWS::EC2::VPCDHCPOptionsAssociation",
    "AWS::EC2::VPCCidrBlock",
    "AWS::ECS::Cluster",
    "AWS::ECS::ClusterCapacityProviderAssociations",
    "AWS::RDS::DBParameterGroup",
    "AWS::S3::BucketPolicy",
    "AWS::CertificateManager::Certificate",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SecretsManager::SecretTargetAttachment",
];

pub(super) fn of(survey: &Survey, arch: &Architecture, usage: Usage) -> (Vec<Line>, Vec<String>) {
    let mut bill = Lines { region: &arch.region, lines: Vec::new() };
    bill.network(survey, arch, &usage);
    arch.services.iter().for_each(|service| bill.service(service));
    arch.databases.iter().for_each(|database| bill.database(database));
    bill.storage(survey, arch, &usage);
    bill.edge(survey, arch, &usage);
    let is_priced = |kind: &str| {
        FREE.contains(&kind) || kind.starts_with("AWS::IAM::") || !arch.not_drawn.contains_key(kind)
    };
    let known = ["AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm"];
    let rest = survey.resources.values().filter(|r| !is_priced(&r.kind) && !known.contains(&r.kind.as_str()));
    (bill.lines, rest.map(|r| format!("{} ({})", r.id, r.kind)).collect())
}

struct Lines<'a> {
    region: &'a str,
    lines: Vec<Line>,
}

impl Lines<'_> {
    /// `what` is in English and French.
    fn add(&mut self, at: (&str, usize), what: (&str, &str), item: &str, quantity: f64) {
        let source = prices::of(item, self.region);
        let unit = source.map_or_else(|| unit_of(item), |price| price.unit.as_str());
        self.lines.push(Line {
            resource: at.0.to_owned(),
            line: at.1,
            what: what.0.to_owned(),
            french: what.1.to_owned(),
            item: item.to_owned(),
            quantity,
            unit: unit.to_owned(),
            unit_usd: source.map(|price| price.usd),
            monthly_usd: source.map(|price| price.usd * quantity),
            source,
        });
    }

    fn network(&mut self, survey: &Survey, arch: &Architecture, usage: &Usage) {
        for nat in &arch.nats {
            let at = (nat.id.as_str(), nat.line);
            self.add(at, ("NAT gateway", "passerelle NAT"), "nat.hour", HOURS);
            self.add(
                at,
                ("data through the NAT gateway", "données à travers la passerelle NAT"),
                "nat.gb",
                usage.nat_gb / arch.nats.len() as f64,
            );
        }
        // Every public address is billed, whether it is in use or not: <https://aws.amazon.com/vpc/pricing/>
        for address in survey.of_kind("AWS::EC2::EIP") {
            self.add(
                (&address.id, address.line),
                ("public IPv4 address", "adresse IPv4 publique"),
                "ipv4.hour",
                HOURS,
            );
        }
        for balancer in &arch.balancers {
            let at = (balancer.id.as_str(), balancer.line);
            let (hour, lcu) =
                if balancer.kind == "network" { ("nlb.hour", "nlb.lcu") } else { ("alb.hour", "alb.lcu") };
            self.add(at, ("load balancer", "répartiteur de charge"), hour, HOURS);
            let units = ("load balancer capacity units", "unités de capacité du répartiteur");
            self.add(at, units, lcu, lcu_hours(usage) / arch.balancers.len() as f64);
            if !balancer.is_internal {
                let what = ("public IPv4 addresses, one a zone", "adresses IPv4 publiques, une par zone");
                self.add(at, what, "ipv4.hour", HOURS * balancer.subnets.len().max(1) as f64);
            }
        }
        for vpc in &arch.vpcs {
            for (id, _) in &vpc.endpoints {
                let Some(resource) = survey.resources.get(id) else { continue };
                // Gateway endpoints are free: <https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html>
                if resource.text("/VpcEndpointType").as_deref() == Some("Interface") {
                    let zones = resource.get("/SubnetIds").as_array().map_or(1, Vec::len);
                    self.add(
                        (id, resource.line),
                        ("interface endpoint, one a zone", "point de terminaison d’interface, un par zone"),
                        "endpoint.hour",
                        HOURS * zones as f64,
                    );
                }
            }
        }
    }

    fn service(&mut self, service: &Service) {
        let at = (service.id.as_str(), service.line);
        let hours = f64::from(service.count) * HOURS;
        let kind = match (service.is_spot, service.is_arm) {
            (true, _) => "fargate.spot",
            (false, true) => "fargate.arm",
            (false, false) => "fargate",
        };
        match (service.vcpu, service.memory_gb) {
            (Some(vcpu), Some(memory)) => {
                let count = service.count;
                let vcpus = (format!("vCPU of {count} task(s)"), format!("vCPU de {count} tâche(s)"));
                self.add(at, (&vcpus.0, &vcpus.1), &format!("{kind}.vcpu"), vcpu * hours);
                let memories = (format!("memory of {count} task(s)"), format!("mémoire de {count} tâche(s)"));
                self.add(at, (&memories.0, &memories.1), &format!("{kind}.gb"), memory * hours);
            }
            _ => self.add(at, ("tasks of unknown size", "tâches de taille inconnue"), "fargate.size", hours),
        }
        if service.has_public_address {
            self.add(
                at,
                ("public IPv4 addresses of tasks", "adresses IPv4 publiques des tâches"),
                "ipv4.hour",
                hours,
            );
        }
    }

    /// The standby is billed like the primary: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_OnDemandDBInstances.html>
    fn database(&mut self, database: &Database) {
        let at = (database.id.as_str(), database.line);
        let (servers, names, french) = if database.is_multi_az {
            (2.0, "primary and standby", "serveurs principal et de secours")
        } else {
            (1.0, "server", "serveur")
        };
        let item = format!("rds.{}.{}", database.engine, database.class);
        let class = &database.class;
        let what = (format!("database {names}, {class}"), format!("base de données, {french}, {class}"));
        self.add(at, (&what.0, &what.1), &item, HOURS * servers);
        let storage = format!("rds.{}", database.storage_type);
        let what = (format!("storage of {names}"), format!("stockage, {french}"));
        self.add(at, (&what.0, &what.1), &storage, database.storage_gb.unwrap_or(0.0) * servers);
    }

    fn storage(&mut self, survey: &Survey, arch: &Architecture, usage: &Usage) {
        let share = arch.buckets.len().max(1) as f64;
        for bucket in &arch.buckets {
            let at = (bucket.id.as_str(), bucket.line);
            self.add(at, ("bucket storage", "stockage du compartiment"), "s3.gb", usage.bucket_gb / share);
            self.add(
                at,
                ("bucket GET requests", "requêtes GET au compartiment"),
                "s3.get",
                usage.bucket_requests / share,
            );
        }
        if arch.repositories.iter().any(|name| is_of_ecr(survey, name)) {
            self.add(("", 0), ("images in repositories", "images dans les dépôts"), "ecr.gb", usage.image_gb);
        }
        for id in &arch.secrets {
            let line = survey.resources.get(id).map_or(0, |r| r.line);
            self.add((id, line), ("secret", "secret"), "secret", 1.0);
        }
        // RDS keeps a managed password in a secret of its own: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html>
        for database in
            survey.of_kind("AWS::RDS::DBInstance").filter(|d| d.is_true("/ManageMasterUserPassword"))
        {
            self.add(
                (&database.id, database.line),
                ("secret of the master user", "secret de l’utilisateur principal"),
                "secret",
                1.0,
            );
        }
        if survey.of_kind("AWS::Logs::LogGroup").next().is_some() {
            self.add(("", 0), ("logs written", "journaux écrits"), "logs.ingested", usage.logs_gb);
            self.add(("", 0), ("logs kept", "journaux conservés"), "logs.stored", usage.logs_gb);
        }
        for alarm in survey.of_kind("AWS::CloudWatch::Alarm") {
            self.add((&alarm.id, alarm.line), ("alarm", "alarme"), "alarm", 1.0);
        }
    }

    fn edge(&mut self, survey: &Survey, arch: &Architecture, usage: &Usage) {
        // A zone that only records refer to exists without this template, and is not part of its price.
        for zone in survey.of_kind("AWS::Route53::HostedZone") {
            self.add((&zone.id, zone.line), ("hosted zone", "zone hébergée"), "route53.zone", 1.0);
        }
        let part = if arch.region.starts_with("eu-") { "europe" } else { "us" };
        let share = arch.distributions.len().max(1) as f64;
        for distribution in &arch.distributions {
            let at = (distribution.id.as_str(), distribution.line);
            self.add(
                at,
                ("data to viewers", "données vers les visiteurs"),
                &format!("cloudfront.{part}.gb"),
                usage.traffic_gb / share,
            );
            self.add(
                at,
                ("requests of viewers", "requêtes des visiteurs"),
                &format!("cloudfront.{part}.https"),
                usage.requests / share,
            );
        }
        let is_served = arch.balancers.iter().any(|b| !b.is_internal)
            || arch.services.iter().any(|s| s.has_public_address);
        // Data from a region to CloudFront is free: <https://aws.amazon.com/cloudfront/pricing/>
        if arch.distributions.is_empty() && is_served {
            self.add(
                ("", 0),
                ("data to users", "données vers les utilisateurs"),
                "transfer.out",
                usage.traffic_gb,
            );
        }
    }
}

/// Images of other registries cost nothing here: Docker Hub's own, and those whose first part is the host of one. Other names may be
/// of a manifest's repositories or of a parameter, so they count.
fn is_of_ecr(survey: &Survey, repository: &str) -> bool {
    let is_own = survey.resources.contains_key(repository);
    let host = repository.split_once('/').map(|(host, _)| host);
    let is_local = |host: &str| host.starts_with("127.") || host.starts_with("localhost");
    let is_foreign = match host {
        None => !repository.contains("${"),
        Some(host) => host.contains('.') && !host.contains(".dkr.ecr.") && !is_local(host),
    };
    is_own || !is_foreign
}

/// The larger of two dimensions of a capacity unit: 1 GB an hour, or 25 new connections a second, with one request each:
/// <https://aws.amazon.com/elasticloadbalancing/pricing/>
fn lcu_hours(usage: &Usage) -> f64 {
    let connections = usage.requests / 25.0 / 3600.0;
    usage.traffic_gb.max(connections)
}

/// The unit of an item without a price.
fn unit_of(item: &str) -> &'static str {
    match item {
        "fargate.vcpu" | "fargate.arm.vcpu" | "fargate.spot.vcpu" => "vCPU-hour",
        "fargate.gb" | "fargate.arm.gb" | "fargate.spot.gb" => "GB-hour",
        "fargate.size" => "task-hour",
        item if item.ends_with(".hour") || item.contains(".db.") => "hour",
        item if item.ends_with(".lcu") => "LCU-hour",
        item if item.starts_with("rds.") || item == "ecr.gb" => "GB-month",
        "secret" => "secret",
        "alarm" => "alarm",
        item if item.ends_with(".get") || item.ends_with(".https") => "request",
        _ => "GB",
    }
}
