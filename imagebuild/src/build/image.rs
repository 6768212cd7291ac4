//! One stage of a build.

use super::{BuildError, Recipe, join};
use crate::{
    accounts::Accounts,
    config::{argv, healthcheck, oci_layer},
    dockerfile::{DockerfileError, Instruction, expand},
    layer::{self, Entries, Entry, What},
    layout::{CONFIG, LAYER_GZIP, Layout, MANIFEST, Writer},
    tree::{Kind, Tree, extract},
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
};

/// Opens the image that `COPY --from` on this line of the Dockerfile names.
pub(super) type Open<'a, 'i> = &'i dyn Fn(usize, &str) -> Result<Image<'a>, BuildError>;

#[derive(Clone)]
pub(super) struct Image<'a> {
    pub(super) recipe: &'a Recipe<'a>,
    pub(super) writer: &'a Writer,
    args_of_from: &'a BTreeMap<String, String>,
    args: BTreeMap<String, String>,
    /// The `config` part of the image's configuration.
    config: Map<String, Value>,
    env: Vec<(String, String)>,
    /// As the manifest describes them.
    layers: Vec<Value>,
    diff_ids: Vec<Value>,
    history: Vec<Value>,
    variant: Option<String>,
    own_cmd: bool,
    /// The line of `USER`: its name is looked up at the end, when all files of the image exist.
    user_line: Option<usize>,
    files: Tree,
    /// The number of layers that `files` includes already.
    shown: usize,
}

