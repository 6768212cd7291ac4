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

/// What an image is built from.
pub(crate) struct Source<'a> {
    needed: &'a ImageNeeded,
    repository: &'a str,
    folder: PathBuf,
    dockerfile: Dockerfile,
    /// Who builds it, when it is not built right here.
    engine: Option<Engine>,
}

/// Are all Dockerfiles there, and well-formed, and is there somebody who can build them?
pub(crate) fn sources<'a>(folder: &Path, template: &'a Template) -> Result<Vec<Source<'a>>> {
    let mut sources = Vec::new();
    for needed in &template.images {
        let Image::Build(named) = &needed.image else { continue };
        let repository = needed.repository.as_deref();
        let repository = repository
            .with_context(|| format!("{}: an image that is built needs a repository", needed.service))?;
        let folder = below(folder, named);
        let dockerfile = dockerfile(&folder, &needed.service)?;
        let engine = match dockerfile.needs_engine().or_else(|| dockerfile.base()) {
            None => None,
            Some(why) => Some(Engine::find(&std::env::var_os("PATH").unwrap_or_default(), why)?),
        };
        sources.push(Source { needed, repository, folder, dockerfile, engine });
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

/// Builds what is built from source, by service.
pub(crate) fn build_all(
    home: &Home,
    sources: &[Source<'_>],
    phases: &Phases,
) -> Result<BTreeMap<String, Layout>> {
    let mut layouts = BTreeMap::new();
    for source in sources {
        let service = &source.needed.service;
        phases.tell(format!("building {service}"));
        let to = home.path().join("builds").join(service);
        let made = make(source, &to);
        if made.is_err() {
            // Half an image is of no use to anybody; that it could not be removed is no second error.
            let _ = fs::remove_dir_all(&to);
            let _ = fs::remove_dir(home.path().join("builds"));
        }
        let layout =
            made.with_context(|| format!("the image of the service {service} could not be built"))?;
        layouts.insert(service.clone(), layout);
    }
    Ok(layouts)
}

fn make(source: &Source<'_>, to: &PathBuf) -> Result<Layout> {
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
            Ok(build(&recipe, &NoBases, to)?.layout)
        }
        Some(engine) => {
            let file = folder.join("Dockerfile");
            let commands = engine.commands(&file, folder, &BTreeMap::new(), &reference, to);
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
    let mut credentials = None;
    for needed in &template.images {
        let service = &needed.service;
        let reference = match (&needed.image, &needed.repository, layouts.get(service)) {
            (Image::Reference(reference), ..) => reference.clone(),
            (Image::Build(_), Some(repository), Some(layout)) => {
                phases.tell(format!("pushing {service}"));
                if credentials.is_none() {
                    credentials = Some(login(client).await?);
                }
                let (address, login) = credentials.as_ref().context("just made")?;
                send(address, login, repository, layout, phases).await?
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
