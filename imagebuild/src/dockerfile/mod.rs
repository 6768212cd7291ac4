//! Parses Dockerfiles as Docker's reference specifies: <https://docs.docker.com/reference/dockerfile/>.
//!
//! Words are kept as written; variables are substituted when the image is built.

mod lines;
mod stages;
mod words;

pub use stages::Outside;
pub(crate) use stages::{Base, COPY_FROM, FROM};
pub(crate) use words::expand;

use lines::Line;
use words::{pairs, split};

/// A parsed Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// Its name in errors.
    pub file: String,
    pub steps: Vec<Step>,
}

/// One instruction and the line it starts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub line: usize,
    pub instruction: Instruction,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    From {
        image: String,
        /// `AS name`: what later stages call this one.
        name: Option<String>,
        /// Why only an engine can build this stage. The engine needs its image, too.
        foreign: Option<String>,
    },
    Arg(Vec<(String, Option<String>)>),
    Env(Vec<(String, String)>),
    Label(Vec<(String, String)>),
    Copy(CopyFiles),
    Workdir(String),
    User(String),
    Expose(Vec<String>),
    Volume(Vec<String>),
    Entrypoint(Command),
    Cmd(Command),
    StopSignal(String),
    Healthcheck(Healthcheck),
    /// Valid, but only an engine can execute it; contains the reason.
    Foreign(String),
}

/// `COPY`, or an `ADD` of plain files.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CopyFiles {
    pub sources: Vec<String>,
    pub to: String,
    /// `--from`: the stage or image with the files, instead of the build context.
    pub from: Option<String>,
    /// Octal: `0755`.
    pub chmod: Option<String>,
    /// `user` or `user:group`, by number or by name.
    pub chown: Option<String>,
    /// Why only an engine can execute it. The engine needs the image that `from` names, too.
    pub foreign: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `["/bin/x", "y"]`
    Exec(Vec<String>),
    /// `x y`, which the image's `/bin/sh -c` runs.
    Shell(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// `NONE`: removes the base image's check.
    None,
    Check {
        command: Command,
        interval_ns: u64,
        timeout_ns: u64,
        start_period_ns: u64,
        retries: u64,
    },
}

/// An error with its place: `Dockerfile:3: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct DockerfileError {
    pub file: String,
    pub line: usize,
    pub message: String,
}

/// The reason that a Dockerfile needs an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct NeedsEngine {
    pub file: String,
    pub line: usize,
    pub reason: String,
}

impl Dockerfile {
    /// Parses a Dockerfile; `file` is its name in errors.
    pub fn parse(text: &str, file: &str) -> Result<Dockerfile, DockerfileError> {
        let fail = |line, message| DockerfileError { file: file.to_owned(), line, message };
        let opened = |s: &Step| matches!(s.instruction, Instruction::From { .. });
        let mut steps: Vec<Step> = Vec::new();
        for line in lines::read(text).map_err(|(line, message)| fail(line, message))? {
            let instruction = instruction(&line).map_err(|message| fail(line.number, message))?;
            let opens = matches!(instruction, Instruction::From { .. } | Instruction::Arg(_));
            if !opens && !steps.iter().any(opened) {
                let message = "FROM must come first (only ARG may precede it)".to_owned();
                return Err(fail(line.number, message));
            }
            steps.push(Step { line: line.number, instruction });
        }
        if !steps.iter().any(opened) {
            return Err(fail(1, "the Dockerfile has no FROM".into()));
        }
        Ok(Dockerfile { file: file.to_owned(), steps })
    }

    /// The first instruction that [`crate::build()`] cannot execute.
    pub fn needs_engine(&self) -> Option<NeedsEngine> {
        self.steps.iter().find_map(|step| {
            let reason = step.instruction.foreign()?.to_owned();
            Some(NeedsEngine { file: self.file.clone(), line: step.line, reason })
        })
    }

    pub(crate) fn error(&self, line: usize, message: impl Into<String>) -> DockerfileError {
        DockerfileError { file: self.file.clone(), line, message: message.into() }
    }
}

impl Instruction {
    /// Why only an engine can execute it.
    pub(crate) fn foreign(&self) -> Option<&str> {
        match self {
            Instruction::Foreign(reason) => Some(reason),
            Instruction::From { foreign, .. } | Instruction::Copy(CopyFiles { foreign, .. }) => {
                foreign.as_deref()
            }
            _ => None,
        }
    }
}

fn instruction(line: &Line) -> Result<Instruction, String> {
    let word = line.word.to_ascii_uppercase();
    let rest = line.rest.as_str();
    if rest.is_empty() {
        return Err(format!("{word} needs an argument"));
    }
    if ["RUN", "COPY", "ADD"].contains(&word.as_str()) && has_heredoc(rest) {
        return Ok(Instruction::Foreign(format!("{word} with a here-document")));
    }
    Ok(match word.as_str() {
        "FROM" => from(rest, line.escape)?,
        "ARG" => Instruction::Arg(
            split(rest, line.escape)?
                .into_iter()
                .map(|w| match w.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (w, None),
                })
                .collect(),
        ),
        "ENV" => Instruction::Env(pairs("ENV", rest, line.escape)?),
        "LABEL" => Instruction::Label(pairs("LABEL", rest, line.escape)?),
        "COPY" | "ADD" => copy(&word, rest, line.escape)?,
        "WORKDIR" => Instruction::Workdir(rest.to_owned()),
        "USER" => Instruction::User(rest.to_owned()),
        "EXPOSE" => Instruction::Expose(split(rest, line.escape)?),
        "VOLUME" => Instruction::Volume(match exec_form(rest) {
            Some(words) => words,
            None => split(rest, line.escape)?,
        }),
        "ENTRYPOINT" => Instruction::Entrypoint(command(rest)),
        "CMD" => Instruction::Cmd(command(rest)),
        "STOPSIGNAL" => Instruction::StopSignal(rest.to_owned()),
        "HEALTHCHECK" => Instruction::Healthcheck(healthcheck(rest)?),
        "RUN" | "ONBUILD" | "SHELL" => Instruction::Foreign(word),
        "MAINTAINER" => {
            return Err("MAINTAINER is not supported: write LABEL org.opencontainers.image.authors=…".into());
        }
        _ => return Err(format!("unknown instruction `{}`", line.word)),
    })
}

