//! From the YAML tree to the typed manifest: one function a section.

use super::{
    Bucket, Database, Manifest, Nat, Network, Origin, Override, check, environments,
    reader::{Fields, Reader},
    service::service,
    units::{Cidr, Days, Engine, Storage},
};
use crate::{
    problem::{Problem, nearest},
    yaml::{Key, Kind, Node},
};
use escale_base::path::RawPath;
use std::net::Ipv4Addr;

/// Reads the whole manifest in one environment.
pub(crate) fn manifest(origin: &Origin, environment: &str) -> Result<Manifest, Vec<Problem>> {
    let mut r = Reader { source: origin.source.clone(), problems: Vec::new(), files: origin.files.clone() };
    let names = environments::names(&origin.root);
    if !names.iter().any(|n| n == environment) {
        let place = origin.root.get("environments").map_or(origin.root.place, |n| n.place);
        let hint = match nearest(environment, names.iter().map(String::as_str)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("the environments are {}", names.join(", ")),
        };
        r.fault_hint(place, format!("there is no environment `{environment}`"), hint);
        return Err(r.problems);
    }
    let mut root = (*origin.root).clone();
    let environment = environments::apply(&mut r, &mut root, environment);

    let mut f = r.fields(&root, "the manifest");
    let app = f.require(&mut r, "app").and_then(|n| {
        let text = r.text(n, "`app`")?;
        Some(r.name(&Key { text, place: n.place }, "an application", 20))
    });
    let domain = f.take("domain").and_then(|n| domain(&mut r, n));
    let services =
        f.require(&mut r, "services").map(|n| named(&mut r, n, "a service", service)).unwrap_or_default();
    let databases = f.take("database").map(|n| named(&mut r, n, "a database", database)).unwrap_or_default();
    let buckets = f.take("buckets").map(|n| named(&mut r, n, "a bucket", bucket)).unwrap_or_default();
    let network = network(&mut r, f.take("network"));
    let logs = f.take("logs").and_then(|n| retention(&mut r, n, "`logs`")).unwrap_or(Days(30));
    f.take("environments"); // read above
    let overrides = f.take("overrides").map(|n| overrides(&mut r, n)).unwrap_or_default();
    f.refuse(&mut r, "alarms", "leave it out: Escale has no CloudWatch alarms");
    f.finish(&mut r);

    let manifest = Manifest {
        app: app.unwrap_or_default(),
        domain,
        services,
        databases,
        buckets,
        network,
        logs,
        environment,
        environments: names,
        overrides,
        origin: origin.clone(),
    };
    check::references(&mut r, &root, &manifest);
    r.problems.sort_by_key(|p| (p.place.line, p.place.column));
    if r.problems.is_empty() { Ok(manifest) } else { Err(r.problems) }
}

