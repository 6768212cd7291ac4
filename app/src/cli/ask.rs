//! Asks the user before data is deleted.

use super::Output;
use anyhow::{Context, Result, bail};
use std::io::{IsTerminal, Write};

/// Shows the losses and waits for an answer. Without a terminal there is nobody to ask, so the command fails and names `--yes`.
/// `refused` is the outcome of any other answer than yes.
pub(crate) fn ask(out: &Output, what: &str, losses: &[String], refused: &str) -> Result<()> {
    let list: String = losses.iter().map(|loss| format!("\n  {loss}")).collect();
    if out.json || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        bail!("{what}{list}\n{refused}. Pass --yes to agree to this");
    }
    eprint!("{what}{list}\nContinue? [y/N] ");
    std::io::stderr().flush().context("cannot write the question")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("{refused}, because the answer was not `y`"),
    }
}

/// Waits until the user has typed a name, as a protection against the wrong account or environment. `given` is the name from the
/// command line, for scripts.
pub(crate) fn confirm_name(out: &Output, name: &str, given: Option<&str>) -> Result<()> {
    let refused = |what: &str| format!("{what} is not `{name}`, so nothing was changed");
    if let Some(given) = given {
        return if given == name { Ok(()) } else { bail!(refused(&format!("--yes {given}"))) };
    }
    if out.json || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        bail!("nothing was changed, because there is no terminal to confirm the name. Pass --yes {name}");
    }
    eprint!("Type {name} to continue: ");
    std::io::stderr().flush().context("cannot write the question")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    if answer.trim() == name { Ok(()) } else { bail!(refused("the answer")) }
}
