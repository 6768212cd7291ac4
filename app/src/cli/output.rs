//! How answers and errors are printed: as text, or as JSON for a script.

use escale_files::disk;

/// How answers are printed.
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// One answer, for a person or for a script.
    pub(crate) fn say(&self, text: &str, value: &serde_json::Value) {
        if self.json {
            print(&format!("{value:#}\n"));
        } else {
            print(&format!("{text}\n"));
        }
    }
}

/// Prints an answer. Whoever reads may have read enough (`| head`): then there is nobody to tell more. Anything else (a full
/// disk) is a failure: half an answer is none.
pub(crate) fn print(text: &str) {
    match write(text) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("error: the answer could not be written: {error}");
            std::process::exit(1);
        }
    }
}

fn write(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// An error, and what was done about it since.
#[derive(Debug)]
pub(crate) struct Concluded {
    error: anyhow::Error,
    outcome: String,
}

impl Concluded {
    /// The error stays the first thing that is told.
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

/// "No space left on device" does not say on which. What this program writes is in the home, or in the folder for temporary files.
fn full_disk(error: &anyhow::Error) -> Option<String> {
    if !disk::is_full(error.as_ref()) {
        return None;
    }
    let home = crate::home::Home::find().ok()?;
    let temporary = std::env::temp_dir();
    // Of several the one with the least left: `full_among` may find none when a quota is exceeded.
    disk::full_among([home.path(), temporary.as_path()]).or_else(|| Some(disk::full(home.path())))
}

/// An error with its causes, a line each. A script reads it where it reads an answer.
pub(crate) fn report(error: &anyhow::Error, json: bool) {
    let mut causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    causes.extend(full_disk(error));
    let outcome = error.downcast_ref::<Concluded>().map(|c| c.outcome.as_str());
    if json {
        let mut told = serde_json::json!({"message": error.to_string(), "because": causes});
        if let Some(outcome) = outcome {
            told["outcome"] = outcome.into();
        }
        let value = serde_json::json!({"error": told});
        // Read or not, the verb has failed, and ends so.
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
