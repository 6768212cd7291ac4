//! The end of recovery windows: the row goes, and with it every value.

use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change, Image, Row, Store, StoreError};
use escale_tables::secretsmanager::StoredSecret;
use std::collections::BTreeSet;

pub(crate) struct Purge {
    pub(crate) store: Store,
}

/// Remove the secret that was to go at this time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remove {
    at: Timestamp,
}

impl Reconciler for Purge {
    type Step = Remove;
    const NAME: &'static str = "secretsmanager-purge";
    const WATCHES: &'static [&'static str] = &[StoredSecret::TABLE];

    fn concerned(&self, _: &Image, change: &Change) -> BTreeSet<String> {
        BTreeSet::from([change.key.clone()])
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.keys(StoredSecret::TABLE).cloned().collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Remove> {
        match image.get::<StoredSecret>(key).and_then(|s| s.deletion) {
            None => Plan::Done,
            Some(deletion) if deletion.at <= now => Plan::Step(Remove { at: deletion.at }),
            Some(deletion) => Plan::wait_until(deletion.at, "the recovery window"),
        }
    }

    async fn act(&self, key: &str, step: Remove) -> Result<(), StepError> {
        self.store.write(|tx| {
            // Restored, or made anew, in between: then it stays.
            if tx.get::<StoredSecret>(key).and_then(|s| s.deletion).is_some_and(|d| d.at == step.at) {
                tx.delete::<StoredSecret>(key);
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }
}
