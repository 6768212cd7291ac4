//! The stages that each `FROM` begins, which of them are needed, and the images that they need from registries.

use super::{Dockerfile, DockerfileError, Instruction, Step, expand};
use std::{collections::BTreeMap, fmt, iter};

/// A `FROM` and the instructions after it.
#[derive(Clone, Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) line: usize,
    pub(crate) base: Base,
    /// Without the `FROM` itself.
    pub(crate) steps: &'a [Step],
    name: Option<&'a str>,
}

/// The base of a stage, or the source of `COPY --from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Scratch,
    /// An earlier stage, by its place.
    Stage(usize),
    Image(String),
}

pub(crate) const FROM: &str = "FROM ";
pub(crate) const COPY_FROM: &str = "COPY --from=";

/// An image that the build needs from a registry, and the line that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    pub line: usize,
    pub image: String,
    /// The text before its name: `FROM `, `COPY --from=`.
    pub word: &'static str,
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.word, self.image)
    }
}

/// The stages of a Dockerfile.
pub(crate) struct Stages<'a> {
    pub(crate) all: Vec<Stage<'a>>,
    /// The values of `ARG` before the first `FROM`. They apply to `FROM` only, unless an `ARG` in the stage declares them.
    pub(crate) args: BTreeMap<String, String>,
}

impl Dockerfile {
    /// The images that must exist before the build, each once. `args` override the defaults of `ARG`.
    pub fn outside(&self, args: &BTreeMap<String, String>) -> Result<Vec<Outside>, DockerfileError> {
        let stages = self.stages(args)?;
        let mut found: Vec<Outside> = Vec::new();
        let needed = stages.needed();
        for (index, stage) in stages.all.iter().enumerate().filter(|(index, _)| needed[*index]) {
            let takes = stage.takes().map(|(line, from)| (line, stages.resolve(from, index), COPY_FROM));
            for (line, base, word) in iter::once((stage.line, stage.base.clone(), FROM)).chain(takes) {
                if let Base::Image(image) = base
                    && !found.iter().any(|f| f.image == image)
                {
                    found.push(Outside { line, image, word });
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn stages(&self, given: &BTreeMap<String, String>) -> Result<Stages<'_>, DockerfileError> {
        let mut stages = Stages { all: Vec::new(), args: BTreeMap::new() };
        for (index, step) in self.steps.iter().enumerate() {
            match &step.instruction {
                Instruction::Arg(names) if stages.all.is_empty() => {
                    for (name, default) in names {
                        let value = match (given.get(name), default) {
                            (Some(given), _) => Some(given.clone()),
                            (None, Some(default)) => Some(stages.expand(self, step.line, default)?),
                            (None, None) => None,
                        };
                        stages.args.extend(value.map(|value| (name.clone(), value)));
                    }
                }
                Instruction::From { image, name, .. } => {
                    let image = stages.expand(self, step.line, image)?;
                    let base = match image.as_str() {
                        "scratch" => Base::Scratch,
                        // a number names a stage in COPY only
                        _ if image.parse::<usize>().is_ok() => Base::Image(image),
                        _ => stages.resolve(&image, stages.all.len()),
                    };
                    let rest = &self.steps[index + 1..];
                    let end = rest.iter().position(|s| matches!(s.instruction, Instruction::From { .. }));
                    let steps = &rest[..end.unwrap_or(rest.len())];
                    stages.all.push(Stage { line: step.line, base, steps, name: name.as_deref() });
                }
                _ => {}
            }
        }
        Ok(stages)
    }
}

impl Stage<'_> {
    /// The names in its `COPY --from`, with their lines.
    fn takes(&self) -> impl Iterator<Item = (usize, &str)> {
        self.steps.iter().filter_map(|step| match &step.instruction {
            Instruction::Copy(copy) => Some((step.line, copy.from.as_deref()?)),
            _ => None,
        })
    }
}

impl Stages<'_> {
    /// A name or a number among the first `before` stages; anything else is an image.
    pub(crate) fn resolve(&self, from: &str, before: usize) -> Base {
        let earlier = &self.all[..before];
        let named = || earlier.iter().rposition(|s| s.name.is_some_and(|n| n.eq_ignore_ascii_case(from)));
        match from.parse().ok().filter(|n| *n < before).or_else(named) {
            Some(stage) => Base::Stage(stage),
            None => Base::Image(from.to_owned()),
        }
    }

    /// The stages that the last one needs. The others are not built, as in BuildKit.
    pub(crate) fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.all.len()];
        if let Some(last) = needed.last_mut() {
            *last = true;
        }
        for (index, stage) in self.all.iter().enumerate().rev() {
            if !needed[index] {
                continue;
            }
            let takes = stage.takes().map(|(_, from)| self.resolve(from, index));
            for base in iter::once(stage.base.clone()).chain(takes) {
                if let Base::Stage(earlier) = base {
                    needed[earlier] = true;
                }
            }
        }
        needed
    }

    fn expand(&self, file: &Dockerfile, line: usize, text: &str) -> Result<String, DockerfileError> {
        expand(text, &|name| self.args.get(name).cloned()).map_err(|what| file.error(line, what))
    }
}
