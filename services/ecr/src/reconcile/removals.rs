//! Deletes repositories that CloudFormation marked for deletion. If a repository has images and its row does not allow to
//! delete them, it stays, and `RepositorySeen` has the reason.

use crate::{Error, Repositories};
use escale_base::{Clock, Timestamp};
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change, Image, Store};
use escale_tables::ecr::{Deletion, Repository, RepositorySeen};
use std::{collections::BTreeSet, sync::Arc};

pub(super) struct Removals {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) account: String,
    pub(super) repositories: Arc<Repositories>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remove {
    with_images: bool,
}

impl Reconciler for Removals {
    type Step = Remove;
    const NAME: &'static str = "ecr repositories";
    const WATCHES: &'static [&'static str] = &["ecr_repository"];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        let row = image.get::<Repository>(&change.key).filter(|r| r.deletion != Deletion::No);
        row.map(|r| r.name.to_string()).into_iter().collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image
            .scan::<Repository>()
            .filter(|r| r.deletion != Deletion::No)
            .map(|r| r.name.to_string())
            .collect()
    }

    fn plan(&self, image: &Image, key: &str, _now: Timestamp) -> Plan<Remove> {
        match image.get::<Repository>(key).map(|r| r.deletion) {
            None | Some(Deletion::No) => Plan::Done,
            Some(deletion) => Plan::Step(Remove { with_images: deletion == Deletion::WithImages }),
        }
    }

    async fn act(&self, key: &str, step: Remove) -> Result<(), StepError> {
        match self.repositories.remove(&self.store, &self.account, &key.into(), step.with_images).await {
            Ok(_) | Err(Error::NoSuchRepository { .. }) => Ok(()),
            Err(error @ Error::NotEmpty { .. }) => {
                // Repeating the step would fail in the same way, so the deletion is withdrawn and its reason recorded.
                let at = self.clock.now();
                let seen = RepositorySeen { name: key.into(), not_deleted: error.to_string(), at };
                self.store.write(|tx| {
                    tx.update::<Repository, ()>(key, |r| r.deletion = Deletion::No);
                    tx.put(seen);
                    Ok::<_, StepError>(())
                })
            }
            Err(other) => Err(StepError::new(format!("cannot delete the repository {key}: {other}"))),
        }
    }
}
