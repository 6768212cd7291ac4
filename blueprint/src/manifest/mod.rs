//! The manifest's types, with defaults filled in and everything checked.
//!
//! [`Manifest::parse`] reads the text with every environment's overlay; [`Manifest::for_environment`] returns the manifest of
//! one environment.

pub(crate) mod check;
mod containers;
mod dotenv;
mod environments;
mod read;
mod reader;
mod service;
mod units;

pub use units::{Cidr, Days, Egress, Engine, Size, Storage};

use crate::{
    problem::{Place, Problem, Source},
    yaml::{self, Node},
};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// One application, in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    pub app: String,
    /// The application's domain name.
    pub domain: Option<String>,
    /// In the order of the manifest.
    pub services: Vec<Service>,
    pub databases: Vec<Database>,
    pub buckets: Vec<Bucket>,
    pub network: Network,
    /// How long logs are kept.
    pub logs: Days,
    pub environment: Environment,
    /// Every environment that the manifest names, `local` first.
    pub environments: Vec<String>,
    pub overrides: Vec<Override>,
    pub(crate) origin: Origin,
}

/// The text and the tree that a manifest was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    pub(crate) source: Arc<Source>,
    pub(crate) root: Arc<Node>,
    pub(crate) files: Option<Files>,
}

/// Reads a file that the manifest names, by its path as the manifest writes it; or returns why it cannot be read.
#[derive(Clone)]
pub(crate) struct Files(Arc<ReadFile>);

type ReadFile = dyn Fn(&str) -> Result<String, String> + Send + Sync;

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

impl PartialEq for Files {
    fn eq(&self, other: &Files) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The environment in which an application is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub name: String,
    /// The only region in which the template can be deployed; a rule of the template enforces it.
    pub region: Option<String>,
    /// The only account (12 digits) in which the template can be deployed; also enforced by a rule.
    pub account: Option<String>,
    /// Whether databases and load balancers refuse to be deleted.
    pub protect: bool,
}

/// One image, run as an ECS service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub name: String,
    pub image: Image,
    /// The port it listens on; set if `path` is set.
    pub port: Option<u16>,
    /// The load balancer's path pattern; `/` is everything that no other service takes.
    pub path: Option<String>,
    pub health: Health,
    pub size: Size,
    pub count: Count,
    /// With the variables of `env_file`, which `env` overrides.
    pub env: BTreeMap<String, String>,
    /// Paths of dotenv files, as the manifest writes them.
    pub env_file: Vec<String>,
    /// The variables that come from these files.
    pub(crate) from_files: BTreeMap<String, dotenv::Given>,
    /// Secrets Manager `<app>/<environment>/<NAME>`, each an environment variable of that name.
    pub secrets: Vec<String>,
    /// Names of databases, buckets and other services.
    pub uses: Vec<String>,
    /// Connections out of the VPC that are allowed.
    pub egress: Vec<Egress>,
    /// A command that must succeed before the services of a new release run.
    pub release: Option<Vec<String>>,
    /// Further containers of each task.
    pub sidecars: Vec<Sidecar>,
    /// The sidecars that the service's own container waits for.
    pub depends: Vec<Dependency>,
    pub deploy: Deploy,
}

/// How many tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Fixed(u32),
    Scaled(Scale),
}

/// Target tracking: the number of tasks follows the load. At least one metric has a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    pub min: u32,
    pub max: u32,
    /// The target of the tasks' average use of CPU, in percent.
    pub cpu: Option<u32>,
    /// The same for memory.
    pub memory: Option<u32>,
    /// The target of requests for each task and minute.
    pub requests: Option<u32>,
}

/// A further container in the tasks of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    pub name: String,
    /// A reference in some registry.
    pub image: String,
    /// Replaces the image's `CMD`.
    pub command: Option<Vec<String>>,
    pub env: BTreeMap<String, String>,
    /// Whether the task ends when this container ends.
    pub essential: bool,
    pub depends: Vec<Dependency>,
}

/// A container starts when another one of its task has reached a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub container: String,
    pub until: Until,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Started,
    /// It has ended.
    Completed,
    /// It has ended with exit code 0.
    Succeeded,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// A folder with a Dockerfile, as the manifest writes it: relative to the manifest's own folder.
    Build(String),
    /// A reference in some registry.
    Reference(String),
}

/// The load balancer's health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub path: String,
    /// How long health checks of a starting task are ignored.
    pub grace_s: u32,
}

