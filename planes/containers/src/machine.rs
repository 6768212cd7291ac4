//! The real host: directories, cgroups, shims.

use crate::{
    bundle::{self, Parts},
    cgroup::Cgroups,
    engine::Engine,
    exec,
    host::Host,
    image::{self, Image},
    layers::{Layers, Places},
    logs,
    quota::{Project, Quotas},
    runtime::{self, Runtime},
    seen::{ExecOutput, Exit, ExitReason, LogChunk, LogLine, Stats},
    session::{self, Session, SessionSpec},
    spec::{ContainerSpec, GroupSpec, MountSource, Network},
    storage::Measure,
    store::{self, ContainerDir, Facts, Notes, ShimOrder},
    user::Accounts,
    volumes,
    watcher::{Wake, Watcher, wake},
};
use async_trait::async_trait;
use escale_base::{Clock, PlaneError, error::Context};
use escale_files::disk::OnDisk;
use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsString,
    fmt::Write,
    fs::{self, File},
    os::unix::fs::{DirBuilderExt, MetadataExt, symlink},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The configuration of the plane; constant for the whole life of a state directory.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Everything the plane makes is below it. Must not be on overlayfs.
    pub state_dir: PathBuf,
    /// Names everything on the host (cgroups); unique among all planes of a machine. Letters, digits, `-`, `_`.
    pub tag: String,
    /// Image blobs: `<blobs>/sha256/<hex>`.
    pub blobs: PathBuf,
    pub shim: ShimCommand,
    /// `None`: detected, crun before runc.
    pub runtime: Option<Runtime>,
}

/// A program that calls [`crate::shim_main`] with the arguments after these.
#[derive(Clone, Debug)]
pub struct ShimCommand {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

impl ShimCommand {
    /// The running program itself, which must call [`crate::shim_main`] when its first argument is `shim`.
    pub fn this_program() -> ShimCommand {
        ShimCommand { program: "/proc/self/exe".into(), arguments: vec!["shim".into()] }
    }
}

/// Directories created below the state directory, and emptied by a wipe.
pub(crate) const DIRECTORIES: [&str; 5] = ["groups", "gone", "layers", "zones-off", "runtime"];

/// Containers on this machine.
pub struct Machine(());

impl Machine {
    /// Opens a state directory and adopts running containers. Must be called inside a tokio runtime, as root.
    pub fn open(settings: Settings, clock: Clock) -> Result<impl crate::Containers + use<>, PlaneError> {
        let dir = &settings.state_dir;
        if !crate::spec::is_name(&settings.tag, 32) {
            return Err(PlaneError::asked(format!(
                "the tag '{}' is not valid: use at most 32 letters, digits, '-' and '_'",
                settings.tag
            )));
        }
        store::remove_tree(&dir.join("gone"))?;
        for below in DIRECTORIES {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir.join(below));
            made.machine(|| format!("make {}", dir.join(below).display()))?;
        }
        let dir = fs::canonicalize(dir).machine(|| format!("resolve the path {}", dir.display()))?;
        let runtime = settings.runtime.clone().map_or_else(Runtime::probe, Ok)?;
        let places = Places { blobs: settings.blobs.clone(), groups: dir.join("groups") };
        let host = RealHost {
            lock: Mutex::new(Some(hold(&dir)?)),
            layers: Layers::open(dir.join("layers"), places)?,
            watcher: Watcher::new()?,
            cgroups: Cgroups::detect(),
            quotas: Quotas::of(&dir),
            children: Arc::default(),
            images: Mutex::default(),
            settings: Settings { state_dir: dir, ..settings },
            runtime,
            clock: clock.clone(),
        };
        Engine::open(host, clock)
    }
}

