//! Answers: a status, headers, and errors in the specification's format.

use super::Denied;
use crate::{BodyError, Error};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};

pub type ResponseBody = UnsyncBoxBody<Bytes, BodyError>;

pub(super) fn full(bytes: impl Into<Bytes>) -> ResponseBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn empty() -> ResponseBody {
    full(Bytes::new())
}

pub(super) fn streamed(body: crate::Body) -> ResponseBody {
    let frames = futures_util::TryStreamExt::map_ok(body, http_body::Frame::data);
    StreamBody::new(frames).boxed_unsync()
}

/// An answer without a body.
pub(super) fn status(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    // Docker's clients expect it at /v2/.
    let version = HeaderValue::from_static("registry/2.0");
    response.headers_mut().insert("docker-distribution-api-version", version);
    response
}

/// Sets a header whose value consists of checked names: letters, digits and punctuation.
pub(super) fn set(response: &mut Response<ResponseBody>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

pub(super) fn json(code: StatusCode, media_type: &str, value: &serde_json::Value) -> Response<ResponseBody> {
    let text = value.to_string();
    let mut response = status(code);
    set(&mut response, "content-type", media_type);
    set(&mut response, "content-length", &text.len().to_string());
    *response.body_mut() = full(text);
    response
}

pub(super) fn plain(code: StatusCode, word: &str, message: &str) -> Response<ResponseBody> {
    let errors = serde_json::json!({"errors": [{"code": word, "message": message}]});
    json(code, "application/json", &errors)
}

pub(super) fn error(e: &Error) -> Response<ResponseBody> {
    let code = e.code();
    let status = StatusCode::from_u16(code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = match e {
        // The machine's owner can free space; the client shows the message.
        Error::Plane(fault) if escale_files::disk::is_full(fault) => fault.what.clone(),
        // The detail is only logged.
        Error::Plane(_) => "The registry failed internally. See the daemon's log for the cause.".to_owned(),
        e => e.to_string(),
    };
    let mut response = plain(status, code.word, &message);
    if let Error::OutOfOrder { have, .. } = e {
        set(&mut response, "range", &received(*have));
    }
    response
}

/// `Range` of an upload: first and last byte. The specification has no format for an empty one; `0-0` is Docker's.
pub(super) fn received(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}

pub(super) fn denied(no: &Denied) -> Response<ResponseBody> {
    let mut response = plain(no.status, &no.code, &no.message);
    if let Some(challenge) = &no.challenge {
        set(&mut response, "www-authenticate", challenge);
    }
    response
}
