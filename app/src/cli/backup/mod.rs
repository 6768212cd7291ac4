//! `escale snapshot`, `escale backup` and `escale restore`: the data of an application, kept in this cloud or in a file.

mod bucket;
mod database;
mod file;

use super::{Output, application::Application, ask::ask, client::Client, tunnel};
use crate::{home::Home, lock, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::Args;
use database::Reached;
use escale_base::{Clock, Timestamp, ids};
use escale_wire::Element;
use file::{Header, Kind, Object, Reader, Writer};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant},
};

#[derive(Args)]
pub(crate) struct Snapshot {
    /// The database, as the manifest names it. The default is the only one.
    database: Option<String>,
    /// The name of the snapshot. The default contains the time.
    #[arg(long)]
    name: Option<String>,
    /// List the snapshots of the database, and up to when it can be restored, instead.
    #[arg(long, conflicts_with = "name")]
    list: bool,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
}

#[derive(Args)]
pub(crate) struct Backup {
    /// The file to write. It contains the application's data in clear text, and only its owner can read it.
    file: PathBuf,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
}

#[derive(Args)]
#[command(group(clap::ArgGroup::new("from").required(true).args(["file", "snapshot", "time", "latest"])))]
pub(crate) struct Restore {
    /// A file of `escale backup`: databases and buckets become as they were. The buckets' other objects are deleted.
    file: Option<PathBuf>,
    /// A snapshot of the database: see `escale snapshot --list`.
    #[arg(long)]
    snapshot: Option<String>,
    /// A time within the database's backups, such as 2026-11-30T20:15:00Z.
    #[arg(long)]
    time: Option<String>,
    /// The latest time that can be restored.
    #[arg(long)]
    latest: bool,
    /// The database, as the manifest names it. The default is the only one.
    #[arg(long, conflicts_with = "file")]
    database: Option<String>,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
    /// Do not ask before the present data is replaced.
    #[arg(long)]
    yes: bool,
}

/// Pause between two looks at a status.
const LOOK: Duration = Duration::from_millis(500);

