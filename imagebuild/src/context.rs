//! The build context: a folder without the files that `.dockerignore` excludes.

use crate::glob;
use escale_files::{Entry, FileError, Folder, Kind};
use std::{path::Path, sync::Arc};

/// Largest `.dockerignore`. Real ones have some hundred bytes; a huge one must not be held in memory.
const IGNORE_BYTES: u64 = 1024 * 1024;

/// The files that a Dockerfile can copy.
pub struct Context {
    folder: Arc<Folder>,
    ignore: Ignore,
}

impl Context {
    /// Reads `<Dockerfile>.dockerignore` or else `.dockerignore` of a folder.
    pub fn open(folder: Arc<Folder>, dockerfile: &str) -> Result<Context, FileError> {
        let mut ignore = Ignore::default();
        for name in [format!("{dockerfile}.dockerignore"), ".dockerignore".to_owned()] {
            match folder.read(&name, IGNORE_BYTES) {
                Ok(text) => {
                    ignore = Ignore::parse(&String::from_utf8_lossy(&text));
                    break;
                }
                Err(e) if e.is_missing() => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Context { folder, ignore })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// Everything below a folder of the context that is not ignored, sorted by path. Links stay links.
    pub fn below(&self, path: &str) -> Result<Vec<(String, Entry)>, FileError> {
        let mut found = Vec::new();
        self.walk(path, &mut found)?;
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// The files that a source of `COPY` names: one path, or all matches of its pattern. Paths are relative to the context.
    pub(crate) fn select(&self, source: &str) -> Result<Vec<String>, FileError> {
        if source.is_empty() {
            return Ok(vec![String::new()]);
        }
        if source.contains(['*', '?', '[', '\\']) {
            let paths = self.below("")?.into_iter().map(|(path, _)| path);
            return Ok(paths.filter(|path| glob::matches(source, path)).collect());
        }
        let hidden = self.ignore.hides(source);
        match self.folder.look(source, true) {
            // An ignored folder may contain a file that a later pattern includes again.
            Ok(entry) if entry.kind == Kind::Folder || !hidden => Ok(vec![source.to_owned()]),
            Err(e) if !hidden && !e.is_missing() => Err(e),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether a path exists but is ignored, for messages.
    pub(crate) fn is_ignored(&self, source: &str) -> bool {
        self.folder.look(source, false).is_ok() && self.ignore.hides(source)
    }

    fn walk(&self, path: &str, found: &mut Vec<(String, Entry)>) -> Result<(), FileError> {
        for name in self.folder.names(path)? {
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            let entry = self.folder.look(&path, false)?;
            let hidden = self.ignore.hides(&path);
            let is_folder = entry.kind == Kind::Folder;
            if !hidden {
                found.push((path.clone(), entry));
            }
            // a later pattern may include a file below an ignored folder again
            if is_folder && (!hidden || self.ignore.has_exceptions) {
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

    /// Whether a path, relative to the context, is ignored.
    pub fn hides(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(i, _)| i).chain([path.len()]);
        let above: Vec<&str> = ends.map(|end| &path[..end]).collect();
        let decides = |(_, pattern): &&(bool, String)| above.iter().any(|p| glob::matches(pattern, p));
        self.patterns.iter().rev().find(decides).is_some_and(|(hides, _)| *hides)
    }
}
