//! botocore's protocol suite (`suite/make.py`) from the server's side. A request of the suite's client must decode to the
//! case's parameters; the encoded result must equal the answer that the suite's client reads. `suite_skips.rs` lists the few
//! cases that do not apply to a server, each with its reason; a test fails when one of them starts to pass.

use crate::suite_compare::{same_body, settled_json, tree};
use crate::suite_skips::SKIPPED;
use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::{AwsError, ErrorKind};
use escale_model::{Protocol, ServiceModel};
use escale_wire::{Target, decode, encode_error, encode_output};
use http::{Response, request::Parts};
use serde_json::{Map, Value, json};

const FILES: [(&str, &str); 5] = [
    ("query", include_str!("../suite/query.json")),
    ("ec2", include_str!("../suite/ec2.json")),
    ("json", include_str!("../suite/json.json")),
    ("rest-xml", include_str!("../suite/rest-xml.json")),
    ("smithy-rpc-v2-cbor", include_str!("../suite/smithy-rpc-v2-cbor.json")),
];

struct Case {
    /// `query input QueryLists`
    name: String,
    target: Target,
    given: String,
    case: Value,
}

fn cases(side: &str) -> Vec<Case> {
    let mut found: Vec<Case> = Vec::new();
    for (protocol, text) in FILES {
        let file: Value = serde_json::from_str(text).unwrap();
        for suite in file[side].as_array().unwrap() {
            for case in suite["cases"].as_array().unwrap() {
                let target = target(suite, case);
                let id = case["id"].as_str().unwrap();
                // Several cases may have the same id.
                let name = format!("{protocol} {side} {id}");
                let again = found
                    .iter()
                    .filter(|c| c.name == name || c.name.starts_with(&format!("{name} #")))
                    .count();
                let name = if again == 0 { name } else { format!("{name} #{}", again + 1) };
                let given = case["given"]["name"].as_str().unwrap().to_owned();
                found.push(Case { name, target, given, case: case.clone() });
            }
        }
    }
    found
}

/// A service with the one operation of a case.
fn target(suite: &Value, case: &Value) -> Target {
    let mut operation = case["given"].clone();
    let name = operation["name"].as_str().unwrap().to_owned();
    if let Some(errors) = operation.get("errors").and_then(Value::as_array) {
        operation["errors"] = errors.iter().map(|e| e["shape"].clone()).collect();
    }
    // Real query models name the element around their members; those of the suite do not.
    let wrapper = format!("{name}Result");
    let answer = case["response"]["body"].as_str().unwrap_or("");
    if suite["metadata"]["protocol"] == "query" && answer.contains(&wrapper) {
        operation["output"]["resultWrapper"] = wrapper.into();
    }
    let mut shapes = suite["shapes"].clone();
    for error in case["given"]["errors"].as_array().into_iter().flatten() {
        shapes[error["shape"].as_str().unwrap()]["exception"] = true.into();
    }
    let model = json!({ "metadata": suite["metadata"], "operations": { name: operation }, "shapes": shapes });
    let service = ServiceModel::parse("suite", &model.to_string()).unwrap();
    let service: &'static ServiceModel = Box::leak(Box::new(service));
    Target { service, protocol: service.protocols[0], path: String::new() }
}

fn check_input(case: &Case) -> Result<(), String> {
    let sent = &case.case["serialized"];
    let text = |key: &str| sent[key].as_str().unwrap_or("");
    // The host matters for `identify` only, which these tests do not call.
    let uri = if text("uri").is_empty() { "/" } else { text("uri") };
    let mut request = http::Request::builder().method(sent["method"].as_str().unwrap_or("POST")).uri(uri);
    for (name, value) in sent["headers"].as_object().into_iter().flatten() {
        if let Some(value) = value.as_str() {
            request = request.header(name, value);
        }
    }
    if case.target.protocol == Protocol::Json && sent["headers"].get("X-Amz-Target").is_none() {
        request =
            request.header("x-amz-target", format!("{}.{}", case.target.service.target_prefix, case.given));
    }
    let (parts, ()): (Parts, ()) = request.body(()).map_err(|e| e.to_string())?.into_parts();
    let body = match case.target.protocol {
        Protocol::Cbor => STANDARD.decode(text("body")).map_err(|e| e.to_string())?,
        _ => text("body").as_bytes().to_vec(),
    };
    let target = Target { path: parts.uri.path().to_owned(), ..case.target.clone() };
    let found = decode(&target, &parts, &body).map_err(|e| e.to_string())?;
    let Some(input) = found.operation.input else { return Ok(()) };
    let mut expected = tree(target.service, input, &case.case["params"]);
    if let Some(stream) = found.operation.streams_in() {
        // A streamed member is not in the tree: its bytes are the body.
        let given = expected.as_object_mut().and_then(|o| o.shift_remove(stream));
        let bytes = given.map_or(Vec::new(), |v| STANDARD.decode(v.as_str().unwrap()).unwrap());
        if bytes != body {
            return Err("the stream differs".into());
        }
    }
    let (found, expected) = (settled_json(found.input), settled_json(expected));
    if found == expected { Ok(()) } else { Err(format!("found {found:#}\nexpected {expected:#}")) }
}

