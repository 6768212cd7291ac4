//! `COPY`: from the build context, or from another stage or image.

use super::{
    BuildError,
    image::{Image, Open, layer_error},
    join,
};
use crate::{
    dockerfile::{CopyFiles, DockerfileError},
    glob,
    layer::{Bytes, Entries, Entry, What},
    tree::{Content, Kind, Node, extract},
};
use escale_files::{FileError, Kind as FileKind};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The files of one source, or of one match of its pattern.
struct Selected {
    /// The last part of its path.
    name: String,
    /// The file, or all that is below the folder, by paths relative to it.
    what: Vec<(String, Entry)>,
    is_folder: bool,
}

impl<'a> Image<'a> {
    pub(super) fn copy(
        &mut self,
        line: usize,
        copy: &CopyFiles,
        open: Open<'a, '_>,
    ) -> Result<(), BuildError> {
        let to = self.expand(line, &copy.to)?;
        let sources: Vec<String> =
            copy.sources.iter().map(|s| self.expand(line, s)).collect::<Result<_, DockerfileError>>()?;
        let owner = match &copy.chown {
            None => None,
            Some(text) => Some(self.owner(line, &self.expand(line, text)?)?),
        };
        let mode = copy.chmod.as_deref().map(|text| self.mode(line, text)).transpose()?;
        let mut selected = Vec::new();
        let mut shelf = Shelf { folder: self.writer.temporary_folder()?, files: BTreeMap::new() };
        match &copy.from {
            None => {
                for source in &sources {
                    selected.extend(self.of_context(line, source)?);
                }
            }
            Some(from) => {
                let mut other = open(line, from)?;
                for source in &sources {
                    selected.extend(other.of_image(line, from, source, &mut shelf)?);
                }
                shelf.fill()?;
            }
        }
        let many = sources.len() > 1 || selected.len() > 1;
        let says_folder = to.ends_with('/') || to == "." || to.ends_with("/.");
        if many && !says_folder {
            let message =
                format!("with more than one source the destination must end with `/`, unlike `{to}`");
            return Err(self.error(line, message).into());
        }
        let target = self.place(line, &self.absolute(&to), true)?;
        let there = self.files()?.get(&target);
        let there = target.is_empty() || there.is_some_and(|node| node.kind == Kind::Folder);
        let into_folder = says_folder || there || selected.iter().any(|s| s.is_folder);
        let mut entries = Entries::new();
        let above =
            if into_folder { &target } else { target.rsplit_once('/').map_or("", |(above, _)| above) };
        self.folder(line, &mut entries, above)?;
        for Selected { name, what, is_folder } in selected {
            let top = if into_folder && !is_folder { join(&target, &name) } else { target.clone() };
            for (below, mut entry) in what {
                if let Some((uid, gid)) = owner {
                    (entry.uid, entry.gid) = (uid, gid);
                }
                if let (Some(mode), What::Folder | What::File(_)) = (mode, &entry.what) {
                    entry.mode = mode;
                }
                // in the image, the destination may be a link to a folder
                let goes_on = matches!(entry.what, What::Folder);
                let place = self.place(line, &join(&top, &below), goes_on)?;
                entries.insert(place, entry);
            }
        }
        let from = copy.from.as_ref().map(|from| format!("--from={from} ")).unwrap_or_default();
        self.layer(&entries, format!("COPY {from}{} {to}", sources.join(" ")))
    }

    fn mode(&self, line: usize, text: &str) -> Result<u32, DockerfileError> {
        let text = self.expand(line, text)?;
        let mode = u32::from_str_radix(&text, 8).ok().filter(|m| *m <= 0o7777);
        mode.ok_or_else(|| self.error(line, format!("--chmod takes an octal mode, not `{text}`")))
    }

    fn of_context(&self, line: usize, source: &str) -> Result<Vec<Selected>, BuildError> {
        let path = self.inside(line, source, "the build context")?;
        let context = self.recipe.context;
        let fault = |error: FileError| self.context_error(line, error);
        let found = context.select(&path).map_err(fault)?;
        if found.is_empty() {
            let folder = context.path().display();
            let message = if context.is_ignored(&path) {
                format!("`{source}` is excluded by .dockerignore in {folder}")
            } else {
                format!("there is no `{source}` in {folder}")
            };
            return Err(self.error(line, message).into());
        }
        found.iter().map(|path| self.read_context(path).map_err(fault)).collect()
    }

    fn read_context(&self, path: &str) -> Result<Selected, FileError> {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let context = self.recipe.context;
        // as in Docker, a link that the source names is followed, and links within folders are copied as links
        let entry = context.folder().look(path, true)?;
        if entry.kind != FileKind::Folder {
            let what = vec![(String::new(), self.context_entry(path, entry)?)];
            return Ok(Selected { name, what, is_folder: false });
        }
        let mut what = Vec::new();
        for (below, entry) in context.below(path)? {
            let rest = below.strip_prefix(path).unwrap_or(&below).trim_start_matches('/').to_owned();
            what.push((rest, self.context_entry(&below, entry)?));
        }
        Ok(Selected { name, what, is_folder: true })
    }

