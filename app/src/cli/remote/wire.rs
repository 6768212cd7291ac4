//! Signed requests to AWS over TLS, with timeouts and retries.

use super::{
    credentials::Keys,
    endpoints::{Endpoint, Endpoints},
};
use crate::cli::client::{Answer, Call, exchange, read_query};
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use escale_base::Clock;
use escale_tls::client::Trust;
use escale_wire::{
    Element,
    sigv4::{self, Content, Credentials, Signer},
};
use http::{Request, StatusCode, header};
use http_body_util::Full;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// How often a request is sent at most, as AWS's SDKs do in their default mode.
const ATTEMPTS: u32 = 5;
/// The pause before the second attempt; doubled before each further one.
const FIRST_PAUSE_MS: u64 = 300;
/// A connection to a host that drops packets would take minutes.
const CONNECT: Duration = Duration::from_secs(10);
/// A request with its answer: the largest is the upload of a static file.
const EXCHANGE: Duration = Duration::from_secs(300);

/// Error codes of requests that AWS has not carried out and that may be sent again.
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
const THROTTLED: [&str; 9] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
];

/// How to reach AWS's services in one region.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) endpoints: Endpoints,
    pub(crate) region: String,
    pub(crate) trust: Arc<Trust>,
}

impl Wire {
    /// Calls an operation of a service with a query protocol, with the given keys.
    pub(crate) async fn query(
        &self,
        keys: &Keys,
        service: &str,
        operation: &str,
        parameters: &[(String, String)],
    ) -> Result<Element> {
        let call = Call::query(service, operation, parameters)?;
        read_query(&self.send(keys, call).await?, operation)
    }

    /// Signs and sends a request until there is an answer that another attempt would not change.
    pub(crate) async fn send(&self, keys: &Keys, call: Call) -> Result<Answer> {
        let endpoint = self.endpoints.of(call.service, &self.region)?;
        let mut attempt = 1;
        loop {
            let sent = self.once(&endpoint, keys, &call).await;
            let again = match &sent {
                Ok(answer) => is_to_be_repeated(answer),
                Err(_) => true,
            };
            if !again || attempt == ATTEMPTS {
                return sent.with_context(|| {
                    format!(
                        "{} does not answer. Check the network, and the variables AWS_ENDPOINT_URL and AWS_CA_BUNDLE if they are set",
                        endpoint.authority()
                    )
                });
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    async fn once(&self, endpoint: &Endpoint, keys: &Keys, call: &Call) -> Result<Answer> {
        let mut request = Request::builder().method(call.method.clone()).uri(&call.path_and_query);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.header(header::HOST, endpoint.authority()).body(()).context("a request")?;
        let (mut parts, ()) = request.into_parts();
        let session_token = keys.session_token.as_ref().map(|token| token.reveal().as_str());
        let credentials = Credentials { access_key: &keys.access_key, secret: &keys.secret, session_token };
        let signer = Signer { credentials, region: &endpoint.region, service: &call.signing_name };
        sigv4::sign(&mut parts, &signer, Content::Whole(&call.body), Clock::machine().now())?;
        let request = Request::from_parts(parts, Full::new(call.body.clone()));
        let sent = timeout(EXCHANGE, self.exchange(endpoint, request)).await;
        sent.map_err(|_| anyhow!("no answer within {} s", EXCHANGE.as_secs()))?
    }

    async fn exchange(&self, endpoint: &Endpoint, request: Request<Full<Bytes>>) -> Result<Answer> {
        let host = endpoint.host.trim_start_matches('[').trim_end_matches(']');
        let connected = timeout(CONNECT, TcpStream::connect((host, endpoint.port))).await;
        let stream = connected.map_err(|_| anyhow!("no connection within {} s", CONNECT.as_secs()))??;
        stream.set_nodelay(true)?;
        if !endpoint.is_tls {
            return exchange(stream, request).await;
        }
        exchange(self.trust.connect(stream, &[host]).await.context("TLS")?, request).await
    }
}

fn is_to_be_repeated(answer: &Answer) -> bool {
    let status = answer.status;
    if status.is_success() || status == StatusCode::NOT_IMPLEMENTED {
        return false;
    }
    let text = String::from_utf8_lossy(&answer.body);
    // JSON names the code in `__type`, with a prefix or not; XML as the text of an element.
    let has = |code: &&str| text.contains(&format!("{code}\"")) || text.contains(&format!(">{code}<"));
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || THROTTLED.iter().any(has)
}

/// Doubles with each attempt. A random part keeps clients that failed together from returning together.
fn pause(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE_MS << attempt.min(6);
    let random = u64::from_str_radix(&escale_base::ids::random_hex(8), 16).unwrap_or(0);
    Duration::from_millis(longest / 2 + random % (longest / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_only_what_was_not_carried_out() {
        let is_repeated = |status: u16, body: &'static str| {
            let status = StatusCode::from_u16(status).unwrap();
            is_to_be_repeated(&Answer {
                status,
                headers: http::HeaderMap::new(),
                body: Bytes::from_static(body.as_bytes()),
            })
        };
        assert!(is_repeated(503, ""));
        assert!(is_repeated(429, ""));
        assert!(is_repeated(400, r#"{"__type":"com.amazonaws.ecs#ThrottlingException"}"#));
        assert!(is_repeated(400, "<Error><Code>Throttling</Code></Error>"));
        assert!(!is_repeated(501, "<Code>NotImplemented</Code>"));
        assert!(!is_repeated(400, "<Code>ValidationError</Code>"));
        assert!(!is_repeated(403, r#"{"__type":"AccessDeniedException"}"#));
        assert!(!is_repeated(200, ""));
    }

    #[test]
    fn pauses_grow_within_their_bounds() {
        for attempt in 1..=ATTEMPTS {
            let longest = FIRST_PAUSE_MS << attempt;
            let ms = u64::try_from(pause(attempt).as_millis()).unwrap();
            assert!((longest / 2..=longest).contains(&ms), "{attempt}: {ms}");
        }
    }
}