pub(crate) async fn snapshot(home: &Home, out: &Output, args: &Snapshot) -> Result<()> {
    let application = Application::find(home, args.app.as_deref())?;
    let client = Client::new(home, &Settings::of(home)?);
    let database = tunnel::database(&client, &application, args.database.as_deref()).await?;
    let id = database.text_of("DBInstanceIdentifier");
    if args.list {
        return list(&client, out, &database).await;
    }
    let now: String = Clock::machine().now().iso8601().chars().take(19).collect();
    let name = args.name.clone().unwrap_or_else(|| format!("{id}-{}", now.replace([':', 'T'], "-")));
    let asked = [pair("DBInstanceIdentifier", id), pair("DBSnapshotIdentifier", &name)];
    client.query("rds", "CreateDBSnapshot", &asked).await?;
    loop {
        let found = client.query("rds", "DescribeDBSnapshots", &asked[1..]).await?;
        if found.list("DBSnapshots").first().is_some_and(|s| s.text_of("Status") == "available") {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let text = format!("Took the snapshot {name}. Return to it with `escale restore --snapshot {name}`.");
    out.say(&text, &json!({"database": id, "snapshot": name}));
    Ok(())
}

async fn list(client: &Client, out: &Output, database: &Element) -> Result<()> {
    let id = database.text_of("DBInstanceIdentifier");
    let of = [pair("DBInstanceIdentifier", id)];
    let found = client.query_all("rds", "DescribeDBSnapshots", &of, "DBSnapshots", "Marker").await?;
    let latest = database.text_of("LatestRestorableTime");
    let mut lines = vec![];
    for s in &found {
        let (name, taken) = (s.text_of("DBSnapshotIdentifier"), s.text_of("SnapshotCreateTime"));
        lines.push(format!("{name}  {}  {}  {taken}", s.text_of("SnapshotType"), s.text_of("Status")));
    }
    lines.push(match latest {
        "" => {
            format!("{id} cannot be restored to a time: it keeps no backups, or the first is not complete.")
        }
        latest => format!("{id} can be restored to every second until {latest}."),
    });
    let all: Vec<_> = found
        .iter()
        .map(|s| {
            let text = |name| s.text_of(name);
            json!({"name": text("DBSnapshotIdentifier"), "type": text("SnapshotType"), "status": text("Status"),
                   "taken": text("SnapshotCreateTime")})
        })
        .collect();
    // How much a disaster now would cost.
    let behind = Timestamp::parse_iso8601(latest).map(|at| Clock::machine().now().since_ms(at).max(0) / 1000);
    let value = json!({
        "database": id, "snapshots": all, "latest_restorable_time": latest, "recovery_point_seconds": behind,
    });
    out.say(&lines.join("\n"), &value);
    Ok(())
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The databases of an application: their names in the manifest, and what RDS says of them.
async fn databases(client: &Client, application: &Application) -> Result<BTreeMap<String, Element>> {
    let found = client.query_all("rds", "DescribeDBInstances", &[], "DBInstances", "Marker").await?;
    let prefix = format!("{}-", application.stack);
    let resources = [pair("StackName", &application.stack)];
    let stack = client.query("cloudformation", "DescribeStackResources", &resources).await?;
    let own: BTreeSet<&str> =
        stack.list("StackResources").iter().map(|r| r.text_of("PhysicalResourceId")).collect();
    let named = found.into_iter().filter(|d| own.contains(d.text_of("DBInstanceIdentifier")));
    let short = |d: &Element| {
        let id = d.text_of("DBInstanceIdentifier");
        id.strip_prefix(&prefix).unwrap_or(id).to_owned()
    };
    Ok(named.map(|d| (short(&d), d)).collect())
}

pub(crate) async fn backup(home: &Home, out: &Output, args: &Backup) -> Result<()> {
    let application = Application::find(home, args.app.as_deref())?;
    let client = Client::new(home, &Settings::of(home)?);
    let buckets = bucket::of_stack(&client, &application.stack).await?;
    let mut writer = Writer::create(&args.file)?;
    // A signal drops the writer, which removes what it wrote.
    let written = tokio::select! {
        written = write(home, &client, &application, &buckets, &mut writer) => written?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted: no backup was written"),
    };
    let bytes = writer.finish()?;
    let (databases, objects) = written;
    let file = args.file.display().to_string();
    let text = format!(
        "Wrote {file}: {databases} database(s), {objects} object(s) of {} bucket(s), {bytes} bytes.",
        buckets.len()
    );
    let value = json!({"file": file, "databases": databases, "objects": objects, "bytes": bytes});
    out.say(&text, &value);
    Ok(())
}

async fn write(
    home: &Home,
    client: &Client,
    application: &Application,
    buckets: &BTreeMap<String, String>,
    writer: &mut Writer,
) -> Result<(usize, usize)> {
    let header = Header {
        app: application.app.clone(),
        created: Clock::machine().now().iso8601(),
        buckets: buckets.keys().cloned().collect(),
    };
    writer.json(Kind::Header, &header)?;
    let databases = databases(client, application).await?;
    for (name, database) in &databases {
        let reached = Reached::open(home, client, application, database).await?;
        writer.json(Kind::Database, &file::Database { name: name.clone() })?;
        let mut dump = reached.dump()?;
        while let Some(chunk) = dump.next().await? {
            writer.frame(Kind::Chunk, &chunk)?;
        }
        writer.frame(Kind::Done, &[])?;
        reached.close().await;
    }
    let mut objects = 0;
    for (id, bucket) in buckets {
        for key in bucket::keys(client, bucket).await? {
            let Some(mut source) = bucket::Source::open(client, id, bucket, key).await? else { continue };
            writer.json(Kind::Object, &source.object)?;
            while let Some(chunk) = source.next(client).await? {
                writer.frame(Kind::Chunk, &chunk)?;
            }
            writer.frame(Kind::Done, &[])?;
            objects += 1;
        }
    }
    Ok((databases.len(), objects))
}

pub(crate) async fn restore(home: &Home, out: &Output, args: &Restore) -> Result<()> {
    let application = Application::find(home, args.app.as_deref())?;
    let _alone = lock::alone(home)?;
    let client = Client::new(home, &Settings::of(home)?);
    match &args.file {
        Some(_) => from_file(home, &client, out, &application, args).await,
        None => from_backups(home, &client, out, &application, args).await,
    }
}

fn agreed(out: &Output, args: &Restore, application: &Application, losses: &[String]) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    let what = format!("Restoring {} replaces this data:", application.app);
    ask(out, &what, losses, "nothing was restored")
}

async fn from_file(
    home: &Home,
    client: &Client,
    out: &Output,
    application: &Application,
    args: &Restore,
) -> Result<()> {
    let path = args.file.as_deref().context("a restore needs a file")?;
    let mut reader = Reader::open(path)?;
    let (_, content) = reader.next()?;
    let header: Header = reader.json(&content)?;
    if header.app != application.app {
        bail!("{} is a backup of {}, not of {}", path.display(), header.app, application.app);
    }
    let buckets = bucket::of_stack(client, &application.stack).await?;
    let databases = databases(client, application).await?;
    if let Some(missing) = header.buckets.iter().find(|id| !buckets.contains_key(*id)) {
        bail!("the application has no bucket {missing} any more, which {} contains", path.display());
    }
    let named = |d: &Element| format!("the database {}", d.text_of("DBInstanceIdentifier"));
    let losses = databases.values().map(named);
    let of_buckets = header.buckets.iter().map(|id| format!("the bucket {}", buckets[id]));
    agreed(out, args, application, &losses.chain(of_buckets).collect::<Vec<_>>())?;
    let began = Instant::now();
    let mut loaded = Vec::new();
    let read = tokio::select! {
        read = read(home, client, application, (&databases, &buckets), &mut reader, &mut loaded) => read,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let read = match read {
        Ok(restored) => Ok(restored),
        Err(error) => {
            for database in &loaded {
                database.discard().await?;
            }
            Err(error.context("the databases are as they were, and objects that were written already stay"))
        }
    };
    let kept = read?;
    // All content is there: the databases change last, each in one moment.
    for database in &loaded {
        database.swap().await?;
    }
    for id in &header.buckets {
        for key in bucket::keys(client, &buckets[id]).await? {
            if !kept.contains(&(id.clone(), key.clone())) {
                bucket::delete(client, &buckets[id], &key).await?;
            }
        }
    }
    let (count, objects) = (loaded.len(), kept.len());
    for database in loaded {
        database.close().await;
    }
    let text = format!(
        "Restored {} as of {}: {count} database(s), {objects} object(s).",
        application.app, header.created
    );
    out.say(
        &text,
        &json!({"app": application.app, "as_of": header.created, "databases": count, "objects": objects,
                "restore_seconds": seconds_since(began)}),
    );
    Ok(())
}

/// With three decimals.
fn seconds_since(began: Instant) -> f64 {
    (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}

type Present<'a> = (&'a BTreeMap<String, Element>, &'a BTreeMap<String, String>);

/// Reads the databases into new ones beside them, which are added to `loaded`, and the objects into the buckets. Returns the
/// objects.
async fn read(
    home: &Home,
    client: &Client,
    application: &Application,
    (databases, buckets): Present<'_>,
    reader: &mut Reader,
    loaded: &mut Vec<Reached>,
) -> Result<BTreeSet<(String, String)>> {
    let mut kept = BTreeSet::new();
    loop {
        match reader.next()? {
            (Kind::Database, content) => {
                let file::Database { name } = reader.json(&content)?;
                let database = databases.get(&name);
                let database =
                    database.with_context(|| format!("the application has no database '{name}' any more"))?;
                let reached = Reached::open(home, client, application, database).await?;
                loaded.push(reached);
                let Some(reached) = loaded.last() else { continue };
                let mut load = reached.load().await?;
                while let Some(chunk) = reader.chunk()? {
                    load.put(&chunk).await?;
                }
                load.finish().await?;
            }
            (Kind::Object, content) => {
                let object: Object = reader.json(&content)?;
                let bucket = buckets.get(&object.bucket);
                let bucket =
                    bucket.with_context(|| format!("the application has no bucket {}", object.bucket))?;
                let mut sink = bucket::Sink::new(bucket, &object);
                while let Some(chunk) = reader.chunk()? {
                    sink.put(client, chunk).await?;
                }
                sink.finish(client).await?;
                kept.insert((object.bucket, object.key));
            }
            (Kind::End, _) => return Ok(kept),
            (kind, _) => bail!("the backup has an unexpected part: {kind:?}"),
        }
    }
}

/// Restores a snapshot or a time into an instance beside the database, copies its content over, and removes it.
async fn from_backups(
    home: &Home,
    client: &Client,
    out: &Output,
    application: &Application,
    args: &Restore,
) -> Result<()> {
    let database = tunnel::database(client, application, args.database.as_deref()).await?;
    let id = database.text_of("DBInstanceIdentifier").to_owned();
    let time = args.time.as_deref().map(|text| {
        let at = Timestamp::parse_iso8601(text);
        at.with_context(|| {
            format!("'{text}' is no time. Write it as 2026-11-30T20:15:00Z, or with another offset")
        })
    });
    let time = time.transpose()?;
    agreed(out, args, application, &[format!("the database {id}")])?;
    let began = Instant::now();
    // Without the stack's prefix: it is none of the application's databases.
    let beside = format!("restored-{}", ids::random_hex(12));
    let mut asked = vec![
        pair(
            "DBSubnetGroupName",
            database.child("DBSubnetGroup").map_or("", |g| g.text_of("DBSubnetGroupName")),
        ),
        pair("DBInstanceClass", database.text_of("DBInstanceClass")),
        pair("BackupRetentionPeriod", "0"),
        pair("ManageMasterUserPassword", "true"),
        pair("MultiAZ", "false"),
    ];
    for (n, group) in database.list("VpcSecurityGroups").iter().enumerate() {
        let name = format!("VpcSecurityGroupIds.VpcSecurityGroupId.{}", n + 1);
        asked.push((name, group.text_of("VpcSecurityGroupId").to_owned()));
    }
    let operation = match &args.snapshot {
        Some(snapshot) => {
            asked.extend([pair("DBInstanceIdentifier", &beside), pair("DBSnapshotIdentifier", snapshot)]);
            "RestoreDBInstanceFromDBSnapshot"
        }
        None => {
            asked.extend([
                pair("SourceDBInstanceIdentifier", &id),
                pair("TargetDBInstanceIdentifier", &beside),
            ]);
            asked.push(match time {
                Some(at) => pair("RestoreTime", &at.iso8601()),
                None => pair("UseLatestRestorableTime", "true"),
            });
            "RestoreDBInstanceToPointInTime"
        }
    };
    client.query("rds", operation, &asked).await?;
    let copied = tokio::select! {
        copied = copy_over(home, client, application, &database, &beside) => copied,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted: {id} is as it was")),
    };
    let gone = [pair("DBInstanceIdentifier", &beside), pair("SkipFinalSnapshot", "true")];
    let removed = client.query("rds", "DeleteDBInstance", &gone).await;
    copied?;
    removed?;
    let from =
        args.snapshot.clone().or(time.map(Timestamp::iso8601)).unwrap_or_else(|| "its latest backup".into());
    let value = json!({"database": id, "from": from, "restore_seconds": seconds_since(began)});
    out.say(&format!("Restored {id} from {from}."), &value);
    Ok(())
}

async fn copy_over(
    home: &Home,
    client: &Client,
    application: &Application,
    database: &Element,
    beside: &str,
) -> Result<()> {
    let restored = loop {
        let found =
            client.query("rds", "DescribeDBInstances", &[pair("DBInstanceIdentifier", beside)]).await?;
        let found = found.list("DBInstances").first().cloned().context("the restored database is gone")?;
        match found.text_of("DBInstanceStatus") {
            "available" => break found,
            "failed" => {
                let why = found.list("StatusInfos").iter().map(|i| i.text_of("Message")).collect::<Vec<_>>();
                bail!("the restoration failed: {}", why.join("; "));
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    };
    let from = Reached::open(home, client, application, &restored).await?;
    let to = Reached::open(home, client, application, database).await?;
    let copied = async {
        let (mut dump, mut load) = (from.dump()?, to.load().await?);
        while let Some(chunk) = dump.next().await? {
            load.put(&chunk).await?;
        }
        load.finish().await?;
        to.swap().await
    };
    let copied = copied.await;
    if copied.is_err() {
        to.discard().await?;
    }
    from.close().await;
    to.close().await;
    copied
}
