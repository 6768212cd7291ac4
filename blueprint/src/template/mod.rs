//! The CloudFormation template of a manifest, and the inputs of its deployment: images, parameters, files to copy.
//!
//! Each file covers one layer, as a function from the manifest to resources. [`Template`] writes the result as JSON or YAML.

mod balancer;
mod cdn;
mod containers;
mod database;
pub(crate) mod internal;
mod network;
mod overrides;
mod security;
mod services;
mod storage;
mod yaml_text;

use crate::{
    manifest::{Environment, Image, Manifest, check},
    problem::Problem,
};
use serde_json::{Map, Value, json};

/// CloudFormation's limit for `TemplateBody`; a larger template must be uploaded to S3.
pub const TEMPLATE_BODY_BYTES: usize = 51_200;

/// A template, and what must exist when it is deployed.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    value: Value,
    pub parameters: Vec<Parameter>,
    pub images: Vec<ImageNeeded>,
    pub syncs: Vec<Sync>,
    /// Names in Secrets Manager that must exist beforehand: `shop/prod/STRIPE_KEY`.
    pub secrets: Vec<String>,
    /// Every service, if any has a release command; otherwise none.
    pub held: Vec<Held>,
}

/// A service that keeps what it runs until the release commands have succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub service: String,
    /// The parameter with what it runs: [`RUNS_NEW`], [`RUNS_NOTHING`], or the ARN of the task definition that it keeps.
    pub parameter: String,
    /// The logical id of the task definition of its release command.
    pub release: Option<String>,
}

/// The service runs the template's own task definition.
pub const RUNS_NEW: &str = "new";
/// The service runs no task: before the release commands of the first deployment.
pub const RUNS_NOTHING: &str = "nothing";

/// A parameter of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub purpose: Purpose,
    /// The default; a parameter without a default must be given.
    pub default: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The environment's name.
    Environment,
    /// The image that a service runs.
    Image { service: String },
    /// What a service runs, see [`Held`].
    Runs { service: String },
    /// The site's URL before the path: `https://shop.example.com`. Signed URLs start with it.
    SiteUrl,
    /// The RSA key pair that signs media URLs: the public half (PEM, SubjectPublicKeyInfo) …
    CdnPublicKey,
    /// … and the private half (PEM, PKCS #8). Goes into Secrets Manager, for the services that sign; never shown (`NoEcho`).
    CdnPrivateKey,
    /// The ARN of the domain's certificate in us-east-1; empty without one, as on this machine.
    Certificate,
    /// The id of the hosted zone in which the domain's records are made; if it is empty, the stack creates a zone.
    Zone,
}

/// An image that must be in a registry before the stack is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageNeeded {
    /// The service, or `service/sidecar`.
    pub service: String,
    /// The parameter that takes its reference.
    pub parameter: String,
    pub image: Image,
    /// The repository of [`registry_template`] to which it is pushed, if it is built from source.
    pub repository: Option<String>,
}

/// A folder to copy into a bucket once the stack is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    pub bucket: String,
    /// The stack's output with the bucket's name.
    pub output: String,
    pub folder: String,
    /// The prefix of the object keys: `static/`.
    pub prefix: String,
}

impl Template {
    pub fn value(&self) -> &Value {
        &self.value
    }

    pub fn resources(&self) -> &Map<String, Value> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        self.value["Resources"].as_object().unwrap_or(&EMPTY)
    }

    /// JSON without whitespace, the shortest form, to stay below [`TEMPLATE_BODY_BYTES`].
    pub fn to_json_min(&self) -> String {
        self.value.to_string()
    }

    /// YAML, for people.
    pub fn to_yaml(&self) -> String {
        yaml_text::write(&self.value)
    }
}

/// The application's template. Only duplicate logical ids and `overrides` can cause problems here; [`Manifest::parse`] has
/// checked both for every environment.
pub fn template(manifest: &Manifest) -> Result<Template, Vec<Problem>> {
    let mut sheet = Sheet::default();
    sheet.parameter(
        "Environment",
        Purpose::Environment,
        Some(manifest.environment.name.clone()),
        json!({"Description": "The environment's name; part of the names of its secrets"}),
    );
    only_there(&mut sheet, manifest);
    let mut images = Vec::new();
    for service in &manifest.services {
        images.push(containers::image(&mut sheet, manifest, service));
        images.extend(containers::sidecar_images(&mut sheet, service));
    }
    let held = services::held(&mut sheet, manifest);
    network::resources(&mut sheet, manifest);
    security::resources(&mut sheet, manifest);
    database::resources(&mut sheet, manifest);
    storage::resources(&mut sheet, manifest);
    balancer::resources(&mut sheet, manifest);
    internal::resources(&mut sheet, manifest);
    cdn::resources(&mut sheet, manifest);
    services::resources(&mut sheet, manifest);
    let meeting = check::meeting(manifest, &sheet.twice);
    if !meeting.is_empty() {
        return Err(meeting);
    }
    overrides::apply(&mut sheet.resources, manifest)?;
    cdn::check_signed_buckets(&sheet.resources, manifest)?;

    let sync = |b: &crate::Bucket| {
        let output = format!("{}BucketName", pascal(&b.name));
        let prefix = b.prefix().to_owned();
        Some(Sync { bucket: b.name.clone(), output, folder: b.sync.clone()?, prefix })
    };
    let named = |s: &crate::Service| -> Vec<String> {
        s.secrets
            .iter()
            .map(|name| format!("{}/{}/{name}", manifest.app, manifest.environment.name))
            .collect()
    };
    let mut secrets: Vec<String> = manifest.services.iter().flat_map(named).collect();
    secrets.sort();
    secrets.dedup();
    Ok(Template {
        parameters: std::mem::take(&mut sheet.needed),
        images,
        syncs: manifest.buckets.iter().filter_map(sync).collect(),
        secrets,
        held,
        value: sheet.finish(&format!("{} ({})", manifest.app, manifest.environment.name)),
    })
}

