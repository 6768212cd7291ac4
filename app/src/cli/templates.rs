//! Where a verb's template comes from: a file, a synthesised CDK application, or the manifest of which it is made.

use super::application::{LOCAL, read_manifest};
use anyhow::{Context, Result, bail};
use escale_blueprint::{Parameter, Purpose, template};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Nested assemblies (the CDK's stages) deeper than this are a mistake.
const STAGES: usize = 16;

/// The parser of `KEY=VALUE` arguments.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or_else(|| "write KEY=VALUE".to_owned())
}

/// One template, from a file or made from a manifest.
pub(super) struct Source {
    /// As the user would open it.
    pub(super) file: String,
    /// The application and its environment, or the name of the file.
    pub(super) name: String,
    pub(super) text: String,
    /// The values that `escale up` would give to parameters.
    pub(super) values: Vec<(String, String)>,
    /// The region that the manifest names for the environment.
    pub(super) region: Option<String>,
}

/// The templates of a path: the file itself, those of a synthesised CDK application, or that of a manifest.
pub(super) fn sources(path: &Path, environment: &str) -> Result<Vec<Source>> {
    if let Some(manifest) = manifest(path) {
        return Ok(vec![of_manifest(&manifest, path, environment)?]);
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split('.').next().unwrap_or_default().to_owned();
        Ok(Source { file: path.display().to_string(), name, text, values: Vec::new(), region: None })
    };
    templates(path)?.into_iter().map(read).collect()
}

/// The manifest that the path names, unless its folder also holds a synthesised CDK application.
fn manifest(path: &Path) -> Option<PathBuf> {
    const NAME: &str = "escale.yaml";
    if path.is_file() && path.file_name().is_some_and(|name| name == NAME) {
        return Some(path.to_owned());
    }
    let is_cdk = path.join("cdk.out").is_dir() || path.join("manifest.json").is_file();
    Some(path.join(NAME)).filter(|manifest| !is_cdk && manifest.is_file())
}

fn of_manifest(path: &Path, given: &Path, environment: &str) -> Result<Source> {
    let manifest = read_manifest(path, environment, &[])?;
    let made = template(&manifest).map_err(|problems| anyhow::anyhow!("{}", problems[0]))?;
    // An image is built only by `up`; any reference to the application's repository has the same effect on the check.
    let image = |parameter: &Parameter| match &parameter.purpose {
        Purpose::Image { service } => {
            let value = format!("{}/{service}:latest", manifest.app);
            parameter.default.is_none().then(|| (parameter.name.clone(), value))
        }
        _ => None,
    };
    let values = made.parameters.iter().filter_map(image).collect();
    let option = match environment {
        LOCAL => String::new(),
        other => format!(" --environment {other}"),
    };
    let file = format!("escale template {}{option}", given.display());
    let name = manifest.app.clone();
    Ok(Source { file, name, text: made.to_yaml(), values, region: manifest.environment.region })
}

/// The parts of the CDK's `manifest.json` that name templates.
/// Source: <https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.cloud_assembly_schema.AssemblyManifest.html>
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    artifacts: BTreeMap<String, Artifact>,
}

#[derive(Deserialize)]
struct Artifact {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    properties: ArtifactProperties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ArtifactProperties {
    template_file: Option<String>,
    directory_name: Option<String>,
}

fn templates(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let inside = path.join("cdk.out");
    let folder = if inside.join("manifest.json").is_file() { inside.as_path() } else { path };
    let mut found = Vec::new();
    assembly(folder, STAGES, &mut found)?;
    if found.is_empty() {
        bail!("{} has no stacks", folder.join("manifest.json").display());
    }
    Ok(found)
}

fn assembly(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let path = folder.join("manifest.json");
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "{} has neither an escale.yaml nor a synthesised CDK application: run `cdk synth` first, or name a template",
            folder.display()
        )
    })?;
    let manifest: Manifest =
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    for (name, artifact) in manifest.artifacts {
        match artifact.kind.as_str() {
            "aws:cloudformation:stack" => {
                let file = artifact.properties.template_file;
                let file = file
                    .with_context(|| format!("{}: the stack {name} has no templateFile", path.display()))?;
                found.push(folder.join(file));
            }
            "cdk:cloud-assembly" if depth > 0 => {
                let inner = artifact.properties.directory_name;
                let inner = inner.with_context(|| {
                    format!("{}: the assembly {name} has no directoryName", path.display())
                })?;
                assembly(&folder.join(inner), depth - 1, found)?;
            }
            _ => {}
        }
    }
    Ok(())
}
