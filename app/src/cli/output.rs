//! Prints results and errors, as text or as JSON for scripts.

use escale_files::disk;

/// The output format.
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints one result: `text` for a person, or `value` for a script.
    pub(crate) fn say(&self, text: &str, value: &serde_json::Value) {
        if self.json {
            print(&format!("{value:#}\n"));
        } else {
            print(&format!("{text}\n"));
        }
    }
}

/// Prints to stdout. If the reader closed the pipe (`| head`), the program ends successfully. Any other failure, such as a
/// full disk, is an error: a script must not take half of a result for the whole.
pub(crate) fn print(text: &str) {
    match write(text) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("error: the result could not be written to stdout: {error}");
            std::process::exit(1);
        }
    }
}

fn write(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// An error, and the outcome of what was done after it.
#[derive(Debug)]
pub(crate) struct Concluded {
    error: anyhow::Error,
    outcome: String,
}

impl Concluded {
    /// Adds an outcome, which is printed after the error.
    pub(crate) fn of(error: anyhow::Error, outcome: String) -> anyhow::Error {
        anyhow::Error::new(Concluded { error, outcome })
    }
}

impl std::fmt::Display for Concluded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Concluded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Names the disk that is full, which "No space left on device" does not. This program writes only to the home and to the
/// folder for temporary files.
fn full_disk(error: &anyhow::Error) -> Option<String> {
    if !disk::is_full(error.as_ref()) {
        return None;
    }
    let home = crate::home::Home::find().ok()?;
    let temporary = std::env::temp_dir();
    // `full_among` finds no full disk if only a quota is exceeded; then the home is the best guess.
    disk::full_among([home.path(), temporary.as_path()]).or_else(|| Some(disk::full(home.path())))
}

/// Prints an error with its causes, one a line. As JSON it goes to stdout, where a script reads results, too.
pub(crate) fn report(error: &anyhow::Error, json: bool) {
    let mut causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    causes.extend(full_disk(error));
    let outcome = error.downcast_ref::<Concluded>().map(|c| c.outcome.as_str());
    if json {
        let mut body = serde_json::json!({"message": error.to_string(), "because": causes});
        if let Some(outcome) = outcome {
            body["outcome"] = outcome.into();
        }
        let value = serde_json::json!({"error": body});
        // A failure to print is ignored: the exit code reports the error that matters.
        let _ = write(&format!("{value:#}\n"));
        return;
    }
    eprintln!("error: {error}");
    for cause in causes {
        eprintln!("  because: {cause}");
    }
    if let Some(outcome) = outcome {
        eprintln!("{outcome}");
    }
}
