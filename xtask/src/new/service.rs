//! `cargo xtask new-service NAME`.

use super::{add_sorted, create, edit, exists};
use anyhow::{Context, Result, bail};

const WIRING: &str = "app/wiring/src/lib.rs";

pub(crate) fn service(id: &str) -> Result<()> {
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        bail!("'{id}' is no name of a service: lower-case letters and digits, as in models/");
    }
    if !exists(&format!("models/{id}.json")) {
        bail!(
            "there is no models/{id}.json. Add the service to models/services.json, then run: cargo xtask models"
        );
    }
    let folder = format!("services/{id}");
    if exists(&folder) {
        bail!("{folder} exists already");
    }
    let name = type_name(id);
    create(&format!("{folder}/Cargo.toml"), &manifest(id))?;
    create(&format!("{folder}/src/lib.rs"), &library(id, &name))?;
    create(&format!("{folder}/src/error.rs"), &error(&name))?;
    create(&format!("{folder}/src/recorded.rs"), &recorded(&name))?;
    create(&format!("{folder}/src/ops/mod.rs"), &operations(id, &name))?;
    edit("Cargo.toml", |text| {
        let line = format!("escale-{id} = {{ path = \"services/{id}\" }}");
        add_sorted(text, &line, |other| other.contains("{ path = \"services/"))
            .context("Cargo.toml lists no services")
    })?;
    edit("app/wiring/Cargo.toml", |text| {
        let line = format!("escale-{id}.workspace = true");
        add_sorted(text, &line, |other| other.starts_with("escale-"))
            .context("the wiring depends on no service")
    })?;
    edit(WIRING, |text| {
        let line = format!("            Arc::new(escale_{id}::{name}),");
        let added = add_sorted(text, &line, |other| other.starts_with("            Arc::new(escale_"));
        added.with_context(|| format!("{WIRING} has no list of services"))
    })?;
    println!(
        "\nNow describe the service in services/{id}/Cargo.toml and src/lib.rs, put its tables into state/tables/src/{id}, and add \
         operations: cargo xtask new-operation {id} NAME"
    );
    Ok(())
}

/// `secretsmanager` becomes `Secretsmanager`: the author gives it AWS's own spelling.
fn type_name(id: &str) -> String {
    let (first, rest) = id.split_at(1);
    first.to_uppercase() + rest
}

fn manifest(id: &str) -> String {
    format!(
        "\
[package]
name = \"escale-{id}\"
description = \"TODO: one sentence.\"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[dependencies]
escale-base.workspace = true
escale-service.workspace = true
thiserror.workspace = true

[lints]
workspace = true
"
    )
}

fn library(id: &str, name: &str) -> String {
    format!(
        "\
//! TODO: what the service does, what it never does, and where to start.

mod error;
mod ops;
mod recorded;

use escale_service::{{Entry, Recorded, Service}};

pub use error::Error;

/// The service, for the wiring.
pub struct {name};

impl Service for {name} {{
    fn id(&self) -> &'static str {{
        \"{id}\"
    }}
    fn operations(&self) -> Vec<Entry> {{
        ops::all()
    }}
    fn recorded(&self) -> &'static [Recorded] {{
        recorded::RECORDED
    }}
}}
"
    )
}

fn error(name: &str) -> String {
    format!(
        "\
//! {name}'s errors: code and HTTP status are here and nowhere else.

use escale_base::{{AwsError, ErrorKind}};

#[derive(Debug, thiserror::Error)]
pub enum Error {{
    #[error(\"{{0}} was not found.\")]
    NotFound(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}}

impl From<Error> for AwsError {{
    fn from(error: Error) -> AwsError {{
        let (kind, code, status) = match &error {{
            Error::NotFound(_) => (ErrorKind::NotFound, \"ResourceNotFoundException\", 400),
            Error::Aws(error) => return error.clone(),
        }};
        AwsError::new(kind, code, status, error.to_string())
    }}
}}
"
    )
}

fn recorded(name: &str) -> String {
    format!(
        "\
//! The parameters that {name} stores and shows without effect, with the reason.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[];
"
    )
}

fn operations(id: &str, name: &str) -> String {
    format!(
        "\
//! The operations of {name}, one module each.

escale_service::operations! {{ \"{id}\";
}}
"
    )
}
