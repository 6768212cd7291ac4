//! A timer for idle connections.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// Ready once there was no traffic for a while. Reporting traffic is cheap: the timer itself is reset only when it expires.
pub struct IdleTimer {
    after: Duration,
    last: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    pub fn new(after: Duration) -> IdleTimer {
        IdleTimer { after, last: Instant::now(), sleep: None }
    }

    pub fn moved(&mut self) {
        self.last = Instant::now();
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = self.last + self.after;
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}
