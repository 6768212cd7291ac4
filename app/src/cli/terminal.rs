//! The user's terminal: raw input, its size, and standard input as a stream.

use anyhow::{Context, Result, bail};
use escale_containers::{Terminal, TerminalSize};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, Read};
use tokio::sync::mpsc;

/// Bytes of standard input that are read at once.
const CHUNK_BYTES: usize = 32 * 1024;

/// Chunks of standard input that are read ahead of the receiver.
const CHUNKS: usize = 4;

/// Whether a person can use a program here: input and output are a terminal.
pub(crate) fn is_interactive() -> bool {
    isatty(io::stdin()) && isatty(io::stdout())
}

/// The kind and the size of the terminal.
pub(crate) fn describe() -> Result<Terminal> {
    Ok(Terminal { kind: std::env::var("TERM").ok().filter(|kind| !kind.is_empty()), size: size()? })
}

pub(crate) fn size() -> Result<TerminalSize> {
    let size = tcgetwinsize(io::stdout()).context("cannot read the terminal's size")?;
    Ok(TerminalSize { rows: size.ws_row, columns: size.ws_col })
}

/// Passes every key on unchanged, Ctrl-C too, until it is dropped.
pub(crate) struct Raw {
    before: Termios,
}

impl Raw {
    pub(crate) fn enter() -> Result<Raw> {
        let before = tcgetattr(io::stdin()).context("cannot read the terminal's settings")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)
            .context("cannot change the terminal's settings")?;
        Ok(Raw { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // It can fail only if the terminal no longer exists.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Standard input in chunks; the channel closes at its end. It is read on a thread of its own, which the end of the program does
/// not wait for: a read from a terminal cannot be cancelled.
pub(crate) fn input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    std::thread::spawn(move || {
        let mut buffer = vec![0u8; CHUNK_BYTES];
        loop {
            match io::stdin().lock().read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A terminal that was closed. The command then reads the end of its input.
                Err(_) => return,
            }
        }
    });
    receiver
}

/// Reads one line from the terminal without showing it.
pub(crate) fn hidden_line(prompt: &str) -> Result<String> {
    use rustix::termios::LocalModes;
    let before = tcgetattr(io::stdin()).context("cannot read the terminal's settings")?;
    let mut hidden = before.clone();
    hidden.local_modes &= !LocalModes::ECHO;
    let restore = Raw { before };
    tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)
        .context("cannot change the terminal's settings")?;
    eprint!("{prompt}");
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    drop(restore);
    eprintln!();
    if read.context("cannot read from the terminal")? == 0 {
        bail!("the input ended before a value was entered")
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