/// Adds rules by which CloudFormation refuses a template in any other region or account than the environment's.
fn only_there(sheet: &mut Sheet, manifest: &Manifest) {
    let Environment { name, region, account, .. } = &manifest.environment;
    let place = [("Region", "region", region), ("AccountId", "account", account)];
    for (pseudo, word, wished) in place {
        let Some(wished) = wished else { continue };
        let rule = json!({"Assertions": [{
            "Assert": {"Fn::Equals": [reference(&format!("AWS::{pseudo}")), wished]},
            "AssertDescription": format!("the environment {name} is for the {word} {wished}"),
        }]});
        sheet.rules.insert(format!("Only{pseudo}"), rule);
    }
}

/// The template of the image repositories, deployed before everything else and shared by all environments: a service
/// cannot start from an image that does not exist yet. `None` if no service is built from source.
pub fn registry_template(manifest: &Manifest) -> Option<Template> {
    let mut sheet = Sheet::default();
    for service in manifest.services.iter().filter(|s| matches!(s.image, Image::Build(_))) {
        let id = format!("{}Repository", pascal(&service.name));
        let name = manifest.repository(service);
        sheet.add(&id, "AWS::ECR::Repository", json!({"RepositoryName": name, "EmptyOnDelete": true}));
        sheet.output(
            &format!("{id}Uri"),
            "The repository to push the image to",
            get_att(&id, "RepositoryUri"),
        );
    }
    if sheet.resources.is_empty() {
        return None;
    }
    let value = sheet.finish(&format!("{}: image repositories", manifest.app));
    Some(Template { value, parameters: vec![], images: vec![], syncs: vec![], secrets: vec![], held: vec![] })
}

/// A template that is being built.
#[derive(Default)]
pub(crate) struct Sheet {
    pub(crate) resources: Map<String, Value>,
    parameters: Map<String, Value>,
    rules: Map<String, Value>,
    conditions: Map<String, Value>,
    outputs: Map<String, Value>,
    needed: Vec<Parameter>,
    /// Logical ids that two parts have added, and parameters.
    twice: Vec<String>,
}

impl Sheet {
    pub(crate) fn add(&mut self, id: &str, kind: &str, properties: Value) {
        let made = json!({"Type": kind, "Properties": properties});
        if self.resources.insert(id.to_owned(), made).is_some() {
            self.twice.push(id.to_owned());
        }
    }

    /// Sets an attribute of a resource beside its properties: `DependsOn`, `DeletionPolicy`, …
    pub(crate) fn attribute(&mut self, id: &str, name: &str, value: impl Into<Value>) {
        if let Some(Value::Object(resource)) = self.resources.get_mut(id) {
            resource.insert(name.to_owned(), value.into());
        }
    }

    pub(crate) fn parameter(
        &mut self,
        name: &str,
        purpose: Purpose,
        default: Option<String>,
        mut body: Value,
    ) {
        body["Type"] = "String".into();
        if let Some(default) = &default {
            body["Default"] = default.clone().into();
        }
        if self.parameters.insert(name.to_owned(), body).is_some() {
            self.twice.push(name.to_owned());
        }
        self.needed.push(Parameter { name: name.to_owned(), purpose, default });
    }

    pub(crate) fn condition(&mut self, name: &str, value: Value) {
        self.conditions.insert(name.to_owned(), value);
    }

    pub(crate) fn output(&mut self, name: &str, description: &str, value: Value) {
        self.outputs.insert(name.to_owned(), json!({"Description": description, "Value": value}));
    }

    fn finish(self, description: &str) -> Value {
        let mut all = Map::new();
        all.insert("AWSTemplateFormatVersion".into(), "2010-09-09".into());
        all.insert("Description".into(), description.into());
        let sections = [
            ("Parameters", self.parameters),
            ("Rules", self.rules),
            ("Conditions", self.conditions),
            ("Resources", self.resources),
            ("Outputs", self.outputs),
        ];
        for (name, section) in sections.into_iter().filter(|(_, section)| !section.is_empty()) {
            all.insert(name.into(), section.into());
        }
        Value::Object(all)
    }
}

pub(crate) fn reference(id: &str) -> Value {
    json!({ "Ref": id })
}

pub(crate) fn get_att(id: &str, attribute: &str) -> Value {
    json!({"Fn::GetAtt": [id, attribute]})
}

pub(crate) fn sub(text: impl Into<String>) -> Value {
    json!({"Fn::Sub": text.into()})
}

/// The URL of a path of the site, as users type it.
pub(crate) fn site_url(manifest: &Manifest, path: &str) -> Value {
    let given = match path {
        "" => reference("SiteUrl"),
        _ => sub(format!("${{SiteUrl}}{path}")),
    };
    match manifest.domain {
        Some(_) => given,
        None => {
            json!({"Fn::If": ["HasSiteUrl", given, sub(format!("https://${{Distribution.DomainName}}{path}"))]})
        }
    }
}

/// The `Name` tag: the stack's name and the resource's role.
pub(crate) fn name_tag(what: &str) -> Value {
    json!([{"Key": "Name", "Value": sub(format!("${{AWS::StackName}}-{what}"))}])
}

/// `order-api` as part of a logical id: `OrderApi`.
pub fn pascal(name: &str) -> String {
    name.split('-')
        .map(|part| {
            let mut letters = part.chars();
            letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
        })
        .collect()
}
