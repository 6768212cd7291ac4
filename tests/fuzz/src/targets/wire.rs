//! Requests of every service in every protocol: the target, the input as a tree, the model's constraints.

use crate::request;
use escale_base::AwsError;
use escale_model::Protocol;
use escale_wire::{Target, decode, encode_error, encode_unidentified, identify, validate};
use http::request::Parts;

pub(crate) fn check(bytes: &[u8]) {
    if let Some((parts, body)) = request(bytes) {
        match identify(&parts, body) {
            Ok(target) => decoded(&target, &parts, body),
            Err(error) => drop(encode_unidentified(&parts, &error, "id")),
        }
    }
    // Random heads seldom name an operation, so the first bytes choose one, and the rest is its body.
    let [service, operation, more, body @ ..] = bytes else { return };
    let ids = escale_model::services();
    let Some(service) = escale_model::service(ids[usize::from(*service) % ids.len()]) else { return };
    let at = (usize::from(*operation) << 8 | usize::from(*more)) % service.operations.len();
    let Some(operation) = service.operations.values().nth(at) else { return };
    for protocol in &service.protocols {
        let head = match protocol {
            Protocol::Json => http::Request::post("/")
                .header("x-amz-target", format!("{}.{}", service.target_prefix, operation.name)),
            Protocol::Cbor => http::Request::post(format!("/service/x/operation/{}", operation.name)),
            Protocol::Query | Protocol::Ec2 => http::Request::post(format!("/?Action={}", operation.name)),
            Protocol::RestXml => http::Request::builder().method(operation.method.as_str()).uri("/b/key"),
        };
        let Ok(request) = head.body(()) else { continue };
        let parts = request.into_parts().0;
        let target = Target { service, protocol: *protocol, path: parts.uri.path().to_owned() };
        decoded(&target, &parts, body);
    }
}

fn decoded(target: &Target, parts: &Parts, body: &[u8]) {
    match decode(target, parts, body) {
        Ok(found) => drop(validate(target, found.operation, &found.input)),
        Err(error) => answered(target, &error),
    }
}

/// Error messages repeat parts of the request; encoding them must not panic.
fn answered(target: &Target, error: &AwsError) {
    let answer = encode_error(target, error, "id", "/");
    assert!(answer.status().is_client_error() || answer.status().is_server_error());
}