fn check_answer(case: &Case) -> Result<(), String> {
    let service = case.target.service;
    let operation = service.operation(&case.given).unwrap();
    let answer = &case.case["response"];
    let response: Response<bytes::Bytes> = match case.case.get("errorCode").and_then(Value::as_str) {
        Some(code) => {
            let mut members = case.case["error"].as_object().cloned().unwrap_or_default();
            let message = case.case["errorMessage"]
                .as_str()
                .or_else(|| ["message", "Message"].iter().find_map(|key| members.get(*key)?.as_str()));
            let message = message.unwrap_or("").to_owned();
            members.retain(|key, _| !key.eq_ignore_ascii_case("message"));
            let status = answer["status_code"].as_u64().unwrap() as u16;
            let error = AwsError {
                kind: ErrorKind::Invalid,
                code: code.to_owned(),
                message,
                status,
                extra: members.into_iter().collect(),
            };
            encode_error(&case.target, &error, "foo-id", "/")
        }
        None => {
            let result = case.case.get("result").cloned().unwrap_or(Value::Object(Map::new()));
            let output = operation.output.map_or(result.clone(), |shape| tree(service, shape, &result));
            encode_output(&case.target, operation, &output, "foo-id")
        }
    };
    if u64::from(response.status().as_u16()) != answer["status_code"].as_u64().unwrap() {
        return Err(format!("status {} instead of {}", response.status(), answer["status_code"]));
    }
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let free = ["content-type", "x-amzn-requestid", "x-amzn-errortype", "content-length"];
        if free.contains(&name.to_ascii_lowercase().as_str()) {
            continue;
        }
        let found = response.headers().get(name).and_then(|v| v.to_str().ok());
        if found != value.as_str() {
            return Err(format!("header {name}: {found:?} instead of {value}"));
        }
    }
    let expected = answer["body"].as_str().unwrap_or("");
    let expected = match case.target.protocol {
        Protocol::Cbor => STANDARD.decode(expected).map_err(|e| e.to_string())?,
        _ => expected.as_bytes().to_vec(),
    };
    let media = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or("");
    same_body(case.target.protocol, media.contains("xml"), response.body(), &expected)
}

fn run(side: &str, check: fn(&Case) -> Result<(), String>) {
    let (mut passed, mut failed, mut stale) = (0, Vec::new(), Vec::new());
    for case in cases(side) {
        let skipped = SKIPPED.iter().any(|(name, _)| *name == case.name);
        match (check(&case), skipped) {
            (Ok(()), false) => passed += 1,
            (Ok(()), true) => stale.push(case.name),
            (Err(_), true) => {}
            (Err(what), false) => failed.push(format!("{}: {what}", case.name)),
        }
    }
    println!("{side}: {passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{} of {side} failed:\n{}", failed.len(), failed.join("\n\n"));
    assert!(stale.is_empty(), "these pass now, so their lines in suite_skips.rs are wrong: {stale:#?}");
}

#[test]
fn decodes_requests_of_the_suite() {
    run("input", check_input);
}

#[test]
fn encodes_answers_of_the_suite() {
    run("output", check_answer);
}

#[test]
fn every_skipped_case_exists() {
    let names: Vec<String> = cases("input").into_iter().chain(cases("output")).map(|c| c.name).collect();
    for (name, reason) in SKIPPED {
        assert!(names.iter().any(|n| n == name), "the suite has no case {name}");
        assert!(!reason.is_empty());
    }
}
