//! Builds an image from a Dockerfile that runs nothing.

use crate::{
    config::{argv, healthcheck, oci_layer},
    context::{Context, Found},
    dockerfile::{CopyFiles, Dockerfile, DockerfileError, Instruction, expand},
    layer::{self, Entries, Entry, What},
    layout::{CONFIG, LAYER_GZIP, Layout, LayoutError, MANIFEST, Writer},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fs, io, os::unix::fs::PermissionsExt, path::Path};

/// Where `FROM image` finds what it names.
pub trait Bases {
    /// The image, already on disk; the error says why it is not there and what to do.
    fn find(&self, reference: &str) -> Result<Layout, String>;
}

/// For images that start from nothing.
pub struct NoBases;

impl Bases for NoBases {
    fn find(&self, reference: &str) -> Result<Layout, String> {
        Err(format!("only `FROM scratch` can be built here; `{reference}` would have to be pulled first"))
    }
}

/// What to build.
pub struct Recipe<'a> {
    pub dockerfile: &'a Dockerfile,
    pub context: &'a Context,
    /// Values for `ARG`, over the defaults in the Dockerfile.
    pub args: BTreeMap<String, String>,
    /// In Go's words: `amd64`, `arm64`.
    pub architecture: &'a str,
    /// The name that the layout's index gives to the image: `shop/backend:1`.
    pub reference: &'a str,
}

/// An image that was built.
#[derive(Clone, Debug)]
pub struct Built {
    pub layout: Layout,
    /// The manifest's digest. The same Dockerfile and files give the same one.
    pub digest: String,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Dockerfile(#[from] DockerfileError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("reading the build context {folder}: {error}")]
    Context { folder: String, error: io::Error },
}

/// Builds into `to`, a folder that is made when it is not there. Nothing is executed.
pub fn build(recipe: &Recipe<'_>, bases: &dyn Bases, to: &Path) -> Result<Built, BuildError> {
    let mut image = Image {
        recipe,
        writer: Writer::create(to)?,
        args: BTreeMap::new(),
        args_of_from: BTreeMap::new(),
        config: Map::new(),
        env: Vec::new(),
        layers: Vec::new(),
        diff_ids: Vec::new(),
        history: Vec::new(),
        has_base: false,
        own_cmd: false,
        folders: Vec::new(),
    };
    for step in &recipe.dockerfile.steps {
        image.step(step.line, &step.instruction, bases)?;
    }
    let layout = image.finish()?;
    Ok(Built { digest: layout.digest.clone(), layout })
}

/// An image in the making.
struct Image<'a> {
    recipe: &'a Recipe<'a>,
    writer: Writer,
    args: BTreeMap<String, String>,
    args_of_from: BTreeMap<String, String>,
    /// The `config` part of the image's configuration.
    config: Map<String, Value>,
    env: Vec<(String, String)>,
    layers: Vec<Value>,
    diff_ids: Vec<Value>,
    history: Vec<Value>,
    has_base: bool,
    own_cmd: bool,
    /// Folders that this build has made, with those above them.
    folders: Vec<String>,
}

