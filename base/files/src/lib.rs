//! What every crate that touches files needs: a folder whose files are opened without leaving it, and the name of the
//! disk that is full.
//!
//! - [`Folder`] opens files below a folder that somebody else wrote: a build context, a folder of static files. A symbolic
//!   link that leads out of it, a pipe, a device or a socket is an error that names it, and never read.
//! - [`disk`] turns "no space left" into a sentence that says which disk, how much is free, and what to do.
//!
//! It decides nothing about what is read: callers walk and choose. Start at [`Folder`].

pub mod disk;
mod folder;

pub use folder::{Entry, FileError, Folder, Kind};