impl<'a> Image<'a> {
    /// An empty image.
    pub(super) fn new(
        recipe: &'a Recipe<'a>,
        writer: &'a Writer,
        args_of_from: &'a BTreeMap<String, String>,
    ) -> Image<'a> {
        Image {
            recipe,
            writer,
            args_of_from,
            args: BTreeMap::new(),
            config: Map::new(),
            env: vec![("PATH".into(), DEFAULT_PATH.into())],
            layers: Vec::new(),
            diff_ids: Vec::new(),
            history: Vec::new(),
            variant: None,
            own_cmd: false,
            user_line: None,
            files: Tree::default(),
            shown: 0,
        }
    }

    /// An image that begins as a copy of its base, or the reason that the base cannot be used.
    pub(super) fn on(
        recipe: &'a Recipe<'a>,
        writer: &'a Writer,
        args_of_from: &'a BTreeMap<String, String>,
        base: &Layout,
    ) -> Result<Result<Image<'a>, String>, BuildError> {
        let config = base.config()?;
        let layers = base.manifest["layers"].as_array().cloned().unwrap_or_default();
        let diff_ids = config["rootfs"]["diff_ids"].as_array().cloned().unwrap_or_default();
        if let Some(why) = unfit(&config, &layers, &diff_ids, recipe.architecture) {
            return Ok(Err(why));
        }
        let mut image = Image::new(recipe, writer, args_of_from);
        for layer in &layers {
            let digest = layer["digest"].as_str().unwrap_or_default();
            writer.take(digest, &base.blob(digest)?)?;
            image.layers.push(oci_layer(layer));
        }
        image.history = config["history"].as_array().cloned().unwrap_or_default();
        let entries = image.history.iter().filter(|h| h["empty_layer"] != true).count();
        // readers assign the entries to the layers in order, so a layer without an entry would shift the later ones
        for _ in entries..layers.len() {
            image.history.push(json!({"comment": "a layer without history in the base image"}));
        }
        image.diff_ids = diff_ids;
        image.variant = config["variant"].as_str().map(str::to_owned);
        image.config = config["config"].as_object().cloned().unwrap_or_default();
        image.env.clear();
        for pair in image.config.remove("Env").and_then(|e| e.as_array().cloned()).into_iter().flatten() {
            if let Some((name, value)) = pair.as_str().and_then(|p| p.split_once('=')) {
                set(&mut image.env, name, value.into());
            }
        }
        Ok(Ok(image))
    }

    /// Removes the state that does not carry over into the next stage.
    pub(super) fn begin_stage(&mut self) {
        self.args.clear();
        self.own_cmd = false;
    }

    pub(super) fn step(
        &mut self,
        line: usize,
        instruction: &Instruction,
        open: Open<'a, '_>,
    ) -> Result<(), BuildError> {
        match instruction {
            Instruction::From { .. } => {} // handled when the stage began
            Instruction::Foreign(_) => {}  // refused before the build began
            Instruction::Arg(names) => self.arg(line, names)?,
            Instruction::Env(pairs) => {
                // all values of one instruction see the variables from before it
                let values: Vec<_> = pairs
                    .iter()
                    .map(|(_, v)| self.expand(line, v))
                    .collect::<Result<_, DockerfileError>>()?;
                pairs.iter().zip(values).for_each(|((name, _), value)| set(&mut self.env, name, value));
            }
            Instruction::Label(pairs) => {
                for (name, value) in pairs {
                    let (name, value) = (self.expand(line, name)?, self.expand(line, value)?);
                    self.entry("Labels").insert(name, value.into());
                }
            }
            Instruction::Copy(copy) => self.copy(line, copy, open)?,
            Instruction::Workdir(path) => {
                let path = self.absolute(&self.expand(line, path)?);
                self.config.insert("WorkingDir".into(), path.clone().into());
                let mut entries = Entries::new();
                let place = self.place(line, &path, true)?;
                // a folder that exists already needs no layer
                if self.files.get(&place).is_none() {
                    self.folder(line, &mut entries, &place)?;
                }
                self.layer(&entries, format!("WORKDIR {path}"))?;
            }
            Instruction::User(user) => {
                let user = self.expand(line, user)?;
                self.config.insert("User".into(), user.into());
                self.user_line = Some(line);
            }
            Instruction::Expose(ports) => self.expose(line, ports)?,
            Instruction::Volume(paths) => {
                for path in paths {
                    let path = self.expand(line, path)?;
                    self.entry("Volumes").insert(path, json!({}));
                }
            }
            Instruction::Entrypoint(command) => {
                self.config.insert("Entrypoint".into(), argv(command, self.config.get("Shell")));
                // the base image's CMD contains arguments of its own entry point
                if !self.own_cmd {
                    self.config.remove("Cmd");
                }
            }
            Instruction::Cmd(command) => {
                self.own_cmd = true;
                self.config.insert("Cmd".into(), argv(command, self.config.get("Shell")));
            }
            Instruction::StopSignal(signal) => {
                let signal = self.expand(line, signal)?;
                self.config.insert("StopSignal".into(), signal.into());
            }
            Instruction::Healthcheck(check) => {
                self.config.insert("Healthcheck".into(), healthcheck(check));
            }
        }
        Ok(())
    }

    fn arg(&mut self, line: usize, names: &[(String, Option<String>)]) -> Result<(), DockerfileError> {
        for (name, default) in names {
            let value = match (self.recipe.args.get(name), default) {
                (Some(given), _) => Some(given.clone()),
                (None, Some(default)) => Some(self.expand(line, default)?),
                (None, None) => self.args_of_from.get(name).cloned(),
            };
            if let Some(value) = value {
                self.args.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    fn expose(&mut self, line: usize, ports: &[String]) -> Result<(), DockerfileError> {
        for port in ports {
            let port = self.expand(line, port)?;
            let (number, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
            if number.parse::<u16>().is_err() || !["tcp", "udp"].contains(&protocol) {
                return Err(
                    self.error(line, format!("EXPOSE takes a port like `8000` or `53/udp`, unlike `{port}`"))
                );
            }
            let key = format!("{number}/{protocol}");
            self.entry("ExposedPorts").insert(key, json!({}));
        }
        Ok(())
    }

    /// The image's files from all layers so far.
    pub(super) fn files(&mut self) -> Result<&Tree, BuildError> {
        while self.shown < self.layers.len() {
            let blob = self.blob(self.shown)?;
            self.files.read(&blob).map_err(|error| layer_error(&blob, error))?;
            self.shown += 1;
        }
        Ok(&self.files)
    }

    fn blob(&self, layer: usize) -> Result<PathBuf, BuildError> {
        Ok(self.writer.path(self.layers[layer]["digest"].as_str().unwrap_or_default())?)
    }

    /// The numbers of `user:group`.
    pub(super) fn owner(&mut self, line: usize, text: &str) -> Result<(u64, u64), BuildError> {
        let accounts = if text.split(':').all(|part| part.parse::<u64>().is_ok() || part == "root") {
            Accounts::default()
        } else {
            self.accounts()?
        };
        Ok(accounts.owner(text).map_err(|why| self.error(line, why))?)
    }

    fn accounts(&mut self) -> Result<Accounts, BuildError> {
        let files = self.files()?;
        // No real account file is larger, and a huge one must not be held in memory.
        const ACCOUNT_FILE_BYTES: u64 = 1024 * 1024;
        let text = |path: &str| -> Result<String, BuildError> {
            let Some(Kind::File(content)) = files.follow(path).map(|node| &node.kind) else {
                return Ok(String::new());
            };
            let mut text = Vec::new();
            extract(&content.blob, &BTreeSet::from([content.path.as_str()]), &mut |_, bytes| {
                text.clear();
                bytes.take(ACCOUNT_FILE_BYTES).read_to_end(&mut text).map(drop)
            })
            .map_err(|error| layer_error(&content.blob, error))?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        Ok(Accounts { passwd: text("etc/passwd")?, group: text("etc/group")? })
    }

    /// Resolves a path through the links of the base image; the result is relative to the root.
    pub(super) fn place(&mut self, line: usize, path: &str, last: bool) -> Result<String, BuildError> {
        let path = path.trim_start_matches('/');
        let found = self.files()?.resolve(path, last);
        found.ok_or_else(|| self.error(line, format!("the symbolic links at `/{path}` form a loop")).into())
    }

    /// Adds entries for the parent folders of a path: those that do not exist, and those whose mode or owner differs from an
    /// unpacker's default.
    pub(super) fn folder(
        &mut self,
        line: usize,
        entries: &mut Entries,
        path: &str,
    ) -> Result<(), BuildError> {
        let files = self.files()?;
        let ends = path.match_indices('/').map(|(i, _)| i).chain([path.len()]);
        for folder in ends.map(|end| &path[..end]).filter(|f| !f.is_empty()) {
            let usual = Entry { what: What::Folder, mode: 0o755, uid: 0, gid: 0 };
            let entry = match files.get(folder) {
                None => usual,
                Some(node) if node.kind != Kind::Folder => {
                    let message = format!("`/{folder}` is not a folder in the image");
                    return Err(self.error(line, message).into());
                }
                Some(node) if (node.mode, node.uid, node.gid) == (usual.mode, usual.uid, usual.gid) => {
                    continue;
                }
                Some(node) => Entry { what: What::Folder, mode: node.mode, uid: node.uid, gid: node.gid },
            };
            entries.insert(folder.to_owned(), entry);
        }
        Ok(())
    }

    pub(super) fn layer(&mut self, entries: &Entries, created_by: String) -> Result<(), BuildError> {
        if entries.is_empty() {
            return Ok(());
        }
        let layer = layer::write(self.writer, entries)?;
        let descriptor = json!({"mediaType": LAYER_GZIP, "digest": layer.digest, "size": layer.size_bytes});
        if self.shown == self.layers.len() {
            self.files.add(entries, &self.writer.path(&layer.digest)?);
            self.shown += 1;
        }
        self.layers.push(descriptor);
        self.diff_ids.push(layer.diff_id.into());
        self.history.push(json!({"created_by": created_by}));
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Layout, BuildError> {
        self.check_user()?;
        let env: Vec<String> = self.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.config.insert("Env".into(), env.into());
        // sorted, so that the digest does not depend on the order in the Dockerfile
        self.config.sort_keys();
        for part in ["Labels", "ExposedPorts", "Volumes"] {
            if let Some(Value::Object(map)) = self.config.get_mut(part) {
                map.sort_keys();
            }
        }
        let mut config = json!({"architecture": self.recipe.architecture, "os": "linux"});
        if let Some(variant) = &self.variant {
            config["variant"] = variant.as_str().into();
        }
        config["config"] = self.config.into();
        config["rootfs"] = json!({"type": "layers", "diff_ids": self.diff_ids});
        config["history"] = self.history.into();
        let config = config.to_string();
        let digest = self.writer.blob(config.as_bytes())?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest, "size": config.len()},
            "layers": self.layers,
        });
        Ok(self.writer.finish(manifest, self.recipe.reference)?)
    }

    /// Checks that the image has the user; otherwise every container would fail at its start.
    fn check_user(&mut self) -> Result<(), BuildError> {
        let user = self.config.get("User").and_then(Value::as_str).unwrap_or_default().to_owned();
        let names = user.split(':').any(|part| !part.is_empty() && part.parse::<u64>().is_err());
        let (Some(line), true) = (self.user_line, names) else { return Ok(()) };
        let accounts = self.accounts()?;
        let (name, group) = user.split_once(':').map_or((user.as_str(), None), |(u, g)| (u, Some(g)));
        let known = match name.parse::<u64>() {
            Ok(_) => Ok(()),
            Err(_) => accounts.user(name).map(drop),
        };
        let known = known.and_then(|()| group.map_or(Ok(()), |g| accounts.group(g).map(drop)));
        Ok(known.map_err(|why| self.error(line, format!("USER {user}: {why}")))?)
    }

    pub(super) fn expand(&self, line: usize, text: &str) -> Result<String, DockerfileError> {
        let env = |name: &str| self.env.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let lookup = |name: &str| env(name).or_else(|| self.args.get(name).cloned());
        expand(text, &lookup).map_err(|what| self.error(line, what))
    }

    /// Makes a path absolute, relative to the working directory.
    pub(super) fn absolute(&self, path: &str) -> String {
        let base = self.config.get("WorkingDir").and_then(Value::as_str).unwrap_or("/");
        let whole = if path.starts_with('/') { path.to_owned() } else { join(base, path) };
        let mut clean: Vec<&str> = Vec::new();
        for part in whole.split('/').filter(|p| !p.is_empty() && *p != ".") {
            match part {
                ".." => drop(clean.pop()),
                part => clean.push(part),
            }
        }
        format!("/{}", clean.join("/"))
    }

    fn entry(&mut self, part: &str) -> &mut Map<String, Value> {
        let value = self.config.entry(part).or_insert_with(|| json!({}));
        if !value.is_object() {
            *value = json!({}); // a base image may have `null` there
        }
        value.as_object_mut().expect("was made an object just above")
    }

    pub(super) fn error(&self, line: usize, message: impl Into<String>) -> DockerfileError {
        self.recipe.dockerfile.error(line, message)
    }
}

/// The reason that an image cannot be used as a base.
fn unfit(config: &Value, layers: &[Value], diff_ids: &[Value], architecture: &str) -> Option<String> {
    let there = config["architecture"].as_str().unwrap_or("an architecture that it does not name");
    if there != architecture || config["os"] != "linux" {
        let os = config["os"].as_str().unwrap_or("an unknown system");
        return Some(format!("the image is for {os} on {there}, not for linux on {architecture}"));
    }
    if layers.len() != diff_ids.len() {
        return Some(format!(
            "the image has {} layers, but its configuration lists {}",
            layers.len(),
            diff_ids.len()
        ));
    }
    let triggers = config["config"]["OnBuild"].as_array().is_some_and(|list| !list.is_empty());
    triggers.then(|| "the image has ONBUILD instructions, which need docker, podman or buildah".to_owned())
}

pub(super) fn layer_error(blob: &Path, error: std::io::Error) -> BuildError {
    BuildError::Layer { blob: blob.display().to_string(), error }
}

/// The PATH that Docker sets in images without one.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn set(env: &mut Vec<(String, String)>, name: &str, value: String) {
    match env.iter_mut().find(|(n, _)| n == name) {
        Some((_, old)) => *old = value,
        None => env.push((name.to_owned(), value)),
    }
}
