//! The build context: a folder, and what `.dockerignore` hides of it.

use crate::glob;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The files that a Dockerfile can copy.
pub struct Context {
    folder: PathBuf,
    ignore: Ignore,
}

/// A file, folder or link of the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Relative to the context, with `/`.
    pub(crate) path: String,
    /// Where it is.
    pub(crate) full: PathBuf,
}

impl Context {
    /// Opens a folder; reads `<Dockerfile>.dockerignore` or else `.dockerignore` in it.
    pub fn open(folder: &Path, dockerfile: &str) -> io::Result<Context> {
        let mut ignore = Ignore::default();
        for name in [format!("{dockerfile}.dockerignore"), ".dockerignore".to_owned()] {
            match fs::read_to_string(folder.join(name)) {
                Ok(text) => {
                    ignore = Ignore::parse(&text);
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Context { folder: folder.to_owned(), ignore })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything below a folder of the context that is not ignored, sorted by path.
    pub(crate) fn below(&self, path: &str) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        self.walk(path, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// What a source of `COPY` names: itself, or all that its pattern matches.
    pub(crate) fn select(&self, source: &str) -> io::Result<Vec<Found>> {
        if source.is_empty() {
            return Ok(vec![Found { path: String::new(), full: self.folder.clone() }]);
        }
        if source.contains(['*', '?', '[', '\\']) {
            let all = self.below("")?;
            return Ok(all.into_iter().filter(|f| glob::matches(source, &f.path)).collect());
        }
        let full = self.folder.join(source);
        let there = full.symlink_metadata().is_ok() && (full.is_dir() || !self.ignore.hides(source));
        Ok(there.then(|| Found { path: source.to_owned(), full }).into_iter().collect())
    }

    /// Whether a path is there but hidden, for messages.
    pub(crate) fn is_ignored(&self, source: &str) -> bool {
        self.folder.join(source).symlink_metadata().is_ok() && self.ignore.hides(source)
    }

    fn walk(&self, path: &str, found: &mut Vec<Found>) -> io::Result<()> {
        let folder = self.folder.join(path);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|name| {
                io::Error::other(format!("the name {name:?} is not UTF-8, and an image's names must be"))
            })?;
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            let hidden = self.ignore.hides(&path);
            if !hidden {
                found.push(Found { path: path.clone(), full: entry.path() });
            }
            // a later pattern may bring something below a hidden folder back
            if entry.file_type()?.is_dir() && (!hidden || self.ignore.has_exceptions) {
                self.walk(&path, found)?;
            }
        }
        Ok(())
    }
}

/// `.dockerignore`: the last pattern that matches a path, or a folder above it, decides.
///
/// Source: <https://docs.docker.com/build/concepts/context/#dockerignore-files>
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    patterns: Vec<(bool, String)>,
    has_exceptions: bool,
}

impl Ignore {
    pub fn parse(text: &str) -> Ignore {
        let mut patterns = Vec::new();
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let line = line.trim();
            let (hides, pattern) = match line.strip_prefix('!') {
                Some(rest) => (false, rest.trim()),
                None => (true, line),
            };
            let clean: Vec<&str> = pattern.split('/').filter(|s| !s.is_empty() && *s != ".").collect();
            if !clean.is_empty() {
                patterns.push((hides, clean.join("/")));
            }
        }
        Ignore { has_exceptions: patterns.iter().any(|(hides, _)| !hides), patterns }
    }

    /// Whether a path, relative to the context, is hidden.
    pub fn hides(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(i, _)| i).chain([path.len()]);
        let above: Vec<&str> = ends.map(|end| &path[..end]).collect();
        let decides = |(_, pattern): &&(bool, String)| above.iter().any(|p| glob::matches(pattern, p));
        self.patterns.iter().rev().find(decides).is_some_and(|(hides, _)| *hides)
    }
}
