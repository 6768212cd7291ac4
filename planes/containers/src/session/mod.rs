//! Sessions: commands in a running container with input, with or without a terminal.
//!
//! A process of its own (`serve.rs`) keeps each session: it owns the terminal or the pipes and is the parent of the command.
//! The container's shim starts it (`listen.rs`) for a client that connects to the Unix socket in the container's directory
//! (`client.rs`). The daemon has no part in it, so a session continues when the daemon dies.

mod client;
mod fake;
mod frame;
mod listen;
mod serve;

pub use client::{Session, SessionInput, SessionOutput, attach};
pub(crate) use fake::echo;
pub(crate) use listen::Sessions;
pub(crate) use serve::serve;

use serde::{Deserialize, Serialize};

/// The socket in a container's directory.
const SOCKET: &str = "session.sock";

/// A command to run in a container, with the container's user, environment and limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSpec {
    pub argv: Vec<String>,
    /// `None`: separate pipes for standard input, output and error.
    pub terminal: Option<Terminal>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terminal {
    /// The value of `TERM`; `None` keeps the container's.
    pub kind: Option<String>,
    pub size: TerminalSize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    pub rows: u16,
    pub columns: u16,
}

/// What a session reports. Output on a terminal is never `Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    Output(Vec<u8>),
    Error(Vec<u8>),
    /// The command ended: its exit code, or 128 plus the number of the signal that ended it.
    Ended(i32),
}
