//! Selects the protocol, each in a file of its own, and has their shared parts.

mod cbor;
mod count;
mod json;
mod query;
mod rest_xml;
mod s3_names;

use crate::Target;
use crate::fault::{self, Malformed};
use crate::head::{form_pairs, header, is_form, query_pairs};
use bytes::Bytes;
use escale_base::{AwsError, ErrorKind, limits};
use escale_model::{
    Labels, Operation, OtherService, Protocol, RouteQuery, Routed, ServiceModel, other_services,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request::Parts};
use serde_json::Value;
use std::borrow::Cow;
use std::io::Read;

/// A decoded request. A streamed body ([`Operation::streams_in`]) is not in the input.
#[derive(Debug)]
pub struct Request {
    pub operation: &'static Operation,
    pub input: Value,
}

/// The operation alone. Only the query protocols need the body for it, so the head is enough for a streaming operation.
pub fn operation(target: &Target, parts: &Parts, body: &[u8]) -> Result<&'static Operation, AwsError> {
    let service = target.service;
    let name = match target.protocol {
        Protocol::RestXml => return route(target, parts).map(|(operation, _)| operation),
        Protocol::Json => {
            let target = header(&parts.headers, "x-amz-target").unwrap_or("");
            target.rsplit_once('.').map_or("", |(_, name)| name).to_owned()
        }
        Protocol::Cbor => parts.uri.path().rsplit('/').next().unwrap_or("").to_owned(),
        Protocol::Query | Protocol::Ec2 => {
            let body = inflated(&parts.headers, body)?;
            let fields = fields(parts, &body).map_err(|e| e.into_error(target))?;
            same_service(target, &fields)?;
            let action = fields.into_iter().find(|(k, _)| k == "Action").map(|(_, v)| v);
            action.ok_or_else(|| {
                AwsError::new(
                    ErrorKind::Invalid,
                    "MissingAction",
                    400,
                    "The request must contain the parameter Action",
                )
            })?
        }
    };
    service.operation(&name).ok_or_else(|| fault::unknown_operation(target, &name))
}

/// Operation and input of a request. `body` is as the client sent it, without the framing of `aws-chunked`.
pub fn decode(target: &Target, parts: &Parts, body: &[u8]) -> Result<Request, AwsError> {
    let service = target.service;
    if target.protocol == Protocol::RestXml {
        let (operation, labels) = route(target, parts)?;
        let input = rest_xml::decode(service, operation, labels, parts, body);
        return Ok(Request { operation, input: input.map_err(|e| e.into_error(target))? });
    }
    let body = inflated(&parts.headers, body)?;
    let operation = operation(target, parts, &body)?;
    let input = match target.protocol {
        Protocol::Json => json::decode(service, operation, &body),
        Protocol::Cbor => cbor::decode(service, operation, &body),
        Protocol::Query | Protocol::Ec2 => {
            let ec2 = target.protocol == Protocol::Ec2;
            fields(parts, &body).and_then(|fields| query::decode(service, operation, &fields, ec2))
        }
        Protocol::RestXml => unreachable!("answered above"),
    };
    Ok(Request { operation, input: input.map_err(|e| e.into_error(target))? })
}

/// The headers, without checksums that are not of the body ([`Operation::checksum_of_body`]).
pub fn body_headers<'a>(target: &Target, parts: &'a Parts) -> Cow<'a, HeaderMap> {
    let of_body = target.protocol != Protocol::RestXml
        || route(target, parts).is_ok_and(|(operation, _)| operation.checksum_of_body);
    let is_checksum = |name: &HeaderName| crate::checksum::Algorithm::from_header(name.as_str()).is_some();
    if of_body || !parts.headers.keys().any(is_checksum) {
        return Cow::Borrowed(&parts.headers);
    }
    let mut headers = parts.headers.clone();
    for algorithm in crate::checksum::ALGORITHMS {
        headers.remove(algorithm.header());
    }
    Cow::Owned(headers)
}

fn route(target: &Target, parts: &Parts) -> Result<(&'static Operation, Labels), AwsError> {
    let query = query_pairs(parts);
    let request = RouteQuery {
        method: parts.method.as_str(),
        path: &target.path,
        query: &query,
        has_header: &|name| parts.headers.contains_key(name),
    };
    match target.service.route(&request) {
        Some(Routed::Modelled(operation, labels)) => Ok((operation, labels)),
        Some(Routed::LeftOut(name)) => Err(fault::unknown_operation(target, name)),
        None => Err(fault::unknown_operation(target, &format!("at {} {}", parts.method, target.path))),
    }
}

/// Refuses a request of another service with the same signing name, such as the classic load balancer: only the API's version
/// distinguishes them.
fn same_service(target: &Target, fields: &[(String, String)]) -> Result<(), AwsError> {
    let service = target.service;
    let version = fields.iter().find(|(k, _)| k == "Version").map_or("", |(_, v)| v.as_str());
    let is_meant = |o: &&OtherService| o.signing_name == service.signing_name && o.api_version == version;
    match other_services().iter().find(is_meant).filter(|_| version != service.api_version) {
        Some(other) => Err(fault::other_service(other)),
        None => Ok(()),
    }
}

/// The fields of a query request, from its URI and its form.
fn fields(parts: &Parts, body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let mut fields = query_pairs(parts);
    // A body without the Content-Type of a form is read as one too: the query protocols have no other kind.
    if is_form(&parts.headers) || !body.is_empty() {
        let body =
            std::str::from_utf8(body).map_err(|e| Malformed::Body(format!("the form is not UTF-8: {e}")))?;
        count::form(body)?;
        fields.extend(form_pairs(body));
    }
    Ok(fields)
}

