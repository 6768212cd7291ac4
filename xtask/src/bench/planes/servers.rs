//! The servers of the run, on loopback, with a folder of their own. All end with the run.

use super::super::{finished, free_port};
use crate::test;
use anyhow::{Context, Result, bail};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// What a name server and Knot serve.
const NAMES: usize = 1000;
const STARTS_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Ports {
    target: u16,
    pub(super) http: u16,
    pub(super) https: u16,
    pub(super) edge: u16,
    pub(super) dns: u16,
    pub(super) nginx_http: u16,
    pub(super) nginx_https: u16,
    pub(super) nginx_cache: u16,
    pub(super) haproxy: u16,
    pub(super) knot: u16,
}

impl Ports {
    pub(super) fn free() -> Result<Ports> {
        Ok(Ports {
            target: free_port()?,
            http: free_port()?,
            https: free_port()?,
            edge: free_port()?,
            dns: free_port()?,
            nginx_http: free_port()?,
            nginx_https: free_port()?,
            nginx_cache: free_port()?,
            haproxy: free_port()?,
            knot: free_port()?,
        })
    }
}

/// A server that ends when it is dropped.
pub(in crate::bench) struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Running> {
        let started = command.stdin(Stdio::piped()).spawn();
        Ok(Running(started.with_context(|| format!("cannot start {:?}", command.get_program()))?))
    }

    /// The processor time of the process and its children, in seconds.
    pub(in crate::bench) fn processor_s(&self) -> Result<f64> {
        let tasks = |pid: u32| fs::read_dir(format!("/proc/{pid}/task"));
        let mut pids = vec![self.0.id()];
        for task in tasks(self.0.id())? {
            let children = fs::read_to_string(task?.path().join("children"))?;
            pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        let mut nanos = 0.0;
        for pid in pids {
            for task in tasks(pid)? {
                let times = fs::read_to_string(task?.path().join("schedstat"))?;
                nanos += times.split(' ').next().and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
            }
        }
        Ok(nanos / 1e9)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx's master process must end its workers, so it gets SIGTERM.
        let _ = finished(Command::new("kill").arg(self.0.id().to_string()));
        let _ = self.0.wait();
    }
}

pub(super) struct Servers {
    pub(super) planes: Running,
    nginx: Running,
    haproxy: Running,
    knot: Running,
    _target: Running,
    folder: Folder,
}

/// Removed with its content.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Servers {
    pub(super) fn start(ports: &Ports) -> Result<Servers> {
        let folder = Folder(PathBuf::from(format!("/var/tmp/escale-bench-{}", std::process::id())));
        let place = &folder.0;
        fs::create_dir_all(place.join("knot"))?;
        certificate(place)?;
        let write = |name: &str, text: String| fs::write(place.join(name), text);
        write("target.conf", target(place, ports))?;
        write("nginx.conf", nginx(place, ports))?;
        write("haproxy.cfg", haproxy(ports))?;
        write("knot.conf", knot(place, ports))?;
        write("knot/bench.zone", zone())?;
        write("queries", (0..NAMES).map(|i| format!("h{i}.bench.test A\n")).collect())?;
        let with = |program: &str, option: &str, file: &str| {
            let mut command = Command::new(program);
            command.arg(option).arg(place.join(file));
            Running::start(&mut command)
        };
        let target = with("/usr/sbin/nginx", "-c", "target.conf")?;
        wait_for(ports.target)?;
        let servers = Servers {
            planes: planes(place, ports)?,
            nginx: with("/usr/sbin/nginx", "-c", "nginx.conf")?,
            haproxy: with("/usr/sbin/haproxy", "-f", "haproxy.cfg")?,
            knot: with("/usr/sbin/knotd", "-c", "knot.conf")?,
            _target: target,
            folder,
        };
        for port in [ports.nginx_http, ports.nginx_https, ports.nginx_cache, ports.haproxy, ports.knot] {
            wait_for(port)?;
        }
        Ok(servers)
    }

    pub(super) fn of(&self, (name, _): (&str, u16)) -> &Running {
        match name {
            "nginx" => &self.nginx,
            "HAProxy" => &self.haproxy,
            _ => &self.knot,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder.0
    }
}

