//! Requests that botocore signed (`vectors/make.py`): each is accepted, and refused if one byte changes.

use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::{AwsError, ErrorKind, Secret, Timestamp};
use escale_wire::sigv4::{self, Authentication, BodyReader, Verifier};
use escale_wire::{Target, identify};
use http::{HeaderName, HeaderValue, request::Parts};
use serde_json::Value;

struct Vector {
    name: String,
    parts: Parts,
    body: Vec<u8>,
    decoded: Vec<u8>,
    access_key: String,
    secret: String,
    token: Option<String>,
    service: String,
    presigned_secs: Option<i64>,
}

const NOW: &str = "2026-11-22T09:39:00Z";

fn now() -> Timestamp {
    Timestamp::parse_iso8601(NOW).unwrap()
}

fn vectors() -> Vec<Vector> {
    let file: Value = serde_json::from_str(include_str!("../vectors/sigv4.json")).unwrap();
    assert_eq!(file["now"], NOW);
    file["vectors"].as_array().unwrap().iter().map(vector).collect()
}

fn vector(v: &Value) -> Vector {
    let text = |key: &str| v[key].as_str().unwrap_or("").to_owned();
    let mut request = http::Request::builder().method(text("method").as_str()).uri(text("uri"));
    for line in v["headers"].as_array().unwrap() {
        request = request.header(line[0].as_str().unwrap(), line[1].as_str().unwrap());
    }
    let body = STANDARD.decode(text("body")).unwrap();
    Vector {
        name: text("name"),
        parts: request.body(()).unwrap().into_parts().0,
        decoded: v["decoded"].as_str().map_or_else(|| body.clone(), |d| STANDARD.decode(d).unwrap()),
        body,
        access_key: text("access_key"),
        secret: text("secret"),
        token: v["token"].as_str().map(str::to_owned),
        service: text("service"),
        presigned_secs: v["presigned_secs"].as_i64(),
    }
}

/// Verifies in the gate's order: first the head, then the body.
fn verify(
    v: &Vector,
    parts: &Parts,
    body: &[u8],
    now: Timestamp,
) -> Result<(Authentication, Vec<u8>), AwsError> {
    let target = identify(parts, body)?;
    let whole = (target.service.id != "s3").then_some(body);
    let verifier = Verifier::new();
    let secret_of = |claim: &sigv4::Claim| {
        assert_eq!(claim.session_token, v.token, "{}", v.name);
        if claim.access_key == v.access_key {
            Ok(Secret::new(v.secret.clone()))
        } else {
            Err(escale_wire::unknown_access_key(&target, &claim.access_key))
        }
    };
    let found = verifier.authenticate(&target, parts, whole, now, secret_of)?;
    let found = Authentication::demanded(found, &target)?;
    let (body, _) = BodyReader::read_all(&found.payload, &parts.headers, body.to_vec().into())?;
    Ok((found, body.to_vec()))
}

#[test]
fn accepts_requests_signed_by_botocore() {
    for v in vectors() {
        let (found, body) =
            verify(&v, &v.parts, &v.body, now()).unwrap_or_else(|e| panic!("{}: {e}", v.name));
        assert_eq!(found.access_key, v.access_key, "{}", v.name);
        assert_eq!(found.service, v.service, "{}", v.name);
        assert_eq!(found.region, "eu-west-1", "{}", v.name);
        assert_eq!(found.presigned, v.presigned_secs.is_some(), "{}", v.name);
        assert_eq!(body, v.decoded, "{}", v.name);
    }
}

