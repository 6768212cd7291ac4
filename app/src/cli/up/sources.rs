//! The folders and Dockerfiles of images, checked before anything is created.

use super::named_folder;
use anyhow::{Context, Error, Result, anyhow};
use escale_blueprint::{Image, ImageNeeded, Template};
use escale_files::Folder;
use escale_imagebuild::{Dockerfile, Engine, Outside};
use escale_service::{Config, ImageName};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Largest Dockerfile. Generated ones have some hundred KiB; it is held in memory.
const DOCKERFILE_BYTES: u64 = 4 * 1024 * 1024;

/// Images are built for this machine's architecture, because their containers run on it.
pub(super) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// The source of one image.
pub(super) struct Source<'a> {
    pub(super) needed: &'a ImageNeeded,
    pub(super) repository: &'a str,
    pub(super) folder: Arc<Folder>,
    pub(super) dockerfile: Dockerfile,
    /// Its base images in the cloud's own registry. If there are any, the image can only be built while the daemon runs.
    pub(super) own_bases: Vec<Outside>,
    /// Its base images in other registries.
    pub(super) other_bases: Vec<Outside>,
    /// The external engine that builds it; `None` if Escale builds it.
    pub(super) engine: Option<Engine>,
}

impl Source<'_> {
    pub(super) fn could_not_be_built(&self) -> String {
        format!("the image of the service {} could not be built", self.needed.service)
    }

    /// The error about one of its base images.
    pub(super) fn base_error(&self, base: &Outside, why: &Error) -> Error {
        anyhow!("{}:{}: {base}: {why:#}", self.dockerfile.file, base.line)
    }
}

/// Reads all Dockerfiles and checks that each can be built: by Escale, or by an engine that is installed.
pub(super) fn sources<'a>(folder: &Path, template: &'a Template, config: &Config) -> Result<Vec<Source<'a>>> {
    let mut sources = Vec::new();
    for needed in &template.images {
        let Image::Build(named) = &needed.image else { continue };
        let repository = needed.repository.as_deref();
        let repository = repository.with_context(|| {
            format!("the service {} has `build:` but no repository for its image", needed.service)
        })?;
        let folder =
            named_folder(folder, named).with_context(|| unreadable(&needed.service, &folder.join(named)))?;
        let folder = Arc::new(folder);
        let dockerfile = dockerfile(&folder, &needed.service)?;
        let outside = dockerfile.outside(&BTreeMap::new())?;
        let is_own = |o: &Outside| ImageName::parse(&o.image).is_some_and(|name| name.is_own(config));
        let (own_bases, other_bases): (Vec<_>, Vec<_>) = outside.into_iter().partition(is_own);
        let engine = match dockerfile.needs_engine() {
            None => None,
            Some(why) => Some(Engine::find(&std::env::var_os("PATH").unwrap_or_default(), why)?),
        };
        sources.push(Source { needed, repository, folder, dockerfile, own_bases, other_bases, engine });
    }
    Ok(sources)
}

fn dockerfile(folder: &Folder, service: &str) -> Result<Dockerfile> {
    let path = folder.path().join("Dockerfile");
    let text =
        folder.read("Dockerfile", DOCKERFILE_BYTES).with_context(|| unreadable(service, folder.path()))?;
    let text = String::from_utf8(text).with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(Dockerfile::parse(&text, &path.display().to_string())?)
}

fn unreadable(service: &str, folder: &Path) -> String {
    let path: std::path::PathBuf = folder.join("Dockerfile").components().collect();
    format!(
        "the service {service} is built from {}, which cannot be read. Create this file, or name an existing image with \
         `image:`",
        path.display()
    )
}
