//! Tests of the operations and of the resource type.

use crate::Acm;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use escale_authority::{Authority, FakeAuthorities, Issued, KeyKind, Leaf, Purpose};
use escale_base::{AwsError, Clock, wire::Value};
use escale_harness::{Harness, PropertyTable, Removal};
use escale_requests::route53::{ChangeInfo, Changed};
use escale_service::{Caller, Cx, Entry, Operation, Service};
use serde_json::json;
use std::sync::Arc;

const TYPE: &str = "AWS::CertificateManager::Certificate";

/// Route 53 that accepts every record.
struct FakeRoute53;

impl Service for FakeRoute53 {
    fn id(&self) -> &'static str {
        "route53"
    }
    fn operations(&self) -> Vec<Entry> {
        vec![Entry::of::<ChangeResourceRecordSets>("ChangeResourceRecordSets")]
    }
}

struct ChangeResourceRecordSets;

impl Operation for ChangeResourceRecordSets {
    type Input = escale_requests::route53::ChangeResourceRecordSets;
    type Output = Changed;
    type Error = AwsError;

    fn run(_: &mut Cx<'_>, _: Self::Input) -> Result<Changed, AwsError> {
        Ok(Changed { change_info: ChangeInfo { id: "/change/C1".into() } })
    }
}

async fn issue(clock: &Clock, names: &[&str]) -> Issued {
    let leaf = Leaf {
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        key: KeyKind::P256,
        not_before: clock.now().plus_ms(-1000),
        not_after: clock.now().plus_ms(1_000_000),
    };
    FakeAuthorities::new().unwrap().issue(Purpose::Browsers, leaf).await.unwrap()
}

fn import(issued: &Issued) -> Value {
    json!({
        "Certificate": STANDARD.encode(&issued.certificate_pem),
        "PrivateKey": STANDARD.encode(issued.key_pem.reveal()),
        "CertificateChain": STANDARD.encode(&issued.chain_pem),
    })
}

fn with(mut value: Value, name: &str, member: impl Into<Value>) -> Value {
    value[name] = member.into();
    value
}

#[tokio::test]
async fn imports_and_replaces_certificates() {
    let cloud = Harness::of(Acm);
    let issued = issue(&cloud.clock, &["a.test", "b.test"]).await;
    let arn = cloud.text("ImportCertificate", import(&issued), "/CertificateArn");
    let detail = cloud.ok("DescribeCertificate", json!({"CertificateArn": arn}))["Certificate"].clone();
    assert_eq!(detail["Type"], "IMPORTED");
    assert_eq!(detail["Status"], "ISSUED");
    assert_eq!(detail["SubjectAlternativeNames"], json!(["a.test", "b.test"]));
    assert_eq!(detail["KeyAlgorithm"], "EC_prime256v1");
    let again = issue(&cloud.clock, &["a.test", "b.test", "c.test"]).await;
    cloud.ok("ImportCertificate", with(import(&again), "CertificateArn", arn.as_str()));
    let got = cloud.ok("GetCertificate", json!({"CertificateArn": arn}));
    assert_eq!(got["Certificate"], again.certificate_pem.as_str());
    let fewer = issue(&cloud.clock, &["a.test"]).await;
    let refused = cloud.error("ImportCertificate", with(import(&fewer), "CertificateArn", arn.as_str()));
    assert!(refused.message.contains("lacks the name b.test"), "{refused}");
    assert_eq!(cloud.error("RenewCertificate", json!({"CertificateArn": arn})).code, "ValidationException");
    cloud.ok("DeleteCertificate", json!({"CertificateArn": arn}));
    assert_eq!(
        cloud.error("DescribeCertificate", json!({"CertificateArn": arn})).code,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn refuses_certificates_that_no_listener_could_use() {
    let cloud = Harness::of(Acm);
    let (one, other) = (issue(&cloud.clock, &["a.test"]).await, issue(&cloud.clock, &["a.test"]).await);
    let good = import(&one);
    for (input, why) in [
        (
            with(good.clone(), "PrivateKey", STANDARD.encode(other.key_pem.reveal())),
            "private key is not the certificate's",
        ),
        (with(good.clone(), "PrivateKey", STANDARD.encode("nothing")), "not an unencrypted PEM private key"),
        (with(good.clone(), "Certificate", STANDARD.encode("nothing")), "not a certificate in PEM"),
        (with(good.clone(), "Certificate", "%%"), "not in PEM"),
        (
            with(good.clone(), "CertificateChain", STANDARD.encode(&one.certificate_pem)),
            "the next one in the chain",
        ),
    ] {
        let error = cloud.error("ImportCertificate", input);
        assert_eq!(error.code, "ValidationException");
        assert!(error.message.contains(why), "{error}");
    }
    cloud.clock.advance_ms(2_000_000);
    assert!(cloud.error("ImportCertificate", good).message.contains("not valid at the current time"));
}

#[test]
fn refuses_requests_that_cannot_be_validated() {
    let cloud = Harness::of(Acm);
    for (change, code) in [
        (json!({"ValidationMethod": "EMAIL"}), "NotImplemented"),
        (json!({"ValidationMethod": null}), "NotImplemented"),
        (json!({"ValidationMethod": "HTTP"}), "NotImplemented"),
        (json!({"KeyAlgorithm": "RSA_4096"}), "NotImplemented"),
        (json!({"Options": {"Export": "ENABLED"}}), "NotImplemented"),
        (json!({"CertificateAuthorityArn": "arn:aws:acm-pca:x"}), "NotImplemented"),
        (json!({"DomainName": "nothing"}), "ValidationException"),
        (json!({"SubjectAlternativeNames": ["a b.test"]}), "ValidationException"),
        (
            json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}),
            "InvalidParameterException",
        ),
    ] {
        let mut input = json!({"DomainName": "shop.test", "ValidationMethod": "DNS"});
        for (name, value) in change.as_object().unwrap() {
            input[name] = value.clone();
        }
        input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(cloud.error("RequestCertificate", input).code, code, "{change}");
    }
}