fn from(rest: &str, escape: char) -> Result<Instruction, String> {
    let (flags, words) = flags(split(rest, escape)?);
    let foreign = flags.first().map(|(name, _)| format!("FROM --{name}"));
    match words.as_slice() {
        [image] => Ok(Instruction::From { image: image.clone(), name: None, foreign }),
        [image, r#as, name] if r#as.eq_ignore_ascii_case("as") => {
            Ok(Instruction::From { image: image.clone(), name: Some(name.clone()), foreign })
        }
        _ => Err("FROM takes an image: `FROM image [AS name]`".into()),
    }
}

fn copy(word: &str, rest: &str, escape: char) -> Result<Instruction, String> {
    let after_flags = rest.split_whitespace().find(|w| !w.starts_with("--")).unwrap_or_default();
    let words = match (after_flags.starts_with('['), rest.find('[')) {
        (true, Some(at)) => {
            let listed = exec_form(&rest[at..]).ok_or_else(|| format!("{word}: the list is not JSON"))?;
            let mut words = split(&rest[..at], escape)?;
            words.extend(listed);
            words
        }
        _ => split(rest, escape)?,
    };
    let (flags, mut words) = flags(words);
    let mut copy = CopyFiles::default();
    for (name, value) in flags {
        match (name.as_str(), value) {
            ("chmod", Some(mode)) => copy.chmod = Some(mode),
            ("chown", Some(owner)) => copy.chown = Some(owner),
            ("from", Some(from)) if word == "COPY" => copy.from = Some(from),
            // `--link` affects an engine's cache only; the image is the same
            ("link", None) => {}
            ("link", Some(flag)) if flag == "true" || flag == "false" => {}
            // the first such flag is reported; the rest is parsed nevertheless, so that syntax errors are found
            (name, _) => copy.foreign = copy.foreign.or(Some(format!("{word} --{name}"))),
        }
    }
    let to = words.pop().filter(|_| !words.is_empty());
    copy.to = to.ok_or_else(|| format!("{word} takes one source or more, and a destination"))?;
    copy.sources = words;
    if word == "ADD" {
        let archive =
            |s: &String| [".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"].iter().any(|e| s.ends_with(e));
        let remote = |s: &String| s.contains("://") || s.starts_with("git@");
        if let Some(source) = copy.sources.iter().find(|s| remote(s) || archive(s)) {
            let reason = || format!("ADD of `{source}` (a URL or an archive)");
            copy.foreign = copy.foreign.or_else(|| Some(reason()));
        }
    }
    Ok(Instruction::Copy(copy))
}

/// Splits off the leading `--name=value` flags.
fn flags(words: Vec<String>) -> (Vec<(String, Option<String>)>, Vec<String>) {
    let count = words.iter().take_while(|w| w.starts_with("--")).count();
    let mut flags = words;
    let rest = flags.split_off(count);
    let read = |w: String| match w.trim_start_matches("--").split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (w.trim_start_matches("--").to_owned(), None),
    };
    (flags.into_iter().map(read).collect(), rest)
}

fn command(rest: &str) -> Command {
    exec_form(rest).map_or_else(|| Command::Shell(rest.to_owned()), Command::Exec)
}

/// Parses a JSON list of strings; anything else is the shell form.
fn exec_form(rest: &str) -> Option<Vec<String>> {
    rest.starts_with('[').then(|| serde_json::from_str(rest).ok()).flatten()
}

fn healthcheck(rest: &str) -> Result<Healthcheck, String> {
    const SECOND: u64 = 1_000_000_000;
    let (mut interval_ns, mut timeout_ns, mut start_period_ns, mut retries) =
        (30 * SECOND, 30 * SECOND, 0, 3);
    let mut rest = rest.trim();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        let (name, value) =
            flag.split_once('=').ok_or_else(|| format!("HEALTHCHECK: --{flag} has no value"))?;
        let time =
            || words::duration_ns(value).ok_or_else(|| format!("HEALTHCHECK: --{name} cannot be `{value}`"));
        match name {
            "interval" => interval_ns = time()?,
            "timeout" => timeout_ns = time()?,
            "start-period" => start_period_ns = time()?,
            "retries" => {
                retries = value.parse().map_err(|_| format!("HEALTHCHECK: --retries cannot be `{value}`"))?;
            }
            _ => return Err(format!("HEALTHCHECK: unknown flag --{name}")),
        }
        rest = after.trim_start();
    }
    let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match word.to_ascii_uppercase().as_str() {
        "NONE" if after.trim().is_empty() => Ok(Healthcheck::None),
        "CMD" if !after.trim().is_empty() => Ok(Healthcheck::Check {
            command: command(after.trim()),
            interval_ns,
            timeout_ns,
            start_period_ns,
            retries,
        }),
        _ => Err("HEALTHCHECK takes `CMD command` or `NONE`".into()),
    }
}

fn has_heredoc(rest: &str) -> bool {
    rest.split_whitespace().any(|w| {
        w.strip_prefix("<<").is_some_and(|tag| {
            tag.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic() || "\"'_".contains(c))
        })
    })
}
