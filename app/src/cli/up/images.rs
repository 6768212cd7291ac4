//! Builds images and pushes them into ECR.

use super::{bases::Bases, below, ecr::Login, phases::Phases};
use crate::{cli::client::Client, home::Home};
use anyhow::{Context, Error, Result, anyhow, bail};
use escale_blueprint::{Image, ImageNeeded, Template};
use escale_imagebuild::{
    Context as BuildContext, Dockerfile, Engine, Layout, Outside, Progress, Recipe, build, build_with, push,
};
use escale_service::{Config, ImageName};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Containers run on this machine, so images are for it.
pub(super) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// What an image is built from.
pub(crate) struct Source<'a> {
    needed: &'a ImageNeeded,
    repository: &'a str,
    folder: PathBuf,
    dockerfile: Dockerfile,
    /// The images in the cloud's own registry that it builds on: if there are any, it can be built only when the cloud runs.
    pub(super) own_bases: Vec<Outside>,
    /// Who builds it, when it is not built right here.
    pub(super) engine: Option<Engine>,
}

impl Source<'_> {
    pub(super) fn could_not_be_built(&self) -> String {
        format!("the image of the service {} could not be built", self.needed.service)
    }

    /// What hung with an image that it builds on.
    pub(super) fn fault(&self, base: &Outside, why: &Error) -> Error {
        anyhow!("{}:{}: {base}: {why:#}", self.dockerfile.file, base.line)
    }
}

/// Are all Dockerfiles there, and well-formed, and is there somebody who can build them?
pub(crate) fn sources<'a>(folder: &Path, template: &'a Template, config: &Config) -> Result<Vec<Source<'a>>> {
    let mut sources = Vec::new();
    for needed in &template.images {
        let Image::Build(named) = &needed.image else { continue };
        let repository = needed.repository.as_deref();
        let repository = repository
            .with_context(|| format!("{}: an image that is built needs a repository", needed.service))?;
        let folder = below(folder, named);
        let dockerfile = dockerfile(&folder, &needed.service)?;
        let outside = dockerfile.outside(&BTreeMap::new())?;
        let is_own = |o: &Outside| ImageName::parse(&o.image).is_some_and(|name| name.is_own(config));
        let (own_bases, foreign): (Vec<_>, Vec<_>) = outside.into_iter().partition(is_own);
        let foreign = || foreign.first().map(|base| dockerfile.pulled_by_engine(base));
        let engine = match dockerfile.needs_engine().or_else(foreign) {
            None => None,
            Some(why) => Some(Engine::find(&std::env::var_os("PATH").unwrap_or_default(), why)?),
        };
        sources.push(Source { needed, repository, folder, dockerfile, own_bases, engine });
    }
    Ok(sources)
}

fn dockerfile(folder: &Path, service: &str) -> Result<Dockerfile> {
    let path = folder.join("Dockerfile");
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "the service {service} is built from {}, which cannot be read; write it, or name a finished image with `image:`",
            path.display()
        )
    })?;
    Ok(Dockerfile::parse(&text, &path.display().to_string())?)
}

/// Builds these images, by service.
pub(crate) fn build_all(
    home: &Home,
    sources: Vec<&Source<'_>>,
    bases: &Bases,
    phases: &Phases,
) -> Result<BTreeMap<String, Layout>> {
    let mut layouts = BTreeMap::new();
    for source in sources {
        let service = &source.needed.service;
        phases.tell(format!("building {service}"));
        let to = home.path().join("builds").join(service);
        let made = make(source, bases, &to);
        if made.is_err() {
            // Half an image is of no use to anybody; that it could not be removed is no second error.
            let _ = fs::remove_dir_all(&to);
            let _ = fs::remove_dir(home.path().join("builds"));
        }
        layouts.insert(service.clone(), made.with_context(|| source.could_not_be_built())?);
    }
    Ok(layouts)
}

fn make(source: &Source<'_>, bases: &Bases, to: &PathBuf) -> Result<Layout> {
    let Source { repository, folder, dockerfile, .. } = source;
    clear(to)?;
    let reference = format!("{repository}:latest");
    match source.engine {
        None => {
            let context = BuildContext::open(folder, "Dockerfile")
                .with_context(|| format!("cannot read the build context {}", folder.display()))?;
            let recipe = Recipe {
                dockerfile,
                context: &context,
                args: BTreeMap::new(),
                architecture: ARCHITECTURE,
                reference: &reference,
            };
            Ok(build(&recipe, &bases.pulled, to)?.layout)
        }
        Some(engine) => {
            let file = folder.join("Dockerfile");
            let own = source.own_bases.iter();
            let mut commands: Vec<_> = bases
                .login
                .iter()
                .flat_map(|login| own.clone().map(|base| engine.pull(&base.image, login)))
                .collect();
            commands.extend(engine.commands(&file, folder, &BTreeMap::new(), &reference, to));
            Ok(build_with(&commands, to, ARCHITECTURE, &mut |line| eprintln!("  {line}"))?)
        }
    }
}

/// Pushes what was built; gives each service's image reference.
pub(crate) async fn push_all(
    client: &Client,
    template: &Template,
    layouts: &BTreeMap<String, Layout>,
    phases: &Phases,
) -> Result<BTreeMap<String, String>> {
    let mut references = BTreeMap::new();
    let mut login = None;
    for needed in &template.images {
        let service = &needed.service;
        let reference = match (&needed.image, &needed.repository, layouts.get(service)) {
            (Image::Reference(reference), ..) => reference.clone(),
            (Image::Build(_), Some(repository), Some(layout)) => {
                phases.tell(format!("pushing {service}"));
                if login.is_none() {
                    login = Some(Login::new(client).await?);
                }
                send(login.as_ref().context("just made")?, repository, layout, phases).await?
            }
            (Image::Build(_), ..) => bail!("{service}: its image was not built"),
        };
        references.insert(service.clone(), reference);
    }
    Ok(references)
}

fn clear(folder: &PathBuf) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// The tag is the content's own digest: the same content is the same image, and a stack names exactly one.
async fn send(login: &Login, repository: &str, layout: &Layout, phases: &Phases) -> Result<String> {
    let tag: String = layout.digest.trim_start_matches("sha256:").chars().take(12).collect();
    let mut told = |progress: Progress| {
        if let Progress::Sending { size_bytes, .. } = progress {
            phases.tell(format!("pushing {repository}: {:.1} MB", size_bytes as f64 / 1e6));
        }
    };
    let address = &login.address;
    push(layout, &login.image(repository, &tag), &mut told)
        .await
        .with_context(|| format!("cannot push {repository} to {address}"))?;
    Ok(format!("{address}/{repository}:{tag}"))
}
