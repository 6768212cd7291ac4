//! Operations, performance, cost and sustainability.

use super::security::config;
use super::{Control, Pillar, Rule, Spot, each, is_off};
use crate::{
    graph::Architecture,
    survey::{Survey, references, text_of},
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "OPS01",
        pillar: Pillar::Operations,
        title: "Containers write logs",
        fix: "Give each container a LogConfiguration with the driver awslogs.",
        control: config!("ECS_TASK_DEFINITION_LOG_CONFIGURATION", "ecs-task-definition-log-configuration"),
        check: |survey, _| {
            each(survey, "AWS::ECS::TaskDefinition", "ContainerDefinitions", |r| {
                let containers = r.get("/ContainerDefinitions").as_array()?;
                let silent = containers.iter().filter(|c| c["LogConfiguration"].is_null()).count();
                (silent > 0).then(|| format!("the output of {silent} container(s) is lost"))
            })
        },
    },
    Rule {
        id: "OPS02",
        pillar: Pillar::Operations,
        title: "Log groups have a retention",
        fix: "Set RetentionInDays.",
        control: None,
        check: |survey, _| {
            each(survey, "AWS::Logs::LogGroup", "RetentionInDays", |r| {
                r.get("/RetentionInDays").is_null().then(|| "logs are kept, and billed, forever".to_owned())
            })
        },
    },
    Rule {
        id: "OPS03",
        pillar: Pillar::Operations,
        title: "Load balancers and databases have an alarm",
        fix: "Add an AWS::CloudWatch::Alarm, for example on UnHealthyHostCount or FreeStorageSpace.",
        control: None,
        check: no_alarm,
    },
    Rule {
        id: "OPS04",
        pillar: Pillar::Operations,
        title: "Images have a fixed version",
        fix: "Name a version or a digest.",
        control: None,
        check: |survey, _| {
            each(survey, "AWS::ECS::TaskDefinition", "ContainerDefinitions", |r| {
                let containers = r.get("/ContainerDefinitions").as_array()?;
                let images = containers.iter().filter_map(|c| text_of(&c["Image"]));
                let floating = images.filter(|image| {
                    let last = image.rsplit('/').next().unwrap_or_default();
                    image.ends_with(":latest") || !(last.contains(':') || image.contains('@'))
                });
                let names: Vec<String> = floating.collect();
                (!names.is_empty()).then(|| format!("{} may be another image tomorrow", names.join(", ")))
            })
        },
    },
    Rule {
        id: "PERF01",
        pillar: Pillar::Performance,
        title: "Distributions compress",
        fix: "Set Compress to true in all behaviours.",
        control: None,
        check: |survey, _| {
            each(survey, "AWS::CloudFront::Distribution", "DistributionConfig", |r| {
                let off = is_off(r, "/DistributionConfig/DefaultCacheBehavior/Compress");
                off.then(|| "the default behaviour sends texts uncompressed".to_owned())
            })
        },
    },
    Rule {
        id: "COST01",
        pillar: Pillar::Cost,
        title: "Traffic to S3 does not pass NAT gateways",
        fix: "Add a gateway endpoint for S3 to the route tables of private subnets; it is free.",
        control: None,
        check: |_, arch| {
            let lacking = arch.vpcs.iter().filter(|vpc| {
                vpc.subnets.iter().any(|s| s.nat.is_some())
                    && !vpc.endpoints.iter().any(|(_, service)| service == "s3")
            });
            let line = |vpc: &crate::graph::Vpc| vpc.subnets.first().map_or(0, |s| s.line);
            let reason = || "images and objects from S3 are billed by the NAT gateway".to_owned();
            lacking.map(|vpc| Spot { resource: vpc.id.clone(), line: line(vpc), reason: reason() }).collect()
        },
    },
    Rule {
        id: "COST02",
        pillar: Pillar::Cost,
        title: "Databases use gp3",
        fix: "Set StorageType to gp3.",
        control: None,
        check: |survey, _| {
            each(survey, "AWS::RDS::DBInstance", "StorageType", |r| {
                let kind = r.get("/StorageType");
                let is_old = kind.is_null() || text_of(kind).as_deref() == Some("gp2");
                is_old.then(|| "gp2 has fewer guaranteed operations at the same price".to_owned())
            })
        },
    },
    Rule {
        id: "SUS01",
        pillar: Pillar::Sustainability,
        title: "Tasks run on ARM",
        fix: "Build the image for arm64, and set RuntimePlatform.CpuArchitecture to ARM64.",
        control: None,
        check: |survey, _| {
            each(survey, "AWS::ECS::TaskDefinition", "RuntimePlatform", |r| {
                let architecture = r.get("/RuntimePlatform/CpuArchitecture");
                let is_x86 = architecture.is_null() || text_of(architecture).as_deref() == Some("X86_64");
                is_x86.then(|| "x86 needs more energy for the same work".to_owned())
            })
        },
    },
];

fn no_alarm(survey: &Survey, arch: &Architecture) -> Vec<Spot> {
    let watched: Vec<String> = survey
        .of_kind("AWS::CloudWatch::Alarm")
        .flat_map(|a| references(&a.properties))
        .map(|r| r.to)
        .collect();
    let balancers = arch.balancers.iter().map(|b| (&b.id, b.line));
    let databases = arch.databases.iter().map(|d| (&d.id, d.line));
    let silent = balancers.chain(databases).filter(|(id, _)| !watched.contains(id));
    let reason = || "nobody is notified when it fails".to_owned();
    silent.map(|(id, line)| Spot { resource: id.clone(), line, reason: reason() }).collect()
}