#[test]
fn refuses_a_request_whose_head_changed() {
    for v in vectors() {
        let mut parts = v.parts.clone();
        parts.method = http::Method::DELETE;
        verify(&v, &parts, &v.body, now()).expect_err(&format!("{}: another method", v.name));

        let mut parts = v.parts.clone();
        parts.headers.insert("host", HeaderValue::from_static("elsewhere:4566"));
        verify(&v, &parts, &v.body, now()).expect_err(&format!("{}: another host", v.name));

        let mut parts = v.parts.clone();
        let mut uri = parts.uri.to_string();
        uri.push_str(if uri.contains('?') { "&x=1" } else { "?x=1" });
        parts.uri = uri.parse().unwrap();
        verify(&v, &parts, &v.body, now()).expect_err(&format!("{}: another query", v.name));

        if v.service == "s3" {
            let mut parts = v.parts.clone();
            parts.headers.insert("x-amz-tagging", HeaderValue::from_static("a=b"));
            let error = verify(&v, &parts, &v.body, now()).expect_err(&v.name);
            assert_eq!(error.code, "AccessDenied", "{}: an inserted header", v.name);
        }
        let other = Vector { secret: "another".into(), ..vector_again(&v) };
        verify(&other, &v.parts, &v.body, now()).expect_err(&format!("{}: another secret", v.name));
    }
}

fn vector_again(v: &Vector) -> Vector {
    vectors().into_iter().find(|other| other.name == v.name).unwrap()
}

