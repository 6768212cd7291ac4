//! Builds images and pushes them into ECR.

use super::{below, phases::Phases};
use crate::{cli::client::Client, home::Home};
use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use escale_base::Secret;
use escale_blueprint::{Image, ImageNeeded, Template};
use escale_imagebuild::{
    Context as BuildContext, Credentials, Dockerfile, Engine, Layout, NoBases, Progress, Recipe, Target,
    build, build_with, push,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Containers run on this machine, so images are for it.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// Before anything is started: are all Dockerfiles there, and well-formed?
pub(crate) fn check(folder: &Path, template: &Template) -> Result<()> {
    for needed in &template.images {
        if let Image::Build(named) = &needed.image {
            dockerfile(&below(folder, named), &needed.service)?;
        }
    }
    Ok(())
}

/// Builds and pushes what is built from source; gives each service's image reference.
pub(crate) async fn push_all(
    client: &Client,
    home: &Home,
    folder: &Path,
    template: &Template,
    phases: &Phases,
) -> Result<BTreeMap<String, String>> {
    let mut references = BTreeMap::new();
    let mut credentials = None;
    for needed in &template.images {
        let reference = match (&needed.image, &needed.repository) {
            (Image::Reference(reference), _) => reference.clone(),
            (Image::Build(named), Some(repository)) => {
                phases.tell(format!("building {}", needed.service));
                let layout = make(home, &below(folder, named), needed, repository)?;
                phases.tell(format!("pushing {}", needed.service));
                if credentials.is_none() {
                    credentials = Some(login(client).await?);
                }
                let (address, login) = credentials.as_ref().context("just made")?;
                send(address, login, repository, &layout, phases).await?
            }
            (Image::Build(_), None) => bail!("{}: an image that is built needs a repository", needed.service),
        };
        references.insert(needed.service.clone(), reference);
    }
    Ok(references)
}

fn dockerfile(folder: &Path, service: &str) -> Result<Dockerfile> {
    let path = folder.join("Dockerfile");
    let text = fs::read_to_string(&path).with_context(|| {
        format!("the service {service} is built from {}, which cannot be read", path.display())
    })?;
    Ok(Dockerfile::parse(&text, &path.display().to_string())?)
}

fn make(home: &Home, folder: &Path, needed: &ImageNeeded, repository: &str) -> Result<Layout> {
    let dockerfile = dockerfile(folder, &needed.service)?;
    let to = home.path().join("builds").join(&needed.service);
    clear(&to)?;
    let reference = format!("{repository}:latest");
    match dockerfile.needs_engine() {
        None => {
            let context = BuildContext::open(folder, "Dockerfile")
                .with_context(|| format!("cannot read the build context {}", folder.display()))?;
            let recipe = Recipe {
                dockerfile: &dockerfile,
                context: &context,
                args: BTreeMap::new(),
                architecture: ARCHITECTURE,
                reference: &reference,
            };
            Ok(build(&recipe, &NoBases, &to)?.layout)
        }
        Some(why) => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let engine = Engine::find(&path, why)?;
            let file = folder.join("Dockerfile");
            let commands = engine.commands(&file, folder, &BTreeMap::new(), &reference, &to);
            Ok(build_with(&commands, &to, ARCHITECTURE, &mut |line| eprintln!("  {line}"))?)
        }
    }
}

fn clear(folder: &PathBuf) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// The registry's address and a token, as `docker login` would take them.
async fn login(client: &Client) -> Result<(String, Credentials)> {
    let answer = client.json("ecr", "GetAuthorizationToken", json!({})).await?;
    let data = &answer["authorizationData"][0];
    let token = data["authorizationToken"].as_str().context("ECR gave no token")?;
    let plain = String::from_utf8(STANDARD.decode(token)?)?;
    let (user, password) = plain.split_once(':').context("ECR's token has no user")?;
    let endpoint = data["proxyEndpoint"].as_str().context("ECR named no endpoint")?;
    let address = endpoint.trim_start_matches("http://").trim_start_matches("https://").to_owned();
    Ok((address, Credentials { user: user.to_owned(), password: Secret::new(password.to_owned()) }))
}

/// The tag is the content's own digest: the same content is the same image, and a stack names exactly one.
async fn send(
    address: &str,
    credentials: &Credentials,
    repository: &str,
    layout: &Layout,
    phases: &Phases,
) -> Result<String> {
    let digest = layout.digest.clone();
    let tag: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    let target = Target {
        address: address.to_owned(),
        host: None,
        repository: repository.to_owned(),
        tag: tag.clone(),
        credentials: Some(credentials.clone()),
    };
    let mut told = |progress: Progress| {
        if let Progress::Sending { size_bytes, .. } = progress {
            phases.tell(format!("pushing {repository}: {:.1} MB", size_bytes as f64 / 1e6));
        }
    };
    push(layout, &target, &mut told)
        .await
        .with_context(|| format!("cannot push {repository} to {address}"))?;
    Ok(format!("{address}/{repository}:{tag}"))
}