/// Decompresses a body with `Content-Encoding: gzip`, within the limit of an operation's body.
fn inflated<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>, AwsError> {
    let gzip = header(headers, "content-encoding").is_some_and(|e| e.eq_ignore_ascii_case("gzip"));
    if !gzip || !body.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(body));
    }
    // One byte more than allowed shows that the limit is exceeded, without inflating the rest.
    let limit = limits::OPERATION_BODY_BYTES;
    let mut out = Vec::new();
    let read = flate2::read::GzDecoder::new(body).take(limit as u64 + 1).read_to_end(&mut out);
    match read {
        Err(e) => Err(AwsError::new(
            ErrorKind::Invalid,
            "InvalidRequest",
            400,
            format!("The request's body cannot be decompressed (Content-Encoding: gzip): {e}"),
        )),
        Ok(_) if out.len() > limit => {
            let message = format!("The decompressed body is larger than {limit} bytes");
            Err(AwsError::new(ErrorKind::Invalid, "RequestEntityTooLarge", 413, message))
        }
        Ok(_) => Ok(Cow::Owned(out)),
    }
}

/// A whole answer. For an operation that streams out, see [`encode_head`].
pub fn encode_output(
    target: &Target,
    operation: &Operation,
    output: &Value,
    request_id: &str,
) -> Response<Bytes> {
    let service = target.service;
    let json = format!("application/x-amz-json-{}", service.json_version);
    let (media, body) = match target.protocol {
        Protocol::Json => (json.as_str(), json::encode(service, operation, output).into()),
        Protocol::Cbor => ("application/cbor", cbor::encode(service, operation, output)),
        Protocol::Query => ("text/xml", query::encode(service, operation, output, request_id).into()),
        Protocol::Ec2 => {
            ("text/xml;charset=UTF-8", query::encode_ec2(service, operation, output, request_id).into())
        }
        Protocol::RestXml => return rest_xml::encode(service, operation, output, request_id),
    };
    let mut response = answer(StatusCode::OK, media, body, request_id);
    if target.protocol == Protocol::Cbor {
        set(&mut response, "smithy-protocol", "rpc-v2-cbor");
    }
    response
}

/// The head of an answer whose body the caller streams: status, headers, no body.
pub fn encode_head(target: &Target, operation: &Operation, output: &Value, request_id: &str) -> Response<()> {
    rest_xml::encode_head(target.service, operation, output, request_id)
}

/// An error in the form of the service. `resource` is the path that S3 repeats in its errors.
pub fn encode_error(target: &Target, error: &AwsError, request_id: &str, resource: &str) -> Response<Bytes> {
    let service = target.service;
    let shape = service.error(&error.code);
    let traits = shape.and_then(|s| s.error.as_ref());
    // The shape's name and the code on the wire differ for all errors of ELBv2 and IAM and half of RDS's.
    let code = traits.map_or(error.code.as_str(), |t| t.code.as_str());
    let name = shape.map_or(error.code.as_str(), |s| s.name.as_str());
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (media, body) = match target.protocol {
        Protocol::Json => {
            let media = format!("application/x-amz-json-{}", service.json_version);
            (media, json::encode_error(service, name, error).into())
        }
        Protocol::Cbor => ("application/cbor".to_owned(), cbor::encode_error(service, name, error)),
        Protocol::Query => {
            ("text/xml".to_owned(), query::encode_error(service, code, error, request_id).into())
        }
        Protocol::Ec2 => (
            "text/xml;charset=UTF-8".to_owned(),
            query::encode_error_ec2(service, code, error, request_id).into(),
        ),
        Protocol::RestXml => {
            let body = rest_xml::encode_error(service, code, error, request_id, resource);
            ("application/xml".to_owned(), body.into())
        }
    };
    let mut response = answer(status, &media, body, request_id);
    match target.protocol {
        Protocol::Json => set(&mut response, "x-amzn-errortype", name),
        Protocol::Cbor => set(&mut response, "smithy-protocol", "rpc-v2-cbor"),
        _ => {}
    }
    // SDKs of a service that used the query protocol before still report the error code of that protocol.
    if service.query_compatible && matches!(target.protocol, Protocol::Json | Protocol::Cbor) {
        let blame = if error.status < 500 { "Sender" } else { "Receiver" };
        set(&mut response, "x-amzn-query-error", &format!("{code};{blame}"));
    }
    response
}

/// The name of the member with an error's text: the shape's, else `message`.
fn message_name<'a>(service: &'a ServiceModel, error: &AwsError) -> &'a str {
    let structure = service.error(&error.code).and_then(|s| s.structure());
    let named = structure.and_then(|s| s.members.iter().find(|m| m.name.eq_ignore_ascii_case("message")));
    named.map_or("message", |m| m.wire_name())
}

fn answer(status: StatusCode, media: &str, body: Vec<u8>, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    if !media.is_empty() {
        set(&mut response, "content-type", media);
    }
    request_ids(&mut response, request_id);
    response
}

fn request_ids<B>(response: &mut Response<B>, request_id: &str) {
    set(response, "x-amzn-requestid", request_id);
    set(response, "x-amz-request-id", request_id);
    set(response, "x-amz-id-2", request_id);
}

/// Sets a header. Text that is not allowed in a header (a line feed in a metadata value) is percent-encoded.
fn set<B>(response: &mut Response<B>, name: &str, value: &str) {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { return };
    let value = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| {
        let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::CONTROLS).to_string();
        HeaderValue::from_str(&encoded).unwrap_or_else(|_| HeaderValue::from_static(""))
    });
    response.headers_mut().insert(name, value);
}
