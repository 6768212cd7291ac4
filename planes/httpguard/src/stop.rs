//! How a listener and its connections end before their clients end them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use tokio_util::sync::CancellationToken;

/// Ends a listener and its connections. Clones end the same ones.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    accepts_no_more: CancellationToken,
    now: CancellationToken,
    is_draining: Arc<AtomicBool>,
}

impl Stop {
    /// No further connections. Requests in progress are completed. Idle connections are closed, so a request that is on its way on
    /// one of them is lost.
    pub fn now(&self) {
        self.accepts_no_more.cancel();
        self.now.cancel();
    }

    /// No further connections, because another listener accepts them. Each client is asked to end its connection: with the answer to
    /// its next request in HTTP/1.1 (`Connection: close`), by GOAWAY in HTTP/2. So no request is lost.
    pub fn drain(&self) {
        self.is_draining.store(true, Relaxed);
        self.accepts_no_more.cancel();
    }

    /// One that this one ends, too, while [`Stop::now`] on it ends nothing else.
    #[must_use]
    pub fn child(&self) -> Stop {
        Stop {
            accepts_no_more: self.accepts_no_more.child_token(),
            now: self.now.child_token(),
            is_draining: self.is_draining.clone(),
        }
    }

    /// Cancelled when no further connections are accepted.
    pub fn accepts_no_more(&self) -> &CancellationToken {
        &self.accepts_no_more
    }

    /// Waits for [`Stop::now`].
    pub async fn is_now(&self) {
        self.now.cancelled().await;
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Relaxed)
    }
}

impl From<CancellationToken> for Stop {
    fn from(now: CancellationToken) -> Stop {
        Stop { accepts_no_more: now.clone(), now, is_draining: Arc::default() }
    }
}
