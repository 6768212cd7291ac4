//! The command line's record of a deployed application: its manifest, stacks and address.

use crate::home::Home;
use anyhow::{Context, Result, bail};
use escale_blueprint::Manifest;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The manifest environment that is deployed to this cloud.
pub(crate) const LOCAL: &str = "local";

/// One application on this cloud, stored in the home as `apps/<stack>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Application {
    pub(crate) app: String,
    pub(crate) stack: String,
    pub(crate) registry_stack: String,
    pub(crate) manifest: PathBuf,
    pub(crate) url: String,
}

impl Application {
    /// The same site over HTTPS, which the edge serves beside HTTP.
    pub(crate) fn https_url(&self, https_port: u16) -> String {
        let authority = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        format!("https://{host}:{https_port}")
    }

    pub(crate) fn save(&self, home: &Home) -> Result<()> {
        let path = file(home, &self.stack);
        fs::create_dir_all(path.parent().unwrap_or(home.path()))?;
        fs::write(&path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Removes the record of the application and the key that signed its URLs: the files that they led to are gone.
    pub(crate) fn forget(&self, home: &Home) -> Result<()> {
        for path in [key_file(home, &self.stack), file(home, &self.stack)] {
            match fs::remove_file(&path) {
                // An application without signed URLs has no key file.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Every application of this home.
    pub(crate) fn all(home: &Home) -> Result<Vec<Application>> {
        let Ok(entries) = fs::read_dir(home.path().join("apps")) else { return Ok(Vec::new()) };
        let mut found: Vec<Application> = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "json") {
                let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                found.push(
                    serde_json::from_slice(&text)
                        .with_context(|| format!("{} is damaged", path.display()))?,
                );
            }
        }
        found.sort_by(|a, b| a.stack.cmp(&b.stack));
        Ok(found)
    }

    /// Chooses an application: by name, by the manifest in the current folder, or the only one that there is.
    pub(crate) fn find(home: &Home, named: Option<&str>) -> Result<Application> {
        let mut all = Application::all(home)?;
        if let Some(name) = named {
            let known: Vec<String> = all.iter().map(|a| a.app.clone()).collect();
            let found = all.into_iter().find(|a| a.app == name || a.stack == name);
            return found.with_context(|| if known.is_empty() { format!(
                    "there is no application '{name}': no application is deployed. Deploy one with `escale up`"
                ) } else { format!(
                    "there is no application '{name}'. The deployed applications are: {}",
                    known.join(", ")
                ) });
        }
        if let Ok(here) = manifest_path(Path::new("."))
            && let Some(found) = all.iter().find(|a| a.manifest == here)
        {
            return Ok(found.clone());
        }
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => {
                bail!(
                    "no application is deployed. Run `escale up` in the folder of an escale.yaml to deploy one"
                )
            }
            (Some(last), false) => {
                let names: Vec<&str> = all.iter().chain([&last]).map(|a| a.app.as_str()).collect();
                bail!("several applications are deployed. Name one of them: {}", names.join(", "))
            }
        }
    }
}

fn file(home: &Home, stack: &str) -> PathBuf {
    home.path().join("apps").join(format!("{stack}.json"))
}

/// The private key that signs an application's URLs.
pub(crate) fn key_file(home: &Home, stack: &str) -> PathBuf {
    home.path().join("apps").join(format!("{stack}.key.pem"))
}

/// The path of the manifest, given the file itself or its folder.
pub(crate) fn manifest_path(given: &Path) -> Result<PathBuf> {
    let path = if given.is_dir() { given.join("escale.yaml") } else { given.to_owned() };
    path.canonicalize().with_context(|| {
        format!(
            "the manifest {} does not exist. Pass the folder of an escale.yaml: `escale up FOLDER`",
            path.display()
        )
    })
}

/// Reads a manifest for an environment and applies the values of `--set`. Every problem is reported with its line, its
/// column and a hint.
pub(crate) fn read_manifest(path: &Path, environment: &str, settings: &[String]) -> Result<Manifest> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let shown =
        path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let read = move |named: &str| {
        let text = fs::read(folder.join(named)).map_err(|error| error.to_string())?;
        String::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())
    };
    let manifest = Manifest::parse(&text, &shown)
        .map(|m| m.with_files(read))
        .and_then(|m| m.for_environment(environment))
        .and_then(|m| m.set(settings));
    let mut manifest = manifest.map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("\n").trim_end().to_owned())
    })?;
    if environment == LOCAL {
        // Locally every application gets a name without configuration: browsers resolve every name below .localhost to this
        // machine (RFC 6761).
        let app = &manifest.app;
        manifest.domain.get_or_insert_with(|| format!("{app}.localhost"));
    }
    Ok(manifest)
}
