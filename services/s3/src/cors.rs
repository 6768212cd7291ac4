//! CORS configurations: checks them, and decides what a web page of another origin may do.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use crate::Error;
use escale_service::{CrossOrigin, CrossOriginGrant};
use escale_store::Image;
use escale_tables::s3::{Bucket, CorsRule};

/// AWS's limit.
const RULES_MAX: usize = 100;
const ANY: &str = "*";

pub(crate) fn check(rules: &[CorsRule]) -> Result<(), Error> {
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(Error::MalformedXml);
    }
    for rule in rules {
        if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
            return Err(Error::MalformedXml);
        }
        let origins = rule.allowed_origins.iter().map(|origin| ("AllowedOrigin", origin.as_str()));
        let headers = rule.allowed_headers.iter().flatten().map(|header| ("AllowedHeader", header.as_str()));
        if let Some((what, odd)) = origins.chain(headers).find(|(_, text)| text.matches('*').count() > 1) {
            let why = format!("{what} \"{odd}\" can not have more than one wildcard.");
            return Err(Error::InvalidRequest(why));
        }
        if let Some(odd) = rule.expose_headers.iter().flatten().find(|header| header.contains('*')) {
            return Err(Error::InvalidRequest(format!(
                "ExposeHeader \"{odd}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            )));
        }
    }
    Ok(())
}

/// The permission of the first rule of the bucket that matches the request.
pub(crate) fn grant(image: &Image, request: &CrossOrigin<'_>) -> Option<CrossOriginGrant> {
    let bucket = request.path.trim_start_matches('/').split('/').next().filter(|name| !name.is_empty())?;
    let row = image.get::<Bucket>(bucket)?;
    let rule = row.cors.iter().flatten().find(|rule| applies(rule, request))?;
    Some(CrossOriginGrant {
        any_origin: rule.allowed_origins.iter().any(|origin| origin.as_str() == ANY),
        methods: rule.allowed_methods.iter().map(|method| method.as_str()).collect(),
        exposed: rule.expose_headers.iter().flatten().map(|header| header.to_string()).collect(),
        max_age_secs: rule.max_age_seconds,
    })
}

fn applies(rule: &CorsRule, request: &CrossOrigin<'_>) -> bool {
    let allowed = |header: &&str| {
        let header = header.to_ascii_lowercase();
        rule.allowed_headers.iter().flatten().any(|name| matches(&name.to_ascii_lowercase(), &header))
    };
    rule.allowed_methods.iter().any(|method| method.as_str() == request.method)
        && rule.allowed_origins.iter().any(|origin| matches(origin, request.origin))
        && request.headers.iter().all(allowed)
}

/// `*` matches any characters, also none.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
        None => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::S3;
    use escale_base::{AwsError, Clock, Timestamp, Wire, wire::Value};
    use escale_harness::Harness;
    use escale_objects::{Fake, Limits};
    use serde_json::json;
    use std::sync::Arc;

    fn rule(member: &str, value: Value) -> Value {
        let mut rule = json!({"AllowedMethods": ["GET"], "AllowedOrigins": ["http://a.example"]});
        rule[member] = value;
        rule
    }

    #[test]
    fn first_matching_rule_decides() {
        let cloud =
            Harness::of(S3::new(Arc::new(Fake::new(Clock::by_hand(Timestamp(0)), Limits::default()))));
        cloud.ok(
            "CreateBucket",
            json!({"Bucket": "files", "CreateBucketConfiguration": {
                "LocationConstraint": cloud.cloud.config.region,
            }}),
        );
        let rules = json!([
            {
                "AllowedMethods": ["PUT", "POST"], "AllowedOrigins": ["https://*.example", "http://localhost:3000"],
                "AllowedHeaders": ["Content-Type", "x-amz-*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60,
            },
            {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]},
        ]);
        cloud.ok("PutBucketCors", json!({"Bucket": "files", "CORSConfiguration": {"CORSRules": rules}}));
        let odd = json!([{"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}]);
        let odd = json!({"Bucket": "files", "CORSConfiguration": {"CORSRules": odd}});
        assert_eq!(cloud.error("PutBucketCors", odd).code, "InvalidRequest");
        let image = cloud.store.read();
        let ask = |method, origin, headers: &[&'static str], path| {
            grant(&image, &CrossOrigin { origin, method, headers: headers.to_vec(), path })
        };
        let put = CrossOriginGrant {
            any_origin: false,
            methods: vec!["PUT", "POST"],
            exposed: vec!["ETag".into()],
            max_age_secs: Some(60),
        };
        let get =
            CrossOriginGrant { any_origin: true, methods: vec!["GET"], exposed: vec![], max_age_secs: None };
        let (shop, path) = ("https://shop.example", "/files/a");
        assert_eq!(ask("PUT", shop, &["content-type", "X-Amz-Date"], path), Some(put.clone()));
        assert_eq!(ask("POST", "http://localhost:3000", &[], "/files"), Some(put));
        assert_eq!(ask("GET", shop, &[], path), Some(get));
        assert_eq!(ask("GET", shop, &["content-type"], path), None);
        assert_eq!(ask("PUT", shop, &["authorization"], path), None);
        assert_eq!(ask("PUT", "https://example", &[], path), None);
        assert_eq!(ask("PUT", "http://localhost:3001", &[], path), None);
        assert_eq!(ask("DELETE", shop, &[], path), None);
        assert_eq!(ask("GET", shop, &[], "/other/a"), None);
        assert_eq!(ask("GET", shop, &[], "/"), None);
    }

    #[test]
    fn refuses_invalid_rules() {
        for (rules, code) in [
            (json!([]), "MalformedXML"),
            (json!([rule("AllowedMethods", json!([]))]), "MalformedXML"),
            (json!([rule("AllowedOrigins", json!(["http://*.a.*"]))]), "InvalidRequest"),
            (json!([rule("AllowedHeaders", json!(["x-*-*"]))]), "InvalidRequest"),
            (json!([rule("ExposeHeaders", json!(["x-*"]))]), "InvalidRequest"),
        ] {
            let read: Vec<_> =
                rules.as_array().unwrap().iter().map(|rule| CorsRule::read(rule).unwrap()).collect();
            let error = check(&read).map_err(|error| AwsError::from(error).code);
            assert_eq!(error, Err(code.into()), "{rules}");
        }
    }
}
