//! Health checks: one task per (node, target), from the node's own network.

use crate::{
    Reason, Sockets, TargetState,
    body::Upload,
    compile::Matcher,
    sender,
    spec::{HealthCheck, Probe, Transport, Version},
    target::Target,
};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Limited};
use std::{io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::Notify};

/// Pause before a target that has never answered is checked again; doubled each time.
const NEW_TARGET_PAUSE: Duration = Duration::from_millis(50);
/// For this long a new target that refuses connections is assumed to be starting, its port not open yet. A wrong answer is
/// reported at once.
const STARTING: Duration = Duration::from_millis(1500);

/// Pause between the checks of a target in doubt.
const IN_DOUBT: Duration = Duration::from_secs(1);

/// Largest answer of a gRPC health check.
const GRPC_ANSWER_BYTES: usize = 64 * 1024;

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
            if outcome.is_ok() {
                self.target.trust();
            }
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
        tokio::select! {
            _ = tick.tick() => {}
            () = self.end_doubts(addr) => {}
        }
        false
    }

    /// Checks a target in doubt more often. These checks count for nothing else. Never returns.
    async fn end_doubts(&self, addr: SocketAddr) {
        loop {
            self.target.is_doubted().await;
            while self.probe(addr).await.is_err() {
                tokio::time::sleep(IN_DOUBT).await;
            }
            self.target.trust();
        }
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
            Probe::Http { path, matcher, headers, transport } => {
                let mut request = head(path, addr, *transport);
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let body = match transport.version {
                    Version::Grpc => Bytes::from_static(EMPTY_MESSAGE),
                    Version::Http1 | Version::Http2 => Bytes::new(),
                };
                let matcher = Matcher::parse(matcher, transport.version);
                // The spec was checked before it was applied, so neither of these can fail.
                let (Ok(request), Ok(matcher)) = (request.body(body), matcher) else {
                    return Err(Reason::BadAnswer);
                };
                let status = status(stream, addr, *transport, request).await.ok_or(Reason::BadAnswer)?;
                if matcher.takes(status) { Ok(()) } else { Err(Reason::FailedCode(status)) }
            }
        }
    }
}

/// A message of gRPC without a field: not compressed, 0 bytes.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

fn head(path: &str, addr: SocketAddr, transport: Transport) -> http::request::Builder {
    let scheme = if transport.tls { "https" } else { "http" };
    match transport.version {
        Version::Http1 => {
            Request::get(path).header(header::HOST, addr.to_string()).header(header::CONNECTION, "close")
        }
        Version::Http2 => Request::get(format!("{scheme}://{addr}{path}")).version(http::Version::HTTP_2),
        Version::Grpc => Request::post(format!("{scheme}://{addr}{path}"))
            .version(http::Version::HTTP_2)
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers"),
    }
}

/// The status of the answer: with gRPC that of gRPC. `None`: it is not HTTP, or has no such status.
async fn status(
    stream: TcpStream,
    addr: SocketAddr,
    transport: Transport,
    request: Request<Bytes>,
) -> Option<u16> {
    let mut sender = sender::handshake(stream, addr, transport).await.ok()?;
    let answer = sender.try_send_request(request.map(Upload::of)).await.ok()?;
    if transport.version != Version::Grpc {
        return Some(answer.status().as_u16());
    }
    let of = |headers: &http::HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    if let Some(status) = of(answer.headers()) {
        // An answer without a body has its trailers in its head.
        return Some(status);
    }
    let collected = Limited::new(answer.into_body(), GRPC_ANSWER_BYTES).collect().await.ok()?;
    of(collected.trailers()?)
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
