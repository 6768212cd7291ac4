//! Images from Dockerfiles, without a daemon: what copies files and says how to run them is built right here into
//! an OCI layout, the same content always into the same digest; what runs commands is handed to docker, podman or buildah.
//!
//! ```text
//! text ─ dockerfile ─▶ Dockerfile ─ build ─▶ OCI layout ─ push ─▶ registry
//!                          └ engine: it has a RUN ┘
//! ```
//! Nothing of the image is ever executed here, and nothing is fetched: base images come through [`Bases`].
//! Start at [`Dockerfile::parse`] and [`build()`]; [`Dockerfile::needs_engine`] says which way to go, [`push()`] sends.

mod build;
mod config;
mod context;
mod dockerfile;
mod engine;
mod glob;
mod layer;
mod layout;
mod push;

pub use build::{Bases, BuildError, Built, NoBases, Recipe, build};
pub use context::{Context, Ignore};
pub use dockerfile::{
    Command, CopyFiles, Dockerfile, DockerfileError, Healthcheck, Instruction, NeedsEngine, Step,
};
pub use engine::{Engine, EngineError, build_with};
pub use layout::{Layout, LayoutError};
pub use push::{Credentials, Progress, PushError, Target, push};
