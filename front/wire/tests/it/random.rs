//! No input makes a decoder panic, and input beyond a limit is refused.

use escale_model::{Protocol, services};
use escale_wire::{Target, decode, encode_error, identify, validate};
use http::request::Parts;
use proptest::prelude::*;
use serde_json::Value;
use std::io::Write;

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<Parts> {
    let mut request = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// Decodes for every operation of a service, in every protocol that it speaks.
fn decode_all(id: &str, body: &[u8], tail: &str) {
    let service = escale_model::service(id).unwrap();
    for operation in service.operations.values() {
        for protocol in &service.protocols {
            let target_header = format!("{}.{}", service.target_prefix, operation.name);
            let request = match protocol {
                Protocol::Json => parts("POST", "/", &[("x-amz-target", &target_header)]),
                Protocol::Cbor => parts("POST", &format!("/service/x/operation/{}", operation.name), &[]),
                Protocol::Query | Protocol::Ec2 => {
                    parts("POST", &format!("/?Action={}&{tail}", operation.name), &[])
                }
                Protocol::RestXml => parts(&operation.method, &format!("/b/{tail}"), &[]),
            };
            let Some(request) = request else { continue };
            let target = Target { service, protocol: *protocol, path: request.uri.path().to_owned() };
            match decode(&target, &request, body) {
                Ok(found) => drop(validate(&target, found.operation, &found.input)),
                Err(error) => drop(encode_error(&target, &error, "id", "/")),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bytes(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for id in ["sts", "sns", "acm", "cloudwatch", "s3control"] {
            decode_all(id, &body, "");
        }
    }

    #[test]
    fn forms(keys in prop::collection::vec("[A-Za-z.0-9]{1,30}=[ -~]{0,10}", 0..10)) {
        decode_all("sns", keys.join("&").as_bytes(), "");
        decode_all("sts", keys.join("&").as_bytes(), "");
    }

    #[test]
    fn xml(body in "(<[A-Za-z]{1,3}/?>|</[A-Za-z]{1,3}>|[a-z&;#]{0,4}|<!\\[CDATA\\[|\\]\\]>|<!--|-->|<\\?){0,20}") {
        decode_all("s3control", body.as_bytes(), "");
        decode_all("route53", body.as_bytes(), "x");
    }

    #[test]
    fn json(body in "[\\[\\]{}:,\"a-z0-9.eE+-]{0,60}") {
        decode_all("acm", body.as_bytes(), "");
    }

    #[test]
    fn heads(uri in "/[ -~]{0,60}", host in "[a-z0-9.:\\[\\]-]{0,40}", line in "[ -~]{0,80}") {
        let authorization = format!("AWS4-HMAC-SHA256 {line}");
        for headers in [&[("host", host.as_str()), ("authorization", &authorization)][..], &[("x-amz-target", &line)]] {
            if let Some(request) = parts("GET", &uri, headers)
                && let Ok(target) = identify(&request, line.as_bytes())
            {
                let _ = decode(&target, &request, line.as_bytes());
                let _ = escale_wire::sigv4::Claim::read(&target, &request);
            }
        }
    }
}

fn code(id: &str, protocol: Protocol, request: &Parts, body: &[u8]) -> String {
    let service = escale_model::service(id).unwrap();
    let target = Target { service, protocol, path: request.uri.path().to_owned() };
    decode(&target, request, body).map_or_else(|e| e.code, |_| "fine".to_owned())
}

#[test]
fn refuses_bodies_that_are_nested_too_deeply() {
    let form = format!("Action=CreateTopic&{}=1", "a.".repeat(100_000));
    let request = parts("POST", "/", &[]).unwrap();
    assert_eq!(code("sns", Protocol::Query, &request, form.as_bytes()), "MalformedInput");

    let deep = "<a>".repeat(100_000);
    let request = parts("PUT", "/b?tagging", &[]).unwrap();
    assert_eq!(code("s3", Protocol::RestXml, &request, deep.as_bytes()), "MalformedXML");

    let deep = "[".repeat(100_000);
    let request = parts("POST", "/", &[("x-amz-target", "CertificateManager.ListCertificates")]).unwrap();
    assert_eq!(code("acm", Protocol::Json, &request, deep.as_bytes()), "SerializationException");

    let deep = vec![0x81; 100_000];
    let request = parts("POST", "/service/x/operation/ListMetrics", &[]).unwrap();
    assert_eq!(code("cloudwatch", Protocol::Cbor, &request, &deep), "SerializationException");
}

#[test]
fn refuses_a_doctype() {
    let body = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x \"y\">]><Tagging><TagSet/></Tagging>";
    let request = parts("PUT", "/b?tagging", &[]).unwrap();
    assert_eq!(code("s3", Protocol::RestXml, &request, body.as_bytes()), "MalformedXML");
    let body = "<Tagging><TagSet><Tag><Key>&x;</Key><Value>v</Value></Tag></TagSet></Tagging>";
    assert_eq!(code("s3", Protocol::RestXml, &request, body.as_bytes()), "MalformedXML");
}

#[test]
fn many_fields_do_not_take_quadratic_time() {
    let form: Vec<String> = (0..19_000).map(|i| format!("TopicArns{i}.x{i}=1")).collect();
    let body = format!("Action=ListTopics&{}", form.join("&"));
    let request = parts("POST", "/", &[]).unwrap();
    let start = std::time::Instant::now();
    assert_eq!(code("sns", Protocol::Query, &request, body.as_bytes()), "fine");
    // A quadratic tree takes minutes here; this takes a second even unoptimised.
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn inflates_gzip_bodies_within_the_limit() {
    let target = "CertificateManager.ListCertificates";
    let request = parts("POST", "/", &[("x-amz-target", target), ("content-encoding", "gzip")]).unwrap();
    let service = escale_model::service("acm").unwrap();
    let acm = Target { service, protocol: Protocol::Json, path: "/".into() };
    let found = decode(&acm, &request, &gzip(b"{\"MaxItems\": 7}")).unwrap();
    assert_eq!(found.input["MaxItems"], Value::from(7));

    let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
    assert!(bomb.len() < 1024 * 1024);
    assert_eq!(decode(&acm, &request, &bomb).unwrap_err().code, "RequestEntityTooLarge");
    assert_eq!(decode(&acm, &request, &bomb[..100]).unwrap_err().code, "InvalidRequest");
}

#[test]
fn every_service_encodes_an_error() {
    for id in services() {
        let service = escale_model::service(id).unwrap();
        for protocol in &service.protocols {
            let target = Target { service, protocol: *protocol, path: "/".into() };
            let error = escale_base::AwsError::not_supported("this \"thing\" <of> mine");
            let response = encode_error(&target, &error, "id-1", "/x");
            assert_eq!(response.status(), 501);
            assert!(response.body().windows(14).any(|w| w == b"NotImplemented"), "{id} {protocol:?}");
            assert!(!response.headers().contains_key("date"));
        }
    }
}