impl Image<'_> {
    fn step(&mut self, line: usize, instruction: &Instruction, bases: &dyn Bases) -> Result<(), BuildError> {
        match instruction {
            Instruction::From { image } => self.from(line, image, bases)?,
            Instruction::Arg(names) => self.arg(line, names)?,
            Instruction::Env(pairs) => {
                // all values of one instruction see what was before it
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
            Instruction::Copy(copy) => self.copy(line, copy)?,
            Instruction::Workdir(path) => {
                let path = self.resolve(&self.expand(line, path)?);
                self.config.insert("WorkingDir".into(), path.clone().into());
                let mut entries = Entries::new();
                self.folder(&mut entries, path.trim_start_matches('/'));
                self.layer(&entries, format!("WORKDIR {path}"))?;
            }
            Instruction::User(user) => {
                let user = self.expand(line, user)?;
                self.config.insert("User".into(), user.into());
            }
            Instruction::Expose(ports) => self.expose(line, ports)?,
            Instruction::Volume(paths) => {
                for path in paths {
                    let path = self.expand(line, path)?;
                    self.entry("Volumes").insert(path, json!({}));
                }
            }
            Instruction::Entrypoint(command) => {
                self.config.insert("Entrypoint".into(), argv(command));
                // the base image's arguments were for its own entry point
                if !self.own_cmd {
                    self.config.remove("Cmd");
                }
            }
            Instruction::Cmd(command) => {
                self.own_cmd = true;
                self.config.insert("Cmd".into(), argv(command));
            }
            Instruction::StopSignal(signal) => {
                let signal = self.expand(line, signal)?;
                self.config.insert("StopSignal".into(), signal.into());
            }
            Instruction::Healthcheck(check) => {
                self.config.insert("Healthcheck".into(), healthcheck(check));
            }
            Instruction::Foreign(reason) => {
                let message = format!("{reason} needs docker, podman or buildah");
                return Err(self.error(line, message).into());
            }
        }
        Ok(())
    }

    fn from(&mut self, line: usize, image: &str, bases: &dyn Bases) -> Result<(), BuildError> {
        let image = self.expand(line, image)?;
        // an ARG before FROM is for FROM alone, unless an ARG behind it asks for its value
        self.args_of_from = std::mem::take(&mut self.args);
        if image == "scratch" {
            set(&mut self.env, "PATH", DEFAULT_PATH.into());
            return Ok(());
        }
        let base = bases.find(&image).map_err(|why| self.error(line, format!("FROM {image}: {why}")))?;
        let config = base.config()?;
        for layer in base.manifest["layers"].as_array().into_iter().flatten() {
            let digest = layer["digest"].as_str().unwrap_or_default();
            self.writer.take(digest, &base.blob(digest)?)?;
            self.layers.push(oci_layer(layer));
        }
        self.diff_ids = config["rootfs"]["diff_ids"].as_array().cloned().unwrap_or_default();
        self.history = config["history"].as_array().cloned().unwrap_or_default();
        self.config = config["config"].as_object().cloned().unwrap_or_default();
        for pair in self.config.remove("Env").and_then(|e| e.as_array().cloned()).into_iter().flatten() {
            if let Some((name, value)) = pair.as_str().and_then(|p| p.split_once('=')) {
                set(&mut self.env, name, value.into());
            }
        }
        self.has_base = true;
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

    fn copy(&mut self, line: usize, copy: &CopyFiles) -> Result<(), BuildError> {
        let to = self.expand(line, &copy.to)?;
        let sources: Vec<String> =
            copy.sources.iter().map(|s| self.expand(line, s)).collect::<Result<_, DockerfileError>>()?;
        let owner = self.owner(line, copy.chown.as_deref())?;
        let mode =
            match &copy.chmod {
                None => None,
                Some(text) => {
                    let text = self.expand(line, text)?;
                    let mode = u32::from_str_radix(&text, 8).ok().filter(|m| *m <= 0o7777);
                    Some(mode.ok_or_else(|| {
                        self.error(line, format!("--chmod takes an octal mode, not `{text}`"))
                    })?)
                }
            };
        let mut selected = Vec::new();
        for source in &sources {
            selected.extend(self.select(line, source)?);
        }
        let is_folder = |f: &Found| f.full.is_dir();
        let many = sources.len() > 1 || selected.len() > 1;
        if many && !to.ends_with('/') && !to.ends_with("/.") && to != "." {
            let message =
                format!("with more than one source the destination must end with `/`, unlike `{to}`");
            return Err(self.error(line, message).into());
        }
        let into_folder =
            to.ends_with('/') || to == "." || to.ends_with("/.") || selected.iter().any(is_folder);
        let target = self.resolve(&to);
        let target = target.trim_start_matches('/');
        let mut entries = Entries::new();
        let above = if into_folder { target } else { target.rsplit_once('/').map_or("", |(above, _)| above) };
        self.folder(&mut entries, above);
        for found in &selected {
            let name = match (into_folder, found.path.rsplit('/').next()) {
                (true, Some(name)) if !is_folder(found) => join(target, name),
                _ => target.to_owned(),
            };
            self.add(&mut entries, found, &name, owner, mode)?;
        }
        self.layer(&entries, format!("COPY {} {to}", sources.join(" ")))
    }

    /// Adds a file, or everything below a folder.
    fn add(
        &self,
        entries: &mut Entries,
        found: &Found,
        name: &str,
        owner: (u64, u64),
        mode: Option<u32>,
    ) -> Result<(), BuildError> {
        if !found.full.is_dir() {
            // a link named outright is followed; links in folders stay links
            let entry = fs::metadata(&found.full)
                .and_then(|m| entry(&found.full, &m, owner, mode))
                .map_err(|e| self.context_error(e))?;
            entries.insert(name.to_owned(), entry);
            return Ok(());
        }
        for below in self.recipe.context.below(&found.path).map_err(|e| self.context_error(e))? {
            let rest = below.path.strip_prefix(&found.path).unwrap_or(&below.path).trim_start_matches('/');
            let metadata = fs::symlink_metadata(&below.full);
            let entry = metadata.and_then(|m| entry(&below.full, &m, owner, mode));
            let entry = entry.map_err(|e| self.context_error(e))?;
            entries.insert(join(name, rest), entry);
        }
        Ok(())
    }

    fn select(&self, line: usize, source: &str) -> Result<Vec<Found>, BuildError> {
        let mut clean: Vec<&str> = Vec::new();
        for part in source.split('/').filter(|p| !p.is_empty() && *p != ".") {
            if part == ".." && clean.pop().is_none() {
                return Err(self.error(line, format!("`{source}` leads out of the build context")).into());
            } else if part != ".." {
                clean.push(part);
            }
        }
        let path = clean.join("/");
        let found = self.recipe.context.select(&path).map_err(|e| self.context_error(e))?;
        if found.is_empty() {
            let context = self.recipe.context.folder().display();
            let message = match self.recipe.context.is_ignored(&path) {
                true => format!("`{source}` is hidden by .dockerignore in {context}"),
                false => format!("there is no `{source}` in {context}"),
            };
            return Err(self.error(line, message).into());
        }
        // what a link leads to must be in the context as well
        let root = self.recipe.context.folder().canonicalize().map_err(|e| self.context_error(e))?;
        for one in &found {
            let real = one.full.canonicalize().map_err(|e| self.context_error(e))?;
            if !real.starts_with(&root) {
                return Err(self
                    .error(line, format!("`{}` leads out of the build context", one.path))
                    .into());
            }
        }
        Ok(found)
    }

    fn owner(&self, line: usize, chown: Option<&str>) -> Result<(u64, u64), DockerfileError> {
        let Some(text) = chown else { return Ok((0, 0)) };
        let text = self.expand(line, text)?;
        let (user, group) = text.split_once(':').unwrap_or((&text, &text));
        let id = |name: &str| match name {
            "root" => Some(0),
            _ => name.parse().ok(),
        };
        id(user).zip(id(group)).ok_or_else(|| {
            self.error(
                line,
                format!("--chown takes numbers (`1000:1000`); the names in `{text}` need docker"),
            )
        })
    }

    /// Makes a folder and those above it, where no base image can have them with modes of its own.
    fn folder(&mut self, entries: &mut Entries, path: &str) {
        if self.has_base {
            return;
        }
        let ends = path.match_indices('/').map(|(i, _)| i).chain([path.len()]);
        for folder in ends.map(|end| &path[..end]).filter(|f| !f.is_empty()) {
            if !self.folders.iter().any(|f| f == folder) {
                self.folders.push(folder.to_owned());
                entries.insert(folder.to_owned(), Entry { what: What::Folder, mode: 0o755, uid: 0, gid: 0 });
            }
        }
    }

    fn layer(&mut self, entries: &Entries, created_by: String) -> Result<(), BuildError> {
        if entries.is_empty() {
            return Ok(());
        }
        let layer = layer::write(&self.writer, entries)?;
        let descriptor = json!({"mediaType": LAYER_GZIP, "digest": layer.digest, "size": layer.size_bytes});
        self.layers.push(descriptor);
        self.diff_ids.push(layer.diff_id.into());
        self.history.push(json!({"created_by": created_by}));
        Ok(())
    }

    fn finish(mut self) -> Result<Layout, BuildError> {
        let env: Vec<String> = self.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.config.insert("Env".into(), env.into());
        // a list of keys in the order of the alphabet, whatever order they came in
        self.config.sort_keys();
        for part in ["Labels", "ExposedPorts", "Volumes"] {
            if let Some(Value::Object(map)) = self.config.get_mut(part) {
                map.sort_keys();
            }
        }
        let config = json!({
            "architecture": self.recipe.architecture,
            "os": "linux",
            "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
            "history": self.history,
        })
        .to_string();
        let digest = self.writer.blob(config.as_bytes())?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest, "size": config.len()},
            "layers": self.layers,
        });
        Ok(self.writer.finish(manifest, self.recipe.reference)?)
    }

    fn expand(&self, line: usize, text: &str) -> Result<String, DockerfileError> {
        let env = |name: &str| self.env.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let lookup = |name: &str| env(name).or_else(|| self.args.get(name).cloned());
        expand(text, &lookup).map_err(|what| self.error(line, what))
    }

    /// An absolute path, from the working directory.
    fn resolve(&self, path: &str) -> String {
        let base = self.config.get("WorkingDir").and_then(Value::as_str).unwrap_or("/");
        let whole = if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") };
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

    fn error(&self, line: usize, message: impl Into<String>) -> DockerfileError {
        self.recipe.dockerfile.error(line, message)
    }

    fn context_error(&self, error: io::Error) -> BuildError {
        BuildError::Context { folder: self.recipe.context.folder().display().to_string(), error }
    }
}

/// What Docker sets in every image that says nothing else.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn entry(
    path: &Path,
    metadata: &fs::Metadata,
    (uid, gid): (u64, u64),
    mode: Option<u32>,
) -> io::Result<Entry> {
    let kind = metadata.file_type();
    let what = if kind.is_dir() {
        What::Folder
    } else if kind.is_symlink() {
        What::Link(fs::read_link(path)?)
    } else if kind.is_file() {
        What::File(path.to_owned())
    } else {
        return Err(io::Error::other(format!("{} is neither file, folder nor link", path.display())));
    };
    let mode = match (&what, mode) {
        (What::Link(_), _) => 0o777,
        (_, Some(mode)) => mode,
        (_, None) => metadata.permissions().mode() & 0o7777,
    };
    Ok(Entry { what, mode, uid, gid })
}

fn set(env: &mut Vec<(String, String)>, name: &str, value: String) {
    match env.iter_mut().find(|(n, _)| n == name) {
        Some((_, old)) => *old = value,
        None => env.push((name.to_owned(), value)),
    }
}

fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        _ => format!("{folder}/{name}"),
    }
}