    fn context_entry(&self, path: &str, entry: escale_files::Entry) -> Result<Entry, FileError> {
        let folder = self.recipe.context.folder();
        let mode = if matches!(entry.kind, FileKind::Link(_)) { 0o777 } else { entry.mode };
        let what = match entry.kind {
            FileKind::Folder => What::Folder,
            FileKind::Link(to) => What::Link(to),
            FileKind::File => What::File(Bytes::Context(Arc::clone(folder), path.to_owned())),
            FileKind::Special(kind) => return Err(folder.special(path, kind)),
        };
        Ok(Entry { what, mode, uid: 0, gid: 0 })
    }

    /// The files of a source in another image. Their bytes are assigned to files on the shelf, which is filled later.
    fn of_image(
        &mut self,
        line: usize,
        from: &str,
        source: &str,
        shelf: &mut Shelf,
    ) -> Result<Vec<Selected>, BuildError> {
        let path = self.inside(line, source, "the image")?;
        let dockerfile = self.recipe.dockerfile;
        let fault = |message: String| dockerfile.error(line, format!("--from={from}: {message}"));
        let missing = || fault(format!("there is no `{source}` in the image"));
        let files = self.files()?;
        let matching: Vec<String> = if path.contains(['*', '?', '[', '\\']) {
            files.paths().filter(|p| glob::matches(&path, p)).map(str::to_owned).collect()
        } else {
            vec![path]
        };
        let mut selected = Vec::new();
        for path in matching {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            let place = files.resolve(&path, true);
            let place = place.ok_or_else(missing)?;
            let mut entry = |path: &str, node: &Node| {
                let what = match &node.kind {
                    Kind::Folder => What::Folder,
                    Kind::Link(to) => What::Link(to.clone()),
                    Kind::File(content) => What::File(Bytes::Path(shelf.place(content))),
                    Kind::Special => return Err(fault(format!("`/{path}` is a device or a pipe"))),
                };
                Ok(Entry { what, mode: node.mode, uid: node.uid, gid: node.gid })
            };
            match files.get(&place) {
                Some(node) if node.kind != Kind::Folder => {
                    let what = vec![(String::new(), entry(&place, node)?)];
                    selected.push(Selected { name, what, is_folder: false });
                }
                None if !place.is_empty() => return Err(missing().into()),
                _ => {
                    let what = files
                        .below(&place)
                        .map(|(rest, node)| Ok((rest.to_owned(), entry(&join(&place, rest), node)?)));
                    let what = what.collect::<Result<_, DockerfileError>>()?;
                    selected.push(Selected { name, what, is_folder: true });
                }
            }
        }
        if selected.is_empty() { Err(missing().into()) } else { Ok(selected) }
    }

    /// A source's path, relative to `place`.
    fn inside(&self, line: usize, source: &str, place: &str) -> Result<String, DockerfileError> {
        let mut clean: Vec<&str> = Vec::new();
        for part in source.split('/').filter(|p| !p.is_empty() && *p != ".") {
            if part == ".." && clean.pop().is_none() {
                return Err(self.error(line, format!("`{source}` is outside {place}")));
            } else if part != ".." {
                clean.push(part);
            }
        }
        Ok(clean.join("/"))
    }

    fn context_error(&self, line: usize, error: FileError) -> BuildError {
        match error {
            FileError::Io { path, error } => BuildError::Context { path, error },
            refused => self.error(line, refused.to_string()).into(),
        }
    }
}

/// Temporary files with the contents of other images' files until they are in the layer.
struct Shelf {
    folder: tempfile::TempDir,
    files: BTreeMap<Content, PathBuf>,
}

impl Shelf {
    fn place(&mut self, content: &Content) -> PathBuf {
        let next = self.folder.path().join(self.files.len().to_string());
        self.files.entry(content.clone()).or_insert(next).clone()
    }

    /// Extracts all files in one pass over each layer.
    fn fill(&self) -> Result<(), BuildError> {
        let mut blobs: BTreeMap<&Path, BTreeMap<&str, &Path>> = BTreeMap::new();
        for (content, place) in &self.files {
            blobs.entry(&content.blob).or_default().insert(&content.path, place);
        }
        for (blob, places) in blobs {
            let wanted: BTreeSet<&str> = places.keys().copied().collect();
            extract(blob, &wanted, &mut |path, bytes| {
                io::copy(bytes, &mut fs::File::create(places[path])?).map(drop)
            })
            .map_err(|error| layer_error(blob, error))?;
        }
        Ok(())
    }
}
