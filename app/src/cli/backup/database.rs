//! The content of a database: written by pg_dump, and read back into a database beside it, which then takes its name.

use crate::{
    cli::{
        application::Application,
        client::Client,
        psql::login,
        tunnel::{self, Target},
    },
    home::Home,
};
use anyhow::{Context, Result, bail};
use escale_base::packages::{self, Package};
use escale_network::Forwarder;
use escale_postgres::Installed;
use escale_wire::Element;
use std::{path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::file::CHUNK_BYTES;

/// A database that PostgreSQL's programs reach through a tunnel.
pub(super) struct Reached {
    tunnel: Forwarder,
    user: String,
    password: String,
    pub(super) name: String,
    major: u32,
}

impl Reached {
    pub(super) async fn open(
        home: &Home,
        client: &Client,
        application: &Application,
        database: &Element,
    ) -> Result<Reached> {
        let id = database.text_of("DBInstanceIdentifier").to_owned();
        let name = database.text_of("DBName").to_owned();
        if name.is_empty() {
            bail!(
                "the database {id} was created without DBName. Back it up with pg_dump through `escale tunnel`"
            );
        }
        let major = database.text_of("EngineVersion").split('.').next().unwrap_or_default().parse();
        let major = major.with_context(|| format!("the engine version of {id} is unknown"))?;
        let (user, password) = login(client, database).await?;
        let tunnel = tunnel::open(home, client, application, Target::Database(id), 0).await?;
        Ok(Reached { tunnel, user, password, name, major })
    }

    pub(super) async fn close(self) {
        self.tunnel.stop().await;
    }

    /// A program of the server's own version: a newer pg_restore sets parameters that an older server does not know.
    fn command(&self, program: &str, database: &str) -> Result<Command> {
        let installed = Installed::find();
        let own = installed.folder(self.major).map(|folder| folder.join(program)).filter(|p| p.is_file());
        let found: Option<PathBuf> = own.or_else(|| installed.program(program));
        let found = found.with_context(|| {
            let install = packages::install(Package::Postgres(Some(self.major)));
            format!("{program} is not installed. Install it, then run this command again: {install}")
        })?;
        let mut command = Command::new(found);
        for name in crate::cli::psql::UNSET {
            command.env_remove(name);
        }
        let at = self.tunnel.local_addr();
        command.env("PGHOST", at.ip().to_string()).env("PGPORT", at.port().to_string());
        command.env("PGUSER", &self.user).env("PGPASSWORD", &self.password).env("PGDATABASE", database);
        // A program whose command was dropped must not go on.
        command.kill_on_drop(true).stdin(Stdio::null());
        Ok(command)
    }

    /// Begins to write the content.
    pub(super) fn dump(&self) -> Result<Dump> {
        let mut command = self.command("pg_dump", &self.name)?;
        command.args(["--format=custom", "--no-password"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot run pg_dump")?;
        let out = child.stdout.take().context("pg_dump has no output")?;
        Ok(Dump { child, out })
    }

    async fn sql(&self, sql: &str) -> Result<()> {
        let mut command = self.command("psql", "postgres")?;
        command.args(["--no-psqlrc", "--quiet", "--no-password", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"]);
        let done =
            command.args(["-c", sql]).stderr(Stdio::piped()).output().await.context("cannot run psql")?;
        if !done.status.success() {
            bail!("{}", String::from_utf8_lossy(&done.stderr).trim());
        }
        Ok(())
    }

    fn beside(&self, what: &str) -> String {
        format!("{:.50}_{what}", self.name)
    }

    /// Begins to read content into a new database. One that an interrupted restore left is removed.
    pub(super) async fn load(&self) -> Result<Load> {
        self.discard().await?;
        let new = self.beside(RESTORING);
        self.sql(&format!("create database {}", quoted(&new))).await?;
        let mut command = self.command("pg_restore", &new)?;
        command.args(["--exit-on-error", "--no-password", "-d", &new]);
        let mut child =
            command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot run pg_restore")?;
        let into = child.stdin.take().context("pg_restore has no input")?;
        Ok(Load { child, into })
    }

    /// Removes what is left of a restore.
    pub(super) async fn discard(&self) -> Result<()> {
        for what in [RESTORING, REPLACED] {
            self.sql(&format!("drop database if exists {} with (force)", quoted(&self.beside(what)))).await?;
        }
        Ok(())
    }

    /// Gives the new database the name of the old one, in one transaction, and removes the old one. Its clients are disconnected
    /// and find the new one when they connect again.
    pub(super) async fn swap(&self) -> Result<()> {
        let (old, new) = (self.beside(REPLACED), self.beside(RESTORING));
        let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let rename = |from: &str, to: &str| {
            format!(
                "execute {};",
                literal(&format!("alter database {} rename to {}", quoted(from), quoted(to)))
            )
        };
        // A rename waits five seconds for the sessions of the database, and keeps new ones out meanwhile.
        let sql = format!(
            "do $$ begin for attempt in 1..10 loop \
             perform pg_terminate_backend(pid) from pg_stat_activity where datname in ({}, {}); \
             begin {} {} return; exception when object_in_use then null; end; \
             end loop; raise exception 'clients keep their connections to it'; end $$",
            literal(&self.name),
            literal(&new),
            rename(&self.name, &old),
            rename(&new, &self.name),
        );
        self.sql(&sql).await.with_context(|| format!("the database {} could not be replaced", self.name))?;
        self.discard().await
    }
}

const RESTORING: &str = "restoring";
const REPLACED: &str = "replaced";

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) struct Dump {
    child: Child,
    out: ChildStdout,
}

impl Dump {
    /// The next bytes; `None` when all were written.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut chunk = Vec::new();
        (&mut self.out)
            .take(CHUNK_BYTES as u64)
            .read_to_end(&mut chunk)
            .await
            .context("cannot read pg_dump")?;
        if !chunk.is_empty() {
            return Ok(Some(chunk));
        }
        ended(&mut self.child, "pg_dump").await?;
        Ok(None)
    }
}

pub(super) struct Load {
    child: Child,
    into: ChildStdin,
}

impl Load {
    pub(super) async fn put(&mut self, chunk: &[u8]) -> Result<()> {
        match self.into.write_all(chunk).await {
            Ok(()) => Ok(()),
            // It ended: its own words say why.
            Err(error) => ended(&mut self.child, "pg_restore").await.and(Err(error.into())),
        }
    }

    pub(super) async fn finish(mut self) -> Result<()> {
        self.into.shutdown().await.context("cannot write to pg_restore")?;
        drop(self.into);
        ended(&mut self.child, "pg_restore").await
    }
}

async fn ended(child: &mut Child, program: &str) -> Result<()> {
    let mut words = String::new();
    if let Some(mut err) = child.stderr.take() {
        let _ = err.read_to_string(&mut words).await;
    }
    let status = child.wait().await.with_context(|| format!("cannot wait for {program}"))?;
    if !status.success() {
        bail!("{program} failed: {}", words.trim());
    }
    Ok(())
}