/// One plane per state directory: two would undo each other's work.
fn hold(dir: &Path) -> Result<File, PlaneError> {
    let path = dir.join("daemon.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.machine(|| format!("open {}", path.display()))?;
    let free = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    free.map_err(|_| {
        PlaneError::machine(format!("{} is in use by another daemon; stop that daemon first", dir.display()))
    })?;
    Ok(file)
}

pub(crate) struct RealHost {
    /// Closed with the plane, which lets another daemon in.
    lock: Mutex<Option<File>>,
    settings: Settings,
    runtime: Runtime,
    cgroups: Cgroups,
    /// `None` if the file system has no project quotas.
    quotas: Option<Quotas>,
    layers: Layers,
    watcher: Watcher,
    clock: Clock,
    /// Directories of the shims that this daemon started and that have not ended.
    children: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Images resolved by `check`. Blobs are content-addressed, so an entry never becomes stale.
    images: Mutex<HashMap<String, Image>>,
}

impl RealHost {
    fn group_dir(&self, group: &str) -> PathBuf {
        self.settings.state_dir.join("groups").join(group)
    }

    fn container_dir(&self, group: &str, container: &str) -> ContainerDir {
        ContainerDir(self.group_dir(group).join("c").join(container))
    }

    fn runtime_root(&self) -> PathBuf {
        self.settings.state_dir.join("runtime")
    }

    fn cgroup(&self, group: &str) -> String {
        format!("{}/{group}", self.settings.tag)
    }

    fn children(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn image(&self, digest: &str) -> Result<Image, PlaneError> {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = images.get(digest) {
            return Ok(known.clone());
        }
        let image = image::resolve(&self.settings.blobs, digest)?;
        images.insert(digest.to_owned(), image.clone());
        Ok(image)
    }

    /// Writes everything that a shim needs. May be repeated as long as the shim has not begun.
    fn prepare(&self, group: &GroupSpec, c: &ContainerSpec) -> Result<(), PlaneError> {
        let place = || format!("prepare container '{}' of group '{}'", c.name, group.id);
        let dir = self.container_dir(&group.id, &c.name);
        let image = self.image(&c.image)?;
        let mut layers = image.layers.iter().map(|l| self.layers.ensure(l)).collect::<Result<Vec<_>, _>>()?;
        layers.reverse();
        if layers.is_empty() {
            return Err(PlaneError::asked(format!(
                "image {} has no layers, so it has nothing to run",
                c.image
            )));
        }
        for below in ["rootfs", "work", "l", "x", "logs"] {
            fs::create_dir_all(dir.path(below)).on_disk(&dir.0, place)?;
        }
        self.within_quota(group, &dir.path("work")).on_disk(&dir.0, place)?;
        store::open_dir(&dir.path("upper")).on_disk(&dir.0, place)?;
        self.within_quota(group, &dir.path("upper")).on_disk(&dir.0, place)?;
        for (n, layer) in layers.iter().enumerate() {
            let link = dir.path("l").join(n.to_string());
            let _ = fs::remove_file(&link); // left by an interrupted preparation, if at all
            symlink(layer, &link).on_disk(&dir.0, place)?;
        }
        let wanted = c.user.as_deref().or(image.config.user.as_deref()).unwrap_or_default();
        let asked = |text| PlaneError::asked(format!("container '{}': {text}", c.name));
        let user = Accounts::read(&layers).resolve(wanted).map_err(asked)?;
        let cgroup = format!("{}/{}", self.cgroup(&group.id), c.name);
        let group_dir = self.group_dir(&group.id);
        let images = |digest: &str| self.image(digest).map(|image| image.config);
        let whole = ContainerSpec { mounts: volumes::of_container(group, c, &images)?, ..c.clone() };
        let parts = Parts {
            group,
            container: &whole,
            image: &image.config,
            user: &user,
            cgroup: &cgroup,
            cgroups: &self.cgroups,
            group_dir: &group_dir,
        };
        let config = bundle::config(&parts).map_err(asked)?;
        store::write_json(&dir.path("config.json"), &config, false).on_disk(&dir.0, place)?;
        let order = ShimOrder {
            runtime: self.runtime.clone(),
            root: self.runtime_root(),
            id: runtime_id(&group.id, &c.name),
            cgroup: cgroup.clone(),
            workdir: bundle::workdir(&parts),
            layers: layers.len(),
            seeds: volumes::seeds(group, c, &group_dir.join("volumes"), &images)?,
        };
        store::write_json(&dir.path("shim.json"), &order, false).on_disk(&dir.0, place)
    }

    fn spawn_shim(&self, dir: &ContainerDir, wake_up: Wake) -> Result<(), PlaneError> {
        let errors = File::create(dir.path("shim.log")).machine(|| "make the shim's log".into())?;
        let shim = &self.settings.shim;
        let mut command = tokio::process::Command::new(&shim.program);
        command.args(&shim.arguments).arg("run").arg(&dir.0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        self.children().insert(dir.0.clone());
        let spawned = command.spawn().machine(|| format!("start the shim {}", shim.program.display()));
        let mut child = match spawned {
            Ok(child) => child,
            Err(e) => {
                self.children().remove(&dir.0);
                return Err(e);
            }
        };
        let (children, dir, clock) = (Arc::clone(&self.children), dir.clone(), self.clock.clone());
        tokio::spawn(async move {
            let ended = child.wait().await;
            let facts = dir.facts();
            if dir.0.is_dir() && !facts.begun && !facts.kept && facts.exit.is_none() {
                let log = fs::read_to_string(dir.path("shim.log")).unwrap_or_default();
                let text = format!("its shim ended early ({ended:?}): {}", log.trim());
                if let Err(e) = write_off(&dir, ExitReason::NotStarted(text), &clock) {
                    tracing::error!("{e}");
                }
            }
            children.lock().unwrap_or_else(PoisonError::into_inner).remove(&dir.0);
            wake(&wake_up);
        });
        Ok(())
    }

    /// Makes the kernel count writes below an empty directory towards the group's limit, where quotas exist.
    fn within_quota(&self, group: &GroupSpec, dir: &Path) -> std::io::Result<()> {
        match (&self.quotas, group.limits.storage_bytes) {
            (Some(quotas), Some(bytes)) => {
                let project = Project::of(&self.settings.tag, &group.id);
                quotas.limit(project, bytes)?;
                quotas.mark(dir, project)
            }
            _ => Ok(()),
        }
    }

    fn delete_files(&self, group: &str) -> Result<(), PlaneError> {
        let dir = self.group_dir(group);
        self.cgroups.remove(&self.cgroup(group))?;
        if let Some(quotas) = &self.quotas
            && let Err(e) = quotas.limit(Project::of(&self.settings.tag, group), 0)
        {
            tracing::warn!(group, "the quota could not be removed: {e}");
        }
        // Renamed first: from here on the group does not exist, and a late writer cannot add to it.
        let gone = self.settings.state_dir.join("gone").join(escale_base::ids::random_hex(16));
        match fs::rename(&dir, &gone) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e).machine(|| format!("move {} away", dir.display())),
            Ok(()) => store::remove_tree(&gone),
        }
    }
}

fn runtime_id(group: &str, container: &str) -> String {
    format!("{group}.{container}")
}

fn write_off(dir: &ContainerDir, reason: ExitReason, clock: &Clock) -> Result<(), PlaneError> {
    let place = || format!("write the exit record of {}", dir.0.display());
    dir.write_exit(&Exit { at: clock.now(), code: None, signal: None, oom: false, reason }).machine(place)
}

/// The files of a group that its containers see in /etc.
fn etc_files(spec: &GroupSpec) -> [(&'static str, String); 3] {
    let mut resolv = String::new();
    for server in &spec.dns.nameservers {
        let _ = writeln!(resolv, "nameserver {server}");
    }
    for (word, list) in [("search", &spec.dns.search), ("options", &spec.dns.options)] {
        if !list.is_empty() {
            let _ = writeln!(resolv, "{word} {}", list.join(" "));
        }
    }
    let mut hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    let named = spec.hosts.iter().any(|(_, name)| *name == spec.hostname);
    for (address, name) in &spec.hosts {
        let _ = writeln!(hosts, "{address}\t{name}");
    }
    if !named {
        let _ = writeln!(hosts, "127.0.1.1\t{}", spec.hostname);
    }
    [("resolv.conf", resolv), ("hosts", hosts), ("hostname", format!("{}\n", spec.hostname))]
}

#[async_trait]
impl Host for RealHost {
    fn load(&self) -> Result<Vec<(GroupSpec, Notes)>, PlaneError> {
        let dir = self.settings.state_dir.join("groups");
        let boot = self.settings.state_dir.join("boot");
        let same_boot = fs::read_to_string(&boot).is_ok_and(|b| b == store::boot_id());
        let mut found = Vec::new();
        for entry in fs::read_dir(&dir).machine(|| format!("list {}", dir.display()))?.flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if !path.join("spec.json").exists() {
                // Either never accepted, or ended and being removed.
                self.delete_files(&name)?;
                continue;
            }
            let Some(spec) = store::read_json(&path.join("spec.json")) else {
                if same_boot {
                    let what =
                        format!("{}/spec.json is damaged. Repair it, or remove its folder", path.display());
                    return Err(PlaneError::plane(what).retry(false));
                }
                // The spec was not on disk when the machine went down, so none of its processes runs.
                tracing::warn!(group = name, "the group was lost when the machine restarted");
                self.delete_files(&name)?;
                continue;
            };
            found.push((spec, store::read_json(&path.join("notes.json")).unwrap_or_default()));
        }
        fs::write(&boot, store::boot_id()).machine(|| format!("write {}", boot.display()))?;
        Ok(found)
    }

    fn check(&self, spec: &GroupSpec) -> Result<(), PlaneError> {
        if let Network::Namespace(path) = &spec.network
            && !path.exists()
        {
            return Err(PlaneError::asked(format!(
                "group '{}': the network namespace {} does not exist; create it first",
                spec.id,
                path.display()
            )));
        }
        for c in &spec.containers {
            let image = self.image(&c.image)?;
            let asked = |text| PlaneError::asked(format!("container '{}': {text}", c.name));
            image::arguments(&image.config, c.entrypoint.as_ref(), c.command.as_ref()).map_err(asked)?;
            if let Some(word) = c.stop_signal.as_ref().or(image.config.stop_signal.as_ref()) {
                runtime::signal(word).map_err(asked)?;
            }
            for m in &c.mounts {
                if let MountSource::Host(path) = &m.source
                    && !path.exists()
                {
                    return Err(asked(format!(
                        "the mount source {} does not exist; create it first",
                        path.display()
                    )));
                }
            }
        }
        Ok(())
    }

    fn save_group(&self, spec: &GroupSpec) -> Result<(), PlaneError> {
        let dir = self.group_dir(&spec.id);
        let place = || format!("save group '{}'", spec.id);
        let images = |digest: &str| self.image(digest).map(|image| image.config);
        for volume in spec.volumes.iter().chain(&volumes::of_images(spec, &images)?) {
            let volume = dir.join("volumes").join(volume);
            store::open_dir(&volume).on_disk(&dir, place)?;
            self.within_quota(spec, &volume).on_disk(&dir, place)?;
        }
        for c in &spec.containers {
            fs::create_dir_all(self.container_dir(&spec.id, &c.name).path("logs")).on_disk(&dir, place)?;
        }
        for (name, text) in etc_files(spec) {
            store::open_file(&dir.join(name), &text).on_disk(&dir, place)?;
        }
        self.cgroups.make(&self.cgroup(&spec.id), &spec.limits)?;
        // Last: this file makes the group exist. Not synced: a power failure ends the group in any case.
        store::write_json(&dir.join("spec.json"), spec, false).on_disk(&dir, place)
    }

    fn save_notes(&self, group: &str, notes: &Notes) -> Result<(), PlaneError> {
        let path = self.group_dir(group).join("notes.json");
        store::write_json(&path, notes, false).on_disk(&path, || format!("write {}", path.display()))
    }

    async fn delete_group(self: Arc<Self>, group: &str) -> Result<(), PlaneError> {
        let name = group.to_owned();
        let deleted = tokio::task::spawn_blocking(move || self.delete_files(&name)).await;
        deleted.map_err(|e| PlaneError::plane(format!("cannot remove group '{group}'")).because(e))?
    }

    fn watch(&self, group: &GroupSpec, wake: &Wake) -> Result<(), PlaneError> {
        let dirs = group.containers.iter().map(|c| self.container_dir(&group.id, &c.name));
        dirs.into_iter().try_for_each(|dir| self.watcher.watch(&dir.0, false, wake))
    }

    fn facts(&self, group: &str, container: &str) -> Facts {
        let dir = self.container_dir(group, container);
        let child = self.children().contains(&dir.0);
        let mut facts = dir.facts();
        facts.kept |= child;
        facts
    }

    async fn launch(
        self: Arc<Self>,
        group: &GroupSpec,
        c: &ContainerSpec,
        wake: &Wake,
    ) -> Result<(), PlaneError> {
        if !self.powered(&group.zone) {
            return Err(PlaneError::machine(format!("zone '{}' has no power", group.zone)));
        }
        let (host, spec, own) = (Arc::clone(&self), group.clone(), c.clone());
        let prepared = tokio::task::spawn_blocking(move || host.prepare(&spec, &own)).await;
        prepared.map_err(|e| PlaneError::plane(format!("cannot prepare '{}'", c.name)).because(e))??;
        self.spawn_shim(&self.container_dir(&group.id, &c.name), Arc::clone(wake))
    }

    fn write_off(&self, group: &str, container: &str, reason: ExitReason) -> Result<(), PlaneError> {
        write_off(&self.container_dir(group, container), reason, &self.clock)
    }

    fn signal(&self, group: &GroupSpec, c: &ContainerSpec, kill: bool) -> Result<(), PlaneError> {
        let number = if kill {
            9
        } else {
            let image = self.image(&c.image).ok().and_then(|i| i.config.stop_signal);
            let word = c.stop_signal.clone().or(image);
            word.and_then(|w| runtime::signal(&w).ok()).unwrap_or(15)
        };
        let facts = self.container_dir(&group.id, &c.name).facts();
        match facts.running {
            Some(running) => exec::send(&running, number).machine(|| {
                format!("send signal {number} to container '{}' of group '{}'", c.name, group.id)
            }),
            None => Ok(()),
        }
    }

    async fn bury(&self, group: &str, container: &str) -> Result<(), PlaneError> {
        let dir = self.container_dir(group, container);
        let facts = dir.facts();
        if facts.kept || facts.exit.is_some() {
            return Ok(());
        }
        let same_boot = fs::read_to_string(dir.path("begun")).is_ok_and(|b| b == store::boot_id());
        let reason = if same_boot {
            "its shim was killed, so the processes that it left were killed, too"
        } else {
            "the machine was restarted"
        };
        let cgroup = format!("{}/{container}", self.cgroup(group));
        let left = if same_boot { self.cgroups.processes(&cgroup) } else { vec![] };
        let oom = self.cgroups.oom_kills(&cgroup) > 0;
        exec::end_all(&left).await.machine(|| format!("kill processes left by container '{container}'"))?;
        let delete = self.runtime.command(&self.runtime_root(), &dir.path("runtime-delete.log"));
        let mut delete = tokio::process::Command::from(delete);
        delete.args(["delete", "--force"]).arg(runtime_id(group, container));
        // Its result is of no use: after a restart of the machine the runtime has nothing to delete.
        let _ = delete.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
        let exit = Exit {
            at: self.clock.now(),
            code: None,
            signal: None,
            oom,
            reason: ExitReason::Lost(reason.into()),
        };
        dir.write_exit(&exit).machine(|| format!("write the exit record of container '{container}'"))
    }

    async fn exec(
        &self,
        group: &str,
        container: &str,
        argv: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, PlaneError> {
        exec::run(&self.settings.shim, &self.container_dir(group, container), argv, timeout).await
    }

    async fn session(&self, group: &str, container: &str, spec: &SessionSpec) -> Result<Session, PlaneError> {
        session::attach(&self.settings.state_dir, group, container, spec).await
    }

    fn logs(
        &self,
        group: &str,
        container: &str,
        cursor: u64,
        max_bytes: usize,
    ) -> Result<LogChunk, PlaneError> {
        logs::read(&self.container_dir(group, container).path("logs"), cursor, max_bytes)
            .machine(|| format!("read the log of container '{container}' of group '{group}'"))
    }

    fn tail(&self, group: &str, container: &str, lines: usize) -> Result<Vec<LogLine>, PlaneError> {
        logs::tail(&self.container_dir(group, container).path("logs"), lines)
            .machine(|| format!("read the end of the log of container '{container}' of group '{group}'"))
    }

    fn watch_logs(&self, group: &str, container: &str, wake: &Wake) -> Result<(), PlaneError> {
        self.watcher.watch(&self.container_dir(group, container).path("logs"), true, wake)
    }

    fn measures_storage(&self) -> bool {
        true
    }

    fn storage_used(&self, group: &GroupSpec) -> Result<u64, PlaneError> {
        let dir = self.group_dir(&group.id);
        let mut measure = Measure::default();
        let trees = group.containers.iter().map(|c| self.container_dir(&group.id, &c.name).path("upper"));
        let measured = trees.chain([dir.join("volumes")]).try_for_each(|tree| measure.add_tree(&tree));
        if let Err(e) = measured {
            // Storage that cannot be measured could have any size: containers must not escape their limit this way.
            tracing::warn!(group = group.id, "its storage counts as full, because measuring failed: {e}");
            return Ok(u64::MAX);
        }
        let device = dir.metadata().machine(|| format!("read the metadata of {}", dir.display()))?.dev();
        for c in &group.containers {
            for pid in self.cgroups.processes(&format!("{}/{}", self.cgroup(&group.id), c.name)) {
                measure.add_unnamed(pid, device);
            }
        }
        Ok(measure.bytes())
    }

    fn stats(&self, group: &GroupSpec) -> Result<Stats, PlaneError> {
        let path = self.cgroup(&group.id);
        let total = self.cgroups.usage(&path).ok_or_else(|| {
            PlaneError::machine(format!("the cgroup {path} of group '{}' cannot be read", group.id))
        })?;
        let of =
            |c: &ContainerSpec| Some((c.name.clone(), self.cgroups.usage(&format!("{path}/{}", c.name))?));
        Ok(Stats { group: total, containers: group.containers.iter().filter_map(of).collect() })
    }

    fn powered(&self, zone: &str) -> bool {
        !self.settings.state_dir.join("zones-off").join(zone).exists()
    }

    fn set_power(&self, zone: &str, on: bool) -> Result<(), PlaneError> {
        let path = self.settings.state_dir.join("zones-off").join(zone);
        let done = if on {
            fs::remove_file(&path).or_else(|e| match e.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(e),
            })
        } else {
            fs::write(&path, b"")
        };
        done.machine(|| format!("change the power of zone '{zone}'"))
    }

    fn close(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn wipe(&self) -> Result<(), PlaneError> {
        self.cgroups.remove(&self.settings.tag)?;
        for below in DIRECTORIES {
            let dir = self.settings.state_dir.join(below);
            store::remove_tree(&dir)?;
            fs::create_dir(&dir).machine(|| format!("make {}", dir.display()))?;
        }
        Ok(())
    }
}
