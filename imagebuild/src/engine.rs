//! Builds Dockerfiles that run commands with docker, podman or buildah, whichever is installed, and reads the image back as
//! an OCI layout.

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
        "{0} needs docker (with its daemon), podman or buildah, and none of them works on this machine. Install one ({install}), or build the image elsewhere and name it with `image:`",
        install = packages::install(Package::Buildah)
    )]
    None(NeedsEngine),
    #[error("`{command}` failed ({status}). Its last lines are:\n{output}")]
    Failed { command: String, status: String, output: String },
    #[error("cannot start `{command}`: {error}")]
    Start { command: String, error: io::Error },
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// The archive that `docker save` writes, in the folder of the layout.
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

    /// The first engine in a search path (`$PATH`) that works; docker without its daemon does not. The error includes the reason
    /// that an engine is needed.
    pub fn find(path: &OsStr, needed: NeedsEngine) -> Result<Engine, EngineError> {
        Engine::ALL.into_iter().find(|engine| engine.works(path)).ok_or(EngineError::None(needed))
    }

    /// Whether the engine is in a search path and works.
    pub fn works(self, path: &OsStr) -> bool {
        let programs = std::env::split_paths(path).map(|p| p.join(self.program()));
        let info = |program: PathBuf| {
            let quiet =
                Command::new(program).arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
            quiet.is_ok_and(|status| status.success())
        };
        programs.filter(|p| p.is_file()).take(1).any(info)
    }

    /// The command that pulls an image with this login before the build.
    pub fn pull(self, image: &str, login: &EngineLogin) -> Vec<String> {
        let folder = login.folder.path();
        let (program, file) = (self.program().to_owned(), folder.join(EngineLogin::FILE));
        let option = |name: &str, path: &Path| format!("--{name}={}", path.display());
        // docker accepts plain HTTP on loopback; podman and buildah need a flag
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

/// A registry's credentials in the form that engines read, in a folder that is deleted with this value. The user's own logins
/// are not changed. The folder also has the user's docker context, so that docker pulls into the daemon that builds.
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

    /// Takes docker's contexts from this folder of the user. <https://docs.docker.com/engine/manage-resources/contexts/>
    pub fn beside(users: Option<&Path>, registry: &Target) -> Result<EngineLogin, EngineError> {
        // the token must be readable by its owner only
        let own = std::fs::Permissions::from_mode(0o700);
        let made = tempfile::Builder::new().permissions(own).tempdir();
        let folder = made.map_err(|e| at(&std::env::temp_dir(), e))?;
        let path = folder.path().join(EngineLogin::FILE);
        let pair = registry.credentials.as_ref().map(|c| format!("{}:{}", c.user, c.password.reveal()));
        let auth = STANDARD.encode(pair.unwrap_or_default());
        let mut config = serde_json::json!({"auths": {registry.address.as_str(): {"auth": auth}}});
        if let Some(users) = users {
            // a missing or unreadable file names no context
            let text = std::fs::read(users.join(EngineLogin::FILE)).unwrap_or_default();
            let users_config: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
            if let Some(current) = users_config.get("currentContext") {
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

/// Builds with an engine, and passes each line of its output to `line`. Blocks until the build ends.
pub fn build_with(
    commands: &[Vec<String>],
    to: &Path,
    architecture: &str,
    line: &mut dyn FnMut(&str),
) -> Result<Layout, EngineError> {
    std::fs::create_dir_all(to).map_err(|e| at(to, e))?;
    let built = commands.iter().try_for_each(|words| run(words, line));
    // The archive is as large as the image, so it is removed even after a failure.
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
    // the command and its ends of the pipe are dropped at the end of this statement, so that the reader sees the end
    // Escale's umask makes its own files private. An engine would apply it to the folders of the image, so it is reset.
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