#[test]
fn one_token_gives_one_certificate() {
    let cloud = Harness::of(Acm);
    let request = |name: &str| {
        let input = json!({"DomainName": name, "ValidationMethod": "DNS", "IdempotencyToken": "one"});
        cloud.text("RequestCertificate", input, "/CertificateArn")
    };
    let first = request("a.test");
    assert_eq!(request("a.test"), first);
    assert_ne!(request("b.test"), first);
    cloud.clock.advance_ms(3_600_000);
    assert_ne!(request("a.test"), first);
}

#[test]
fn each_region_has_its_own_certificates() {
    let cloud = Harness::of(Acm);
    let input = json!({"DomainName": "shop.test", "ValidationMethod": "DNS"});
    let virginia = Caller { region: Some("us-east-1"), ..Harness::root() };
    let call =
        |operation: &str, input: Value| cloud.cloud.call(&cloud.store, &virginia, "acm", operation, input);
    let made = call("RequestCertificate", input).unwrap();
    let arn = made["CertificateArn"].clone();
    assert!(arn.as_str().unwrap().starts_with("arn:aws:acm:us-east-1:"));
    call("DescribeCertificate", json!({"CertificateArn": arn})).unwrap();
    assert_eq!(
        cloud.error("DescribeCertificate", json!({"CertificateArn": arn})).code,
        "ResourceNotFoundException"
    );
    let listed = |answer: Value| answer["CertificateSummaryList"].as_array().unwrap().len();
    assert_eq!(listed(cloud.ok("ListCertificates", json!({}))), 0);
    assert_eq!(listed(call("ListCertificates", json!({})).unwrap()), 1);
}

#[test]
fn lists_in_order_and_in_pages() {
    let cloud = Harness::of(Acm);
    for (at, key) in ["RSA_2048", "EC_prime256v1", "RSA_2048", "RSA_2048"].iter().enumerate() {
        cloud.clock.advance_ms(1000);
        let name = format!("n{at}.test");
        cloud.ok(
            "RequestCertificate",
            json!({"DomainName": name, "ValidationMethod": "DNS", "KeyAlgorithm": key}),
        );
    }
    for order in ["ASCENDING", "DESCENDING"] {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let mut input = json!({"SortBy": "CREATED_AT", "SortOrder": order, "MaxItems": 2});
            if let Some(token) = token {
                input["NextToken"] = token;
            }
            let answer = cloud.ok("ListCertificates", input);
            let page = answer["CertificateSummaryList"].as_array().unwrap();
            names.extend(page.iter().map(|c| c["DomainName"].as_str().unwrap().to_owned()));
            match &answer["NextToken"] {
                Value::Null => break,
                next => token = Some(next.clone()),
            }
        }
        let mut expected = ["n0.test", "n2.test", "n3.test"];
        if order == "DESCENDING" {
            expected.reverse();
        }
        assert_eq!(names, expected, "AWS's default filter has RSA keys only");
    }
    let all = cloud.ok("ListCertificates", json!({"Includes": {"keyTypes": ["EC_prime256v1"]}}));
    assert_eq!(all["CertificateSummaryList"][0]["DomainName"], "n1.test");
}

#[test]
fn updates_every_property() {
    let cloud = Harness::new(vec![Arc::new(Acm), Arc::new(FakeRoute53)]);
    let base = json!({
        "DomainName": "shop.test", "SubjectAlternativeNames": ["www.shop.test"], "ValidationMethod": "DNS",
        "DomainValidationOptions": [{"DomainName": "shop.test", "HostedZoneId": "Z1"}], "CertificateExport": "DISABLED",
        "KeyAlgorithm": "RSA_2048",
    });
    let tags = |pairs: &[(&str, &str)]| -> Value {
        pairs.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
    };
    PropertyTable::on(TYPE, &cloud, base.clone())
        .rows([
            (
                "CertificateTransparencyLoggingPreference",
                json!("ENABLED"),
                json!("DISABLED"),
                Removal::Default,
            ),
            ("Tags", tags(&[("a", "1")]), tags(&[("a", "2"), ("b", "1")]), Removal::Default),
        ])
        .untested(&["ValidationMethod"])
        .exempt(&[(
            "DomainValidationOptions",
            "the zones are not stored: ACM only reads the records in them",
        )])
        .check();
    let made = cloud.create_resource(TYPE, base.clone()).unwrap();
    let read = cloud.read_resource(&made);
    for name in ["DomainName", "SubjectAlternativeNames", "KeyAlgorithm", "CertificateExport"] {
        assert_eq!(read[name], base[name], "{name}");
    }
    cloud.delete_resource(&made).unwrap();
    assert_eq!(cloud.read_resource(&made), Value::Null);
}
