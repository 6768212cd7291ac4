//! The host's name servers, as its own programs use them: resolv.conf(5).

use crate::upstream;
use escale_base::limits::dns as limits;
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

const FILE: &str = "/etc/resolv.conf";
const DNS_PORT: u16 = 53;

/// The name servers of the host at this moment.
pub fn host_servers() -> Vec<SocketAddr> {
    HostServers::default().now().to_vec()
}

/// Whether one of the host's name servers answers at this moment.
pub async fn host_servers_answer() -> bool {
    for server in host_servers() {
        if upstream::is_there(server).await {
            return true;
        }
    }
    false
}

/// Reads the file again when it has changed: a laptop changes its network while the daemon runs.
#[derive(Debug)]
pub(crate) struct HostServers {
    file: PathBuf,
    read: Mutex<Option<(Stamp, Arc<[SocketAddr]>)>>,
}

/// Changes whenever the file does. `None` without a file.
type Stamp = Option<(u64, i64, i64, u64)>;

impl Default for HostServers {
    fn default() -> HostServers {
        HostServers::of(Path::new(FILE))
    }
}

impl HostServers {
    fn of(file: &Path) -> HostServers {
        HostServers { file: file.to_owned(), read: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Arc<[SocketAddr]> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.stamp();
        if let Some((_, servers)) = read.as_ref().filter(|(of, _)| *of == stamp) {
            return Arc::clone(servers);
        }
        let text = fs::read_to_string(&self.file).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(file = %self.file.display(), %error, "cannot read the host's name servers");
            }
            String::new()
        });
        let servers: Arc<[SocketAddr]> = parse(&text).into();
        tracing::debug!(?servers, "read the host's name servers");
        *read = Some((stamp, Arc::clone(&servers)));
        servers
    }

    fn stamp(&self) -> Stamp {
        let of = fs::metadata(&self.file).ok()?;
        Some((of.ino(), of.mtime(), of.mtime_nsec(), of.len()))
    }
}

/// The addresses of the `nameserver` lines. Without one, the resolver is on the host itself.
fn parse(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let is_server = words.next() == Some("nameserver");
        words.next().filter(|_| is_server)?.parse::<IpAddr>().ok()
    };
    let mut servers: Vec<SocketAddr> = text
        .lines()
        .filter_map(address)
        .take(limits::UPSTREAM_SERVERS)
        .map(|ip| (ip, DNS_PORT).into())
        .collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_first_three_name_servers() {
        for (text, servers) in [
            ("", "127.0.0.1:53"),
            ("search example.com\n", "127.0.0.1:53"),
            ("nameserver 127.0.0.53\noptions edns0 trust-ad\n", "127.0.0.53:53"),
            (
                "# nameserver 1.1.1.1\n;nameserver 1.1.1.1\n nameserver\t9.9.9.9 # quad\nnameservers 1.1.1.1",
                "9.9.9.9:53",
            ),
            ("nameserver nonsense\nnameserver\nnameserver ::1", "[::1]:53"),
            (
                "nameserver 9.9.9.1\nnameserver 9.9.9.2\nnameserver 9.9.9.3\nnameserver 9.9.9.4",
                "9.9.9.1:53 9.9.9.2:53 9.9.9.3:53",
            ),
        ] {
            let got: Vec<String> = parse(text).iter().map(SocketAddr::to_string).collect();
            assert_eq!(got.join(" "), servers, "{text}");
        }
    }

    #[test]
    fn reads_the_file_again_when_it_changes() {
        let dir = std::env::temp_dir().join(format!("escale-resolv-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (file, other) = (dir.join("resolv.conf"), dir.join("other"));
        let servers = HostServers::of(&file);
        let now = || servers.now().iter().map(SocketAddr::to_string).collect::<Vec<_>>();
        assert_eq!(now(), ["127.0.0.1:53"]);
        fs::write(&file, "nameserver 9.9.9.9\n").unwrap();
        assert_eq!(now(), ["9.9.9.9:53"]);
        // As resolvconf and NetworkManager replace it.
        fs::write(&other, "nameserver 9.9.9.8\n").unwrap();
        fs::rename(&other, &file).unwrap();
        assert_eq!(now(), ["9.9.9.8:53"]);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(now(), ["127.0.0.1:53"]);
    }
}
