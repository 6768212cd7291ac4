//! Builds an image from a Dockerfile without `RUN`.

mod copy;
mod image;

use crate::{
    context::Context,
    dockerfile::{Base, COPY_FROM, Dockerfile, DockerfileError, FROM, NeedsEngine},
    layout::{Layout, LayoutError, Writer},
};
use image::Image;
use std::{collections::BTreeMap, io, path::Path};

/// The source of the images that `FROM` and `COPY --from` name.
pub trait Bases {
    /// The image, already on disk. The error says why it is missing and how to fix that.
    fn find(&self, reference: &str) -> Result<Layout, String>;
}

/// Images that were pulled before, by the names in Dockerfiles.
impl Bases for BTreeMap<String, Layout> {
    fn find(&self, reference: &str) -> Result<Layout, String> {
        self.get(reference).cloned().ok_or_else(|| "it was not pulled".to_owned())
    }
}

/// The inputs of a build.
pub struct Recipe<'a> {
    pub dockerfile: &'a Dockerfile,
    pub context: &'a Context,
    /// Values for `ARG`, over the defaults in the Dockerfile.
    pub args: BTreeMap<String, String>,
    /// In Go's words: `amd64`, `arm64`.
    pub architecture: &'a str,
    /// The image's name in the layout's index: `shop/backend:1`.
    pub reference: &'a str,
}

/// An image that was built.
#[derive(Clone, Debug)]
pub struct Built {
    pub layout: Layout,
    /// The manifest's digest. The same Dockerfile and files give the same digest.
    pub digest: String,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Dockerfile(#[from] DockerfileError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("cannot read {path} of the build context: {error}")]
    Context { path: String, error: io::Error },
    #[error("cannot read the layer {blob}: {error}")]
    Layer { blob: String, error: io::Error },
}

/// Builds into the folder `to`, which is created if it does not exist. Executes nothing of the image.
pub fn build(recipe: &Recipe<'_>, bases: &dyn Bases, to: &Path) -> Result<Built, BuildError> {
    if let Some(NeedsEngine { line, reason, .. }) = recipe.dockerfile.needs_engine() {
        let message = format!("{reason} needs docker, podman or buildah");
        return Err(recipe.dockerfile.error(line, message).into());
    }
    let writer = Writer::create(to)?;
    let stages = recipe.dockerfile.stages(&recipe.args)?;
    let mut images: Vec<Option<Image<'_>>> = Vec::new();
    for (index, (stage, needed)) in stages.all.iter().zip(stages.needed()).enumerate() {
        if !needed {
            images.push(None);
            continue;
        }
        let open = |line: usize, word: &str, base: &Base| -> Result<Image<'_>, BuildError> {
            match base {
                Base::Scratch => Ok(Image::new(recipe, &writer, &stages.args)),
                Base::Stage(earlier) => {
                    Ok(images[*earlier].clone().expect("what is needed was built before"))
                }
                Base::Image(name) => {
                    let fault = |why: String| recipe.dockerfile.error(line, format!("{word}{name}: {why}"));
                    let base = bases.find(name).map_err(fault)?;
                    Image::on(recipe, &writer, &stages.args, &base)?.map_err(|why| fault(why).into())
                }
            }
        };
        let mut image = open(stage.line, FROM, &stage.base)?;
        image.begin_stage();
        for step in stage.steps {
            image.step(step.line, &step.instruction, &|line, from| {
                open(line, COPY_FROM, &stages.resolve(from, index))
            })?;
        }
        images.push(Some(image));
    }
    let last =
        images.pop().flatten().expect("a Dockerfile that was parsed has a FROM, and the last one is needed");
    let layout = last.finish()?;
    Ok(Built { digest: layout.digest.clone(), layout })
}

pub(crate) fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        _ => format!("{folder}/{name}"),
    }
}
