//! One request to a registry, with the requests that it leads to: for a token, and to where it redirects.

use crate::{
    Credentials, Error, Result,
    challenge::{Challenge, basic},
    connection::Connector,
    mirrors::Origin,
};
use bytes::Bytes;
use escale_base::Secret;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{HeaderMap, Request, Response, StatusCode, Uri, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Docker Hub redirects a blob once, GitHub twice.
const REDIRECTS: usize = 5;
/// The time from a request to the head of its response, and for the body of a short response.
const ANSWER: Duration = Duration::from_secs(60);
/// Largest head of a response. Redirects to signed URLs have some 3 KiB.
const HEAD_BYTES: usize = 64 * 1024;
/// Largest body of an error, and of the response with a token. Tokens have some 5 KiB.
const SHORT_BYTES: usize = 256 * 1024;
/// How much of a registry's own words an error repeats.
const MESSAGE_CHARS: usize = 300;

/// What all requests of an exchange have in common.
pub(crate) struct Exchange<'a> {
    pub(crate) connector: &'a Connector,
    /// The repository's path at this server, which a mirror may have extended.
    pub(crate) repository: String,
    pub(crate) credentials: Option<&'a Credentials>,
    /// The image's name, for errors.
    pub(crate) image: String,
}

impl Exchange<'_> {
    /// Sends a GET request. `authorization` is a token of an earlier request; it is replaced if the registry wants another one.
    /// The result is a response of one of the statuses 200 and 206.
    pub(crate) async fn get(
        &self,
        origin: &Origin,
        path: &str,
        headers: &HeaderMap,
        authorization: &mut Option<Secret<String>>,
    ) -> Result<Response<Incoming>> {
        let mut answer = self.follow(origin, path, headers, authorization.as_ref()).await?;
        if answer.1.status() == StatusCode::UNAUTHORIZED {
            let challenges = answer.1.headers().get_all(header::WWW_AUTHENTICATE);
            let challenges =
                challenges.iter().filter_map(|v| Challenge::parse(v.to_str().ok()?, &self.repository));
            let Some(challenge) = challenges.into_iter().next() else {
                return Err(self.failure(answer.0, answer.1).await);
            };
            *authorization = match (challenge, self.credentials) {
                (Challenge::Bearer(url), _) => Some(self.token(origin, &url).await?),
                (Challenge::Basic, Some(credentials)) => Some(Secret::new(basic(credentials))),
                (Challenge::Basic, None) => {
                    let message = "no basic auth credentials".into();
                    return Err(Error::Denied { image: self.image.clone(), message });
                }
            };
            answer = self.follow(origin, path, headers, authorization.as_ref()).await?;
        }
        match answer.1.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(answer.1),
            _ => Err(self.failure(answer.0, answer.1).await),
        }
    }

    /// Sends a request and follows redirects. The authorization never leaves the registry's own origin.
    async fn follow(
        &self,
        origin: &Origin,
        path: &str,
        headers: &HeaderMap,
        authorization: Option<&Secret<String>>,
    ) -> Result<(String, Response<Incoming>)> {
        let (mut at, mut path) = (origin.clone(), path.to_owned());
        for _ in 0..=REDIRECTS {
            let own = authorization.filter(|_| at == *origin);
            let answer = self.send(&at, &path, headers, own).await?;
            let url = at.url(&path);
            if !answer.status().is_redirection() {
                return Ok((url, answer));
            }
            let to = answer.headers().get(header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
            let refused = |why| Error::Redirect { url: url.clone(), to: shortened(to), why };
            let (next, next_path) = target(&at, to).ok_or_else(|| refused("it is not a URL"))?;
            // Otherwise anybody on the network path could replace the layer's bytes, and read a signed URL.
            if !next.is_tls && next != *origin {
                return Err(refused("only https is followed"));
            }
            (at, path) = (next, next_path);
        }
        Err(Error::Redirect {
            url: origin.url(&path),
            to: shortened(&at.url(&path)),
            why: "there are too many redirects, one after the other",
        })
    }

    async fn send(
        &self,
        origin: &Origin,
        path: &str,
        headers: &HeaderMap,
        authorization: Option<&Secret<String>>,
    ) -> Result<Response<Incoming>> {
        let broken = |why: String| Error::Broken { host: origin.authority(), why };
        let stream = self.connector.connect(origin).await?;
        let mut builder = http1::Builder::new();
        let connecting = builder.max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connecting.map_err(|e| broken(e.to_string()))?;
        // The connection ends with its only response; the reader of the body gets its errors.
        tokio::spawn(connection);
        let mut request = Request::get(path)
            .header(header::HOST, origin.authority())
            .header(header::USER_AGENT, concat!("escale/", env!("CARGO_PKG_VERSION")));
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value.reveal());
        }
        let mut request = request.body(Empty::<Bytes>::new()).map_err(|_| Error::Name(origin.url(path)))?;
        request.headers_mut().extend(headers.clone());
        let answer = timeout(ANSWER, sender.send_request(request)).await;
        let answer = answer.map_err(|_| broken(format!("no answer within {ANSWER:?}")))?;
        answer.map_err(|e| broken(cause(&e)))
    }

    /// Gets a token from the server that a challenge names. With credentials only over TLS, or at the registry's own origin.
    async fn token(&self, origin: &Origin, url: &str) -> Result<Secret<String>> {
        let invalid = |why: &str| Error::Invalid { image: self.image.clone(), why: why.to_owned() };
        let (at, path) =
            target(origin, url).ok_or_else(|| invalid("its registry's challenge has no valid URL"))?;
        if !at.is_tls && at != *origin {
            return Err(invalid("its registry names a server for tokens without TLS"));
        }
        let authorization = self.credentials.map(|c| Secret::new(basic(c)));
        let (url, answer) = self.follow(&at, &path, &HeaderMap::new(), authorization.as_ref()).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.failure(url, answer).await);
        }
        let body = short(answer.into_body()).await;
        let tree: Value =
            serde_json::from_slice(&body).map_err(|_| invalid("the server for tokens did not send JSON"))?;
        let token = tree["token"].as_str().or(tree["access_token"].as_str());
        token
            .filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()))
            .map(|token| Secret::new(format!("Bearer {token}")))
            .ok_or_else(|| invalid("the server for tokens sent none"))
    }

    /// The error of a response.
    async fn failure(&self, url: String, answer: Response<Incoming>) -> Error {
        let (head, body) = answer.into_parts();
        let message = message(&short(body).await);
        let image = self.image.clone();
        match head.status {
            StatusCode::NOT_FOUND => Error::NotFound { image },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Denied { image, message },
            StatusCode::TOO_MANY_REQUESTS => {
                let after = head.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok());
                Error::TooManyRequests { image, message, retry_after: after.map(shortened) }
            }
            // Without the query, which may be a signature.
            status => Error::Status { url: shortened(&url), status: status.as_u16(), message },
        }
    }
}

