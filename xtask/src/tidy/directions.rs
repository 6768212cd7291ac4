//! Which crate may depend on which: never on a higher layer.

use crate::run::{cargo, output};
use anyhow::{Context, Result};
use serde_json::Value;

/// The layers, lowest first, with the layers that each may depend on besides `base`. A crate's folder determines its layer.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &["base"]),
    // Shared by all that serve HTTP; not a plane itself (docs/decisions/022).
    ("planes/httpguard", &[]),
    // Shared by all that terminate TLS, and by those that read certificates (docs/decisions/040).
    ("planes/tls", &[]),
    // Shared by all that open listening sockets in the worker of the data plane (docs/decisions/051).
    ("planes/sockets", &[]),
    // Shared by the planes that serve connections on threads of their own (docs/decisions/049).
    ("planes/lanes", &["planes/sockets"]),
    ("planes", &["planes/httpguard", "planes/tls", "planes/lanes", "planes/sockets"]),
    ("state", &["state"]),
    ("engine", &["state"]),
    ("front/model", &[]),
    ("front/schema", &["front/model"]),
    ("front/wire", &["front/model"]),
    ("front/service", &["front/model", "front/schema", "state"]),
    ("front/requests", &["front/service", "state"]),
    (
        "front/gate",
        &["front/wire", "front/model", "front/service", "planes/httpguard", "planes/tls", "state"],
    ),
    (
        "services",
        &[
            "front/service",
            "front/requests",
            "front/wire",
            "front/model",
            "front/schema",
            "state",
            "engine",
            "planes",
            "tests/faults",
            "tests/harness",
        ],
    ),
    ("blueprint", &[]),
    ("imagebuild", &["planes/upstream", "planes/tls"]),
    // Reads templates with CloudFormation's own evaluation (docs/decisions/056).
    ("proof", &["services/cloudformation", "state"]),
    ("app/plane", &["planes"]),
    ("app/wiring", &["front/service", "services", "state", "engine", "planes"]),
    (
        "app",
        &[
            "app/plane",
            "app/wiring",
            "front",
            "services",
            "state",
            "engine",
            "planes",
            "blueprint",
            "imagebuild",
            "proof",
        ],
    ),
    ("tests/faults", &["state", "engine", "planes"]),
    ("tests/harness", &["front/schema", "front/service", "front/requests", "state"]),
    (
        "tests/fuzz",
        &["front/model", "front/schema", "front/wire", "services/cloudformation", "planes", "blueprint"],
    ),
    (
        "tests/sim",
        &[
            "app/wiring",
            "tests/faults",
            "tests/harness",
            "front",
            "services",
            "state",
            "engine",
            "planes",
            "blueprint",
        ],
    ),
    ("xtask", &[]),
];

pub(crate) fn check() -> Result<Vec<String>> {
    let text = output(&cargo(), &["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .context("cargo metadata failed")?;
    let metadata: Value = serde_json::from_str(&text)?;
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let folder_of = |name: &str| {
        let package = packages.iter().find(|p| p["name"] == name)?;
        let folder = package["manifest_path"].as_str()?.strip_prefix(root)?;
        Some(folder.trim_start_matches('/').trim_end_matches("/Cargo.toml").to_owned())
    };
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let folder = folder_of(name).unwrap_or_default();
        let Some((layer, may_know)) = layer_of(&folder) else {
            faults
                .push(format!("{folder}: this crate is in no layer. Add it in xtask/src/tidy/directions.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(target) = dependency["name"].as_str().and_then(folder_of) else { continue };
            let known = target.starts_with("base") || may_know.iter().any(|m| within(&target, m));
            if !known || (layer == "services" && within(&target, "services")) {
                faults
                    .push(format!("{folder} knows {target}: {layer} may know only base{}", listed(may_know)));
            }
        }
    }
    let folders: Vec<String> =
        packages.iter().filter_map(|p| folder_of(p["name"].as_str().unwrap_or_default())).collect();
    let ghosts = LAYERS.iter().filter(|(layer, _)| !folders.iter().any(|folder| within(folder, layer)));
    faults.extend(ghosts.map(|(layer, _)| format!("{}: no crate is in the layer {layer}", file!())));
    Ok(faults)
}

fn layer_of(folder: &str) -> Option<(&'static str, &'static [&'static str])> {
    LAYERS.iter().find(|(layer, _)| within(folder, layer)).copied()
}

fn within(folder: &str, layer: &str) -> bool {
    folder.strip_prefix(layer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn listed(layers: &[&str]) -> String {
    layers.iter().map(|l| format!(", {l}")).collect()
}
