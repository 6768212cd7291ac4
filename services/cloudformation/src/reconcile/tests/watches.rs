//! The changes that make a stack be planned again.

use super::*;
use escale_engine::Engine;
use escale_tables::logs::LogStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// The reconciler, with a message for each plan.
struct Counted(Stacks, UnboundedSender<()>);

impl Reconciler for Counted {
    type Step = Vec<Action>;
    const NAME: &'static str = Stacks::NAME;
    const WATCHES: &'static [&'static str] = Stacks::WATCHES;

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        self.0.concerned(image, change)
    }
    fn all(&self, image: &Image) -> BTreeSet<String> {
        self.0.all(image)
    }
    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Vec<Action>> {
        let _ = self.1.send(());
        self.0.plan(image, key, now)
    }
    async fn act(&self, key: &str, actions: Vec<Action>) -> Result<(), StepError> {
        self.0.act(key, actions).await
    }
}

#[test]
fn stack_that_waits_is_planned_again_only_after_a_change_of_its_own_resources() {
    let env = TestEnv::new();
    let template = "Resources: { A: { Type: Test::Thing, Properties: { Slow: true } } }";
    env.create("shop", template).unwrap();
    env.run();
    let (planned, mut plans) = unbounded_channel();
    let mut engine = Engine::new(env.store.clone(), env.clock.clone());
    let stacks = Stacks::new(env.store.clone(), Arc::clone(&env.cloud));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        engine.add(Counted(stacks, planned));
        let mut plans_after = async |write: &dyn Fn(&mut escale_store::Tx)| {
            env.write(|tx| write(tx));
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            std::iter::from_fn(|| plans.try_recv().ok()).count()
        };
        let other = |name: &str| Thing { id: name.into(), ..(*env.thing("thing-A")).clone() };
        assert_ne!(plans_after(&|_| ()).await, 0, "the first plan");
        assert_eq!(plans_after(&|tx| tx.put(other("of-nobody"))).await, 0, "a row that is not in the stack");
        let stream = LogStream { group: "g".into(), name: "s".into(), id: "1".into(), created: Timestamp(0) };
        assert_eq!(plans_after(&|tx| tx.put(stream.clone())).await, 0, "a table that no resource has");
        let ready = |tx: &mut escale_store::Tx| {
            tx.update::<Thing, _>("thing-A", |t| t.ready = true);
        };
        assert_ne!(plans_after(&ready).await, 0, "its own resource");
    });
    assert_eq!(env.status("shop"), "CREATE_COMPLETE");
}
