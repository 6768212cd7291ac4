use super::*;
use escale_base::{Wire, wire::Value};
use serde_json::json;

fn site(configuration: Value) -> Website {
    Website::read(&configuration).unwrap()
}

fn asked<'a>(path: &'a str, query: Option<&'a str>, key: &'a str) -> Asked<'a> {
    Asked { authority: "www.example.com:8080", path, query, key }
}

#[test]
fn finds_the_bucket_of_a_host() {
    let config = Config::default();
    for (host, bucket) in [
        ("shop.s3-website-eu-west-3.amazonaws.com", "shop"),
        ("shop.s3-website.eu-west-3.amazonaws.com:80", "shop"),
        ("Shop.s3-website-eu-west-3.localhost:8080", "shop"),
        ("www.example.com.s3-website.eu-west-3.localhost.", "www.example.com"),
        ("www.example.com", "www.example.com"),
        ("shop.s3-website-us-east-1.amazonaws.com", "shop.s3-website-us-east-1.amazonaws.com"),
        ("s3-website-eu-west-3.amazonaws.com", "s3-website-eu-west-3.amazonaws.com"),
    ] {
        assert_eq!(bucket_of(host, &config).as_str(), bucket, "{host}");
    }
}

#[test]
fn folders_have_an_index_document() {
    let site = site(json!({"IndexDocument": {"Suffix": "index.html"}}));
    for (key, object) in [("", "index.html"), ("a/", "a/index.html"), ("a", "a"), ("a/b.txt", "a/b.txt")] {
        assert_eq!(asked("/", None, key).object(&site), object);
    }
}

#[test]
fn redirects_keep_path_and_query() {
    let all = |to: Value| site(json!({"RedirectAllRequestsTo": to}));
    let to = |site: Website| asked("/a%20b", Some("x=1"), "a b").redirect_all(&site).unwrap().location;
    assert_eq!(to(all(json!({"HostName": "example.com"}))), "http://example.com/a%20b?x=1");
    let https = all(json!({"HostName": "example.com", "Protocol": "https"}));
    assert_eq!(to(https), "https://example.com/a%20b?x=1");
    assert_eq!(asked("/docs", Some("x=1"), "docs").to_folder().location, "/docs/?x=1");
}

#[test]
fn first_matching_rule_redirects() {
    let rules = site(json!({"IndexDocument": {"Suffix": "i"}, "RoutingRules": [
        {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "documents/"}},
        {"Condition": {"KeyPrefixEquals": "img/", "HttpErrorCodeReturnedEquals": "404"}, "Redirect": {
            "HostName": "old.example.com", "Protocol": "https", "HttpRedirectCode": "302",
        }},
        {"Condition": {"HttpErrorCodeReturnedEquals": "404"}, "Redirect": {"ReplaceKeyPrefixWith": "#!/"}},
        {"Condition": {"HttpErrorCodeReturnedEquals": "403"}, "Redirect": {"ReplaceKeyWith": "closed page.html"}},
    ]}));
    let found = |key: &str, error| {
        let to = asked("/", None, key).by_rule(&rules, error)?;
        Some(format!("{} {}", to.status, to.location))
    };
    for (key, error, expected) in [
        ("docs/a b", None, Some("301 http://www.example.com:8080/documents/a%20b")),
        ("docs/a", Some(404), Some("301 http://www.example.com:8080/#!/docs/a")),
        ("img/a", None, None),
        ("img/a", Some(404), Some("302 https://old.example.com/img/a")),
        ("x", Some(404), Some("301 http://www.example.com:8080/#!/x")),
        ("x", Some(403), Some("301 http://www.example.com:8080/closed%20page.html")),
        ("x", Some(500), None),
    ] {
        assert_eq!(found(key, error).as_deref(), expected, "{key} {error:?}");
    }
    let always =
        site(json!({"IndexDocument": {"Suffix": "i"}, "RoutingRules": [{"Redirect": {"HostName": "b"}}]}));
    assert_eq!(asked("/", None, "k").by_rule(&always, None).unwrap().location, "http://b/k");
}

#[test]
fn refuses_invalid_configurations() {
    let rule = |condition: Value, redirect: Value| json!({"IndexDocument": {"Suffix": "i"}, "RoutingRules": [{"Condition": condition, "Redirect": redirect}]});
    let prefix = || json!({"KeyPrefixEquals": "a"});
    let many: Vec<Value> = (0..51).map(|_| json!({"Redirect": {"HostName": "a"}})).collect();
    for (configuration, why) in [
        (json!({}), "Suffix must be provided"),
        (json!({"IndexDocument": {"Suffix": "a/b"}}), "not well formed"),
        (json!({"IndexDocument": {"Suffix": ""}}), "not well formed"),
        (json!({"IndexDocument": {"Suffix": "i"}, "ErrorDocument": {"Key": ""}}), "ErrorDocument"),
        (json!({"RedirectAllRequestsTo": {"HostName": "a\r\nX: y"}}), "HostName"),
        (
            json!({"RedirectAllRequestsTo": {"HostName": "a"}, "IndexDocument": {"Suffix": "i"}}),
            "conjunction",
        ),
        (rule(prefix(), json!({})), "not well-formed"),
        (rule(prefix(), json!({"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"})), "not both"),
        (rule(prefix(), json!({"HttpRedirectCode": "300"})), "redirect code (300)"),
        (rule(json!({"HttpErrorCodeReturnedEquals": "200"}), json!({"HostName": "a"})), "error code (200)"),
        (rule(json!({}), json!({"HostName": "a"})), "Condition cannot be empty"),
        (json!({"IndexDocument": {"Suffix": "i"}, "RoutingRules": many}), "51 routing rules"),
    ] {
        let error = check(&site(configuration.clone())).unwrap_err().to_string();
        assert!(error.contains(why), "{configuration}: {error}");
    }
    assert!(check(&site(rule(prefix(), json!({"HostName": "a.example:8080"})))).is_ok());
}
