//! Marks wait conditions whose timeout is over: the stack's reconciler reads only rows, not the clock.

use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change, Image, Row, Store, StoreError};
use escale_tables::cloudformation::WaitCondition;
use std::collections::BTreeSet;

pub(crate) struct Timeouts {
    pub(crate) store: Store,
}

/// Mark the condition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mark;

impl Reconciler for Timeouts {
    type Step = Mark;
    const NAME: &'static str = "cloudformation-wait-timeouts";
    const WATCHES: &'static [&'static str] = &[WaitCondition::TABLE];

    fn concerned(&self, _: &Image, change: &Change) -> BTreeSet<String> {
        BTreeSet::from([change.key.clone()])
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.keys(WaitCondition::TABLE).cloned().collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Mark> {
        match image.get::<WaitCondition>(key) {
            Some(condition) if !condition.timed_out => {
                if condition.until <= now {
                    Plan::Step(Mark)
                } else {
                    Plan::wait_until(condition.until, "the timeout of the wait condition is not over")
                }
            }
            _ => Plan::Done,
        }
    }

    async fn act(&self, key: &str, _: Mark) -> Result<(), StepError> {
        self.store.write(|tx| {
            tx.update::<WaitCondition, _>(key, |condition| condition.timed_out = true);
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }
}
