//! Docker, podman or buildah, for Dockerfiles that run commands: whichever is there builds, and its image comes
//! back as an OCI layout.

use crate::{
    dockerfile::NeedsEngine,
    layout::{Layout, LayoutError, at},
    registry::Target,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use escale_base::packages::{self, Package};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Docker,
    Podman,
    Buildah,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(
        "{0}, and none of docker (with its daemon), podman, buildah works here. Install one ({install}), or build the image elsewhere and name it with `image:`",
        install = packages::install(Package::Buildah)
    )]
    None(NeedsEngine),
    #[error("`{command}` failed ({status}); its last lines:\n{output}")]
    Failed { command: String, status: String, output: String },
    #[error("starting `{command}`: {error}")]
    Start { command: String, error: io::Error },
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// What `docker save` writes, within the layout that is made of it.
const ARCHIVE: &str = "saved.tar";

impl Engine {
    pub const ALL: [Engine; 3] = [Engine::Docker, Engine::Podman, Engine::Buildah];

    pub fn program(self) -> &'static str {
        match self {
            Engine::Docker => "docker",
            Engine::Podman => "podman",
            Engine::Buildah => "buildah",
        }
    }

    /// The first engine in a search path (`$PATH`) that works: a docker without its daemon does not. The error tells
    /// what it is needed for.
    pub fn find(path: &OsStr, needed: NeedsEngine) -> Result<Engine, EngineError> {
        let works = |engine: &Engine| {
            let programs = std::env::split_paths(path).map(|p| p.join(engine.program()));
            let info = |program: PathBuf| {
                let quiet =
                    Command::new(program).arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
                quiet.is_ok_and(|status| status.success())
            };
            programs.filter(|p| p.is_file()).take(1).any(info)
        };
        Engine::ALL.into_iter().find(works).ok_or(EngineError::None(needed))
    }

    /// The command that gets an image from where the login is for, so that the build finds it here.
    pub fn pull(self, image: &str, login: &EngineLogin) -> Vec<String> {
        let folder = login.folder.path();
        let (program, file) = (self.program().to_owned(), folder.join(EngineLogin::FILE));
        let option = |name: &str, path: &Path| format!("--{name}={}", path.display());
        // to docker everything on loopback may speak plain HTTP; the others have to be told
        let words = match self {
            Engine::Docker => vec![program, option("config", folder), "pull".into()],
            Engine::Podman | Engine::Buildah => {
                vec![program, "pull".into(), option("authfile", &file), "--tls-verify=false".into()]
            }
        };
        words.into_iter().chain([image.to_owned()]).collect()
    }

    /// The commands that build `dockerfile` and write the image to the layout `to`, one after the other.
    pub fn commands(
        self,
        dockerfile: &Path,
        context: &Path,
        args: &BTreeMap<String, String>,
        reference: &str,
        to: &Path,
    ) -> Vec<Vec<String>> {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let (file, folder, to) =
            (dockerfile.to_string_lossy(), context.to_string_lossy(), to.to_string_lossy());
        let mut build = words(&[self.program(), "build", "--file", &file, "--tag", reference]);
        for (name, value) in args {
            build.extend([String::from("--build-arg"), format!("{name}={value}")]);
        }
        build.push(folder.into_owned());
        let program = self.program();
        match self {
            // since version 25 what `docker save` writes is an OCI layout
            Engine::Docker => {
                let archive = format!("{to}/{ARCHIVE}");
                vec![
                    build,
                    words(&[program, "save", "--output", &archive, reference]),
                    words(&["tar", "--extract", "--file", &archive, "--directory", &to]),
                ]
            }
            Engine::Podman | Engine::Buildah => {
                let target = format!("oci:{to}:{reference}");
                vec![build, words(&[program, "push", reference, &target])]
            }
        }
    }
}

/// A registry's credentials as engines read them, in a folder that goes with this value. The users' own logins stay as
/// they are. Docker also finds in it which daemon it speaks to, so that it pulls into the one that builds.
pub struct EngineLogin {
    folder: tempfile::TempDir,
}

impl EngineLogin {
    const FILE: &'static str = "config.json";

    pub fn new(registry: &Target) -> Result<EngineLogin, EngineError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let users = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")));
        EngineLogin::beside(users.as_deref(), registry)
    }

    /// With the contexts of docker that stand in this folder, the user's own. <https://docs.docker.com/engine/manage-resources/contexts/>
    pub fn beside(users: Option<&Path>, registry: &Target) -> Result<EngineLogin, EngineError> {
        // a token is nobody else's
        let own = std::fs::Permissions::from_mode(0o700);
        let made = tempfile::Builder::new().permissions(own).tempdir();
        let folder = made.map_err(|e| at(&std::env::temp_dir(), e))?;
        let path = folder.path().join(EngineLogin::FILE);
        let pair = registry.credentials.as_ref().map(|c| format!("{}:{}", c.user, c.password.reveal()));
        let auth = STANDARD.encode(pair.unwrap_or_default());
        let mut config = serde_json::json!({"auths": {registry.address.as_str(): {"auth": auth}}});
        if let Some(users) = users {
            // none, or one that docker itself could not read: then there is no choice of a context in it
            let text = std::fs::read(users.join(EngineLogin::FILE)).unwrap_or_default();
            let told: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
            if let Some(current) = told.get("currentContext") {
                config["currentContext"] = current.clone();
            }
            let (contexts, link) = (users.join("contexts"), folder.path().join("contexts"));
            let linked = std::path::absolute(contexts).and_then(|to| std::os::unix::fs::symlink(to, &link));
            linked.map_err(|e| at(&link, e))?;
        }
        std::fs::write(&path, config.to_string()).map_err(|e| at(&path, e))?;
        Ok(EngineLogin { folder })
    }
}

/// Builds with an engine; each line that it prints goes to `line`. Blocks until it is done.
pub fn build_with(
    commands: &[Vec<String>],
    to: &Path,
    architecture: &str,
    line: &mut dyn FnMut(&str),
) -> Result<Layout, EngineError> {
    std::fs::create_dir_all(to).map_err(|e| at(to, e))?;
    let built = commands.iter().try_for_each(|words| run(words, line));
    // It is as large as the image, also when only a half was saved.
    let archive = to.join(ARCHIVE);
    match std::fs::remove_file(&archive) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at(&archive, e).into()),
        _ => {}
    }
    built?;
    Ok(Layout::open(to, architecture)?)
}

fn run(words: &[String], line: &mut dyn FnMut(&str)) -> Result<(), EngineError> {
    use std::io::{BufRead, BufReader};
    const KEPT: usize = 20;
    let command = words.join(" ");
    let start = |error| EngineError::Start { command: command.clone(), error };
    let (program, arguments) = words.split_first().ok_or_else(|| start(io::Error::other("empty command")))?;
    let (reader, writer) = io::pipe().map_err(start)?;
    let both = writer.try_clone().map_err(start)?;
    // the command, with its ends of the pipe, is dropped at the end of this statement
    // Escale's own files are nobody else's, and its umask says so. Engines would make the folders of an image by it.
    let mut child = Command::new("/bin/sh")
        .args(["-c", "umask 022 && exec \"$@\"", "sh", program])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(both)
        .stderr(writer)
        .spawn()
        .map_err(start)?;
    let mut last = std::collections::VecDeque::new();
    for text in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&text).into_owned();
        line(&text);
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(text);
    }
    let status = child.wait().map_err(start)?;
    if status.success() {
        return Ok(());
    }
    let output = last.into_iter().collect::<Vec<_>>().join("\n");
    Err(EngineError::Failed { command: command.clone(), status: status.to_string(), output })
}
