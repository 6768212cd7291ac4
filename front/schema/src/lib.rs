//! The schemas of CloudFormation's resource types as data: properties, types, enumerations, patterns, and what an update may change.
//!
//! They are AWS's public registry schemas, trimmed to the types in scope (`models/cfn/*.json`, made by `cargo xtask models`); a
//! file is parsed at the first use of one of its types. [`Schema::coerce`] converts a resource's properties to the types of
//! its schema and lists every fault. This crate knows no service, evaluates no function of a template and performs no I/O.
//! Start at [`schema`] and `coerce.rs`.

mod coerce;
mod drift;
mod fit;
mod node;

pub use coerce::Fault;

use node::Node;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

/// One resource type, for example `AWS::EC2::VPC`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    #[serde(default)]
    required: Vec<String>,
    properties: BTreeMap<String, Node>,
    definitions: HashMap<String, Node>,
    /// Paths such as `/properties/MasterUserSecret/SecretArn`; `*` means any item of a list.
    #[serde(default)]
    read_only_properties: Vec<String>,
    #[serde(default)]
    create_only_properties: Vec<String>,
    #[serde(default)]
    conditional_create_only_properties: Vec<String>,
    #[serde(default)]
    write_only_properties: Vec<String>,
    #[serde(default)]
    primary_identifier: Vec<String>,
}

/// The effect of an update that changes a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// The resource keeps its physical id.
    Updatable,
    /// A new resource replaces the old one.
    CreateOnly,
    /// Depends on values that the schema does not specify.
    ConditionallyCreateOnly,
}

impl Schema {
    /// Every top-level property, including read-only ones.
    pub fn properties(&self) -> impl Iterator<Item = &str> {
        self.properties.keys().map(String::as_str)
    }

    /// Whether only AWS sets this property.
    pub fn is_read_only(&self, property: &str) -> bool {
        names(&self.read_only_properties, property)
    }

    pub fn mutability(&self, property: &str) -> Mutability {
        if names(&self.create_only_properties, property) {
            Mutability::CreateOnly
        } else if names(&self.conditional_create_only_properties, property) {
            Mutability::ConditionallyCreateOnly
        } else {
            Mutability::Updatable
        }
    }

    /// The property that identifies a resource of the type alone, for example `BucketName`.
    pub fn identifier(&self) -> Option<&str> {
        let [path] = self.primary_identifier.as_slice() else { return None };
        path.strip_prefix("/properties/")
    }

    /// The members of a property that only a new resource can get, although the property itself can be changed.
    pub fn create_only_members<'a>(&'a self, property: &'a str) -> impl Iterator<Item = &'a str> {
        let below = move |path: &'a String| {
            path.strip_prefix("/properties/")?.strip_prefix(property)?.strip_prefix('/')
        };
        self.create_only_properties.iter().filter_map(below)
    }
}

fn names(paths: &[String], property: &str) -> bool {
    paths.iter().any(|path| path.strip_prefix("/properties/") == Some(property))
}

/// The schemas of one service.
struct File {
    /// Compressed.
    text: &'static [u8],
    parsed: OnceLock<HashMap<String, Schema>>,
}

macro_rules! files {
    ($($service:literal $namespace:literal;)*) => {
        /// Keyed by the middle part of a type's name.
        static FILES: [(&str, File); 19] = [$(($namespace, File {
            text: include_bytes!(concat!(env!("OUT_DIR"), "/", $service, ".json.z")),
            parsed: OnceLock::new(),
        })),*];
    };
}

files! {
    "acm" "CertificateManager";
    "application-autoscaling" "ApplicationAutoScaling";
    "cloudformation" "CDK";
    "cloudformation" "CloudFormation";
    "cloudfront" "CloudFront";
    "cloudwatch" "CloudWatch";
    "ec2" "EC2";
    "ecr" "ECR";
    "ecs" "ECS";
    "elbv2" "ElasticLoadBalancingV2";
    "iam" "IAM";
    "logs" "Logs";
    "rds" "RDS";
    "route53" "Route53";
    "s3" "S3";
    "secretsmanager" "SecretsManager";
    "servicediscovery" "ServiceDiscovery";
    "sns" "SNS";
    "ssm" "SSM";
}

/// The schema of a type; `None` for one that is not in scope.
pub fn schema(type_name: &str) -> Option<&'static Schema> {
    let namespace = type_name.strip_prefix("AWS::")?.split("::").next()?;
    let (_, file) = FILES.iter().find(|(name, _)| *name == namespace)?;
    let parsed = file.parsed.get_or_init(|| match serde_json::from_str(&escale_model::unpack(file.text)) {
        Ok(parsed) => parsed,
        // The schemas are part of the program, and a test parses every one of them.
        Err(error) => panic!("models/cfn, {namespace}: {error}"),
    });
    parsed.get(type_name)
}

#[cfg(test)]
mod tests;
