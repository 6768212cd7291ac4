//! Operations and services that only AWS has are refused by name; unknown ones get AWS's own error.

use crate::{
    cloud::Harness,
    encode::{self, named},
    input,
};
use bytes::Bytes;
use escale_model::{Protocol, other_services};
use http::Request;

#[tokio::test]
async fn refuses_every_operation_that_is_not_enacted_by_name() {
    let harness = Harness::open().await;
    let root = Harness::root();
    let (mut faults, mut count) = (Vec::new(), 0);
    for service in escale_model::services() {
        let model = escale_model::service(service).unwrap();
        let in_model = model.operations.values().filter(|o| harness.cloud.entry(service, &o.name).is_none());
        // The name alone decides, so the input does not matter.
        let mut requests: Vec<(String, Request<Bytes>)> = in_model
            .map(|o| (o.name.clone(), encode::request(model, o, &input::least(model, o), false)))
            .collect();
        if model.protocols[0] != Protocol::RestXml {
            requests
                .extend(model.others.iter().map(|o| (o.name.clone(), named(model, &o.name, String::new()))));
        }
        for (name, request) in requests {
            count += 1;
            let answer = harness.send(Some(&root), &model.signing_name, request).await;
            let head = answer.body.is_empty() && answer.status == 501;
            let is_named =
                answer.has_code("NotImplemented") && answer.body.contains(&format!("{service}:{name} "));
            if !head && !is_named {
                faults.push(format!("{service}:{name}: {answer:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
    assert!(count > 1500, "{count}");
}

/// Only method, path and query distinguish these requests from those of PutObject, ListObjects and others.
#[tokio::test]
async fn refuses_rest_operations_outside_of_the_models_by_name() {
    let harness = Harness::open().await;
    let root = Harness::root();
    for (service, request, headers, name) in [
        ("s3", "PUT /walk-bucket/key?renameObject", &["x-amz-rename-source"][..], "RenameObject"),
        ("s3", "PUT /walk-bucket/key?encryption", &[], "UpdateObjectEncryption"),
        ("s3", "GET /walk-bucket/key?torrent", &[], "GetObjectTorrent"),
        ("s3", "GET /walk-bucket?session", &[], "CreateSession"),
        ("s3", "POST /walk-bucket?metadataTable", &[], "CreateBucketMetadataTableConfiguration"),
        ("s3control", "GET /v20180820/accesspoint", &["x-amz-account-id"], "ListAccessPoints"),
        ("cloudfront", "GET /2020-05-31/streaming-distribution", &[], "ListStreamingDistributions"),
        ("route53", "GET /2013-04-01/trafficpolicies", &[], "ListTrafficPolicies"),
    ] {
        let model = escale_model::service(service).unwrap();
        let (method, target) = request.split_once(' ').unwrap();
        let mut builder = Request::builder().method(method).uri(target);
        for name in headers {
            builder = builder.header(*name, "000000000000");
        }
        let answer =
            harness.send(Some(&root), &model.signing_name, builder.body(Bytes::new()).unwrap()).await;
        assert_eq!(answer.code, "NotImplemented", "{request}: {answer:?}");
        assert!(answer.body.contains(&format!("{service}:{name} is not supported")), "{request}: {answer:?}");
    }
}

#[tokio::test]
async fn refuses_every_other_service_by_name() {
    let harness = Harness::open().await;
    let root = Harness::root();
    let ours: Vec<&str> = escale_model::listed().iter().map(|s| s.signing_name).collect();
    for other in other_services() {
        let mut builder = Request::builder().method("POST").uri("/");
        // If the service shares its signing name with one of ours, the API's version distinguishes them.
        let shared = ours.contains(&other.signing_name.as_str());
        if shared && escale_model::listed().iter().any(|s| s.api_version == other.api_version) {
            continue;
        }
        let mut body = String::new();
        if !other.target_prefix.is_empty() {
            builder = builder.header("x-amz-target", format!("{}.Anything", other.target_prefix));
        } else if shared {
            builder = builder.header("content-type", "application/x-www-form-urlencoded");
            body = format!("Action=DescribeLoadBalancers&Version={}", other.api_version);
        }
        let request = builder.body(Bytes::from(body)).unwrap();
        let answer = harness.send(Some(&root), &other.signing_name, request).await;
        assert!(answer.has_code("NotImplemented"), "{other:?}: {answer:?}");
        // Some share a signing name or a target, and only the first of them can be recognized.
        let named = other_services().iter().any(|s| {
            (s.signing_name == other.signing_name || s.target_prefix == other.target_prefix)
                && answer.body.contains(&format!("The service {} is not supported", s.name))
        });
        assert!(named, "{other:?}: {answer:?}");
    }
}

/// The codes are AWS's own for unknown names.
#[tokio::test]
async fn refuses_an_unknown_operation_as_aws_does() {
    let harness = Harness::open().await;
    let root = Harness::root();
    for service in escale_model::services() {
        let model = escale_model::service(service).unwrap();
        let (request, code) = match model.protocols[0] {
            Protocol::RestXml => {
                let request =
                    Request::builder().method("PATCH").uri("/walk-bucket").body(Bytes::new()).unwrap();
                (request, if *service == "s3" { "MethodNotAllowed" } else { "UnknownOperationException" })
            }
            Protocol::Json | Protocol::Cbor => {
                (named(model, "MakeCoffee", String::new()), "UnknownOperationException")
            }
            Protocol::Query | Protocol::Ec2 => (named(model, "MakeCoffee", String::new()), "InvalidAction"),
        };
        if *service == "s3control" {
            // Without its path it cannot be distinguished from S3.
            continue;
        }
        let answer = harness.send(Some(&root), &model.signing_name, request).await;
        assert!(answer.has_code(code), "{service}: {answer:?}");
    }
}
