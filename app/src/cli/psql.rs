//! `escale psql`: psql of this machine, connected to the application's database through a tunnel.

use super::{
    application::Application,
    client::Client,
    tunnel::{self, Target},
};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::Args;
use escale_base::packages::{self, Package};
use escale_postgres::Installed;
use escale_wire::Element;
use serde_json::{Value, json};
use std::{os::unix::process::ExitStatusExt, path::PathBuf, process::ExitCode};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};

#[derive(Args)]
pub(crate) struct Psql {
    /// The database, as the manifest names it. The default is the only one.
    database: Option<String>,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
    /// Arguments of psql: `escale psql -- -c 'select 1'`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Variables that would lead psql elsewhere, or demand what the database here does not have.
pub(super) const UNSET: [&str; 6] =
    ["PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE", "PGREQUIRESSL", "PGTARGETSESSIONATTRS"];

const PASSWORD: &str = "PGPASSWORD";

pub(crate) async fn run(home: &Home, psql: &Psql) -> Result<ExitCode> {
    let program = program()?;
    let application = Application::find(home, psql.app.as_deref())?;
    let client = Client::new(home, &Settings::of(home)?);
    let database = tunnel::database(&client, &application, psql.database.as_deref()).await?;
    let (user, password) = login(&client, &database).await?;
    let id = database.text_of("DBInstanceIdentifier").to_owned();
    let tunnel = tunnel::open(home, &client, &application, Target::Database(id), 0).await?;
    let name = Some(database.text_of("DBName")).filter(|name| !name.is_empty()).unwrap_or("postgres");
    let mut command = Command::new(&program);
    for name in UNSET {
        command.env_remove(name);
    }
    // In the environment, because every user can read the arguments of a process.
    command.env("PGHOST", tunnel.local_addr().ip().to_string());
    command.env("PGPORT", tunnel.local_addr().port().to_string());
    command.env("PGUSER", user).env(PASSWORD, password).env("PGDATABASE", name).args(&psql.arguments);
    // psql handles Ctrl-C and Ctrl-\ itself: it cancels a query. They must not end the tunnel meanwhile.
    let _interrupts = (signal(SignalKind::interrupt())?, signal(SignalKind::quit())?);
    let status = command.status().await.with_context(|| format!("cannot run {}", program.display()))?;
    tunnel.stop().await;
    // As shells count: 128 plus the number of the signal.
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// The psql of the newest installed PostgreSQL, else the one on the PATH.
fn program() -> Result<PathBuf> {
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join("psql")).find(|program| program.is_file())
    };
    Installed::find().program("psql").or_else(on_path).with_context(|| {
        format!(
            "psql is not installed. Install it, then run this command again: {}",
            packages::install(Package::Psql)
        )
    })
}

/// The name and password of the master user: from the secret that RDS manages, else from the user's own PGPASSWORD.
pub(crate) async fn login(client: &Client, database: &Element) -> Result<(String, String)> {
    let user = database.text_of("MasterUsername").to_owned();
    let secret = database.child("MasterUserSecret").map_or("", |secret| secret.text_of("SecretArn"));
    if secret.is_empty() {
        return match std::env::var(PASSWORD) {
            Ok(password) => Ok((user, password)),
            Err(_) => bail!(
                "the database {} has no managed secret, so its password is not known here. Pass the password of {user} in \
                 the variable {PASSWORD}",
                database.text_of("DBInstanceIdentifier")
            ),
        };
    }
    let found = client.json("secretsmanager", "GetSecretValue", json!({"SecretId": secret})).await?;
    let value: Value = serde_json::from_str(found["SecretString"].as_str().unwrap_or_default())
        .with_context(|| format!("the value of the secret {secret} is not JSON"))?;
    let password = value["password"].as_str();
    let password = password.with_context(|| format!("the secret {secret} has no password"))?;
    Ok((value["username"].as_str().unwrap_or(&user).to_owned(), password.to_owned()))
}
