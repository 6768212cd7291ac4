//! The URLs of wait condition handles: `PUT` with a signal in JSON.
//!
//! The signature is in the URL, so it is verified before the body is read. A wrong signature, an unknown handle and another
//! method have the same answer.

use super::bucket;
use escale_base::{Secret, limits::signals as limits, wire::Value};
use escale_service::{Arrival, Body, Config, Mount};
use escale_store::{Store, StoreError};
use escale_tables::cloudformation::{SignalId, SignalStatus, WaitHandle, WaitHandleId, WaitSignal};
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use std::{future::Future, pin::Pin, time::Duration};
use tokio::{sync::Semaphore, time::timeout};

/// How long a client may take to send its signal.
const WITHIN: Duration = Duration::from_millis(limits::WITHIN_MS);

pub(crate) struct Signals {
    store: Store,
    /// `/<bucket>/`
    prefix: String,
    /// Bounds the memory of all bodies together.
    slots: Semaphore,
}

/// An error in the form of S3.
#[derive(Debug, PartialEq)]
struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refused {
        Refused { status, code, message: message.into() }
    }

    fn bad(message: impl Into<String>) -> Refused {
        Refused::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
    }
}

/// The body of a signal.
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-waitcondition.html>, "Wait condition signal JSON
/// format"
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Message {
    status: String,
    reason: Option<String>,
    unique_id: String,
    data: Option<Value>,
}

impl Mount for Signals {
    fn claims(&self, parts: &Parts) -> bool {
        let path = parts.uri.path();
        path.starts_with(&self.prefix) || Some(path) == self.prefix.strip_suffix('/')
    }

    fn serve(
        &self,
        request: Request<Body>,
        _: Arrival,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match self.take(&parts, body).await {
                Ok(()) => answer(StatusCode::OK, String::new()),
                Err(refused) => {
                    let Refused { status, code, message } = refused;
                    answer(
                        status,
                        format!(
                            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
                        ),
                    )
                }
            }
        })
    }
}

impl Signals {
    pub(crate) fn new(store: Store, config: &Config) -> Signals {
        let prefix = format!("/{}/", bucket(config));
        Signals { store, prefix, slots: Semaphore::new(limits::AT_ONCE) }
    }

    async fn take(&self, parts: &Parts, body: Body) -> Result<(), Refused> {
        let id = self.verified(parts).ok_or_else(|| {
            let message = "The URL is not that of a wait condition handle: its signature is wrong, its handle was deleted, or the \
                           method is not PUT.";
            Refused::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
        })?;
        let busy = || {
            Refused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "SlowDown",
                "Too many signals arrive at once. Try again.",
            )
        };
        let _slot = self.slots.try_acquire().map_err(|_| busy())?;
        let bytes = timeout(WITHIN, collected(body)).await.map_err(|_| {
            Refused::new(StatusCode::BAD_REQUEST, "RequestTimeout", "The signal was not sent in time.")
        })?;
        self.store(&id, read(&bytes?)?)
    }

    /// The handle whose URL the request has.
    fn verified(&self, parts: &Parts) -> Option<WaitHandleId> {
        let id = parts.uri.path().strip_prefix(&self.prefix)?;
        let signature = parts.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("Signature="))?;
        let handle = self.store.read().get::<WaitHandle>(id)?;
        let is_valid = handle.signature == Secret::new(signature.to_owned());
        (parts.method == Method::PUT && is_valid).then(|| handle.id.clone())
    }

    fn store(&self, id: &WaitHandleId, signal: WaitSignal) -> Result<(), Refused> {
        let mut result = Ok(());
        let written = self.store.write(|tx| {
            result = Ok(());
            tx.update::<WaitHandle, _>(id, |handle| {
                // A retry of a client that did not receive the answer.
                if handle.signals.iter().any(|known| known.id == signal.id) {
                    return;
                }
                if handle.signals.len() == limits::OF_A_HANDLE {
                    let message =
                        format!("The handle has {} signals already, the most it takes.", limits::OF_A_HANDLE);
                    result = Err(Refused::bad(message));
                    return;
                }
                handle.signals.push(signal.clone());
            });
            Ok::<(), StoreError>(())
        });
        if let Err(error) = written {
            tracing::error!(%error, "a signal of a wait condition could not be stored");
            let message = "The signal could not be stored. Try again.";
            return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message));
        }
        result
    }
}

fn read(bytes: &[u8]) -> Result<WaitSignal, Refused> {
    let form = "Send a JSON object with Status, UniqueId, Reason and Data.";
    let message: Message = serde_json::from_slice(bytes).map_err(|error| {
        Refused::bad(format!("The signal cannot be read: {}. {form}", escaped(&error.to_string())))
    })?;
    let status = message.status.parse::<SignalStatus>();
    let status = status.map_err(|_| Refused::bad("The Status of a signal must be SUCCESS or FAILURE."))?;
    if message.unique_id.is_empty() {
        return Err(Refused::bad("The UniqueId of a signal must not be empty."));
    }
    Ok(WaitSignal { id: SignalId(message.unique_id), status, reason: message.reason, data: message.data })
}

async fn collected(mut body: Body) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refused::bad("The signal was not received completely."))?;
        bytes.extend_from_slice(frame.data_ref().map(|data| &data[..]).unwrap_or_default());
        if bytes.len() > limits::BODY_BYTES {
            let message = format!("A signal has at most {} bytes.", limits::BODY_BYTES);
            return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", message));
        }
    }
    Ok(bytes)
}

/// Text for XML: the reader's messages repeat what the client sent.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn answer(status: StatusCode, text: String) -> Response<Body> {
    let body = Full::new(text.into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let xml = header::HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    response
}
