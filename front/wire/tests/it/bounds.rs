//! Limits on the cost of decoding a body, signed or not: attributes, elements, depth, members.

use escale_base::limits::request as limits;
use escale_model::Protocol;
use escale_wire::{Target, decode};
use http::request::Parts;

fn found(id: &str, protocol: Protocol, uri: &str, target: &str, body: &[u8]) -> String {
    let service = escale_model::service(id).unwrap();
    let (parts, ()): (Parts, ()) =
        http::Request::post(uri).header("x-amz-target", target).body(()).unwrap().into_parts();
    let target = Target { service, protocol, path: uri.to_owned() };
    decode(&target, &parts, body).map_or_else(|e| format!("{}: {}", e.code, e.message), |_| "fine".to_owned())
}

fn xml(body: &str) -> String {
    found("route53", Protocol::RestXml, "/2013-04-01/hostedzone", "", body.as_bytes())
}

fn attributes(n: usize, name: impl Fn(usize) -> String) -> String {
    let all: Vec<String> = (0..n).map(|i| format!("{}=\"\"", name(i))).collect();
    format!("<CreateHostedZoneRequest {}/>", all.join(" "))
}

#[test]
fn limits_xml_bodies() {
    let numbered = |n| xml(&attributes(n, |i| format!("a{i}")));
    assert_eq!(numbered(limits::XML_ATTRIBUTES), "fine");
    assert!(numbered(limits::XML_ATTRIBUTES + 1).contains("more than 16 attributes"));
    // A comparison of all pairs of attributes takes minutes here.
    assert!(numbered(50_000).contains("more than 16 attributes"));
    assert!(xml(&attributes(2, |_| "a".into())).contains("the attribute a twice"));

    let elements = |n| xml(&format!("<a>{}</a>", "<b/>".repeat(n)));
    assert_eq!(elements(limits::XML_NODES - 1), "fine");
    assert!(elements(limits::XML_NODES).contains("one element too many"));
    let both = format!("<a>{}</a>", "<b c=''/>".repeat(limits::XML_NODES / 2));
    assert!(xml(&both).contains("too many"), "attributes count as well");
}

#[test]
fn limits_forms() {
    let form = |body: String| found("iam", Protocol::Query, "/", "", body.as_bytes());
    let list = |n: usize| (0..n).map(|i| format!("&PathPrefix.{i}=x")).collect::<String>();
    assert_eq!(form(format!("Action=ListUsers{}", list(1000))), "fine");
    assert!(
        form(format!("Action=ListUsers{}", list(limits::FORM_FIELDS))).contains("more than 20000 parameters")
    );
    // Few fields with long names: each step is a node of the tree.
    let long = format!("{}=1", "a.".repeat(40));
    let all: String = (0..2000).map(|i| format!("&b{i}.{long}")).collect();
    assert!(form(format!("Action=ListUsers{all}")).contains("more than 50000 steps"));
}

#[test]
fn limits_json_and_cbor_bodies() {
    let target = "AmazonEC2ContainerServiceV20141113.ListClusters";
    let json = |body: String| found("ecs", Protocol::Json, "/", target, body.as_bytes());
    let values = |n: usize| format!("{{\"x\":[{}1]}}", "1,".repeat(n));
    assert_eq!(json(values(limits::VALUES - 10)), "fine");
    assert!(json(values(limits::VALUES)).contains("more than 400000 values"));

    let cbor = |body: Vec<u8>| {
        let uri = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
        found("cloudwatch", Protocol::Cbor, uri, "", &body)
    };
    let values = |n: usize| {
        let mut body = vec![0xbf, 0x61, b'x', 0x9f];
        body.extend(std::iter::repeat_n(1, n));
        body.extend([0xff, 0xff]);
        body
    };
    assert_eq!(cbor(values(limits::VALUES - 10)), "fine");
    assert!(cbor(values(limits::VALUES)).contains("more than 400000 values"));
}

#[test]
fn a_json_number_beyond_64_bits_is_refused() {
    let target = "Logs_20140328.FilterLogEvents";
    let json = |number: &str| {
        let body = format!("{{\"logGroupName\": \"g\", \"startTime\": {number}}}");
        found("logs", Protocol::Json, "/", target, body.as_bytes())
    };
    assert_eq!(json("1e3"), "fine");
    assert_eq!(json("9223372036854775807"), "fine");
    for number in ["1e300", "-1e300", "9223372036854775808", "1.5"] {
        assert!(json(number).contains("SerializationException"), "{number}: {}", json(number));
    }
}

#[test]
fn an_error_does_not_repeat_a_long_value() {
    let body = format!("<ListHostedZones><A>{}</A></ListHostedZones>", "x".repeat(1_000_000));
    assert_eq!(xml(&body), "fine");
    let long = "x".repeat(1_000_000);
    let answer =
        found("iam", Protocol::Query, "/", "", format!("Action=ListUsers&MaxItems={long}").as_bytes());
    assert!(answer.starts_with("MalformedInput") && answer.len() < 1000, "{}", answer.len());
}
