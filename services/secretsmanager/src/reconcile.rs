//! Deletes secrets at the end of their recovery window, with all their values.

use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change, Image, Row, Store, StoreError};
use escale_tables::secretsmanager::StoredSecret;
use std::collections::BTreeSet;

pub(crate) struct Purge {
    pub(crate) store: Store,
}

/// Delete the secret if this is still the end of its recovery window.
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
            Some(deletion) => Plan::wait_until(deletion.at, "the end of the recovery window"),
        }
    }

    async fn act(&self, key: &str, step: Remove) -> Result<(), StepError> {
        self.store.write(|tx| {
            // The secret stays if it was restored, or created again, since the plan.
            if tx.get::<StoredSecret>(key).and_then(|s| s.deletion).is_some_and(|d| d.at == step.at) {
                tx.delete::<StoredSecret>(key);
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use escale_base::Clock;
    use escale_faults::{Driven, Fate, FaultAt, Stage, survives_repeat};
    use escale_tables::secretsmanager::Deletion;
    use std::sync::Arc;

    struct Harness {
        store: Store,
        clock: Clock,
        purge: Purge,
        _dir: tempfile::TempDir,
    }

    #[async_trait]
    impl Stage for Harness {
        fn store(&self) -> &Store {
            &self.store
        }
        fn clock(&self) -> &Clock {
            &self.clock
        }
        fn reconcilers(&self) -> Vec<&dyn Driven> {
            vec![&self.purge]
        }
        async fn world(&self) -> String {
            format!("{:?}", self.store.read().keys(StoredSecret::TABLE).collect::<Vec<_>>())
        }
    }

    impl Harness {
        fn put(&self, name: &str, deletion: Option<Deletion>) {
            let row = StoredSecret {
                name: name.into(),
                arn: format!("arn:aws:secretsmanager:eu-west-3:0:secret:{name}-abcdef").parse().unwrap(),
                description: None,
                kms_key_id: None,
                owning_service: None,
                versions: vec![],
                deletion,
                tags: vec![],
                created: Timestamp(0),
                changed: Timestamp(0),
            };
            let put = self.store.write(|tx| {
                tx.put(row);
                Ok::<_, StoreError>(())
            });
            put.unwrap();
        }

        fn next(&self, name: &str) -> Plan<Remove> {
            self.purge.plan(&self.store.read(), name, self.clock.now())
        }
    }

    fn until(at: i64) -> Option<Deletion> {
        Some(Deletion { asked: Timestamp(0), at: Timestamp(at) })
    }

    /// Three secrets at the time 10: one whose window has ended, one whose window ends later, and one that stays. There is no
    /// plane, so no step can fail.
    async fn secrets(_: Arc<dyn Fate>) -> Harness {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), escale_tables::secretsmanager::TABLES).unwrap();
        let purge = Purge { store: store.clone() };
        let secrets = Harness { store, clock: Clock::by_hand(Timestamp(10)), purge, _dir: dir };
        secrets.put("expired", until(10));
        secrets.put("later", until(11));
        secrets.put("kept", None);
        secrets
    }

    #[tokio::test]
    async fn purge_survives_repetition() {
        survives_repeat(secrets).await;
    }

    #[tokio::test]
    async fn secret_is_deleted_when_its_window_ends_unless_it_was_restored() {
        let all = secrets(Arc::new(FaultAt::never())).await;
        assert_eq!(all.next("kept"), Plan::Done);
        assert_eq!(all.next("later"), Plan::wait_until(Timestamp(11), "the end of the recovery window"));
        for (meanwhile, left) in [(None, true), (until(99), true), (until(10), false)] {
            all.put("expired", until(10));
            let Plan::Step(step) = all.next("expired") else { panic!("its window has ended") };
            all.put("expired", meanwhile);
            all.purge.act("expired", step).await.unwrap();
            assert_eq!(all.store.read().has::<StoredSecret>("expired"), left, "{meanwhile:?}");
        }
        assert_eq!(all.next("expired"), Plan::Done);
    }
}
