//! Specs, state directories that clean up after themselves, and clients over TCP.

use escale_base::Secret;
use escale_postgres::*;
use std::{net::TcpListener, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};
use tokio_postgres::{Client, NoTls};

pub(crate) const PASSWORD: &str = "correct horse/1";

/// A port that is free on both addresses of the pair.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap().port();
        if TcpListener::bind(("127.0.0.3", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) fn pair(tag: &str, name: &str) -> DatabaseSpec {
    let node = |name: &str, address: &str, zone: &str| NodeSpec {
        name: name.into(),
        namespace: None,
        address: address.parse().unwrap(),
        zone: zone.into(),
    };
    DatabaseSpec {
        name: format!("{tag}-{name}"),
        version: Installed::find().newest().expect("no PostgreSQL is installed"),
        nodes: vec![node("a-1", "127.0.0.2", "zone-a"), node("b-1", "127.0.0.3", "zone-b")],
        port: free_port(),
        running: true,
        synchronous: true,
        admin: AdminRole {
            name: "shop_admin".into(),
            password: Secret::new(PASSWORD.into()),
            group: Some("owners".into()),
        },
        initial_database: Some("shop".into()),
        parameters: Default::default(),
        tls: None,
        restore_from: None,
        recover: None,
        archive: None,
        witness: None,
        source: None,
        replicas: vec![],
    }
}

pub(crate) fn single(tag: &str, name: &str) -> DatabaseSpec {
    let mut spec = pair(tag, name);
    spec.nodes.truncate(1);
    spec
}

/// A state directory. Processes that a failed test left running below it are ended.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        let dir = tempfile::Builder::new().prefix("pg-plane-").tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        Place(dir)
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new(self.0.path().join("state"));
        config.heartbeat = Duration::from_millis(200);
        config.standby_grace = Duration::from_secs(1);
        config
    }

    pub(crate) fn open(&self) -> (PostgresPlane, tokio::sync::mpsc::Receiver<Event>) {
        PostgresPlane::open(self.config()).unwrap()
    }

    /// Processes whose working directory is below this place.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let below = |pid: &i32| {
            let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
            cwd.starts_with(self.0.path())
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(below).collect()
    }

    pub(crate) fn assert_no_process(&self) {
        assert_eq!(self.processes(), Vec::<i32>::new());
    }

    /// The children of a killed server notice its death a moment later.
    pub(crate) async fn no_process_soon(&self) {
        let none = async {
            while !self.processes().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), none).await;
        assert!(ended.is_ok(), "{:?}", self.processes());
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

pub(crate) async fn client(
    spec: &DatabaseSpec,
    node: &str,
    password: &str,
) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host(spec.node(node).unwrap().address.to_string()).port(spec.port);
    config.user(&spec.admin.name).password(password).dbname("shop").connect_timeout(Duration::from_secs(2));
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) async fn count(client: &Client) -> i64 {
    client.query_one("select count(*) from t", &[]).await.unwrap().get(0)
}