fn planes(place: &Path, ports: &Ports) -> Result<Running> {
    let mut command = Command::new(test::target().join("profiling/examples/planes"));
    let Ports { target, http, https, edge, dns, .. } = ports;
    command.args([
        format!("target={target}"),
        format!("http={http}"),
        format!("https={https}"),
        format!("edge={edge}"),
        format!("dns={dns}"),
        format!("chain={}", place.join("chain.pem").display()),
        format!("key={}", place.join("key.pem").display()),
        format!("cache={}", place.join("cache").display()),
    ]);
    let mut running = Running::start(command.stdout(Stdio::piped()))?;
    let out = running.0.stdout.take().context("standard output is a pipe")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    if line.trim() != "ready" {
        bail!("the planes did not start: '{line}'");
    }
    Ok(running)
}

/// There is no event when another program listens.
#[allow(clippy::disallowed_methods)]
fn wait_for(port: u16) -> Result<()> {
    let end = Instant::now() + STARTS_WITHIN;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > end {
            bail!("no server listens on port {port}");
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn certificate(place: &Path) -> Result<()> {
    let arguments =
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out chain.pem";
    finished(Command::new("openssl").args(arguments.split(' ')).current_dir(place)).map(drop)
}

const NGINX: &str = "daemon off; events { worker_connections 4096; }\n";
const KEPT: &str = "access_log off; keepalive_requests 100000000; keepalive_timeout 3600;";

fn target(place: &Path, ports: &Ports) -> String {
    let (place, port, body) = (place.display(), ports.target, "a".repeat(128));
    format!(
        "{NGINX} worker_processes 1; pid {place}/target.pid; error_log {place}/target.err;
        http {{ {KEPT} server {{ listen 127.0.0.1:{port};
          location / {{ add_header Cache-Control max-age=86400; return 200 {body}; }} }} }}\n"
    )
}

fn nginx(place: &Path, ports: &Ports) -> String {
    let place = place.display();
    let Ports { target, nginx_http, nginx_https, nginx_cache, .. } = ports;
    format!(
        "{NGINX} worker_processes auto; pid {place}/nginx.pid; error_log {place}/nginx.err;
        http {{ {KEPT}
          proxy_cache_path {place}/nginx levels=1:2 keys_zone=cache:10m;
          upstream target {{ server 127.0.0.1:{target}; keepalive 64; keepalive_requests 100000000; }}
          proxy_http_version 1.1;
          proxy_set_header Connection \"\";
          proxy_set_header Host $host;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
          proxy_set_header X-Forwarded-Proto $scheme;
          proxy_set_header X-Forwarded-Port $server_port;
          ssl_certificate {place}/chain.pem; ssl_certificate_key {place}/key.pem;
          server {{ listen 127.0.0.1:{nginx_http}; location / {{ proxy_pass http://target; }} }}
          server {{ listen 127.0.0.1:{nginx_https} ssl http2; location / {{ proxy_pass http://target; }} }}
          server {{ listen 127.0.0.1:{nginx_cache}; location / {{
            proxy_pass http://target; proxy_cache cache; add_header X-Cache $upstream_cache_status; }} }} }}\n"
    )
}

fn haproxy(ports: &Ports) -> String {
    let Ports { target, haproxy, .. } = ports;
    format!(
        "global\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s
  http-reuse always\nfrontend clients\n  bind 127.0.0.1:{haproxy}\n  default_backend targets\nbackend targets
  option forwardfor\n  http-request set-header X-Forwarded-Proto http\n  http-request set-header X-Forwarded-Port {haproxy}
  server target 127.0.0.1:{target} pool-max-conn 64\n"
    )
}

fn knot(place: &Path, ports: &Ports) -> String {
    let (place, port) = (place.join("knot"), ports.knot);
    let place = place.display();
    format!(
        "server:\n  rundir: {place}\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: {place}\nlog:\n  - target: stderr
    any: error\nzone:\n  - domain: bench.test\n    storage: {place}\n    file: bench.zone\n    journal-content: none\n"
    )
}

/// The same zone as that of the program `planes`.
fn zone() -> String {
    let names: String = (0..NAMES).map(|i| format!("h{i} 60 IN A 192.0.2.1\n")).collect();
    format!(
        "$ORIGIN bench.test.\n@ 900 IN SOA ns.bench.test. hostmaster.bench.test. 1 7200 900 1209600 60\n\
         @ 172800 IN NS ns.bench.test.\n{names}"
    )
}
