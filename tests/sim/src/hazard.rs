//! Decides at every call of a plane, from the seed, whether it fails, is delayed, or the daemon dies there.

use async_trait::async_trait;
use escale_faults::Fate;
use escale_store::Store;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// The kinds and frequencies of faults in one run. Seeds differ in kind as well: some have only crashes, some only slow planes.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Probability that a call fails before the plane executes it; the same again for after.
    pub(crate) fails: f64,
    /// Probability that a call is delayed by up to `delay_ms` before the plane executes it; the same again for after.
    pub(crate) delays: f64,
    pub(crate) delay_ms: u64,
    /// The number of crashes of the daemon.
    pub(crate) crashes: u32,
    /// The number of failures of tasks, database servers and targets.
    pub(crate) accidents: u32,
    /// The number of user actions: stop a task, redeploy a service, fail a database over.
    pub(crate) user_actions: u32,
    /// The number of times at which a zone loses its power or its network.
    pub(crate) outages: u32,
    /// The number of steps of the machine's clock.
    pub(crate) clock_steps: u32,
    /// Probability that a plane returns the observation before the present one.
    pub(crate) stale: f64,
    /// The user deletes the stack after this time, while it is being created, and creates it again.
    pub(crate) withdraw_ms: Option<u64>,
}

impl Weather {
    fn draw(random: &mut StdRng) -> Weather {
        let mut one_of = |choices: &[f64]| *choices.choose(random).expect("there are choices");
        Weather {
            fails: one_of(&[0.0, 0.0, 0.02, 0.1, 0.3]),
            delays: one_of(&[0.0, 0.2, 0.7]),
            delay_ms: one_of(&[20.0, 1_000.0, 15_000.0]) as u64,
            crashes: one_of(&[0.0, 1.0, 3.0, 9.0, 25.0]) as u32,
            accidents: one_of(&[0.0, 0.0, 2.0, 8.0]) as u32,
            user_actions: one_of(&[0.0, 0.0, 2.0, 8.0]) as u32,
            outages: one_of(&[0.0, 0.0, 1.0, 4.0]) as u32,
            clock_steps: one_of(&[0.0, 0.0, 1.0, 5.0]) as u32,
            stale: one_of(&[0.0, 0.0, 0.1, 0.5]),
            withdraw_ms: match one_of(&[0.0, 0.0, 0.0, 500.0, 10_000.0, 90_000.0]) as u64 {
                0 => None,
                most => Some(random.random_range(1..most)),
            },
        }
    }
}

/// The point at which the next daemon dies.
#[derive(Clone, Copy, Debug)]
enum End {
    Never,
    /// After this number of commits to the store.
    Commits(u64),
    /// After this number of borders of planes' calls. A call has one before it, and one between its effect and its answer.
    Borders(u64),
}

/// The random decisions of one run, for all daemons in it.
pub(crate) struct Hazard {
    state: Mutex<State>,
    death: Notify,
}

struct State {
    random: StdRng,
    weather: Weather,
    calm: bool,
    /// The daemon has started. During its start it can die, but its planes do not fail: it would only exit with an error.
    started: bool,
    /// The running daemon's store.
    store: Option<Store>,
    borders_left: Option<u64>,
    dead: bool,
    faults: u64,
}

impl Hazard {
    pub(crate) fn new(seed: u64) -> Hazard {
        let mut random = StdRng::seed_from_u64(seed);
        let weather = Weather::draw(&mut random);
        let state = State {
            random,
            weather,
            calm: false,
            started: false,
            store: None,
            borders_left: None,
            dead: false,
            faults: 0,
        };
        Hazard { state: Mutex::new(state), death: Notify::new() }
    }

    pub(crate) fn weather(&self) -> Weather {
        self.state().weather.clone()
    }

    pub(crate) fn faults(&self) -> u64 {
        self.state().faults
    }

