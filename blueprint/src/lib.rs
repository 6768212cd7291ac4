//! The blueprint: one short manifest, `escale.yaml`, and the CloudFormation template that it becomes.
//!
//! ```text
//! text ─ yaml ─▶ tree with places ─ environments ─▶ overlaid tree ─ read, check ─▶ Manifest ─ template ─▶ Template
//! ```
//! A key of the manifest is enacted or refused by name; nothing is accepted and ignored. The template is one for AWS
//! and for Escale: what differs between them comes in as parameters. Here nothing is read, written or asked of the
//! world, no clock, no file, no network: callers hand in text and get values.
//!
//! Start at [`Manifest::parse`], go on to [`template()`]; [`registry_template`] is the small one that must be deployed before
//! it, since services can only start from images that are there; [`graph()`] is what diagrams and costs are drawn from.

mod graph;
mod manifest;
mod problem;
mod template;
mod variables;
mod yaml;

pub use graph::{Component, ComponentKind, Edge, EdgeKind, Graph, graph};
pub use manifest::{
    Bucket, Cidr, Database, Days, Deploy, Engine, Environment, Health, Image, Manifest, Nat, Network,
    Override, Service, Size, Storage,
};
pub use problem::{Place, Problem};
pub use template::{
    ImageNeeded, Parameter, Purpose, Sync, TEMPLATE_BODY_BYTES, Template, registry_template, template,
};
