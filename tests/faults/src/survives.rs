//! What every reconciler must survive.

use crate::{Fate, FaultAt};
use async_trait::async_trait;
use escale_base::{Clock, Timestamp, ids};
use escale_engine::{Plan, Reconciler};
use escale_store::Store;
use std::{collections::BTreeSet, sync::Arc};

/// Rounds after which a world that is still not at rest never will be.
const ROUNDS: usize = 300;
/// Any will do.
const SEED: u64 = 1;

/// Reconcilers with a wish to make true, on planes that obey a [`Fate`].
#[async_trait]
pub trait Stage: Sync {
    fn store(&self) -> &Store;
    fn clock(&self) -> &Clock;
    fn reconcilers(&self) -> Vec<&dyn Driven>;
    /// What the planes have, in words.
    async fn world(&self) -> String;
}

/// Keys of things.
type Known = BTreeSet<String>;

/// A reconciler whose steps are taken by hand.
#[async_trait]
pub trait Driven: Send + Sync {
    /// One step of each thing, `times` over; how many things had one. `known` are the things that were met so far: the engine, too,
    /// looks after a thing whose row has gone. `failed` has what failed.
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
            // Each of them is planned on the same image, as after a crash before the step was recorded.
            let plans: Vec<_> = {
                let image = store.read();
                (0..times).map(|_| self.plan(&image, key, now)).collect()
            };
            for (time, plan) in plans.into_iter().enumerate() {
                let Plan::Step(step) = plan else { break };
                steps += usize::from(time == 0);
                // The engine comes back after a failure, and so does the next round.
                if let Err(error) = self.act(key, step).await {
                    failed.push(format!("{key}: {error}"));
                }
            }
        }
        steps
    }
}

/// A stage, with what each of its reconcilers has met, and the steps that failed.
struct Run<S> {
    stage: S,
    known: Vec<Known>,
    failed: Vec<String>,
}

impl<S: Stage> Run<S> {
    /// Ids are made up alike in each run, so that worlds can be compared.
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
        panic!("it does not come to rest: {}", self.stage.world().await);
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

/// Every step taken twice gives the world of every step taken once.
pub async fn survives_repeat<S: Stage>(make: impl AsyncFn(Arc<dyn Fate>) -> S) {
    let expected = undisturbed(&make).await;
    let mut run = Run::new(&make, never()).await;
    run.settle(2).await;
    assert_eq!(run.failed, Vec::<String>::new(), "no plane failed");
    assert_eq!(run.stage.world().await, expected, "each step was taken twice");
}

async fn undisturbed<S: Stage>(make: &impl AsyncFn(Arc<dyn Fate>) -> S) -> String {
    let mut run = Run::new(make, never()).await;
    run.settle(1).await;
    assert_eq!(run.failed, Vec::<String>::new(), "no plane failed");
    run.stage.world().await
}

/// Whichever call of a plane fails, before or after it has done what was asked: in the end the world is as if none had.
pub async fn survives_failure_at_each_step<S: Stage>(make: impl AsyncFn(Arc<dyn Fate>) -> S) {
    let expected = undisturbed(&make).await;
    for place in 0.. {
        let Some(mut run) = until_fault(&make, place).await else {
            assert!(place > 0, "no call of a plane was made: nothing was tried");
            return;
        };
        run.settle(1).await;
        assert_eq!(run.stage.world().await, expected, "a fault at place {place}");
    }
}

/// Whichever call fails, if the wish is taken back right after it the world is as if it had never been made.
pub async fn survives_regret_at_each_step<S: Stage>(
    make: impl AsyncFn(Arc<dyn Fate>) -> S,
    regret: impl Fn(&S),
) {
    let before = Run::new(&make, never()).await.stage.world().await;
    for place in 0.. {
        let Some(mut run) = until_fault(&make, place).await else {
            assert!(place > 0, "no call of a plane was made: nothing was tried");
            return;
        };
        regret(&run.stage);
        run.settle(1).await;
        let after = run.stage.world().await;
        assert_eq!(after, before, "a fault at place {place}, then the wish was taken back");
    }
}

/// A run in which the fault at this place has just come; `None` when there is no such place.
async fn until_fault<S: Stage>(make: &impl AsyncFn(Arc<dyn Fate>) -> S, place: u64) -> Option<Run<S>> {
    let fault = Arc::new(FaultAt::place(place));
    let mut run = Run::new(make, Arc::clone(&fault) as _).await;
    while !fault.came() && run.round(1).await > 0 {}
    fault.came().then_some(run)
}
