//! Images that the manifest names: checks that tasks can pull them before any stack is created.

use super::{
    bases::{push_by_hand, with_fix},
    ecr::Login,
};
use crate::cli::client::Client;
use anyhow::{Context, Result, bail};
use escale_blueprint::{Image, Template};
use escale_imagebuild::exists;
use escale_service::{Config, ImageName};

/// Checks that all of them are in the cloud's own registry by name. Needs no daemon, so it runs before anything is started.
pub(super) fn check(template: &Template, config: &Config) -> Result<()> {
    for (service, image) in named(template) {
        let name = name(service, image)?;
        if name.is_own(config) {
            continue;
        }
        let joint = if name.reference.contains(':') { '@' } else { ':' };
        let own = format!("{}/{}{joint}{}", config.endpoint, name.repository, name.reference);
        let push = push_by_hand(&config.endpoint, &name, image);
        bail!(
            "the service {service} cannot use the image {image} from {}: tasks pull images from the cloud's own registry only. \
             Run `escale start`, push the image with the commands below, and write `image: {own}` in the manifest:\n  \
             escale aws ecr create-repository --repository-name {}\n  {push}",
            name.registry,
            name.repository
        );
    }
    Ok(())
}

/// Checks that all of them exist in the registry.
pub(super) async fn check_images(client: &Client, template: &Template) -> Result<()> {
    let mut login = None;
    for (service, image) in named(template) {
        let name = name(service, image)?;
        if login.is_none() {
            login = Some(Login::new(client).await?);
        }
        let login = login.as_ref().context("just made")?;
        let found = exists(&login.image(name.repository, name.reference)).await;
        found
            .map_err(|error| with_fix(login, &name, error))
            .with_context(|| format!("the service {service} cannot start from {image}"))?;
    }
    Ok(())
}

/// Services, with the images that they name.
fn named(template: &Template) -> impl Iterator<Item = (&str, &str)> {
    template.images.iter().filter_map(|needed| match &needed.image {
        Image::Reference(image) => Some((needed.service.as_str(), image.as_str())),
        Image::Build(_) => None,
    })
}

fn name<'a>(service: &str, image: &'a str) -> Result<ImageName<'a>> {
    ImageName::parse(image)
        .with_context(|| format!("the service {service}: `{image}` is not a valid image name"))
}
