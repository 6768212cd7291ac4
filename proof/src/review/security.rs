use super::{Control, Pillar, Rule, Spot, each, is_off, spot};
use crate::{
    graph::{Architecture, Tier, security},
    survey::{Survey, references, text_of},
};
use serde_json::Value;

/// A rule of AWS Config whose page has been read.
macro_rules! config {
    ($id:literal, $page:literal) => {
        Some(Control {
            id: $id,
            page: concat!("https://docs.aws.amazon.com/config/latest/developerguide/", $page, ".html"),
        })
    };
}
pub(super) use config;

const fn rule(
    id: &'static str,
    title: &'static str,
    fix: &'static str,
    control: Option<Control>,
    check: super::Check,
) -> Rule {
    Rule { id, pillar: Pillar::Security, title, fix, control, check }
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "SEC01",
        "Databases have no public address",
        "Set PubliclyAccessible to false, and reach the database from inside the VPC.",
        config!("RDS_INSTANCE_PUBLIC_ACCESS_CHECK", "rds-instance-public-access-check"),
        |survey, _| {
            each(survey, "AWS::RDS::DBInstance", "PubliclyAccessible", |r| {
                r.is_true("/PubliclyAccessible").then(|| "the database has a public address".to_owned())
            })
        },
    ),
    rule(
        "SEC02",
        "Databases are in subnets without a route to an Internet gateway",
        "Give the DB subnet group private subnets only.",
        None,
        |_, arch| {
            let is_public =
                |id: &String| arch.subnet(id).is_some_and(|s| s.tier == Tier::Public && !s.is_outside);
            let exposed = arch.databases.iter().filter(|d| d.subnets.iter().any(is_public));
            let reason = || "a subnet of the database has a route to an Internet gateway".to_owned();
            exposed.map(|d| Spot { resource: d.id.clone(), line: d.line, reason: reason() }).collect()
        },
    ),
    rule(
        "SEC03",
        "Databases are encrypted at rest",
        "Set StorageEncrypted to true; it replaces the database.",
        None,
        |survey, _| {
            each(survey, "AWS::RDS::DBInstance", "StorageEncrypted", |r| {
                is_off(r, "/StorageEncrypted")
                    .then(|| "the storage and its backups are not encrypted".to_owned())
            })
        },
    ),
    rule(
        "SEC04",
        "Security groups open only web ports to the Internet",
        "Allow the ports to another security group or to known networks only.",
        None,
        open_ports,
    ),
    rule(
        "SEC05",
        "Buckets block public access",
        "Set all four members of PublicAccessBlockConfiguration to true.",
        config!("S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED", "s3-bucket-level-public-access-prohibited"),
        |survey, _| {
            const ALL: [&str; 4] =
                ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
            each(survey, "AWS::S3::Bucket", "PublicAccessBlockConfiguration", |r| {
                // Since 2023 a bucket without this property blocks public access:
                // https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html
                let block = r.get("/PublicAccessBlockConfiguration").as_object()?;
                let off: Vec<&str> = ALL
                    .into_iter()
                    .filter(|name| block.get(*name).is_none_or(|v| text_of(v).as_deref() == Some("false")))
                    .collect();
                (!off.is_empty()).then(|| format!("{} is not set", off.join(", ")))
            })
        },
    ),
    rule(
        "SEC06",
        "Tasks have no public address",
        "Set AssignPublicIp to DISABLED and use private subnets.",
        None,
        |_, arch| {
            let public = arch.services.iter().filter(|s| s.has_public_address);
            let reason = || "each task gets a public address".to_owned();
            public.map(|s| Spot { resource: s.id.clone(), line: s.line, reason: reason() }).collect()
        },
    ),
    rule(
        "SEC07",
        "HTTP of load balancers for users is redirected to HTTPS",
        "Add an HTTPS listener, and let the HTTP listener redirect to it.",
        config!("ALB_HTTP_TO_HTTPS_REDIRECTION_CHECK", "alb-http-to-https-redirection-check"),
        plain_http,
    ),
    rule(
        "SEC08",
        "Distributions use HTTPS only",
        "Set ViewerProtocolPolicy to redirect-to-https or https-only in all behaviours.",
        None,
        |survey, _| {
            each(survey, "AWS::CloudFront::Distribution", "DistributionConfig", |r| {
                let config = r.get("/DistributionConfig");
                let others = config["CacheBehaviors"].as_array().into_iter().flatten();
                let all = std::iter::once(&config["DefaultCacheBehavior"]).chain(others);
                let plain = all
                    .filter(|b| text_of(&b["ViewerProtocolPolicy"]).as_deref() == Some("allow-all"))
                    .count();
                (plain > 0).then(|| format!("{plain} behaviour(s) accept plain HTTP"))
            })
        },
    ),
    rule(
        "SEC09",
        "Buckets behind distributions are read with origin access control",
        "Give the origin an OriginAccessControlId, and the bucket a policy for the distribution.",
        None,
        |survey, _| {
            each(survey, "AWS::CloudFront::Distribution", "DistributionConfig", |r| {
                let origins = r.get("/DistributionConfig/Origins").as_array()?;
                let open = origins.iter().filter(|o| {
                    o["S3OriginConfig"].is_object()
                        && o["OriginAccessControlId"].is_null()
                        && text_of(&o["S3OriginConfig"]["OriginAccessIdentity"])
                            .is_none_or(|text| text.is_empty())
                        && references(&o["S3OriginConfig"]).is_empty()
                });
                let count = open.count();
                (count > 0).then(|| format!("{count} S3 origin(s) need a public bucket"))
            })
        },
    ),
    rule(
        "SEC10",
        "Secrets are not in environment variables",
        "Store the value in Secrets Manager, and name it in `Secrets` of the container.",
        config!("ECS_NO_ENVIRONMENT_SECRETS", "ecs-no-environment-secrets"),
        secrets_in_environment,
    ),
    rule(
        "SEC11",
        "Policies do not allow all actions on all resources",
        "List the actions and resources that are needed.",
        None,
        admin,
    ),
    rule(
        "SEC12",
        "The password of a database is managed by RDS",
        "Replace MasterUserPassword with ManageMasterUserPassword: true.",
        None,
        |survey, _| {
            each(survey, "AWS::RDS::DBInstance", "MasterUserPassword", |r| {
                let password = r.get("/MasterUserPassword");
                let is_reference = text_of(password).is_some_and(|text| text.contains("{{resolve:"));
                (!password.is_null() && !is_reference)
                    .then(|| "the template or a parameter has the password".to_owned())
            })
        },
    ),
    rule(
        "SEC13",
        "Load balancers drop invalid header fields",
        "Set the attribute routing.http.drop_invalid_header_fields.enabled to true.",
        config!("ALB_HTTP_DROP_INVALID_HEADER_ENABLED", "alb-http-drop-invalid-header-enabled"),
        |survey, _| {
            each(survey, "AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancerAttributes", |r| {
                let is_application = r.text("/Type").is_none_or(|kind| kind == "application");
                let attributes = r.get("/LoadBalancerAttributes").as_array().into_iter().flatten();
                let mut named = attributes.filter(|a| {
                    text_of(&a["Key"]).as_deref() == Some("routing.http.drop_invalid_header_fields.enabled")
                });
                let is_on = named.any(|a| text_of(&a["Value"]).is_none_or(|value| value == "true"));
                (is_application && !is_on).then(|| "invalid header fields reach the targets".to_owned())
            })
        },
    ),
];

