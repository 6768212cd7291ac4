//! Base images from the cloud's own registry.

use super::{
    ecr::Login,
    phases::Phases,
    sources::{ARCHITECTURE, Source},
};
use crate::{cli::client::Client, home::Home};
use anyhow::{Context, Error, Result, anyhow, bail};
use escale_imagebuild::{Cache, EngineLogin, Layout, Outside, RegistryError, exists, pull};
use escale_service::ImageName;
use std::collections::BTreeMap;

/// The base images that were pulled.
#[derive(Default)]
pub(super) struct Bases {
    /// By the names that Dockerfiles use for them.
    pub(super) pulled: BTreeMap<String, Layout>,
    /// Credentials for docker, podman or buildah, which pull base images themselves.
    pub(super) login: Option<EngineLogin>,
}

/// Pulls the base images of these sources.
pub(super) async fn pull_all(
    home: &Home,
    client: &Client,
    sources: &[&Source<'_>],
    phases: &Phases,
) -> Result<Bases> {
    let login = Login::new(client).await?;
    let cache = cache(home)?;
    let mut bases = Bases::default();
    for source in sources {
        for base in &source.own_bases {
            phases.set_message(format!("pulling {}", base.image));
            let found = match source.engine {
                None if bases.pulled.contains_key(&base.image) => continue,
                None => pull_one(&login, base, &cache).await.map(Some),
                Some(_) => check_for_engine(&login, base).await.map(|()| None),
            };
            let found = found.map_err(|why| source.base_error(base, &why));
            let layout = found.with_context(|| source.could_not_be_built())?;
            bases.pulled.extend(layout.map(|layout| (base.image.clone(), layout)));
        }
    }
    if sources.iter().any(|source| source.engine.is_some()) {
        bases.login = Some(EngineLogin::new(&login.image("", ""))?);
    }
    Ok(bases)
}

/// Deletes cached base images that have not been used for long.
pub(super) fn forget_old(home: &Home) -> Result<()> {
    Ok(cache(home)?.trim()?)
}

/// The cache lies beside the built images. Its name begins with a dot, as no service's name does.
fn cache(home: &Home) -> Result<Cache> {
    Ok(Cache::open(&home.private_folder(super::images::BUILDS)?.join(".bases"))?)
}

async fn pull_one(login: &Login, base: &Outside, cache: &Cache) -> Result<Layout> {
    let name = name(base)?;
    let found = pull(&login.image(name.repository, name.reference), ARCHITECTURE, cache).await;
    found.map_err(|error| with_fix(login, &name, error))
}

/// Checks that an image for an engine exists and has a name that the engine resolves to this registry.
async fn check_for_engine(login: &Login, base: &Outside) -> Result<()> {
    let name = name(base)?;
    if name.registry != login.address {
        bail!(
            "docker, podman and buildah would look for this image on the Internet. Write its name with this cloud's registry: \
             {}/{}",
            login.address,
            name.repository
        );
    }
    let found = exists(&login.image(name.repository, name.reference)).await;
    found.map_err(|error| with_fix(login, &name, error))
}

fn name(base: &Outside) -> Result<ImageName<'_>> {
    ImageName::parse(&base.image).context("it is not a valid image name")
}

pub(super) fn with_fix(login: &Login, name: &ImageName<'_>, error: RegistryError) -> Error {
    match &error {
        RegistryError::NoSuchRepository { .. } => anyhow!(
            "{error}. Create it: escale aws ecr create-repository --repository-name {}. Then push the image: {}",
            name.repository,
            push_by_hand(&login.address, name, "SOURCE")
        ),
        RegistryError::NoSuchImage { .. } => {
            anyhow!("{error}. Push it: {}", push_by_hand(&login.address, name, "SOURCE"))
        }
        _ => error.into(),
    }
}

/// The command that copies an image into the registry at `address` under this name.
pub(super) fn push_by_hand(address: &str, name: &ImageName<'_>, source: &str) -> String {
    let joint = if name.reference.contains(':') { '@' } else { ':' };
    format!(
        "skopeo copy --dest-tls-verify=false --dest-creds \"AWS:$(escale aws ecr get-login-password)\" docker://{source} docker://{address}/{}{joint}{}",
        name.repository, name.reference
    )
}
