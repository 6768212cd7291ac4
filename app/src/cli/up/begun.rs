//! The resources that an `up` has begun to create, and what happens to them when the `up` fails or is interrupted.
//!
//! An application that existed before is never touched. A new one is removed again after a failure, as `escale down` does
//! it. After Ctrl-C it is kept, because the user may want to continue.

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
    existed: bool,
    images: Images,
}

impl Begun {
    /// Records what exists already, and saves the application: from here on `escale down` finds it.
    pub(super) async fn now(home: &Home, client: &Client, application: Application) -> Result<Begun> {
        let remembered = Application::all(home)?.iter().any(|a| a.stack == application.stack);
        let existed = is_deployed(client, &application.stack).await?;
        // Repositories without an application were created by hand and may hold images that a user pushed: they are kept.
        let by_hand = !remembered && !existed && is_deployed(client, &application.registry_stack).await?;
        let images = if by_hand { Images::Keep } else { Images::Remove };
        application.save(home)?;
        Ok(Begun { application, existed, images })
    }

    pub(super) fn existed(&self) -> bool {
        self.existed
    }

    /// Rolls back after a failure: removes what did not exist before, and returns the outcome as text.
    pub(super) async fn undo(
        &self,
        home: &Home,
        client: &Client,
        daemon_is_ours: bool,
        phases: &mut Phases,
    ) -> String {
        let app = &self.application.app;
        if self.existed {
            return format!("{app} runs as before. Fix the error above and run `escale up` again.");
        }
        let snapshots = match down::remove(home, client, &self.application, self.images, phases).await {
            Ok(snapshots) => snapshots,
            Err(error) => return self.removal_failed(client, &error).await,
        };
        let mut outcome = format!(
            "All resources of `{app}` were rolled back. Fix the error above and run `escale up` again."
        );
        if self.images == Images::Keep {
            outcome +=
                &format!("\nThe stack {} existed before and was kept.", self.application.registry_stack);
        }
        outcome += &down::kept(&snapshots);
        if daemon_is_ours {
            match down::end_if_empty(home, client, phases).await {
                Ok(true) => outcome += "\nThe daemon that was started for this command has stopped.",
                Ok(false) => {}
                Err(error) => outcome += &format!("\nThe daemon could not be stopped: {error:#}"),
            }
        }
        outcome
    }

    /// The outcome if the removal failed, too.
    async fn removal_failed(&self, client: &Client, why: &Error) -> String {
        let app = &self.application.app;
        let left = match self.existing_stacks(client).await.as_slice() {
            [] => String::new(),
            left => format!("\nThese stacks are left: {}", left.join(", ")),
        };
        format!(
            "The resources of `{app}` could not be rolled back: {why:#}{left}\nRun `escale down {app}` to remove them."
        )
    }

    /// The stacks that exist, with their statuses; empty if the daemon does not answer.
    async fn existing_stacks(&self, client: &Client) -> Vec<String> {
        let mut stacks = Vec::new();
        for name in [&self.application.stack, &self.application.registry_stack] {
            if let Ok(Some(stack)) = stack::describe(client, name).await {
                stacks.push(format!("{name} ({})", stack.text_of("StackStatus")));
            }
        }
        stacks
    }

    /// The message after Ctrl-C: the stacks that exist, and the commands that continue or remove them.
    async fn interrupted(&self, client: &Client, up: &str) -> String {
        let app = &self.application.app;
        let stacks = match self.existing_stacks(client).await.as_slice() {
            [] => "No stack was created yet.".to_owned(),
            stacks => format!("These stacks exist: {}.", stacks.join(", ")),
        };
        format!("{stacks} Run `{up}` to continue, or `escale down {app}` to remove the application")
    }
}

/// The error after Ctrl-C, in one line.
pub(super) async fn interrupted(
    home: &Home,
    begun: Option<&Begun>,
    client: &Client,
    manifest: &Path,
) -> Error {
    let up = if manifest == Path::new(".") {
        "escale up".to_owned()
    } else {
        format!("escale up {}", manifest.display())
    };
    let state = match begun {
        Some(begun) => begun.interrupted(client, &up).await,
        None if matches!(lock::running(home), Ok(Some(_))) => {
            format!(
                "The application was not changed; the daemon is running. Run `{up}` to continue, or `escale stop` to stop the \
                 daemon"
            )
        }
        None => format!("Nothing was changed. Run `{up}` to start again"),
    };
    anyhow::anyhow!("interrupted. {state}")
}

/// Whether a stack was created completely. A stack that is in progress or failed does not count.
async fn is_deployed(client: &Client, name: &str) -> Result<bool> {
    let found = stack::describe(client, name).await?;
    Ok(found.is_some_and(|stack| {
        let status = stack.text_of("StackStatus");
        let unfinished = ["CREATE_IN_PROGRESS", "CREATE_FAILED", "REVIEW_IN_PROGRESS"].contains(&status);
        !unfinished && !status.starts_with("ROLLBACK_") && !status.starts_with("DELETE_")
    }))
}