fn open_ports(survey: &Survey, _: &Architecture) -> Vec<Spot> {
    let mut spots = Vec::new();
    for group in security::groups(survey) {
        for rule in group.ingress.iter().filter(|rule| security::is_open(&rule.peer)) {
            let is_web = rule.ports.protocol == "tcp"
                && rule.ports.first == rule.ports.last
                && matches!(rule.ports.first, 80 | 443);
            let is_icmp = rule.ports.protocol.starts_with("icmp");
            if !is_web && !is_icmp {
                let reason = format!("{} is open to the Internet", rule.ports.shown());
                spots.push(Spot { resource: group.id.clone(), line: rule.line, reason });
            }
        }
    }
    spots
}

fn plain_http(survey: &Survey, arch: &Architecture) -> Vec<Spot> {
    let mut spots = Vec::new();
    for balancer in arch.balancers.iter().filter(|b| !b.is_internal && b.kind == "application") {
        let listeners = survey.of_kind("AWS::ElasticLoadBalancingV2::Listener");
        for listener in
            listeners.filter(|l| references(l.get("/LoadBalancerArn")).iter().any(|r| r.to == balancer.id))
        {
            let actions = listener.get("/DefaultActions").as_array().into_iter().flatten();
            let mut kinds = actions.filter_map(|action| text_of(&action["Type"]));
            if listener.text("/Protocol").as_deref() == Some("HTTP") && !kinds.any(|kind| kind == "redirect")
            {
                spots.push(spot(listener, "Protocol", "the listener serves plain HTTP"));
            }
        }
    }
    spots
}

fn secrets_in_environment(survey: &Survey, _: &Architecture) -> Vec<Spot> {
    const WORDS: [&str; 6] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "PRIVATE_KEY", "API_KEY"];
    each(survey, "AWS::ECS::TaskDefinition", "ContainerDefinitions", |r| {
        let containers = r.get("/ContainerDefinitions").as_array()?;
        let variables = containers.iter().flat_map(|c| c["Environment"].as_array().into_iter().flatten());
        let suspicious = variables.filter_map(|variable| text_of(&variable["Name"])).filter(|name| {
            let name = name.to_ascii_uppercase();
            // `…_ARN`, `…_NAME` and `…_FILE` say where a secret is.
            let is_place = ["_ARN", "_NAME", "_FILE", "_ID", "_URL"].iter().any(|end| name.ends_with(end));
            WORDS.iter().any(|word| name.contains(word)) && !is_place
        });
        let names: Vec<String> = suspicious.collect();
        (!names.is_empty()).then(|| format!("{} can be read in the task definition", names.join(", ")))
    })
}

fn admin(survey: &Survey, _: &Architecture) -> Vec<Spot> {
    let mut spots = Vec::new();
    for resource in survey.resources.values().filter(|r| r.kind.starts_with("AWS::IAM::")) {
        let inline = resource.get("/Policies").as_array().into_iter().flatten().map(|p| &p["PolicyDocument"]);
        for document in inline.chain(std::iter::once(resource.get("/PolicyDocument"))) {
            let statements: Vec<&Value> = match &document["Statement"] {
                Value::Array(all) => all.iter().collect(),
                one => vec![one],
            };
            let has = |value: &Value| match value {
                Value::Array(all) => all.iter().any(|item| item == "*"),
                one => one == "*",
            };
            if statements.iter().any(|s| s["Effect"] == "Allow" && has(&s["Action"]) && has(&s["Resource"])) {
                spots.push(spot(resource, "Policies", "a statement allows all actions on all resources"));
            }
        }
    }
    spots
}