    pub(crate) fn random<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.state().random)
    }

    /// Takes one of the remaining accidents; false if there are none or the run is calm.
    pub(crate) fn take_accident(&self) -> bool {
        let mut state = self.state();
        !state.calm && take(&mut state.weather.accidents)
    }

    /// Takes one of the remaining user actions; false if there are none or the run is calm.
    pub(crate) fn take_user_action(&self) -> bool {
        let mut state = self.state();
        !state.calm && take(&mut state.weather.user_actions)
    }

    /// Takes one of the remaining outages of zones; false if there are none or the run is calm.
    pub(crate) fn take_outage(&self) -> bool {
        let mut state = self.state();
        !state.calm && take(&mut state.weather.outages)
    }

    /// Takes one of the remaining steps of the clock; false if there are none or the run is calm.
    pub(crate) fn take_clock_step(&self) -> bool {
        let mut state = self.state();
        !state.calm && take(&mut state.weather.clock_steps)
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.state().calm
    }

    pub(crate) fn take_withdrawal(&self) -> Option<u64> {
        self.state().weather.withdraw_ms.take()
    }

    /// A daemon starts on this store. Decides when it dies, if there are crashes left.
    pub(crate) fn begin(&self, store: &Store) {
        let mut state = self.state();
        (state.dead, state.started, state.borders_left) = (false, false, None);
        state.store = Some(store.clone());
        let crashes = if state.calm { 0 } else { state.weather.crashes };
        let random = &mut state.random;
        // Early ends are as likely as late ones, so that a daemon may die again while it adopts what the last one left.
        let most: u64 = [12, 60, 300][random.random_range(0..3)];
        let end = match crashes {
            0 => End::Never,
            _ if random.random_bool(0.5) => End::Commits(random.random_range(0..most)),
            _ => End::Borders(random.random_range(0..most)),
        };
        tracing::info!(?end, "a daemon starts");
        match end {
            End::Never => {}
            End::Commits(n) => store.cut_after(n),
            End::Borders(n) => state.borders_left = Some(n),
        }
    }

    pub(crate) fn set_started(&self) {
        self.state().started = true;
    }

    /// The daemon has ended and its runtime is dropped.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.store = None;
        state.weather.crashes = state.weather.crashes.saturating_sub(1);
    }

    /// Suspends all faults, or resumes them.
    pub(crate) fn set_calm(&self, calm: bool) {
        let mut state = self.state();
        state.calm = calm;
        if calm {
            state.borders_left = None;
            if let Some(store) = state.store.as_ref().filter(|s| !s.is_cut()) {
                store.cut_after(u64::MAX);
            }
        }
    }

    /// Returns when the daemon is dead.
    pub(crate) async fn death(&self) {
        self.death.notified().await;
    }

    pub(crate) fn is_dead(&self) -> bool {
        let state = self.state();
        state.dead || state.store.as_ref().is_some_and(Store::is_cut)
    }

    fn draw_pause(&self) -> u64 {
        let mut state = self.state();
        let Weather { delays, delay_ms, .. } = state.weather;
        if state.calm || !state.random.random_bool(delays) {
            return 0;
        }
        state.random.random_range(1..=delay_ms)
    }

    fn dies(&self) -> bool {
        if self.is_dead() {
            return true;
        }
        let mut state = self.state();
        match &mut state.borders_left {
            None => false,
            Some(0) => {
                state.dead = true;
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Fate for Hazard {
    async fn border(&self, call: &'static str) {
        self.pause().await;
        if self.dies() {
            tracing::info!(call, "the daemon is dead");
            self.death.notify_one();
            // The call never returns: code of a dead process does not run on until the runtime is dropped.
            std::future::pending::<()>().await;
        }
    }

    fn fails(&self, call: &'static str, done: bool) -> bool {
        let mut state = self.state();
        let p = state.weather.fails;
        let fails = !state.calm && state.started && state.random.random_bool(p);
        if fails {
            tracing::debug!(call, done, "injected a fault");
            state.faults += 1;
        }
        fails
    }

    fn is_stale(&self, call: &'static str) -> bool {
        let mut state = self.state();
        let p = state.weather.stale;
        let stale = !state.calm && state.started && state.random.random_bool(p);
        if stale {
            tracing::debug!(call, "a stale observation");
            state.faults += 1;
        }
        stale
    }

    async fn pause(&self) {
        let pause = self.draw_pause();
        if pause > 0 {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
}

fn take(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}
