//! Builds images from Dockerfiles without a daemon. A Dockerfile without `RUN` is built by this crate into an OCI layout, and
//! equal content always has an equal digest. A Dockerfile with `RUN` is built by docker, podman or buildah.
//!
//! ```text
//! text ─ dockerfile ─▶ Dockerfile ─ build ─▶ OCI layout ─ push ─▶ registry
//!                       │        └ engine: it has a RUN ┘
//!                       └ outside ─ pull ─▶ cache, for Bases
//! ```
//! This crate never executes anything of an image, and reads its files from the layers without unpacking them.
//! Start at [`Dockerfile::parse`] and [`build()`]. [`Dockerfile::needs_engine`] says whether an engine is needed, and
//! [`Dockerfile::outside`] which images must be pulled first.

mod accounts;
mod build;
mod cache;
mod config;
mod context;
mod dockerfile;
mod engine;
mod glob;
mod layer;
mod layout;
mod logins;
mod pull;
mod push;
mod registry;
mod tree;

pub use build::{Bases, BuildError, Built, Recipe, build};
pub use cache::Cache;
pub use context::{Context, Ignore};
pub use dockerfile::{
    Command, CopyFiles, Dockerfile, DockerfileError, Healthcheck, Instruction, NeedsEngine, Outside, Step,
};
pub use engine::{Engine, EngineError, EngineLogin, build_with};
pub use layout::{Layout, LayoutError};
pub use logins::Logins;
pub use pull::{exists, pull, pull_upstream};
pub use push::{Progress, push};
pub use registry::{Credentials, RegistryError, Target};
