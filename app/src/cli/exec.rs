//! `escale exec`: a command or a shell in a running task.
//!
//! The API says which task runs; the session itself goes to the task's shim, past the daemon, and so outlives it.

use super::{application::Application, client::Client, tasks, terminal};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::Args;
use escale_containers::{Session, SessionEvent, SessionSpec, attach};
use std::{
    io::{self, Write},
    process::ExitCode,
};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Args)]
pub(crate) struct Exec {
    /// The service.
    service: String,
    /// The task: its id or the beginning of it, as `escale status` shows it. The default is any running task of the service.
    #[arg(long)]
    task: Option<String>,
    /// The container, if the task has several. The default is the one that is named like the service.
    #[arg(long)]
    container: Option<String>,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
    /// The command and its arguments. The default is a shell: bash if the image has it, else sh.
    #[arg(last = true)]
    command: Vec<String>,
}

/// `sh` finds out whether there is a bash, since only the image's own PATH says where.
const SHELL: [&str; 3] = ["sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh"];

pub(crate) async fn run(home: &Home, exec: &Exec) -> Result<ExitCode> {
    let application = Application::find(home, exec.app.as_deref())?;
    let client = Client::new(home, &Settings::of(home)?);
    tasks::service(&client, &application, &exec.service).await?;
    let task = tasks::choose(&client, &application, &exec.service, exec.task.as_deref()).await?;
    let container = container(exec, &task)?;
    let terminal = terminal::is_interactive().then(terminal::describe).transpose()?;
    let is_shell = exec.command.is_empty();
    let argv = if is_shell { SHELL.map(str::to_owned).to_vec() } else { exec.command.clone() };
    let spec = SessionSpec { argv, terminal };
    // A group of the containers plane has the id of its task.
    let session = attach(&home.plane("containers"), task.id(), container, &spec).await.with_context(|| {
        let short: String = task.id().chars().take(8).collect();
        if is_shell {
            format!(
                "no shell can be started in the task {short}. If its image has none, name a command: `escale exec {} -- \
                 COMMAND`",
                exec.service
            )
        } else {
            format!("the command cannot be started in the task {short}")
        }
    })?;
    // Entered only now, so that an error before is printed on an ordinary terminal.
    let raw = spec.terminal.is_some().then(terminal::Raw::enter).transpose()?;
    let ended = pass(session, raw.is_some()).await;
    drop(raw);
    Ok(ExitCode::from(u8::try_from(ended?).unwrap_or(1)))
}

fn container<'a>(exec: &'a Exec, task: &'a tasks::Task) -> Result<&'a str> {
    let running = task.containers();
    let list = running.join(", ");
    let wanted = exec.container.as_deref().unwrap_or(&exec.service);
    match (running.iter().find(|name| **name == wanted), running.as_slice(), &exec.container) {
        (Some(found), _, _) => Ok(found),
        (None, [only], None) => Ok(only),
        (None, _, Some(named)) => {
            bail!("the task has no running container '{named}'. Its running containers are: {list}")
        }
        (None, _, None) => {
            bail!("the task has several containers. Name one of them with --container: {list}")
        }
    }
}

/// Passes input and output until the command ends; returns its exit code.
async fn pass(session: Session, on_terminal: bool) -> Result<i32> {
    let Session { mut output, input: mut to } = session;
    let mut resized = signal(SignalKind::window_change())?;
    // Both end the session and leave the terminal as it was before.
    let (mut terminated, mut hung_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let forward = async {
        let mut input = terminal::input();
        loop {
            let sent = tokio::select! {
                chunk = input.recv() => match chunk {
                    Some(chunk) => to.send(&chunk).await,
                    None => {
                        if to.end().await.is_err() {
                            break;
                        }
                        // The connection must stay open until the command has ended.
                        return std::future::pending::<()>().await;
                    }
                },
                _ = resized.recv(), if on_terminal => match terminal::size() {
                    Ok(size) => to.resize(size).await,
                    Err(_) => Ok(()),
                },
            };
            if sent.is_err() {
                break;
            }
        }
        // The output reports why the session ended.
        std::future::pending::<()>().await
    };
    let receive = async {
        loop {
            match output.next().await? {
                SessionEvent::Output(bytes) => {
                    let shown = show(&mut io::stdout().lock(), &bytes);
                    // The reader of a pipe has seen enough (`| head`): the command ends, as with a local one.
                    if shown.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
                        return Ok(128 + 13);
                    }
                    shown.context("cannot write the command's output")?;
                }
                SessionEvent::Error(bytes) => {
                    show(&mut io::stderr().lock(), &bytes).context("cannot write the command's errors")?;
                }
                SessionEvent::Ended(code) => return anyhow::Ok(code),
            }
        }
    };
    tokio::select! {
        code = receive => code,
        () = forward => bail!("standard input failed"),
        // As shells count: 128 plus the number of the signal.
        _ = terminated.recv() => Ok(128 + 15),
        _ = hung_up.recv() => Ok(128 + 1),
    }
}

fn show(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}
