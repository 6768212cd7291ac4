//! The fault tests that every reconciler must pass.

use crate::{Fate, FaultAt};
use async_trait::async_trait;
use escale_base::{Clock, Timestamp, ids};
use escale_engine::{Plan, Reconciler};
use escale_store::Store;
use std::{collections::BTreeSet, sync::Arc};

/// The limit of rounds. A stage that has not settled by then never will.
const ROUNDS: usize = 300;
/// Any number will do.
const SEED: u64 = 1;

/// Reconcilers with a wish to reconcile, on planes whose calls a [`Fate`] can fail.
#[async_trait]
pub trait Stage: Sync {
    fn store(&self) -> &Store;
    fn clock(&self) -> &Clock;
    fn reconcilers(&self) -> Vec<&dyn Driven>;
    /// The content of the planes as text, for comparison.
    async fn world(&self) -> String;
}

/// Keys of objects.
type Known = BTreeSet<String>;

/// A reconciler whose steps the test executes, instead of the engine.
#[async_trait]
pub trait Driven: Send + Sync {
    /// Executes one step for each object, `times` times. Returns the number of objects that had a step. `known` has all objects
    /// so far: the engine, too, reconciles an object whose row is deleted. Errors are appended to `failed`.
    async fn drive(
        &self,
        store: &Store,
        now: Timestamp,
        times: usize,
        known: &mut Known,
        failed: &mut Vec<String>,
    ) -> usize;
}

#[async_trait]
impl<R: Reconciler> Driven for R {
    async fn drive(
        &self,
        store: &Store,
        now: Timestamp,
        times: usize,
        known: &mut Known,
        failed: &mut Vec<String>,
    ) -> usize {
        let mut steps = 0;
        known.extend(self.all(&store.read()));
        for key in &*known {
            // All are planned on the same image, as after a crash before the step's result was recorded.
            let plans: Vec<_> = {
                let image = store.read();
                (0..times).map(|_| self.plan(&image, key, now)).collect()
            };
            for (time, plan) in plans.into_iter().enumerate() {
                let Plan::Step(step) = plan else { break };
                steps += usize::from(time == 0);
                // The engine retries after a failure; here the next round does.
                if let Err(error) = self.act(key, step).await {
                    failed.push(format!("{key}: {error}"));
                }
            }
        }
        steps
    }
}

/// A stage with the known objects of each reconciler and the failed steps.
struct Run<S> {
    stage: S,
    known: Vec<Known>,
    failed: Vec<String>,
}

impl<S: Stage> Run<S> {
    /// Random ids are the same in each run, so that the results can be compared.
    async fn new(make: &impl AsyncFn(Arc<dyn Fate>) -> S, fate: Arc<dyn Fate>) -> Run<S> {
        ids::seed(SEED);
        Run { stage: make(fate).await, known: Vec::new(), failed: Vec::new() }
    }

    async fn settle(&mut self, times: usize) {
        for _ in 0..ROUNDS {
            if self.round(times).await == 0 {
                return;
            }
        }
        panic!("the reconcilers do not settle: {}", self.stage.world().await);
    }

    async fn round(&mut self, times: usize) -> usize {
        let (stage, mut steps) = (&self.stage, 0);
        let reconcilers = stage.reconcilers();
        self.known.resize(reconcilers.len(), Known::new());
        for (reconciler, known) in reconcilers.into_iter().zip(&mut self.known) {
            steps +=
                reconciler.drive(stage.store(), stage.clock().now(), times, known, &mut self.failed).await;
        }
        steps
    }
}

fn never() -> Arc<dyn Fate> {
    Arc::new(FaultAt::never())
}

/// Executing every step twice must have the same result as executing it once.
pub async fn survives_repeat<S: Stage>(make: impl AsyncFn(Arc<dyn Fate>) -> S) {
    let expected = without_faults(&make).await;
    let mut run = Run::new(&make, never()).await;
    run.settle(2).await;
    assert_eq!(run.failed, Vec::<String>::new(), "no plane failed");
    assert_eq!(run.stage.world().await, expected, "each step was executed twice");
}

async fn without_faults<S: Stage>(make: &impl AsyncFn(Arc<dyn Fate>) -> S) -> String {
    let mut run = Run::new(make, never()).await;
    run.settle(1).await;
    assert_eq!(run.failed, Vec::<String>::new(), "no plane failed");
    run.stage.world().await
}

/// Whichever call of a plane fails, before or after its execution, the result must be the same as without a fault.
pub async fn survives_failure_at_each_step<S: Stage>(make: impl AsyncFn(Arc<dyn Fate>) -> S) {
    let expected = without_faults(&make).await;
    for place in 0.. {
        let Some(mut run) = until_fault(&make, place).await else {
            assert!(place > 0, "the reconcilers call no plane, so no fault was tested");
            return;
        };
        run.settle(1).await;
        assert_eq!(run.stage.world().await, expected, "a fault at place {place}");
    }
}

/// Whichever call fails: if the wish is withdrawn right after it, the planes must be as if the wish had never existed.
pub async fn survives_withdrawal_at_each_step<S: Stage>(
    make: impl AsyncFn(Arc<dyn Fate>) -> S,
    withdraw: impl Fn(&S),
) {
    let before = Run::new(&make, never()).await.stage.world().await;
    for place in 0.. {
        let Some(mut run) = until_fault(&make, place).await else {
            assert!(place > 0, "the reconcilers call no plane, so no fault was tested");
            return;
        };
        withdraw(&run.stage);
        run.settle(1).await;
        let after = run.stage.world().await;
        assert_eq!(after, before, "a fault at place {place}, then the wish was withdrawn");
    }
}

/// A run in which the fault at this place has just occurred; `None` if there is no such place.
async fn until_fault<S: Stage>(make: &impl AsyncFn(Arc<dyn Fate>) -> S, place: u64) -> Option<Run<S>> {
    let fault = Arc::new(FaultAt::place(place));
    let mut run = Run::new(make, Arc::clone(&fault) as _).await;
    for _ in 0..ROUNDS {
        if fault.has_occurred() || run.round(1).await == 0 {
            return fault.has_occurred().then_some(run);
        }
    }
    panic!("the reconcilers neither settle nor call a plane again; steps fail: {:?}", run.failed.last());
}
