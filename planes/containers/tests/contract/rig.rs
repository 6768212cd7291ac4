//! Test rig: a plane, real or fake, and a description of what a container does.

use crate::image::ImageMaker;
use escale_base::{Clock, ids};
use escale_containers::{
    Behaviour, ContainerSeen, Containers, Exit, Fake, GroupSeen, Machine, Phase, Settings, ShimCommand,
    State,
    spec::{ContainerSpec, Dns, GroupSpec, HealthCheck, Limits, Network, Security},
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// No test may hang: everything it waits for happens long before this.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Rig {
    pub(crate) plane: Option<Box<dyn Containers>>,
    pub(crate) kind: RigKind,
}

pub(crate) enum RigKind {
    Fake(Fake),
    Real(Real),
}

pub(crate) struct Real {
    pub(crate) dir: TempDir,
    pub(crate) tag: String,
    pub(crate) image: String,
}

impl Real {
    pub(crate) fn blobs(&self) -> PathBuf {
        self.dir.path().join("blobs")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn open(&self) -> Box<dyn Containers> {
        let settings = Settings {
            state_dir: self.state(),
            tag: self.tag.clone(),
            blobs: self.blobs(),
            shim: ShimCommand { program: env!("CARGO_BIN_EXE_container-shim").into(), arguments: vec![] },
            runtime: None,
        };
        // The lock of the plane before is free at once, unless another test of this process is just starting a program: until that
        // program runs, its process has a copy of every open file.
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Machine::open(settings.clone(), Clock::machine()) {
                Err(e) if e.to_string().contains("in use by another daemon") && Instant::now() < deadline => {
                    std::thread::yield_now();
                }
                opened => return Box::new(opened.unwrap()),
            }
        }
    }
}

impl Rig {
    pub(crate) fn fake() -> Rig {
        let fake = Fake::new();
        let plane = Box::new(fake.open(Clock::machine()).unwrap());
        Rig { plane: Some(plane), kind: RigKind::Fake(fake) }
    }

    pub(crate) fn real() -> Rig {
        let dir = tempfile::Builder::new().prefix("escale-containers-").tempdir().unwrap();
        let image = ImageMaker::default().manifest(&dir.path().join("blobs"));
        let real = Real { dir, tag: format!("escale-test-{}", ids::random_hex(8)), image };
        Rig { plane: Some(real.open()), kind: RigKind::Real(real) }
    }

    pub(crate) fn machine(&self) -> &Real {
        match &self.kind {
            RigKind::Real(real) => real,
            RigKind::Fake(_) => panic!("a test of the real plane"),
        }
    }

    pub(crate) fn plane(&self) -> &dyn Containers {
        self.plane.as_deref().unwrap()
    }

    /// Replaces the daemon by a new one: state in memory is lost.
    pub(crate) fn restart(&mut self) {
        self.plane = None;
        self.plane = Some(match &self.kind {
            RigKind::Fake(fake) => Box::new(fake.open(Clock::machine()).unwrap()),
            RigKind::Real(real) => real.open(),
        });
    }

    /// A container with this behaviour; on the real plane, a script that implements it.
    pub(crate) fn container(&self, name: &str, does: Behaviour) -> ContainerSpec {
        match &self.kind {
            RigKind::Fake(fake) => {
                let digest = format!("sha256:{}", ids::random_hex(64));
                fake.image(&digest, does);
                spec(name, &digest)
            }
            RigKind::Real(real) => {
                let mut c = spec(name, &real.image);
                c.command = Some(match does.broken {
                    Some(_) => vec!["/no/such/program".into()],
                    None => vec!["/bin/sh".into(), "-c".into(), script(&does)],
                });
                c
            }
        }
    }

    /// Waits until a container satisfies a condition.
    pub(crate) async fn until(
        &self,
        group: &str,
        name: &str,
        want: impl Fn(&ContainerSeen) -> bool,
    ) -> ContainerSeen {
        let seen = self.until_group(group, |g| g.containers.get(name).is_some_and(&want)).await;
        seen.containers[name].clone()
    }

    pub(crate) async fn until_group(&self, group: &str, want: impl Fn(&GroupSeen) -> bool) -> Arc<GroupSeen> {
        let mut changes = self.plane().changes();
        let wanted = changes.wait_for(|all| all.get(group).is_some_and(|g| want(g)));
        match tokio::time::timeout(PATIENCE, wanted).await {
            Ok(all) => Arc::clone(&all.unwrap()[group]),
            Err(_) => {
                panic!("the condition was never met; last observed: {:#?}", self.plane().observe(group))
            }
        }
    }

