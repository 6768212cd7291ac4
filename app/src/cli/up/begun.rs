//! What an `up` has begun to make, and what becomes of it when the `up` fails or is interrupted.
//!
//! An application that stood before is never touched. One that did not is removed again, as `escale down` does it; after
//! Ctrl-C it stays, for its user may want to go on.

use super::{Phases, stack};
use crate::{
    cli::{
        application::Application,
        client::Client,
        down::{self, Images},
    },
    home::Home,
    lock,
};
use anyhow::{Error, Result};
use std::path::Path;

pub(super) struct Begun {
    application: Application,
    stood: bool,
    images: Images,
}

impl Begun {
    /// Looks what is there already, and has the application remembered: from here on `escale down` finds it.
    pub(super) async fn now(home: &Home, client: &Client, application: Application) -> Result<Begun> {
        let remembered = Application::all(home)?.iter().any(|a| a.stack == application.stack);
        let stood = stands(client, &application.stack).await?;
        // Repositories without an application were made by hand, and hold what was pushed by hand.
        let by_hand = !remembered && !stood && stands(client, &application.registry_stack).await?;
        let images = if by_hand { Images::Keep } else { Images::Remove };
        application.save(home)?;
        Ok(Begun { application, stood, images })
    }

    /// After a failure: removes what did not stand before, and tells what came of it.
    pub(super) async fn undo(
        &self,
        home: &Home,
        client: &Client,
        daemon_is_ours: bool,
        phases: &mut Phases,
    ) -> String {
        let app = &self.application.app;
        if self.stood {
            return format!("{app} stood before and is left as it is");
        }
        let snapshots = match down::remove(home, client, &self.application, self.images, phases).await {
            Ok(snapshots) => snapshots,
            Err(error) => return self.stays(client, &error).await,
        };
        let mut told = format!("nothing of {app} stays; mend it and say `escale up` again");
        if self.images == Images::Keep {
            told += &format!("\nthe stack {} was there before and stays", self.application.registry_stack);
        }
        told += &down::kept(&snapshots);
        if daemon_is_ours {
            match down::end_if_empty(home, client, phases).await {
                Ok(true) => told += "\nthe daemon that was started for it has stopped",
                Ok(false) => {}
                Err(error) => told += &format!("\nthe daemon could not be stopped: {error:#}"),
            }
        }
        told
    }

    /// The removal failed, too.
    async fn stays(&self, client: &Client, why: &Error) -> String {
        let app = &self.application.app;
        let left = match self.standing(client).await.as_slice() {
            [] => String::new(),
            left => format!("\nthere stay {}", left.join(", ")),
        };
        format!("what was made of {app} could not be removed: {why:#}{left}\n`escale down {app}` removes it")
    }

    /// The stacks that are there, with their statuses; none when nobody answers.
    async fn standing(&self, client: &Client) -> Vec<String> {
        let mut told = Vec::new();
        for name in [&self.application.stack, &self.application.registry_stack] {
            if let Ok(Some(stack)) = stack::describe(client, name).await {
                told.push(format!("the stack {name} ({})", stack.text_of("StackStatus")));
            }
        }
        told
    }

    /// After Ctrl-C: what stands, and which commands go on.
    async fn interrupted(&self, client: &Client, up: &str) -> String {
        let app = &self.application.app;
        let standing = match self.standing(client).await.as_slice() {
            [] => "no stack stands yet".to_owned(),
            standing => format!("there is {}", standing.join(" and ")),
        };
        format!("{standing}: `{up}` goes on, `escale down {app}` removes it")
    }
}

/// One line for who has interrupted.
pub(super) async fn interrupted(
    home: &Home,
    begun: Option<&Begun>,
    client: &Client,
    manifest: &Path,
) -> Error {
    let up = match manifest == Path::new(".") {
        true => "escale up".to_owned(),
        false => format!("escale up {}", manifest.display()),
    };
    let told = match begun {
        Some(begun) => begun.interrupted(client, &up).await,
        None if matches!(lock::running(home), Ok(Some(_))) => {
            format!(
                "of the application nothing was touched, the daemon runs: `{up}` goes on, `escale stop` ends it"
            )
        }
        None => format!("nothing was made: `{up}` begins again"),
    };
    anyhow::anyhow!("interrupted; {told}")
}

/// Whether a stack was made, whole: one that is on the way or has failed does not count.
async fn stands(client: &Client, name: &str) -> Result<bool> {
    let found = stack::describe(client, name).await?;
    Ok(found.is_some_and(|stack| {
        let status = stack.text_of("StackStatus");
        let unfinished = ["CREATE_IN_PROGRESS", "CREATE_FAILED", "REVIEW_IN_PROGRESS"].contains(&status);
        !unfinished && !status.starts_with("ROLLBACK_") && !status.starts_with("DELETE_")
    }))
}
