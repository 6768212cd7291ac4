//! `escale open`: opens the application in the browser.

use super::{Output, application::Application};
use crate::home::Home;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::process::{Command, Stdio};

#[derive(Args)]
pub(crate) struct Open {
    /// The application, if several are deployed.
    app: Option<String>,
}

pub(crate) fn run(home: &Home, out: &Output, open: &Open) -> Result<()> {
    let application = Application::find(home, open.app.as_deref())?;
    let url = &application.url;
    let mut browser = Command::new("xdg-open");
    browser.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let opened = browser.status().is_ok_and(|s| s.success());
    let text = if opened {
        url.clone()
    } else {
        format!("{url}\nNo browser could be started. Open the URL by hand.")
    };
    out.say(&text, &json!({"url": url, "opened": opened}));
    Ok(())
}
