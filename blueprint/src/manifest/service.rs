//! From the YAML tree to a service of the manifest.

use super::{
    Count, Deploy, Health, Image, Scale, Service, containers, dotenv,
    read::path_pattern,
    reader::{Fields, Reader},
    units::{Egress, Percent, Seconds, Size},
};
use crate::yaml::{Kind, Node};
use std::collections::BTreeMap;

/// The default of how long a task may take to start: enough for large programs on a quarter of a CPU. A deployment whose tasks
/// fail their health checks fails after twice this time.
const GRACE_SECS: u32 = 60;

pub(super) fn service(r: &mut Reader, name: String, mut f: Fields<'_>) -> Service {
    let image = match (f.take("build"), f.take_entry("image")) {
        (Some(build), None) => r.text(build, "`build`").map(Image::Build),
        (None, Some((_, image))) => r.text(image, "`image`").map(Image::Reference),
        (Some(_), Some((key, _))) => {
            r.fault(key.place, format!("{} has both `build` and `image`: keep one", f.what()));
            None
        }
        (None, None) => {
            let hint = "add `build: ./folder` with a Dockerfile, or `image: repository:tag`";
            r.fault_hint(f.place(), format!("{} needs an image", f.what()), hint);
            None
        }
    };
    let port = f.take("port").and_then(|n| r.number(n, "`port`", 1..=65535)).map(|n| n as u16);
    let path = f.take("path").and_then(|n| path_pattern(r, n, "`path`"));
    if path.is_some() && port.is_none() {
        r.fault(f.place(), format!("{} has a `path` but no `port` to send it to", f.what()));
    }
    let has_path = path.is_some();
    let (paths, from_files) = env_files(r, f.take("env_file"));
    let mut env: BTreeMap<String, String> =
        from_files.iter().map(|(name, given)| (name.clone(), given.value.clone())).collect();
    env.extend(f.take("env").map(|n| containers::env(r, n)).unwrap_or_default());
    let sidecars = f.take("sidecars").map(|n| containers::sidecars(r, n, &name)).unwrap_or_default();
    let service = Service {
        name,
        image: image.unwrap_or(Image::Reference(String::new())),
        port,
        path,
        health: health(r, f.take("health")),
        size: f.take("size").map_or(Size::SMALLEST, |n| size(r, n)),
        count: count(r, &mut f, has_path),
        env,
        env_file: paths,
        from_files,
        secrets: f.take("secrets").map(|n| variable_names(r, n)).unwrap_or_default(),
        uses: f.take("uses").map(|n| r.words(n, "`uses`")).unwrap_or_default(),
        egress: f.take("egress").map_or_else(default_egress, |n| egress(r, n)),
        release: f.take("release").and_then(|n| containers::command(r, n, "`release`")),
        depends: f.take("depends").map(|n| containers::depends(r, n, &sidecars)).unwrap_or_default(),
        sidecars,
        deploy: deploy(r, f.take("deploy")),
    };
    if service.deploy.watches_5xx && service.path.is_none() {
        let place = f.place();
        r.fault(
            place,
            "the alarm `5xx` of `deploy` needs a `path`: it counts the answers that the load balancer gets",
        );
    }
    f.refuse(r, "jobs", "leave it out: Escale runs no scheduled tasks");
    f.finish(r);
    service
}

/// The default of `count`, and of `min` in `scale`: one task in each of two zones.
const COUNT: u32 = 2;

fn count(r: &mut Reader, f: &mut Fields<'_>, has_path: bool) -> Count {
    let fixed = f.take_entry("count");
    let Some((key, node)) = f.take_entry("scale") else {
        return Count::Fixed(fixed.and_then(|(_, n)| r.number(n, "`count`", 0..=100)).unwrap_or(COUNT));
    };
    if fixed.is_some() {
        let hint = "keep one: `scale` follows the load, `count` is a fixed number";
        r.fault_hint(key.place, format!("{} has both `count` and `scale`", f.what()), hint);
    }
    Count::Scaled(scale(r, node, has_path))
}

fn scale(r: &mut Reader, node: &Node, has_path: bool) -> Scale {
    let mut f = r.fields(node, "`scale`");
    let max = f.require(r, "max").and_then(|n| r.number(n, "`max`", 1..=100));
    let min = f.take("min").and_then(|n| r.number(n, "`min`", 0..=100));
    let cpu = f.take("cpu").and_then(|n| r.number(n, "`cpu`", 1..=100));
    let memory = f.take("memory").and_then(|n| r.number(n, "`memory`", 1..=100));
    let with_requests = f.take_entry("requests");
    let requests = with_requests.and_then(|(_, n)| r.number(n, "`requests`", 1..=10_000_000));
    f.finish(r);
    if cpu.or(memory).or(requests).is_none() {
        let hint = "add `cpu: 60`, `memory: 70` (percent) or `requests: 1000` (for each task and minute)";
        r.fault_hint(node.place, "`scale` needs a metric to follow", hint);
    }
    if let Some((key, _)) = with_requests.filter(|_| !has_path) {
        r.fault(key.place, "`requests` needs a `path`: the load balancer counts them");
    }
    let most = max.unwrap_or(COUNT);
    let least = min.unwrap_or(COUNT.min(most));
    if least > most {
        r.fault(node.place, format!("`min` ({least}) is larger than `max` ({most})"));
    }
    Scale { min: least, max: most, cpu, memory, requests }
}

