//! The configuration files of a server, generated from the spec and the record alone. They are next to the data
//! directory, not in it, so that a copy of the data never contains the other node's settings.

use crate::{
    binaries::RunAs,
    record::Record,
    replica::Upstream,
    spec::{DatabaseSpec, NodeSpec, Protection, REPLICATOR, SUPERVISOR},
    wal::archive_command,
};
use std::{collections::BTreeMap, path::Path};

/// WAL kept for an absent standby. A standby that needs more must be copied again: its absence can never
/// fill the primary's disk.
const SLOT_KEEP: &str = "1GB";

/// The primary's values of the settings that a standby must not set lower.
pub(crate) type Floors = BTreeMap<String, u64>;

pub(crate) const FLOORED: &str = "'max_connections', 'max_worker_processes', 'max_wal_senders', \
     'max_prepared_transactions', 'max_locks_per_transaction'";

/// What a server that follows another one must know of it.
#[derive(Default)]
pub(crate) struct Above {
    pub(crate) floors: Floors,
    /// Of a read-only copy: the source's primary.
    pub(crate) source: Option<Upstream>,
}

/// `postgresql.conf` of a node in its present role.
pub(crate) fn server(
    spec: &DatabaseSpec,
    record: &Record,
    node: &NodeSpec,
    dir: &Path,
    above: &Above,
) -> String {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |key: &str, value: &str| drop(all.insert(key.to_owned(), value.to_owned()));
    // Defaults that a parameter may override, unlike the settings after the parameters.
    put("timezone", "UTC");
    put("log_timezone", "UTC");
    put("lc_messages", "C.UTF-8");
    put("max_replication_slots", &record.senders.to_string());
    // Written with their defaults: a setting that a standby had to raise must not vanish from the file
    // when it becomes the primary, since that would count as a change that needs a restart.
    put("max_connections", "100");
    put("max_worker_processes", "8");
    put("max_wal_senders", &record.senders.to_string());
    put("max_prepared_transactions", "0");
    put("max_locks_per_transaction", "64");
    put("max_slot_wal_keep_size", SLOT_KEEP);
    // Measured: with the default of 5 s a standby that connects a moment too early waits that long.
    put("wal_retrieve_retry_interval", "100ms");
    if spec.version >= 14 {
        // Segments are taken from here while no process has mapped them (the server's own statistics): this memory is freed with
        // the server's main memory when it is killed, while a file in /dev/shm would stay forever.
        put("min_dynamic_shared_memory", "4MB");
    }
    let asked: BTreeMap<String, &String> =
        spec.parameters.iter().map(|(k, v)| (k.to_ascii_lowercase(), v)).collect();
    asked.iter().for_each(|(key, value)| put(key, value));
    put("listen_addresses", &node.address.to_string());
    put("port", &spec.port.to_string());
    put("unix_socket_directories", "../socket");
    put("unix_socket_permissions", "0700");
    put("hba_file", &dir.join("pg_hba.conf").to_string_lossy());
    put("ident_file", &dir.join("pg_ident.conf").to_string_lossy());
    put("cluster_name", &node.name);
    put("wal_level", "replica");
    if spec.version >= 14 {
        // After a crash a server first syncs its whole data directory; file by file that takes seconds.
        put("recovery_init_sync_method", "syncfs");
    }
    put("hot_standby", "on");
    put("wal_log_hints", "on"); // pg_rewind needs it
    put("fsync", "on");
    put("full_page_writes", "on");
    put("synchronous_commit", "on");
    // Set always, since a change needs a restart. Without an archive the command does nothing.
    put("archive_mode", "always");
    match &spec.archive {
        Some(archive) => {
            put("archive_command", &archive_command(&spec.name, &node.name));
            put("archive_timeout", &archive.timeout_secs.to_string());
        }
        None => put("archive_command", "true"),
    }
    put("password_encryption", "scram-sha-256");
    put("logging_collector", "on");
    put("log_directory", "../log");
    put("log_filename", "postgresql-%H.log"); // a day of hourly files, each begun anew
    put("log_rotation_age", "60");
    put("log_rotation_size", "0");
    put("log_truncate_on_rotation", "on");
    if spec.tls.is_some() {
        put("ssl", "on");
        put("ssl_cert_file", &dir.join("server.crt").to_string_lossy());
        put("ssl_key_file", &dir.join("server.key").to_string_lossy());
    }
    let other = spec.other(&node.name);
    // A copy that is being promoted follows nothing any more.
    let source = above.source.as_ref().filter(|_| spec.source.is_some());
    if let Some(follows) = source.cloned().or_else(|| standby_of(spec, record, node)) {
        put("primary_conninfo", &conninfo(&follows, &node.name));
        put("primary_slot_name", &slot(&node.name));
        put("synchronous_standby_names", "");
        for (key, floor) in &above.floors {
            let own = all.get(key).and_then(|v| v.parse().ok()).unwrap_or(0);
            all.insert(key.clone(), floor.max(&own).to_string());
        }
    } else if node.name == record.primary {
        let waits = other.filter(|_| record.protection != Protection::Alone);
        put(
            "synchronous_standby_names",
            &waits.map_or(String::new(), |o| format!("FIRST 1 (\"{}\")", o.name)),
        );
    }
    let line = |(key, value): (&String, &String)| {
        format!("{key} = '{}'\n", value.replace('\\', "\\\\").replace('\'', "''"))
    };
    all.iter().map(line).collect()
}

