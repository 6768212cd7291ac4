//! Health checks: one task per (node, target), from the node's own network.

use crate::{
    Reason, Sockets, TargetState,
    body::Upload,
    compile::Matcher,
    spec::{HealthCheck, Probe},
    target::Target,
};
use http::{Request, header};
use hyper_util::rt::TokioIo;
use std::{io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::Notify};

/// Pause before a target that has never answered is checked again; doubled each time.
const NEW_TARGET_PAUSE: Duration = Duration::from_millis(50);
/// For this long a new target that refuses connections is assumed to be starting, its port not open yet. A wrong answer is
/// reported at once.
const STARTING: Duration = Duration::from_millis(1500);

pub(crate) struct Checker {
    pub(crate) sockets: Arc<dyn Sockets>,
    pub(crate) node: String,
    pub(crate) target: Arc<Target>,
    pub(crate) check: HealthCheck,
    /// Notified when the target's state has changed.
    pub(crate) changed: Arc<Notify>,
}

impl Checker {
    /// Checks at once, then at every interval, forever; a target that has never answered is checked more often.
    pub(crate) async fn run(self) {
        let mut addr = self.target.addr;
        addr.set_port(self.check.port.unwrap_or(addr.port()));
        let mut tick = tokio::time::interval(Duration::from_millis(self.check.interval_ms));
        // A late check does not cause several at once.
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut row = Row::default();
        let mut waited = Duration::ZERO;
        loop {
            let outcome = if self.answered_before(&mut tick, addr, &mut waited).await {
                Ok(())
            } else {
                self.probe(addr).await
            };
            let failed = outcome.as_ref().err().cloned();
            match (row.next(&self.target.state(), outcome, &self.check), failed) {
                (Some(state), _) => self.set(state),
                (None, Some(reason)) => self.report(reason, waited),
                (None, None) => {}
            }
        }
    }

    /// Waits for the next regular check; `true` when a new target answered before that. Extra checks count
    /// only when they succeed: a target that starts slowly fails no sooner than its thresholds allow. Their failures are reported.
    async fn answered_before(
        &self,
        tick: &mut tokio::time::Interval,
        addr: SocketAddr,
        waited: &mut Duration,
    ) -> bool {
        let mut pause = NEW_TARGET_PAUSE;
        while matches!(self.target.state(), TargetState::Initial(_)) {
            // The regular check is due; its outcome counts as success or failure.
            if tokio::time::timeout(pause, tick.tick()).await.is_ok() {
                *waited += pause;
                return false;
            }
            *waited += pause;
            match self.probe(addr).await {
                Ok(()) => return true,
                Err(reason) => self.report(reason, *waited),
            }
            pause = pause.saturating_mul(2);
        }
        tick.tick().await;
        false
    }

    fn set(&self, state: TargetState) {
        if !self.target.is_draining() && self.target.set_state(state) {
            self.changed.notify_one();
        }
    }

    /// Reports why a check of a new target failed, long before there are enough failures to call it unhealthy.
    fn report(&self, reason: Reason, waited: Duration) {
        let answered = matches!(reason, Reason::FailedCode(_) | Reason::BadAnswer);
        let new = matches!(self.target.state(), TargetState::Initial(_));
        if new && (answered || waited >= STARTING) {
            self.set(TargetState::Initial(Some(reason)));
        }
    }

    async fn probe(&self, addr: SocketAddr) -> Result<(), Reason> {
        let timeout = Duration::from_millis(self.check.timeout_ms);
        tokio::time::timeout(timeout, self.ask(addr)).await.unwrap_or(Err(Reason::Timeout))
    }

    async fn ask(&self, addr: SocketAddr) -> Result<(), Reason> {
        let stream = self.sockets.connect(&self.node, addr).await.map_err(|e| match e.kind() {
            ErrorKind::ConnectionRefused => Reason::ConnectionRefused,
            ErrorKind::TimedOut => Reason::Timeout,
            _ => Reason::Unreachable(e.to_string()),
        })?;
        match &self.check.protocol {
            Probe::Tcp => Ok(()),
            Probe::Http { path, matcher, headers } => {
                let mut request = Request::get(path.as_str())
                    .header(header::HOST, addr.to_string())
                    .header(header::CONNECTION, "close");
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                // The spec was checked before it was applied, so neither of these can fail.
                let (Ok(request), Ok(matcher)) = (request.body(Upload::empty()), Matcher::parse(matcher))
                else {
                    return Err(Reason::BadAnswer);
                };
                let status = status(stream, request).await.map_err(|_| Reason::BadAnswer)?;
                if matcher.takes(status) { Ok(()) } else { Err(Reason::FailedCode(status)) }
            }
        }
    }
}

async fn status(stream: TcpStream, request: Request<Upload>) -> hyper::Result<u16> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = sender.send_request(request);
    tokio::pin!(connection);
    tokio::select! {
        // Polled first: a server that answers and closes at once would otherwise count as broken.
        biased;
        answer = answer => answer.map(|a| a.status().as_u16()),
        ended = async { connection.as_mut().await?; std::future::pending().await } => ended,
    }
}

/// Consecutive successes or failures.
#[derive(Default)]
struct Row {
    successes: u32,
    failures: u32,
}

impl Row {
    /// The state after one more outcome; `None`: unchanged.
    fn next(
        &mut self,
        now: &TargetState,
        outcome: Result<(), Reason>,
        check: &HealthCheck,
    ) -> Option<TargetState> {
        match outcome {
            Ok(()) => {
                self.successes = self.successes.saturating_add(1);
                self.failures = 0;
                // A new target is healthy after its first success.
                let enough = self.successes >= check.healthy_threshold;
                (enough || matches!(now, TargetState::Initial(_))).then_some(TargetState::Healthy)
            }
            Err(reason) => {
                self.failures = self.failures.saturating_add(1);
                self.successes = 0;
                let enough = self.failures >= check.unhealthy_threshold;
                // An unhealthy target stays so, with the newest reason.
                let already = matches!(now, TargetState::Unhealthy(_));
                (enough || already).then_some(TargetState::Unhealthy(reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn health_changes_at_the_thresholds() {
        let check = HealthCheck {
            protocol: Probe::Tcp,
            port: None,
            interval_ms: 1,
            timeout_ms: 1,
            healthy_threshold: 3,
            unhealthy_threshold: 2,
        };
        let mut shown = String::new();
        for outcomes in ["+", "--", "-+--", "--++", "--+++", "--+-++"] {
            let (mut row, mut state) = (Row::default(), TargetState::Initial(None));
            for outcome in outcomes.chars() {
                let outcome = if outcome == '+' { Ok(()) } else { Err(Reason::Timeout) };
                state = row.next(&state, outcome, &check).unwrap_or(state);
            }
            shown += &format!("{outcomes:8} {state:?}\n");
        }
        expect![[r#"
            +        Healthy
            --       Unhealthy(Timeout)
            -+--     Unhealthy(Timeout)
            --++     Unhealthy(Timeout)
            --+++    Healthy
            --+-++   Unhealthy(Timeout)
        "#]]
        .assert_eq(&shown);
    }
}
