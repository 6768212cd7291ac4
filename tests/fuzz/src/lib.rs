//! Fuzz targets: the parsers of untrusted bytes, each as a function `check(bytes)` that must neither panic nor be slow.
//!
//! Three programs use them: `fuzz/` (libFuzzer, guided by coverage), `cargo xtask fuzz` (random mutations of the kept corpus,
//! with a stable compiler), and the test `corpus`, which runs the corpus and some mutations with every `cargo test`. A `check`
//! also asserts invariants: no caller is authenticated by accident, an accepted text is accepted again.
//!
//! It starts no process and opens no socket. Start at [`TARGETS`]; a new target is a file in `targets/`, a line there, a folder
//! in `fuzz/corpus/` and a file in `fuzz/fuzz_targets/`.

mod mutate;
mod run;
mod targets;

pub use run::{Figures, corpus, run};
pub use targets::{TARGETS, Target};

use http::request::{Builder, Parts};

/// Runs a target by its name.
pub fn check(target: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|t| t.name == target);
    (found.expect("the name is one of TARGETS").check)(bytes);
}

/// Parses bytes as an HTTP/1.1 request: the head, and the rest as the body. `None` if the head is invalid.
pub(crate) fn request(bytes: &[u8]) -> Option<(Parts, &[u8])> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else { return None };
    let request = Builder::new().method(head.method?).uri(head.path?);
    let request = head.headers.iter().fold(request, |r, h| r.header(h.name, h.value));
    Some((request.body(()).ok()?.into_parts().0, &bytes[length..]))
}
