//! The blueprint: one short manifest, `escale.yaml`, and the CloudFormation template that it becomes.
//!
//! ```text
//! text ─ yaml ─▶ tree with places ─ environments ─▶ overlaid tree ─ read, check ─▶ Manifest ─ template ─▶ Template
//! ```
//! A key of the manifest is enacted or refused by name; nothing is accepted and ignored. The template is the same for AWS and
//! for Escale: parameters hold the differences. This crate is pure: it uses no clock, no file and no network.
//!
//! Start at [`Manifest::parse`], then [`template()`]. [`registry_template`] is a small template that must be deployed first,
//! because services can only start from images that exist. [`graph()`] is the input for diagrams and cost estimates.

mod graph;
mod manifest;
mod problem;
mod template;
mod variables;
mod yaml;

pub use graph::{Component, ComponentKind, Edge, EdgeKind, Graph, graph};
pub use manifest::{
    Bucket, Cidr, Count, Database, Days, Dependency, Deploy, Egress, Engine, Environment, Health, Image,
    Manifest, Nat, Network, Override, Scale, Service, Sidecar, Size, Storage, Until,
};
pub use problem::{Place, Problem};
pub use template::{
    Held, ImageNeeded, Parameter, Purpose, RUNS_NEW, RUNS_NOTHING, Sync, TEMPLATE_BODY_BYTES, Template,
    pascal, registry_template, template,
};
