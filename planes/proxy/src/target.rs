//! A target from the point of view of one node: its health, its requests in progress, its open connections.

use crate::{
    TargetState,
    counters::{HistogramCounters, OutcomeCounters, TargetCount},
    direct::Wire,
    pool::Pool,
    sender::Sender,
    spec::Transport,
    sticky::Tag,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) addr: SocketAddr,
    pub(crate) transport: Transport,
    /// In cookies.
    pub(crate) tag: Tag,
    state: Mutex<TargetState>,
    /// Copy of `state` for the choice of a target, which must not lock. A target in doubt is not healthy here.
    healthy: AtomicBool,
    created: Instant,
    /// Milliseconds since `created`.
    healthy_since_ms: AtomicU64,
    outstanding: AtomicUsize,
    draining: AtomicBool,
    /// Notified when the target has become unhealthy.
    failed: Notify,
    doubted: Notify,
    /// Notified when a draining target has no request in progress any more.
    idle: Notify,
    /// Cancelled when the drain delay is over: cuts the remaining requests.
    pub(crate) cut: CancellationToken,
    pool: Pools,
    pub(crate) counters: TargetCounters,
}

/// The idle connections of both request paths.
#[derive(Default)]
struct Pools {
    clients: Pool<Sender>,
    wires: Pool<Wire>,
}

#[derive(Default)]
pub(crate) struct TargetCounters {
    pub(crate) requests: AtomicU64,
    pub(crate) outcomes: OutcomeCounters,
    pub(crate) connection_errors: AtomicU64,
    pub(crate) latency: HistogramCounters,
}

impl Target {
    pub(crate) fn new(group: &str, addr: SocketAddr, transport: Transport, tag: Tag) -> Arc<Target> {
        Arc::new(Target {
            group: group.to_owned(),
            addr,
            transport,
            tag,
            state: Mutex::new(TargetState::Unused),
            healthy: AtomicBool::new(false),
            created: Instant::now(),
            healthy_since_ms: AtomicU64::new(0),
            outstanding: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            failed: Notify::new(),
            doubted: Notify::new(),
            idle: Notify::new(),
            cut: CancellationToken::new(),
            pool: Pools::default(),
            counters: TargetCounters::default(),
        })
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Relaxed)
    }

    /// How long it has been healthy, if it is.
    pub(crate) fn healthy_for(&self) -> Option<Duration> {
        let since = Duration::from_millis(self.healthy_since_ms.load(Relaxed));
        self.is_healthy().then(|| self.created.elapsed().saturating_sub(since))
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(SeqCst)
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Relaxed)
    }

    pub(crate) fn state(&self) -> TargetState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether the state changed.
    pub(crate) fn set_state(&self, state: TargetState) -> bool {
        let mut now = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state == TargetState::Healthy && *now != TargetState::Healthy {
            let since = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.healthy_since_ms.store(since, Relaxed);
        }
        // Under the lock of `state`, so that the copy never lags behind it.
        self.healthy.store(state == TargetState::Healthy, Relaxed);
        if matches!(state, TargetState::Unhealthy(_)) && !matches!(*now, TargetState::Unhealthy(_)) {
            self.failed.notify_waiters();
        }
        let news = *now != state;
        *now = state;
        news
    }

    /// Waits until the target becomes unhealthy. One that is unhealthy already does not count: no other was healthy, so it
    /// was chosen nevertheless.
    pub(crate) async fn becomes_unhealthy(&self) {
        self.failed.notified().await;
    }

    /// It acknowledges no packet, so other targets get the requests until a check of it succeeds. Its state remains: only checks
    /// at their intervals change that.
    pub(crate) fn doubt(&self) {
        if self.healthy.swap(false, Relaxed) {
            tracing::info!(target = %self.addr, group = %self.group, "the target acknowledges nothing; others get its requests");
            self.pool.clients.clear();
            self.pool.wires.clear();
            self.doubted.notify_one();
        }
    }

    /// Waits for a doubt.
    pub(crate) async fn is_doubted(&self) {
        self.doubted.notified().await;
    }

    /// Ends a doubt.
    pub(crate) fn trust(&self) {
        let now = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.healthy.store(*now == TargetState::Healthy, Relaxed);
    }

    /// From now on no new request is sent.
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, SeqCst);
    }

    /// Drains; returns once no request is in progress or `delay` is over.
    pub(crate) async fn drain(&self, delay: Duration) {
        self.begin_drain();
        let all_done = async {
            loop {
                let notified = self.idle.notified();
                tokio::pin!(notified);
                // Registered before the check, so that no notification after it is missed.
                notified.as_mut().enable();
                if self.outstanding.load(SeqCst) == 0 {
                    return;
                }
                notified.await;
            }
        };
        // After the delay the remaining requests are cut below.
        let _ = tokio::time::timeout(delay, all_done).await;
        self.cut.cancel();
        self.pool.clients.clear();
        self.pool.wires.clear();
    }

    /// An idle connection of this lane.
    pub(crate) fn client(&self) -> Option<Sender> {
        self.pool.clients.take()
    }

    /// As [`Target::client`].
    pub(crate) fn wire(&self) -> Option<Wire> {
        self.pool.wires.take()
    }

    /// Keeps a connection for the next request of this lane.
    pub(crate) fn keep_client(&self, client: Sender) {
        if !self.is_draining() {
            self.pool.clients.put(client);
        }
    }

    /// As [`Target::keep_client`].
    pub(crate) fn keep_wire(&self, wire: Wire) {
        if !self.is_draining() {
            self.pool.wires.put(wire);
        }
    }

    /// Closes connections that have been idle for too long or were closed by the other end.
    pub(crate) fn sweep(&self) {
        self.pool.clients.sweep();
        self.pool.wires.sweep();
    }

    pub(crate) fn count(&self) -> TargetCount {
        TargetCount {
            group: self.group.clone(),
            addr: self.addr,
            requests: self.counters.requests.load(Relaxed),
            outcomes: self.counters.outcomes.read(),
            connection_errors: self.counters.connection_errors.load(Relaxed),
            outstanding: self.outstanding() as u64,
            latency: self.counters.latency.read(),
        }
    }
}

/// One request in progress to a target; dropped with the last byte of its answer.
pub(crate) struct Lease(Arc<Target>);

impl Lease {
    /// `None` when the target has begun to drain.
    pub(crate) fn take(target: &Arc<Target>) -> Option<Lease> {
        target.outstanding.fetch_add(1, SeqCst);
        let lease = Lease(target.clone());
        // Checked after the increment: either this sees the draining, or the drain sees this request.
        (!target.is_draining()).then_some(lease)
    }
}

impl std::ops::Deref for Lease {
    type Target = Arc<Target>;
    fn deref(&self) -> &Arc<Target> {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.0.outstanding.fetch_sub(1, SeqCst) == 1 && self.0.is_draining() {
            self.0.idle.notify_waiters();
        }
    }
}