/// Resolves a redirect or a realm, which may be relative.
fn target(at: &Origin, to: &str) -> Option<(Origin, String)> {
    let uri: Uri = to.parse().ok()?;
    let path = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    match (uri.scheme_str(), uri.authority()) {
        (None, None) if to.starts_with('/') => Some((at.clone(), path)),
        (Some(scheme @ ("https" | "http")), Some(authority)) => {
            Some((Origin::new(scheme == "https", authority.as_str())?, path))
        }
        _ => None,
    }
}

/// Without a query, and not longer than an error should be.
fn shortened(text: &str) -> String {
    text.split('?')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(MESSAGE_CHARS)
        .collect()
}

async fn short(body: Incoming) -> Bytes {
    let read = timeout(ANSWER, Limited::new(body, SHORT_BYTES).collect()).await;
    read.ok().and_then(|body| body.ok()).map(|body| body.to_bytes()).unwrap_or_default()
}

/// The registry's own words: `toomanyrequests: You have reached your pull rate limit.`
fn message(body: &[u8]) -> String {
    let tree: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &tree["errors"][0];
    let part = |name: &str| error[name].as_str().unwrap_or_default();
    let text = match (part("code"), part("message"), tree["details"].as_str()) {
        ("", "", Some(details)) => details.to_owned(),
        ("", "", None) => String::from_utf8_lossy(body).into_owned(),
        (code, words, _) => format!("{}: {words}", code.to_ascii_lowercase()),
    };
    let text: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS).collect();
    if text.trim().is_empty() { "no message".into() } else { text.trim().to_owned() }
}

/// The innermost reason: hyper's own text says little.
pub(crate) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved_or_refused() {
        let at = Origin::new(true, "ghcr.io").unwrap();
        for (to, expected) in [
            ("/v2/x?y=1", Some("https://ghcr.io/v2/x?y=1")),
            ("https://cdn.example/x", Some("https://cdn.example/x")),
            ("http://cdn.example", Some("http://cdn.example/")),
            ("https://user:pw@cdn.example/x", None),
            ("file:///etc/passwd", None),
            ("gopher://x/", None),
            ("x/y", None),
            ("", None),
        ] {
            let found = target(&at, to).map(|(origin, path)| origin.url(&path));
            assert_eq!(found.as_deref(), expected, "{to}");
        }
    }

    #[test]
    fn messages_are_the_registrys_words() {
        for (body, expected) in [
            (
                r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"Slow down."}]}"#,
                "toomanyrequests: Slow down.",
            ),
            (r#"{"details":"incorrect username or password"}"#, "incorrect username or password"),
            ("plain\r\ntext", "plain  text"),
            ("", "no message"),
        ] {
            assert_eq!(message(body.as_bytes()), expected);
        }
        assert_eq!(message(&vec![b'x'; 10_000]).len(), MESSAGE_CHARS);
    }
}
