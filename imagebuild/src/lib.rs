//! Images from Dockerfiles, without a daemon: what copies files and says how to run them is built right here into
//! an OCI layout, the same content always into the same digest; what runs commands is handed to docker, podman or buildah.
//!
//! ```text
//! text ─ dockerfile ─▶ Dockerfile ─ build ─▶ OCI layout ─ push ─▶ registry
//!                       │        └ engine: it has a RUN ┘
//!                       └ outside ─ pull ─▶ cache, for Bases
//! ```
//! Nothing of an image is ever executed here, and its files are read out of its layers, never unpacked.
//! Start at [`Dockerfile::parse`] and [`build()`]; [`Dockerfile::needs_engine`] says which way to go, and
//! [`Dockerfile::outside`] what has to be pulled before.

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
pub use pull::{exists, pull};
pub use push::{Progress, push};
pub use registry::{Credentials, RegistryError, Target};