    pub(crate) async fn running(&self, group: &str, name: &str) -> i32 {
        match self.until(group, name, |c| matches!(c.state, State::Running(_) | State::Exited(_))).await.state
        {
            State::Running(running) => running.pid,
            other => panic!("{name} does not run: {other:?}"),
        }
    }

    /// Waits for the first line of a container that has one: from then on it handles signals as its behaviour says.
    pub(crate) async fn listening(&self, group: &str, name: &str) {
        self.running(group, name).await;
        let read = self.plane().logs(group, name, 0, 100, true);
        let chunk = tokio::time::timeout(PATIENCE, read).await.expect("a first line").unwrap();
        assert!(!chunk.lines.is_empty(), "{name} wrote nothing");
    }

    pub(crate) async fn exit(&self, group: &str, name: &str) -> Exit {
        match self.until(group, name, |c| matches!(c.state, State::Exited(_))).await.state {
            State::Exited(exit) => exit,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn stopped(&self, group: &str) -> Arc<GroupSeen> {
        self.until_group(group, |g| g.phase == Phase::Stopped).await
    }

    /// The whole log of a container that ends, one string per line.
    pub(crate) async fn log(&self, group: &str, name: &str) -> Vec<String> {
        let (mut cursor, mut lines) = (0, vec![]);
        loop {
            let read = self.plane().logs(group, name, cursor, 64 * 1024, true);
            let chunk = tokio::time::timeout(PATIENCE, read).await.expect("a log that goes on").unwrap();
            lines.extend(chunk.lines.iter().map(|l| String::from_utf8_lossy(&l.text).into_owned()));
            cursor = chunk.next;
            if chunk.end {
                return lines;
            }
        }
    }

    pub(crate) async fn done(self) {
        self.plane().wipe().await.unwrap();
        assert!(self.plane().list().is_empty());
    }
}

impl Drop for Rig {
    /// After a failed test all containers are killed, so that the next run starts clean.
    fn drop(&mut self) {
        if let (true, Some(plane)) = (std::thread::panicking(), self.plane.take()) {
            let wiped =
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(plane.wipe()));
            eprintln!("cleaning up after the failure: {wiped:?}");
        }
    }
}

fn script(does: &Behaviour) -> String {
    // Signals without a handler do not end pid 1; the handler makes SIGTERM end it. It is set before the first
    // line, so that a test that has read a line knows what a signal does: see `Rig::listening`.
    let trap = if does.ignores_stop { "trap '' TERM" } else { "trap 'exit 143' TERM" };
    let mut text = format!("{trap}\n");
    if let Some(bytes) = does.stored_bytes {
        text += &format!("dd if=/dev/zero of=/written bs=1024 count={}\n", bytes / 1024);
    }
    for line in &does.lines {
        text += &format!("echo '{line}'\n");
    }
    if let Some(ms) = does.healthy_after_ms {
        text += &format!("(sleep {}; touch /healthy) &\n", ms as f64 / 1000.0);
    }
    match does.exits {
        Some((ms, code)) => text += &format!("sleep {}\nexit {code}\n", ms as f64 / 1000.0),
        None => text += "while :; do sleep 0.05; done\n",
    }
    text
}

pub(crate) fn spec(name: &str, image: &str) -> ContainerSpec {
    ContainerSpec {
        name: name.into(),
        image: image.into(),
        entrypoint: None,
        command: None,
        env: Default::default(),
        user: None,
        workdir: None,
        mounts: vec![],
        volumes_from: vec![],
        limits: Limits::default(),
        security: Security::default(),
        ulimits: vec![],
        essential: true,
        depends_on: vec![],
        health: None,
        start_timeout_ms: 20_000,
        stop_timeout_ms: 20_000,
        stop_signal: None,
    }
}

pub(crate) fn group(id: &str, containers: Vec<ContainerSpec>) -> GroupSpec {
    GroupSpec {
        id: id.into(),
        zone: "a".into(),
        network: Network::None,
        hostname: "test-host".into(),
        dns: Dns::default(),
        hosts: vec![],
        limits: Limits::default(),
        volumes: vec![],
        containers,
    }
}

pub(crate) fn health() -> HealthCheck {
    HealthCheck {
        command: vec!["/bin/test".into(), "-e".into(), "/healthy".into()],
        interval_ms: 50,
        timeout_ms: 5_000,
        retries: 2,
        start_period_ms: 0,
    }
}
