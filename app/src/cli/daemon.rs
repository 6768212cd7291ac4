//! `escale daemon`: the cloud in the foreground. What `escale start` starts.

use crate::{daemon, home::Home};
use anyhow::Result;

pub(crate) fn run(home: &Home) -> Result<()> {
    daemon::run(home)
}
