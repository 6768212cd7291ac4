//! File access for every crate that touches files: a folder whose files are opened without leaving it, and the name of
//! the disk that is full.
//!
//! - [`Folder`] opens files below a folder that another program wrote: a build context, a folder of static files. A symbolic
//!   link that leads out of it, a pipe, a device or a socket is never read; the error names it.
//! - [`disk`] turns "no space left" into a sentence that says which disk, how much is free, and what to do.
//!
//! It does not decide what is read: callers walk the folder and choose. Start at [`Folder`].

pub mod disk;
mod folder;

pub use folder::{Entry, FileError, Folder, Kind};