#[test]
fn refuses_a_request_whose_body_changed() {
    let mut checked = 0;
    for v in vectors().iter().filter(|v| !v.body.is_empty()) {
        // Two kinds do not sign the body: a payload that is declared unsigned, and S3's presigned URLs.
        if v.name == "s3 put, unsigned" || v.name == "s3 presigned put" {
            continue;
        }
        for at in [0, v.body.len() / 2, v.body.len() - 1] {
            let mut body = v.body.clone();
            body[at] ^= 1;
            verify(v, &v.parts, &body, now()).expect_err(&format!("{}: byte {at}", v.name));
            checked += 1;
        }
        verify(v, &v.parts, &v.body[..v.body.len() - 1], now()).expect_err(&format!("{}: cut", v.name));
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn accepts_signatures_within_the_clock_tolerance_only() {
    let minutes = |n: i64| now().plus_ms(n * 60_000);
    for v in vectors() {
        let code = |at| verify(&v, &v.parts, &v.body, at).err().map(|e| e.code);
        let Some(expires) = v.presigned_secs else {
            assert_eq!(code(minutes(15)), None, "{}", v.name);
            assert_eq!(code(minutes(-15)), None, "{}", v.name);
            let expected = match v.service.as_str() {
                "s3" => "RequestTimeTooSkewed",
                "ec2" => "AuthFailure",
                "ecs" => "InvalidSignatureException",
                _ => "SignatureDoesNotMatch",
            };
            assert_eq!(code(minutes(16)).as_deref(), Some(expected), "{}", v.name);
            assert_eq!(code(minutes(-16)).as_deref(), Some(expected), "{}", v.name);
            continue;
        };
        assert_eq!(code(now().plus_ms(expires * 1000)), None, "{}", v.name);
        assert!(code(now().plus_ms(expires * 1000 + 1000)).is_some(), "{}", v.name);
    }
}

#[test]
fn unknown_keys_get_the_code_of_the_service() {
    for v in vectors() {
        let other = Vector { access_key: "AKIANOBODY".into(), ..vector_again(&v) };
        let expected = match v.service.as_str() {
            "s3" => "InvalidAccessKeyId",
            "ec2" => "AuthFailure",
            "ecs" => "UnrecognizedClientException",
            _ => "InvalidClientTokenId",
        };
        let error = verify(&other, &v.parts, &v.body, now()).expect_err(&v.name);
        assert_eq!(error.code, expected, "{}", v.name);
    }
}

#[test]
fn accepts_requests_signed_by_escale() {
    let secret = Secret::new("s3cr3t".to_owned());
    for (service, uri, body) in [
        ("s3", "http://b.s3.localhost:4566/a%20b/(c)?x-id=GetObject&versionId=1", &b""[..]),
        ("s3", "/b/k?list-type=2", b"hello"),
        ("route53", "/2013-04-01/hostedzone/a%20b?x=%2F", b""),
        ("sts", "/?Action=GetCallerIdentity&Version=2011-06-15", b"a=b"),
    ] {
        let request =
            http::Request::put(uri).header("host", "b.s3.localhost:4566").header("x-amz-meta-a", " b  c ");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let credentials =
            sigv4::Credentials { access_key: "ASIA1", secret: &secret, session_token: Some("token") };
        let signer = sigv4::Signer { credentials, region: "us-east-1", service };
        sigv4::sign(&mut parts, &signer, sigv4::Content::Whole(body), now()).unwrap();
        let v = Vector {
            name: format!("{service} {uri}"),
            parts: parts.clone(),
            body: body.to_vec(),
            decoded: body.to_vec(),
            access_key: "ASIA1".into(),
            secret: "s3cr3t".into(),
            token: Some("token".into()),
            service: service.into(),
            presigned_secs: None,
        };
        verify(&v, &parts, body, now()).unwrap_or_else(|e| panic!("{}: {e:?}", v.name));
        verify(&v, &parts, b"another body", now()).expect_err(&v.name);
    }
    let (mut parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
    let credentials = sigv4::Credentials { access_key: "A", secret: &secret, session_token: None };
    let signer = sigv4::Signer { credentials, region: "r", service: "s3" };
    let without_host = sigv4::sign(&mut parts, &signer, sigv4::Content::Unsigned, now());
    assert_eq!(without_host, Err(sigv4::SignError::NoHost));
}

/// Malformed and unsupported signatures, each with the service's error.
#[test]
fn refuses_malformed_signatures() {
    let check = |id: &str, uri: &str, authorization: &str, expected: &str| {
        let service = escale_model::service(id).unwrap();
        let target = Target { service, protocol: service.protocols[0], path: "/".into() };
        let mut request = http::Request::get(uri).header("host", "localhost");
        if !authorization.is_empty() {
            let name = HeaderName::from_static("authorization");
            request = request.header(name, authorization).header("x-amz-date", "20261122T093900Z");
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let never = |_: &sigv4::Claim| -> Result<Secret<String>, AwsError> {
            panic!("{expected}: asked for a secret")
        };
        let found = Verifier::new().authenticate(&target, &parts, Some(b""), now(), never);
        assert_eq!(found.map(|f| f.is_some()).map_err(|e| e.code), Err(expected.to_owned()));
    };
    let scope = |service: &str| format!("Credential=A/20261122/r/{service}/aws4_request");
    let line =
        |service: &str| format!("AWS4-HMAC-SHA256 {}, SignedHeaders=host, Signature=0", scope(service));
    check("s3", "/", "AWS AKID:signature", "InvalidRequest");
    check("s3", "/b/k?AWSAccessKeyId=A&Expires=1&Signature=x", "", "InvalidRequest");
    check("iam", "/", "AWS4-ECDSA-P256-SHA256 Credential=x", "IncompleteSignature");
    check("iam", "/", "AWS4-HMAC-SHA256 SignedHeaders=host", "IncompleteSignature");
    check(
        "iam",
        "/",
        "AWS4-HMAC-SHA256 Credential=A/r/iam, SignedHeaders=host, Signature=0",
        "IncompleteSignature",
    );
    check("iam", "/", &line("sts"), "SignatureDoesNotMatch");
    check("ec2", "/", &line("sts"), "AuthFailure");
    check("ecs", "/", &line("sts"), "InvalidSignatureException");
    check(
        "iam",
        "/",
        &line("iam").replace("SignedHeaders=host", "SignedHeaders=x-amz-date"),
        "SignatureDoesNotMatch",
    );
    check("iam", "/", &line("iam").replace("20261122", "20261121"), "SignatureDoesNotMatch");
    let query = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20261122%2Fr%2Fs3%2Faws4_request\
                 &X-Amz-Date=20261122T093900Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0";
    check("s3", query, "", "AuthorizationQueryParametersError");
    check("s3", &format!("{query}&X-Amz-Expires=604801"), "", "AuthorizationQueryParametersError");
    check("s3", &format!("{query}&X-Amz-Expires=soon"), "", "AuthorizationQueryParametersError");
}

#[test]
fn returns_none_for_an_unsigned_request() {
    let service = escale_model::service("s3").unwrap();
    let target = Target { service, protocol: service.protocols[0], path: "/".into() };
    let (parts, ()) = http::Request::get("/b/k").body(()).unwrap().into_parts();
    let never = |_: &sigv4::Claim| Err(AwsError::internal());
    assert!(Verifier::new().authenticate(&target, &parts, None, now(), never).unwrap().is_none());
}

/// The head is examined before the body arrives: this refuses an unknown key, and verifies a signature whose head declares the
/// body's hash.
#[test]
fn refuses_forged_requests_by_their_head() {
    for v in vectors() {
        let target = identify(&v.parts, &v.body).unwrap();
        let verifier = Verifier::new();
        let unknown = verifier.examine(&target, &v.parts, now(), |_| {
            Err(AwsError::new(ErrorKind::Invalid, "Unknown", 403, ""))
        });
        assert_eq!(unknown.map(|_| ()).map_err(|e| e.code), Err("Unknown".to_owned()), "{}", v.name);
        let late = Timestamp(now().0 + 8 * 86_400_000);
        let secret = || Secret::new(v.secret.clone());
        assert!(verifier.examine(&target, &v.parts, late, |_| Ok(secret())).is_err(), "{}: too late", v.name);

        let wrong = |_: &sigv4::Claim| Ok(Secret::new("wrong".to_owned()));
        let forged = verifier.examine(&target, &v.parts, now(), wrong).unwrap().unwrap();
        if forged.needs_no_body(&v.parts) {
            assert!(forged.prove(&target, &v.parts, None).is_err(), "{}: another secret", v.name);
            let true_one = verifier.examine(&target, &v.parts, now(), |_| Ok(secret())).unwrap().unwrap();
            assert!(true_one.prove(&target, &v.parts, None).is_ok(), "{}", v.name);
        }
    }
}

#[test]
fn refuses_two_signatures_and_repeated_parameters() {
    let presigned = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20261122%2Fr%2Fs3%2Faws4_request\
                     &X-Amz-Date=20261122T093900Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0";
    let check = |id: &str, uri: &str, authorization: Option<&str>, expected: &str| {
        let service = escale_model::service(id).unwrap();
        let target = Target { service, protocol: service.protocols[0], path: "/".into() };
        let mut request = http::Request::get(uri).header("host", "localhost");
        if let Some(line) = authorization {
            request = request.header("authorization", line).header("x-amz-date", "20261122T093900Z");
        }
        let claim = sigv4::Claim::read(&target, &request.body(()).unwrap().into_parts().0);
        assert_eq!(claim.map(|c| c.is_some()).map_err(|e| e.code), Err(expected.to_owned()), "{id} {uri}");
    };
    let line = "AWS4-HMAC-SHA256 Credential=A/20261122/r/s3/aws4_request, SignedHeaders=host, Signature=0";
    check("s3", presigned, Some(line), "InvalidArgument");
    check("s3", "/b/k?AWSAccessKeyId=A&Signature=x", Some(line), "InvalidArgument");
    check("iam", presigned, Some(line), "IncompleteSignature");
    for twice in [
        "X-Amz-Credential=B",
        "X-Amz-Signature=1",
        "X-Amz-Date=1",
        "X-Amz-Expires=61",
        "X-Amz-SignedHeaders=x",
    ] {
        check("s3", &format!("{presigned}&{twice}"), None, "AuthorizationQueryParametersError");
    }
}
