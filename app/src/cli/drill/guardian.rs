//! The drill's side of a guardian: starts it, renews its lease, and ends it.

use super::fault::Fault;
use crate::{cli, home::Home};
use anyhow::{Context, Result, bail};
use std::{
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use tokio_util::task::AbortOnDropHandle;

const RENEW: Duration = Duration::from_secs(1);

/// Stopping many processes or cutting many namespaces on a busy machine takes seconds.
const WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Guardian {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    fault: Arc<Mutex<Fault>>,
    renewal: AbortOnDropHandle<()>,
}

impl Guardian {
    /// Returns when the fault is in effect.
    pub(super) async fn inject(home: &Home, fault: Fault) -> Result<Guardian> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        // A group of its own: Ctrl-C ends the drill, and the guardian sees the end of its input.
        command.arg(cli::GUARDIAN).env("ESCALE_HOME", home.path()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().context("cannot start the guardian of the fault")?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else { bail!("the guardian has no pipes") };
        let fault = Arc::new(Mutex::new(fault));
        let renewal = AbortOnDropHandle::new(tokio::spawn(renew(stdin, Arc::clone(&fault))));
        let mut guardian = Guardian { child, lines: BufReader::new(stdout).lines(), fault, renewal };
        guardian.hear("injected").await?;
        Ok(guardian)
    }

    /// More namespaces, from the next renewal on.
    pub(super) fn extend(&self, namespaces: impl IntoIterator<Item = PathBuf>) {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).namespaces.extend(namespaces);
    }

    /// Returns when the fault is lifted.
    pub(super) async fn lift(mut self) -> Result<()> {
        self.renewal.abort();
        self.hear("lifted").await?;
        let ended = self.child.wait().await?;
        if !ended.success() {
            bail!("the guardian of the fault ended with {ended}");
        }
        Ok(())
    }

    async fn hear(&mut self, expected: &str) -> Result<()> {
        let line = tokio::time::timeout(WITHIN, self.lines.next_line()).await;
        let line = line.context("the guardian of the fault does not answer")??;
        if line.as_deref() != Some(expected) {
            bail!("the guardian of the fault ended before the fault was {expected}");
        }
        Ok(())
    }
}

async fn renew(mut stdin: ChildStdin, fault: Arc<Mutex<Fault>>) {
    let mut every = tokio::time::interval(RENEW);
    loop {
        every.tick().await;
        let line = serde_json::to_vec(&*fault.lock().unwrap_or_else(PoisonError::into_inner));
        let Ok(mut line) = line else { return };
        line.push(b'\n');
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}