fn named<T>(
    r: &mut Reader,
    node: &Node,
    what: &str,
    read: fn(&mut Reader, String, Fields<'_>) -> T,
) -> Vec<T> {
    if !matches!(node.kind, Kind::Map(_)) {
        r.fault(
            node.place,
            format!("expected a map with an entry for each {}, not {}", &what[2..], node.noun()),
        );
    }
    let mut all = Vec::new();
    for (key, below) in node.entries() {
        let name = r.name(key, what, 20);
        let below = if below.is_null() { &Node { place: key.place, ..below.clone() } } else { below };
        let mut fields = r.fields(below, format!("{} `{name}`", &what[2..]));
        fields.point_at(key.place);
        all.push(read(r, name, fields));
    }
    all
}

fn database(r: &mut Reader, name: String, mut f: Fields<'_>) -> Database {
    let known: Vec<_> = Engine::POSTGRES.iter().map(|(major, _)| format!("`postgres {major}`")).collect();
    let engine = f.require(r, "engine").and_then(|n| r.parsed(n, "`engine`", &known.join(", ")));
    let size = f.take("size").and_then(|n| {
        let text = r.text(n, "`size`")?;
        if text.strip_prefix("db.").is_none_or(|rest| rest.split('.').filter(|p| !p.is_empty()).count() != 2)
        {
            r.fault_hint(n.place, format!("`{text}` is not a database size"), "write it like `db.t4g.small`");
        }
        Some(text)
    });
    let storage =
        f.take("storage").and_then(|n| r.parsed(n, "`storage`", "`20GB` or `20..100GB`, at least 20"));
    let backups = f.take("backups").and_then(|n| {
        let days: Days = r.parsed(n, "`backups`", "`7d`")?;
        if days.0 > 35 {
            r.fault(n.place, "RDS keeps backups for at most 35 days");
        }
        Some(days)
    });
    let multi_az = f.take("multi_az").and_then(|n| r.flag(n, "`multi_az`")).unwrap_or(true);
    f.finish(r);
    Database {
        name,
        engine: engine.unwrap_or(Engine::Postgres { major: 15 }),
        size: size.unwrap_or_else(|| "db.t4g.small".into()),
        storage: storage.unwrap_or(Storage { gb: 20, max_gb: None }),
        multi_az,
        backups: backups.unwrap_or(Days(7)),
    }
}

fn bucket(r: &mut Reader, name: String, mut f: Fields<'_>) -> Bucket {
    let path = f.require(r, "path").and_then(|n| {
        let text = path_pattern(r, n, "`path`")?;
        let prefix = text.strip_suffix("/*").unwrap_or_default();
        if prefix.is_empty() || prefix.contains(['*', '?']) {
            r.fault_hint(
                n.place,
                format!("a bucket cannot be served at `{text}`"),
                "write it like `/static/*`",
            );
        }
        Some(text)
    });
    let sync = f.take("sync").and_then(|n| r.text(n, "`sync`"));
    let signed = f.take("signed").and_then(|n| r.flag(n, "`signed`")).unwrap_or(false);
    f.finish(r);
    Bucket { name, path: path.unwrap_or_default(), sync, signed }
}

fn network(r: &mut Reader, node: Option<&Node>) -> Network {
    let mut network = Network {
        cidr: Cidr { address: Ipv4Addr::new(10, 0, 0, 0), prefix: 16 },
        azs: 2,
        nat: Nat::PerAz,
        flow_logs: None,
    };
    let Some(node) = node else { return network };
    let mut f = r.fields(node, "`network`");
    let cidr = f.take("cidr");
    if let Some(block) =
        cidr.and_then(|n| r.parsed(n, "`cidr`", "`10.0.0.0/16`: /16 to /24, without host bits"))
    {
        network.cidr = block;
    }
    if let Some(azs) = f.take("azs").and_then(|n| r.number(n, "`azs`", 2..=3)) {
        network.azs = azs;
    }
    let nats = [("per-az", Nat::PerAz), ("single", Nat::Single), ("none", Nat::None)];
    if let Some(nat) = f.take("nat").and_then(|n| r.word(n, "`nat`", &nats)) {
        network.nat = nat;
    }
    network.flow_logs = f.take("flow_logs").and_then(|n| retention(r, n, "`flow_logs`"));
    f.finish(r);
    if network.subnet_prefix() > 27 {
        let message = format!("{} is too small for {} subnets", network.cidr, network.subnets());
        let hint = "a load balancer needs subnets of /27 or larger: use a block of /24 or larger";
        r.fault_hint(cidr.map_or(node.place, |n| n.place), message, hint);
    }
    network
}

/// Reads the log retention, one of CloudWatch Logs' periods.
fn retention(r: &mut Reader, node: &Node, key: &str) -> Option<Days> {
    const KNOWN: [u32; 17] = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827];
    let days: Days = r.parsed(node, key, "`30d`")?;
    if !KNOWN.contains(&days.0) {
        let known: Vec<_> = KNOWN.iter().map(|d| format!("{d}d")).collect();
        let message = format!("CloudWatch Logs cannot keep logs for {} days", days.0);
        r.fault_hint(node.place, message, format!("the supported periods are {}", known.join(", ")));
    }
    Some(days)
}

fn domain(r: &mut Reader, node: &Node) -> Option<String> {
    let text = r.text(node, "`domain`")?;
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if text.len() > 253 || !text.contains('.') || !text.split('.').all(label) {
        r.fault_hint(
            node.place,
            format!("`{text}` is not a domain name"),
            "write it like `shop.example.com`",
        );
    }
    Some(text)
}

/// Reads a path pattern of the load balancer and the CDN: `/`, `/api/*`.
pub(super) fn path_pattern(r: &mut Reader, node: &Node, what: &str) -> Option<String> {
    let text = r.text(node, what)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.$/~\"'@:+*?&".contains(c);
    if !text.starts_with('/') || !text.chars().all(allowed) || text.len() > 128 {
        r.fault_hint(node.place, format!("{what} cannot be `{text}`"), "write it like `/` or `/api/*`");
    }
    let normal = RawPath::new(&text).collapsed();
    if normal.as_str() != text {
        r.fault_hint(
            node.place,
            format!(
                "{what} cannot be `{text}`: it matches no request, because paths are normalized before they are matched"
            ),
            format!("write it as `{}`", normal.as_str()),
        );
    }
    Some(text)
}

fn overrides(r: &mut Reader, node: &Node) -> Vec<Override> {
    r.fields(node, "`overrides`");
    let mut all = Vec::new();
    for (key, value) in node.entries() {
        let path: Vec<String> = key.text.split('.').map(str::to_owned).collect();
        if path.len() < 2 || path.iter().any(String::is_empty) {
            let hint = "write it like `LogicalId.Property: value`";
            r.fault_hint(key.place, format!("`{}` does not name a property", key.text), hint);
        } else {
            all.push(Override { path, value: value.core_value(), place: key.place });
        }
    }
    all
}