/// Bounds of a rolling deployment, in percent of `count`, and what fails it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deploy {
    pub healthy_percent: u32,
    pub surge_percent: u32,
    /// The number of failed tasks after which it is rolled back; `None` is ECS's default.
    pub rollback_after: Option<u32>,
    /// Whether answers with a status from 500 to 599 fail it.
    pub watches_5xx: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    pub name: String,
    pub engine: Engine,
    /// The instance class: `db.t4g.small`.
    pub size: String,
    pub storage: Storage,
    pub multi_az: bool,
    pub backups: Days,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    /// The path under which the CDN serves it: `/static/*`. Object keys carry it, too.
    pub path: String,
    /// A folder that `up` copies into it, relative to the manifest's own folder.
    pub sync: Option<String>,
    /// Whether viewers need a signed URL or cookie.
    pub signed: bool,
}

impl Bucket {
    /// The prefix of every object key in it: `/static/*` gives `static/`.
    pub fn prefix(&self) -> &str {
        self.path.trim_start_matches('/').trim_end_matches('*')
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub cidr: Cidr,
    pub azs: u32,
    pub nat: Nat,
    /// How long the records of the VPC's packets are kept; `None` records none.
    pub flow_logs: Option<Days>,
}

/// How private subnets reach the Internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// A gateway in every zone: no zone depends on another.
    PerAz,
    /// One gateway for all zones: cheaper, but if its zone fails, no zone has egress.
    Single,
    /// No gateway: interface endpoints give access to the AWS services that tasks need, and to nothing else.
    None,
}

/// A change to the generated template: `LogicalId.Property.Path: value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    pub path: Vec<String>,
    pub value: serde_json::Value,
    pub(crate) place: Place,
}

impl Manifest {
    /// Reads `escale.yaml`; `file` is the name that errors call it by. Every environment's overlay is checked; the
    /// manifest returned is that of `local`. No other file is read, so the variables of `env_file` are missing: see
    /// [`Manifest::with_files`].
    pub fn parse(text: &str, file: &str) -> Result<Manifest, Vec<Problem>> {
        let source = Arc::new(Source { file: file.to_owned(), text: text.to_owned() });
        let root = Arc::new(yaml::parse(&source).map_err(|p| vec![p])?);
        let origin = Origin { source, root, files: None };
        let local = read::manifest(&origin, "local");
        if let Ok(manifest) = &local {
            let mut problems: Vec<Problem> = Vec::new();
            for name in &manifest.environments {
                let checked = read::manifest(&origin, name).and_then(|m| crate::template(&m));
                // an error in the base manifest occurs in every environment and is reported once
                let new = checked.err().unwrap_or_default().into_iter().filter(|p| !problems.contains(p));
                let new: Vec<Problem> = new.collect();
                problems.extend(new);
            }
            if !problems.is_empty() {
                return Err(problems);
            }
        }
        local
    }

    /// Lets [`Manifest::for_environment`] read the files that `env_file` names.
    #[must_use]
    pub fn with_files(
        mut self,
        read: impl Fn(&str) -> Result<String, String> + Send + Sync + 'static,
    ) -> Manifest {
        self.origin.files = Some(Files(Arc::new(read)));
        self
    }

    /// The manifest as it is in an environment that it names; `local` is always there.
    pub fn for_environment(&self, name: &str) -> Result<Manifest, Vec<Problem>> {
        read::manifest(&self.origin, name)
    }

    /// The same environment with some values overridden, each as `PATH=VALUE` with a path as in overlays: `services.*.count=1`.
    pub fn set(&self, settings: &[String]) -> Result<Manifest, Vec<Problem>> {
        if settings.is_empty() {
            return Ok(self.clone());
        }
        let name = &self.environment.name;
        let origin = environments::with_settings(&self.origin, name, settings).map_err(|p| vec![p])?;
        read::manifest(&origin, name).and_then(|m| crate::template(&m).map(|_| m))
    }

    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }

    /// The services that use another one, which is not necessarily reachable for users.
    pub(crate) fn users_of(&self, name: &str) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(move |s| s.uses.iter().any(|used| used == name))
    }

    /// The services that other services use.
    pub(crate) fn used_services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|s| self.users_of(&s.name).next().is_some())
    }

    pub fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|d| d.name == name)
    }

    pub fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.iter().find(|b| b.name == name)
    }

    /// The stack that an environment is deployed as.
    pub fn stack_name(&self) -> String {
        format!("{}-{}", self.app, self.environment.name)
    }

    /// The stack that holds the image repositories, shared by all environments.
    pub fn registry_stack_name(&self) -> String {
        format!("{}-registry", self.app)
    }

    /// The image repository of a service that is built from source.
    pub fn repository(&self, service: &Service) -> String {
        format!("{}/{}", self.app, service.name)
    }
}