/// The primary, seen from its standby.
fn standby_of(spec: &DatabaseSpec, record: &Record, node: &NodeSpec) -> Option<Upstream> {
    let primary = spec.other(&node.name).filter(|_| node.name != record.primary)?;
    Some(Upstream { port: spec.port, ..Upstream::primary_of(spec, record, primary) })
}

fn conninfo(upstream: &Upstream, node: &str) -> String {
    format!(
        "host={} port={} user={REPLICATOR} password={} dbname=replication application_name={node} \
         connect_timeout=2 keepalives_idle=2 keepalives_interval=1 keepalives_count=3",
        upstream.address,
        upstream.port,
        upstream.password.reveal()
    )
}

/// The replication slot of a node: slot names cannot contain a hyphen, node names cannot contain an underscore.
pub(crate) fn slot(node: &str) -> String {
    node.replace('-', "_")
}

/// `pg_hba.conf`: which roles may log in, from where, and how.
pub(crate) fn access(spec: &DatabaseSpec) -> String {
    let mut text = format!(
        "local all {SUPERVISOR} peer map={SUPERVISOR}\nlocal replication {SUPERVISOR} peer map={SUPERVISOR}\n\
         local all all reject\nhost all {SUPERVISOR} all reject\n"
    );
    let replicas = spec.replicas.iter().map(|r| r.address);
    for address in spec.nodes.iter().map(|n| n.address).chain(replicas) {
        // On loopback, a connection's source address need not be the node's own.
        let from = match (address.is_loopback(), address.is_ipv4()) {
            (true, true) => "127.0.0.0/8".to_owned(),
            (_, true) => format!("{address}/32"),
            (_, false) => format!("{address}/128"),
        };
        text += &format!("host replication {REPLICATOR} {from} scram-sha-256\n");
        text += &format!("host postgres {REPLICATOR} {from} scram-sha-256\n");
    }
    if let Some(witness) = &spec.witness {
        let bits = if witness.address.is_ipv4() { 32 } else { 128 };
        text += &format!("host postgres {REPLICATOR} {}/{bits} scram-sha-256\n", witness.address);
    }
    let kind = if spec.tls.as_ref().is_some_and(|t| t.required) { "hostssl" } else { "host" };
    text += &format!("host all {REPLICATOR} all reject\nhost replication all all reject\n");
    text + &format!("{kind} all all all scram-sha-256\n")
}

/// `pg_ident.conf`: which users of the host may act as the supervisor.
pub(crate) fn idents(user: &RunAs) -> String {
    let mut names = vec![&user.name, &user.daemon];
    names.dedup();
    names.iter().map(|name| format!("{SUPERVISOR} {name} {SUPERVISOR}\n")).collect()
}

/// The same settings without synchronous replication.
pub(crate) fn alone(text: &str) -> String {
    let keep = |line: &str| {
        if line.starts_with("synchronous_standby_names ") {
            "synchronous_standby_names = ''\n".to_owned()
        } else {
            format!("{line}\n")
        }
    };
    text.lines().map(keep).collect()
}
