//! Translates instructions into an image's configuration.

use crate::{
    dockerfile::{Command, Healthcheck},
    layout::LAYER_GZIP,
};
use serde_json::{Value, json};

/// `shell` is the base image's `SHELL`.
pub(crate) fn argv(command: &Command, shell: Option<&Value>) -> Value {
    match (command, shell.and_then(Value::as_array)) {
        (Command::Exec(words), _) => json!(words),
        (Command::Shell(line), Some(shell)) => shell.iter().cloned().chain([json!(line)]).collect(),
        (Command::Shell(line), None) => json!(["/bin/sh", "-c", line]),
    }
}

pub(crate) fn healthcheck(check: &Healthcheck) -> Value {
    match check {
        Healthcheck::None => json!({"Test": ["NONE"]}),
        Healthcheck::Check { command, interval_ns, timeout_ns, start_period_ns, retries } => {
            let test: Vec<&str> = match command {
                Command::Exec(words) => {
                    std::iter::once("CMD").chain(words.iter().map(String::as_str)).collect()
                }
                Command::Shell(line) => vec!["CMD-SHELL", line],
            };
            json!({
                "Test": test, "Interval": interval_ns, "Timeout": timeout_ns,
                "StartPeriod": start_period_ns, "Retries": retries,
            })
        }
    }
}

/// A layer's descriptor in OCI's words; Docker's own media types hold the same bytes.
pub(crate) fn oci_layer(layer: &Value) -> Value {
    let kind = match layer["mediaType"].as_str().unwrap_or_default() {
        "application/vnd.docker.image.rootfs.diff.tar" => "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => LAYER_GZIP,
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => "application/vnd.oci.image.layer.v1.tar+zstd",
        other => other,
    };
    json!({"mediaType": kind, "digest": layer["digest"], "size": layer["size"]})
}
