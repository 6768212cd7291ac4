//! Images of the cloud's own registry that others are built on.

use super::{
    ecr::Login,
    images::{ARCHITECTURE, Source},
    phases::Phases,
};
use crate::{cli::client::Client, home::Home};
use anyhow::{Context, Result, anyhow};
use escale_imagebuild::{Cache, Layout, Outside, RegistryError, pull};
use escale_service::ImageName;
use std::collections::BTreeMap;

/// Pulls what these images build on, by the names that their Dockerfiles have for it.
pub(super) async fn pull_all(
    home: &Home,
    client: &Client,
    sources: &[&Source<'_>],
    phases: &Phases,
) -> Result<BTreeMap<String, Layout>> {
    let login = Login::new(client).await?;
    let cache = cache(home)?;
    let mut bases = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_built_here()) {
        for base in &source.outside {
            if bases.contains_key(&base.image) {
                continue;
            }
            phases.tell(format!("pulling {}", base.image));
            let pulled = pull_one(&login, base, &cache).await.map_err(|why| source.fault(base, &why));
            let layout = pulled.with_context(|| source.could_not_be_built())?;
            bases.insert(base.image.clone(), layout);
        }
    }
    Ok(bases)
}

/// What was pulled and has not been used for long.
pub(super) fn forget_old(home: &Home) -> Result<()> {
    Ok(cache(home)?.trim()?)
}

/// Beside the images that are built: no service's name begins with a dot.
fn cache(home: &Home) -> Result<Cache> {
    Ok(Cache::open(&home.path().join("builds/.bases"))?)
}

async fn pull_one(login: &Login, base: &Outside, cache: &Cache) -> Result<Layout> {
    let name = ImageName::parse(&base.image).context("this is not the name of an image")?;
    let found = pull(&login.image(name.repository, name.reference), ARCHITECTURE, cache).await;
    found.map_err(|error| match &error {
        RegistryError::NoSuchRepository { .. } => anyhow!(
            "{error}; make it: escale aws ecr create-repository --repository-name {}; then push the image: {}",
            name.repository,
            push_by_hand(login, &name)
        ),
        RegistryError::NoSuchImage { .. } => anyhow!("{error}; push it: {}", push_by_hand(login, &name)),
        _ => error.into(),
    })
}

/// The command with which an image of that name gets there.
fn push_by_hand(login: &Login, name: &ImageName<'_>) -> String {
    let joint = if name.reference.contains(':') { '@' } else { ':' };
    format!(
        "skopeo copy --dest-tls-verify=false --dest-creds \"AWS:$(escale aws ecr get-login-password)\" docker://SOURCE docker://{}/{}{joint}{}",
        login.address, name.repository, name.reference
    )
}
