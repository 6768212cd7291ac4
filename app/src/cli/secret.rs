//! `escale secret`: the values of a manifest's secrets, in Secrets Manager.

use super::{
    Output,
    application::{Application, LOCAL, manifest_path, read_manifest},
    client::{Client, is_code},
    terminal,
};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use escale_base::Timestamp;
use serde_json::{Value, json};
use std::{
    io::{self, Read},
    path::Path,
};

#[derive(Args)]
pub(crate) struct Secret {
    #[command(subcommand)]
    verb: Verb,
    /// The application. The default is that of the manifest in the current folder, or the only one that is deployed.
    #[arg(long, global = true)]
    app: Option<String>,
}

#[derive(Subcommand)]
enum Verb {
    /// Create a secret or change its value.
    Set {
        /// The name, as in the manifest's `secrets`; or, with slashes, the whole name in Secrets Manager.
        name: String,
        /// The value. It is visible in the list of processes: without it, the value is read from the terminal, where it is not
        /// shown, or from standard input, as with `-`. A line end after the value is removed.
        #[arg(allow_hyphen_values = true)]
        value: Option<String>,
    },
    /// List the names of the secrets. Values are never printed.
    List,
}

/// Secrets Manager's limit: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
const MOST_BYTES: u64 = 65_536;

pub(crate) async fn run(home: &Home, out: &Output, secret: &Secret) -> Result<()> {
    let client = Client::new(home, &Settings::of(home)?);
    let prefix = || Ok::<_, anyhow::Error>(prefix_of(&app(home, secret.app.as_deref())?));
    match &secret.verb {
        Verb::Set { name, value } => {
            let name = if name.contains('/') { name.clone() } else { format!("{}{name}", prefix()?) };
            let value = match value.as_deref() {
                Some(value) if value != "-" => value.to_owned(),
                other => read(&name, other.is_some())?,
            };
            set(&client, out, &name, &value).await
        }
        Verb::List => list(&client, out, &prefix()?).await,
    }
}

/// The beginning of the names of an application's secrets, as in its template.
fn prefix_of(app: &str) -> String {
    format!("{app}/{LOCAL}/")
}

/// The application's name. It need not be deployed: secrets must exist before `up`.
fn app(home: &Home, named: Option<&str>) -> Result<String> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    match manifest_path(Path::new(".")) {
        Ok(path) => Ok(read_manifest(&path, LOCAL, &[])?.app),
        Err(_) => match Application::all(home)?.as_slice() {
            [] => bail!(
                "the application is unknown: there is no escale.yaml in this folder, and no application is deployed. Change \
                 to the manifest's folder, or name the application with --app"
            ),
            _ => Ok(Application::find(home, None)?.app),
        },
    }
}

fn read(name: &str, from_stdin: bool) -> Result<String> {
    use std::io::IsTerminal;
    if !from_stdin && io::stdin().is_terminal() {
        return terminal::hidden_line(&format!("Value of {name} (not shown): "));
    }
    let mut value = String::new();
    let limited = io::stdin().take(MOST_BYTES + 2).read_to_string(&mut value);
    limited.context("cannot read the value from standard input; it must be UTF-8 text")?;
    // What `echo` and most editors add. A value that ends with a line end keeps the others.
    let end = value.strip_suffix('\n').map(|v| v.strip_suffix('\r').unwrap_or(v).len());
    value.truncate(end.unwrap_or(value.len()));
    Ok(value)
}

async fn set(client: &Client, out: &Output, name: &str, value: &str) -> Result<()> {
    if value.is_empty() {
        bail!("the value of {name} is empty. Secrets Manager requires at least one character");
    }
    let created = match client
        .json("secretsmanager", "CreateSecret", json!({"Name": name, "SecretString": value}))
        .await
    {
        Ok(_) => true,
        Err(error) if is_code(&error, "ResourceExistsException") => false,
        Err(error) => return Err(error),
    };
    let text = if created {
        format!("created {name}")
    } else {
        let input = json!({"SecretId": name, "SecretString": value});
        client.json("secretsmanager", "PutSecretValue", input).await?;
        format!(
            "changed {name}. Running tasks keep the old value; tasks that start from now on get the new one."
        )
    };
    out.say(&text, &json!({"name": name, "created": created}));
    Ok(())
}

async fn list(client: &Client, out: &Output, prefix: &str) -> Result<()> {
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"Filters": [{"Key": "name", "Values": [prefix]}]});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = client.json("secretsmanager", "ListSecrets", input).await?;
        found.extend(page["SecretList"].as_array().into_iter().flatten().filter_map(|s| line(s, prefix)));
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    found.sort();
    let width = found.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> =
        found.iter().map(|(name, changed)| format!("{name:<width$}  changed {changed}")).collect();
    let text = match lines.as_slice() {
        [] => format!("there are no secrets below {prefix}. Set one with `escale secret set NAME`"),
        lines => lines.join("\n"),
    };
    let all: Vec<Value> = found
        .iter()
        .map(|(name, changed)| json!({"name": name, "id": format!("{prefix}{name}"), "changed": changed}))
        .collect();
    out.say(&text, &all.into());
    Ok(())
}

/// The name without the prefix, and when the secret was changed.
fn line(secret: &Value, prefix: &str) -> Option<(String, String)> {
    // The filter of Secrets Manager compares words without case; the name must really begin with the prefix.
    let name = secret["Name"].as_str()?.strip_prefix(prefix)?.to_owned();
    let seconds = secret["LastChangedDate"].as_f64().or(secret["CreatedDate"].as_f64())?;
    Some((name, Timestamp((seconds * 1000.0) as i64).iso8601()))
}