fn health(r: &mut Reader, node: Option<&Node>) -> Health {
    let mut health = Health { path: "/".into(), grace_s: GRACE_SECS };
    let Some(node) = node else { return health };
    let mut path = Some(node);
    if matches!(node.kind, Kind::Map(_)) {
        let mut f = r.fields(node, "`health`");
        path = f.take("path");
        if let Some(grace) = f.take("grace").and_then(|n| r.parsed::<Seconds>(n, "`grace`", "`60s` or `2m`"))
        {
            health.grace_s = grace.0;
        }
        f.finish(r);
    }
    if let Some(node) = path
        && let Some(text) = r.text(node, "`health`")
    {
        if !text.starts_with('/') {
            r.fault(node.place, format!("the health path `{text}` must start with `/`"));
        }
        health.path = text;
    }
    health
}

fn size(r: &mut Reader, node: &Node) -> Size {
    let mut f = r.fields(node, "`size`");
    let cpu = f.take("cpu").and_then(|n| r.number(n, "`cpu`", 1..=16384));
    let memory = f.take("memory").and_then(|n| r.number(n, "`memory`", 1..=122880));
    f.refuse(r, "arch", "leave it out: tasks run on x86_64");
    f.finish(r);
    let cpu = cpu.unwrap_or(Size::SMALLEST.cpu);
    let Some((least, most, step)) = Size::memory_of(cpu) else {
        let known: Vec<_> = Size::CPUS.iter().map(u32::to_string).collect();
        r.fault_hint(
            node.place,
            format!("Fargate has no CPU size {cpu}"),
            format!("the CPU sizes are {}", known.join(", ")),
        );
        return Size::SMALLEST;
    };
    let size = Size { cpu, memory_mib: memory.unwrap_or(least) };
    if !size.is_sold() {
        let hint = match cpu {
            256 => "use 512, 1024 or 2048 MiB".to_owned(),
            _ => format!("use {least} to {most} MiB, in steps of {step}"),
        };
        r.fault_hint(
            node.place,
            format!("Fargate does not offer {} MiB of memory with CPU {cpu}", size.memory_mib),
            hint,
        );
    }
    size
}

fn deploy(r: &mut Reader, node: Option<&Node>) -> Deploy {
    let mut deploy =
        Deploy { healthy_percent: 100, surge_percent: 200, rollback_after: None, watches_5xx: false };
    let Some(node) = node else { return deploy };
    let mut f = r.fields(node, "`deploy`");
    if let Some(p) = f.take("healthy").and_then(|n| r.parsed::<Percent>(n, "`healthy`", "`100%`")) {
        deploy.healthy_percent = p.0;
    }
    if let Some(p) = f.take("surge").and_then(|n| r.parsed::<Percent>(n, "`surge`", "`200%`")) {
        deploy.surge_percent = p.0;
    }
    if let Some(node) = f.take("rollback_after") {
        deploy.rollback_after = r.number(node, "`rollback_after`", 1..=1000);
    }
    for item in f.take("alarms").map_or(&[][..], |node| r.list(node, "`alarms`")) {
        deploy.watches_5xx |= r.word(item, "an alarm of `deploy`", &[("5xx", true)]).unwrap_or(false);
    }
    f.finish(r);
    if deploy.healthy_percent > 100 || deploy.surge_percent < 100 || deploy.surge_percent > 200 {
        r.fault(node.place, "`healthy` must be at most 100%, and `surge` from 100% to 200%");
    } else if deploy.healthy_percent == 100 && deploy.surge_percent == 100 {
        r.fault(node.place, "with `healthy` and `surge` both at 100%, no task could ever be replaced");
    }
    deploy
}

/// Reads the files of `env_file`, one path or a list. A later file wins over an earlier one.
fn env_files(r: &mut Reader, node: Option<&Node>) -> (Vec<String>, BTreeMap<String, dotenv::Given>) {
    let (mut paths, mut all) = (Vec::new(), BTreeMap::new());
    for item in node.map(one_or_list).unwrap_or_default() {
        let Some(path) = r.text(item, "`env_file`") else { continue };
        paths.push(path.clone());
        let Some(files) = r.files.clone() else { continue };
        match (files.0)(&path) {
            Ok(text) => match dotenv::read(&text, &path) {
                Ok(given) => all.extend(given),
                Err(problems) => r.problems.extend(problems),
            },
            Err(why) => {
                let hint = "create it; its path is relative to the manifest's folder";
                r.fault_hint(item.place, format!("the file `{path}` cannot be read: {why}"), hint);
            }
        }
    }
    (paths, all)
}

fn one_or_list(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// HTTPS and HTTP to anywhere.
fn default_egress() -> Vec<Egress> {
    vec![Egress::tcp(443), Egress::tcp(80)]
}

/// Reads the allowed connections out of the VPC. HTTPS is always among them, because tasks pull images and reach AWS by it.
fn egress(r: &mut Reader, node: &Node) -> Vec<Egress> {
    let mut all = vec![Egress::tcp(443)];
    for item in r.list(node, "`egress`") {
        let form = "`587`, `53/udp` or `203.0.113.0/24:5432` (without host bits)";
        let Some(one) = r.parsed::<Egress>(item, "`egress`", form) else { continue };
        if all[1..].contains(&one) {
            r.fault(item.place, format!("`{one}` is in `egress` twice"));
        } else if one != all[0] {
            all.push(one);
        }
    }
    // AWS allows 60 rules a group and direction; the others are those to the VPC.
    if all.len() > 40 {
        r.fault(
            node.place,
            "`egress` has more than 40 entries, and a security group has a limit of 60 rules",
        );
    }
    all
}

fn variable_names(r: &mut Reader, node: &Node) -> Vec<String> {
    let words = r.words(node, "`secrets`");
    for (word, item) in words.iter().zip(r.list(node, "`secrets`")) {
        r.variable(word, item.place);
    }
    words
}
