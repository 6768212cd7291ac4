//! Builds images and pushes them to ECR.

use super::{
    bases::Bases,
    ecr::Login,
    phases::Phases,
    sources::{ARCHITECTURE, Source},
};
use crate::{cli::client::Client, home::Home};
use anyhow::{Context, Result, bail};
use escale_blueprint::{Image, ImageNeeded, Template};
use escale_imagebuild::{Context as BuildContext, Layout, Progress, Recipe, build, build_with, push};
use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

/// The folder of the home that holds images between build and push.
pub(super) const BUILDS: &str = "builds";

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
        phases.set_message(format!("building {service}"));
        let builds = home.private_folder(BUILDS)?;
        let to = builds.join(service);
        let made = make(source, bases, &to);
        if made.is_err() {
            // Half an image is useless. A failure to remove it must not hide the error of the build.
            let _ = fs::remove_dir_all(&to);
            let _ = fs::remove_dir(builds);
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
            let context = BuildContext::open(Arc::clone(folder), "Dockerfile")
                .with_context(|| format!("cannot read the build context {}", folder.path().display()))?;
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
            // The engine opens the folder by its path, as when a user runs it.
            let folder = folder.path();
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

/// Pushes the built ones of these images and returns each service's image reference.
pub(crate) async fn push_all(
    client: &Client,
    images: impl IntoIterator<Item = &ImageNeeded>,
    layouts: &BTreeMap<String, Layout>,
    phases: &Phases,
) -> Result<BTreeMap<String, String>> {
    let mut references = BTreeMap::new();
    let mut login = None;
    for needed in images {
        let service = &needed.service;
        let reference = match (&needed.image, &needed.repository, layouts.get(service)) {
            (Image::Reference(reference), ..) => reference.clone(),
            (Image::Build(_), Some(repository), Some(layout)) => {
                phases.set_message(format!("pushing {service}"));
                if login.is_none() {
                    login = Some(Login::new(client).await?);
                }
                send(login.as_ref().context("just made")?, repository, layout, phases).await?
            }
            (Image::Build(_), ..) => bail!("the image of the service {service} was not built"),
        };
        references.insert(service.clone(), reference);
    }
    Ok(references)
}

/// Each service's image reference as [`push_all`] returns it, without pushing anything.
pub(crate) async fn references(
    client: &Client,
    template: &Template,
    layouts: &BTreeMap<String, Layout>,
) -> Result<BTreeMap<String, String>> {
    let login = Login::new(client).await?;
    let reference = |needed: &ImageNeeded| match &needed.image {
        Image::Reference(reference) => Some(reference.clone()),
        Image::Build(_) => {
            let (repository, layout) = (needed.repository.as_ref()?, layouts.get(&needed.service)?);
            Some(format!("{}/{repository}:{}", login.address, tag(layout)))
        }
    };
    Ok(template.images.iter().filter_map(|n| Some((n.service.clone(), reference(n)?))).collect())
}

/// A tag that is derived from the image's digest, so that equal content gives an equal tag and the stack changes only with the
/// image.
fn tag(layout: &Layout) -> String {
    layout.digest.trim_start_matches("sha256:").chars().take(12).collect()
}

fn clear(folder: &PathBuf) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// Pushes one image.
async fn send(login: &Login, repository: &str, layout: &Layout, phases: &Phases) -> Result<String> {
    let tag = tag(layout);
    let mut progress = |progress: Progress| {
        if let Progress::Sending { size_bytes, .. } = progress {
            phases.set_message(format!("pushing {repository}: {:.1} MB", size_bytes as f64 / 1e6));
        }
    };
    let address = &login.address;
    push(layout, &login.image(repository, &tag), &mut progress)
        .await
        .with_context(|| format!("cannot push {repository} to {address}"))?;
    Ok(format!("{address}/{repository}:{tag}"))
}
