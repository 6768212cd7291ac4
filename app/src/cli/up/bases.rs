//! Base images, from the cloud's own registry and from others.

use super::{
    ecr::Login,
    phases::Phases,
    sources::{ARCHITECTURE, Source},
};
use crate::{cli::client::Client, home::Home, planes, settings::Settings};
use anyhow::{Context, Error, Result, anyhow, bail};
use escale_imagebuild::{
    Cache, EngineLogin, Layout, Logins, Outside, RegistryError, exists, pull, pull_upstream,
};
use escale_service::ImageName;
use escale_upstream::Repository;
use std::collections::BTreeMap;

/// The base images that were pulled.
#[derive(Default)]
pub(super) struct Bases {
    /// By the names that Dockerfiles use for them.
    pub(super) pulled: BTreeMap<String, Layout>,
    /// Credentials for docker, podman or buildah, which pull base images themselves.
    pub(super) login: Option<EngineLogin>,
}

/// Pulls all base images of these sources.
pub(super) async fn pull_all(
    home: &Home,
    client: &Client,
    settings: &Settings,
    sources: &[&Source<'_>],
    phases: &mut Phases,
) -> Result<Bases> {
    let mut bases = pull_others(home, settings, sources, phases).await?;
    let own: Vec<_> = sources.iter().copied().filter(|source| !source.own_bases.is_empty()).collect();
    pull_own(home, client, &own, &mut bases, phases).await?;
    Ok(bases)
}

/// Pulls the base images of other registries, with the user's own logins. An engine pulls those of its builds itself.
pub(super) async fn pull_others(
    home: &Home,
    settings: &Settings,
    sources: &[&Source<'_>],
    phases: &mut Phases,
) -> Result<Bases> {
    let mut bases = Bases::default();
    let ours = sources.iter().filter(|source| source.engine.is_none());
    let all: Vec<_> =
        ours.flat_map(|source| source.other_bases.iter().map(move |base| (source, base))).collect();
    if all.is_empty() {
        return Ok(bases);
    }
    phases.begin("base images");
    let (upstream, cache) = (planes::upstream(settings), cache(home)?);
    let logins = Logins::of_user().map_err(Error::msg)?;
    for (source, base) in all {
        if bases.pulled.contains_key(&base.image) {
            continue;
        }
        phases.set_message(format!("pulling {}", base.image));
        let pulled = async {
            let name = name(base)?;
            let repository = Repository::new(name.registry, name.repository)?;
            let login = logins.of(repository.registry()).map_err(Error::msg)?;
            let reference = name.reference.parse()?;
            let pulled =
                pull_upstream(&upstream, &repository, &reference, login.as_ref(), ARCHITECTURE, &cache).await;
            anyhow::Ok(pulled?)
        };
        let layout = pulled.await.map_err(|why| source.base_error(base, &why));
        bases.pulled.insert(base.image.clone(), layout.with_context(|| source.could_not_be_built())?);
    }
    Ok(bases)
}

/// Adds the base images of the cloud's own registry.
pub(super) async fn pull_own(
    home: &Home,
    client: &Client,
    sources: &[&Source<'_>],
    bases: &mut Bases,
    phases: &Phases,
) -> Result<()> {
    let login = Login::new(client).await?;
    let cache = cache(home)?;
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
    Ok(())
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
fn push_by_hand(address: &str, name: &ImageName<'_>, source: &str) -> String {
    let joint = if name.reference.contains(':') { '@' } else { ':' };
    format!(
        "skopeo copy --dest-tls-verify=false --dest-creds \"AWS:$(escale aws ecr get-login-password)\" docker://{source} docker://{address}/{}{joint}{}",
        name.repository, name.reference
    )
}
