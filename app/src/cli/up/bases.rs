//! Images of the cloud's own registry that others are built on.

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

/// What these are.
#[derive(Default)]
pub(super) struct Bases {
    /// By the names that Dockerfiles give them.
    pub(super) pulled: BTreeMap<String, Layout>,
    /// For docker, podman or buildah, which pull for themselves.
    pub(super) login: Option<EngineLogin>,
}

/// Gets what these images build on.
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
            phases.tell(format!("pulling {}", base.image));
            let found = match source.engine {
                None if bases.pulled.contains_key(&base.image) => continue,
                None => pull_one(&login, base, &cache).await.map(Some),
                Some(_) => look(&login, base).await.map(|()| None),
            };
            let found = found.map_err(|why| source.fault(base, &why));
            let layout = found.with_context(|| source.could_not_be_built())?;
            bases.pulled.extend(layout.map(|layout| (base.image.clone(), layout)));
        }
    }
    if sources.iter().any(|source| source.engine.is_some()) {
        bases.login = Some(EngineLogin::new(&login.image("", ""))?);
    }
    Ok(bases)
}

/// What was pulled and has not been used for long.
pub(super) fn forget_old(home: &Home) -> Result<()> {
    Ok(cache(home)?.trim()?)
}

/// Beside the images that are built: no service's name begins with a dot.
fn cache(home: &Home) -> Result<Cache> {
    Ok(Cache::open(&home.private_folder(super::images::BUILDS)?.join(".bases"))?)
}

async fn pull_one(login: &Login, base: &Outside, cache: &Cache) -> Result<Layout> {
    let name = name(base)?;
    let found = pull(&login.image(name.repository, name.reference), ARCHITECTURE, cache).await;
    found.map_err(|error| with_way_out(login, &name, error))
}

/// Whether an image that an engine is going to pull is there, and named so that an engine finds it.
async fn look(login: &Login, base: &Outside) -> Result<()> {
    let name = name(base)?;
    if name.registry != login.address {
        bail!(
            "docker, podman and buildah look for it on the Internet; name it {}/{}",
            login.address,
            name.repository
        );
    }
    let found = exists(&login.image(name.repository, name.reference)).await;
    found.map_err(|error| with_way_out(login, &name, error))
}

fn name(base: &Outside) -> Result<ImageName<'_>> {
    ImageName::parse(&base.image).context("this is not the name of an image")
}

pub(super) fn with_way_out(login: &Login, name: &ImageName<'_>, error: RegistryError) -> Error {
    match &error {
        RegistryError::NoSuchRepository { .. } => anyhow!(
            "{error}; make it: escale aws ecr create-repository --repository-name {}; then push the image: {}",
            name.repository,
            push_by_hand(&login.address, name, "SOURCE")
        ),
        RegistryError::NoSuchImage { .. } => {
            anyhow!("{error}; push it: {}", push_by_hand(&login.address, name, "SOURCE"))
        }
        _ => error.into(),
    }
}

/// The command with which an image of that name gets into the registry at `address`.
pub(super) fn push_by_hand(address: &str, name: &ImageName<'_>, source: &str) -> String {
    let joint = if name.reference.contains(':') { '@' } else { ':' };
    format!(
        "skopeo copy --dest-tls-verify=false --dest-creds \"AWS:$(escale aws ecr get-login-password)\" docker://{source} docker://{address}/{}{joint}{}",
        name.repository, name.reference
    )
}
