//! Images that the manifest names: checks that tasks can pull them before any stack is created.

use super::{bases::with_fix, ecr::Login, stack};
use crate::{cli::client::Client, planes, settings::Settings};
use anyhow::{Context, Result, anyhow};
use escale_blueprint::{Image, Template};
use escale_imagebuild::exists;
use escale_service::{Config, ImageName};
use escale_upstream::{Error, Reference, Repository, Upstream};

/// Checks the names. Needs no daemon, so it runs before anything is started.
pub(super) fn check(template: &Template, config: &Config) -> Result<()> {
    for (service, image) in named(template) {
        let name = name(service, image)?;
        if !name.is_own(config) {
            Repository::new(name.registry, name.repository).with_context(|| invalid(service, image))?;
            name.reference.parse::<Reference>().with_context(|| invalid(service, image))?;
        }
    }
    Ok(())
}

/// Checks that all of them exist in their registries.
pub(super) async fn check_images(
    client: &Client,
    settings: &Settings,
    template: &Template,
    stack: &str,
) -> Result<()> {
    let mut login = None;
    let is_deployed = stack::describe(client, stack).await?.is_some();
    for (service, image) in named(template) {
        let name = name(service, image)?;
        let failed = || format!("the service {service} cannot start from {image}");
        if !name.is_own(&settings.config) {
            check_other(settings, &name, is_deployed).await.with_context(failed)?;
            continue;
        }
        if login.is_none() {
            login = Some(Login::new(client).await?);
        }
        let login = login.as_ref().context("just made")?;
        let found = exists(&login.image(name.repository, name.reference)).await;
        found.map_err(|error| with_fix(login, &name, error)).with_context(failed)?;
    }
    Ok(())
}

/// Asks another registry as a task does, which has no login. A registry that cannot be reached is an error only for a new
/// application: the tasks of a deployed one have pulled the image already, and its other services can still be updated.
async fn check_other(settings: &Settings, name: &ImageName<'_>, is_deployed: bool) -> Result<()> {
    let repository = Repository::new(name.registry, name.repository)?;
    match planes::upstream(settings).manifest(&repository, &name.reference.parse()?, None).await {
        Ok(_) => Ok(()),
        Err(Error::NoHost { .. } | Error::Unreachable { .. } | Error::Broken { .. }) if is_deployed => Ok(()),
        Err(error @ Error::Denied { .. }) => Err(anyhow!(
            "{error}. A private image can be the base of a build, which uses the login of `docker login`: write `build:` and a \
             Dockerfile with the line FROM {repository}"
        )),
        Err(error) => Err(error.into()),
    }
}

/// Services, with the images that they name.
fn named(template: &Template) -> impl Iterator<Item = (&str, &str)> {
    template.images.iter().filter_map(|needed| match &needed.image {
        Image::Reference(image) => Some((needed.service.as_str(), image.as_str())),
        Image::Build(_) => None,
    })
}

fn name<'a>(service: &str, image: &'a str) -> Result<ImageName<'a>> {
    ImageName::parse(image).with_context(|| invalid(service, image))
}

fn invalid(service: &str, image: &str) -> String {
    format!("the service {service}: `{image}` is not a valid image name")
}
