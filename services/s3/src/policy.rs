//! Bucket policies: whether a policy is well formed, whether it is public, and what the public access block leaves of it.
//!
//! IAM evaluates them. Source of the definition of public:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use crate::{Error, acl, rules, shapes};
use escale_base::{AwsError, json as strict, wire::Value};
use escale_policy::{Document, Kind};
use escale_service::ResourcePolicy;
use escale_store::Image;
use escale_tables::{
    cloudfront::OriginAccessIdentity,
    s3::{Bucket, BucketName},
};
use serde_json::json;

/// AWS's limit on the size of a policy.
const POLICY_BYTES: usize = 20 * 1024;

/// Condition keys that, compared with fixed values, make a statement not public.
const LIMITING_KEYS: [&str; 10] = [
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceip",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalaccount",
    "aws:userid",
    "s3:dataaccesspointarn",
];

/// The bucket's policy as its public access block permits it, and its ACL as a policy. With `RestrictPublicBuckets`, a public policy applies only to the
/// account's own callers.
pub(crate) fn in_force(image: &Image, bucket: &BucketName, account: &str) -> Vec<ResourcePolicy> {
    let Some(row) = image.get::<Bucket>(bucket) else { return Vec::new() };
    let by_acl = acl::policy(&row, account).map(|document| ResourcePolicy { document });
    let Some(document) = &row.policy else { return by_acl.into_iter().collect() };
    let restricted = row.public_access_block.is_some_and(|b| b.restrict_public_buckets);
    let document =
        if restricted && is_public(document) { restrict(document, account) } else { document.clone() };
    by_acl.into_iter().chain([ResourcePolicy { document }]).collect()
}

fn restrict(document: &str, account: &str) -> String {
    // The gate denies every request under a policy that it cannot parse.
    let Ok(mut tree) = strict::with_unique_keys(document) else { return document.to_owned() };
    for statement in statements_mut(&mut tree) {
        // `NotPrincipal` allows everyone but the named principals, so it is public, too.
        let for_everyone = names_everyone(statement) || statement.get("NotPrincipal").is_some();
        if statement.get("Effect") == Some(&json!("Allow")) && for_everyone {
            if let Some(object) = statement.as_object_mut() {
                object.remove("NotPrincipal");
            }
            statement["Principal"] = json!({"AWS": format!("arn:aws:iam::{account}:root")});
        }
    }
    tree.to_string()
}

/// Whether this policy grants anything to everyone.
pub(crate) fn is_public(document: &str) -> bool {
    // The safe answer for a policy that cannot be parsed.
    let Ok(mut tree) = strict::with_unique_keys(document) else { return true };
    statements_mut(&mut tree).iter().any(|s| {
        s.get("Effect") == Some(&json!("Allow"))
            && (names_everyone(s) || s.get("NotPrincipal").is_some())
            && !is_limited(s)
    })
}

fn names_everyone(statement: &Value) -> bool {
    match statement.get("Principal") {
        Some(Value::String(principal)) => principal == "*",
        Some(Value::Object(kinds)) => {
            kinds.iter().any(|(kind, principals)| kind == "AWS" && strings(principals).any(|p| p == "*"))
        }
        _ => false,
    }
}

/// Whether a condition limits the statement to fixed values.
fn is_limited(statement: &Value) -> bool {
    let Some(operators) = statement.get("Condition").and_then(Value::as_object) else { return false };
    operators.iter().any(|(operator, keys)| {
        let compares = matches!(
            operator.as_str(),
            "StringEquals" | "StringLike" | "ArnEquals" | "ArnLike" | "IpAddress" | "StringEqualsIgnoreCase"
        );
        let mut keys = keys.as_object().into_iter().flatten();
        compares
            && keys.any(|(key, values)| {
                let mut values = strings(values);
                // A wildcard or a prefix of length 0 matches everyone.
                LIMITING_KEYS.contains(&key.to_ascii_lowercase().as_str())
                    && values.all(|v| !v.contains(['*', '?']) && !v.ends_with("/0"))
            })
    })
}

/// As on AWS, a policy cannot name an identity of CloudFront that does not exist, or another account's user.
pub(crate) fn check_principals(image: &Image, document: &str, account: &str) -> Result<(), Error> {
    let Ok(mut tree) = strict::with_unique_keys(document) else { return Ok(()) };
    let identities: Vec<_> = image.scan::<OriginAccessIdentity>().collect();
    let own = shapes::owner(account).id;
    for statement in statements_mut(&mut tree) {
        let named =
            ["Principal", "NotPrincipal"].iter().filter_map(|field| statement.get(*field)?.as_object());
        for (kind, principals) in named.flatten() {
            let unknown = strings(principals).find(|who| match kind.as_str() {
                "CanonicalUser" => *who != own && !identities.iter().any(|i| i.canonical_user == **who),
                "AWS" => who.starts_with(IDENTITIES) && !identities.iter().any(|i| i.arn() == *who),
                _ => false,
            });
            if let Some(who) = unknown {
                return Err(Error::MalformedPolicy(format!(
                    "Invalid principal in policy: {kind} {who} does not exist"
                )));
            }
        }
    }
    Ok(())
}

/// The beginning of the ARNs of CloudFront's origin access identities.
const IDENTITIES: &str = "arn:aws:iam::cloudfront:user/";

/// Validates a policy before it is stored. The messages are S3's.
pub(crate) fn check(document: &str, bucket: &BucketName) -> Result<(), Error> {
    let malformed = |why: &str| Error::MalformedPolicy(why.to_owned());
    if document.len() > POLICY_BYTES {
        return Err(malformed("Policy exceeds the maximum allowed document size."));
    }
    let mut tree = strict::with_unique_keys(document)
        .map_err(|e| Error::MalformedPolicy(format!("This policy contains invalid Json: {e}")))?;
    let Some(top) = tree.as_object() else {
        return Err(malformed("Policies must be valid JSON and the first byte must be '{'"));
    };
    if let Some(key) = top.keys().find(|k| !["Version", "Id", "Statement"].contains(&k.as_str())) {
        return Err(Error::MalformedPolicy(format!("Unknown field {key}")));
    }
    let statements = statements_mut(&mut tree);
    if statements.is_empty() {
        return Err(malformed("Missing required field Statement"));
    }
    statements.iter().try_for_each(|s| check_statement(s, bucket))?;
    // A policy that IAM cannot parse would deny every request, including the one that deletes the policy.
    Document::parse(document, Kind::Resource).map_err(Error::MalformedPolicy)?;
    Ok(())
}

fn check_statement(statement: &Value, bucket: &BucketName) -> Result<(), Error> {
    let malformed = |why: String| Err(Error::MalformedPolicy(why));
    const KNOWN: [&str; 9] = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    let Some(object) = statement.as_object() else { return malformed("Invalid statement".into()) };
    if let Some(key) = object.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        return malformed(format!("Unknown field {key}"));
    }
    if !matches!(object.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return malformed("Missing required field Effect".into());
    }
    for (field, not) in [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")]
    {
        match (object.get(field), object.get(not)) {
            (None, None) => return malformed(format!("Missing required field {field}")),
            (Some(_), Some(_)) => {
                return malformed(format!("A statement cannot have both {field} and {not}"));
            }
            _ => {}
        }
    }
    let is_valid = |principal: &Value| match principal {
        Value::String(principal) => principal == "*",
        Value::Object(kinds) => {
            let known = ["AWS", "Service", "Federated", "CanonicalUser"];
            !kinds.is_empty() && kinds.keys().all(|kind| known.contains(&kind.as_str()))
        }
        _ => false,
    };
    if !object.get("Principal").or(object.get("NotPrincipal")).is_some_and(is_valid) {
        return malformed("Invalid principal in policy".into());
    }
    let actions = object.get("Action").or(object.get("NotAction")).into_iter().flat_map(strings);
    for action in actions {
        if action != "*" && !action.to_ascii_lowercase().starts_with("s3:") {
            return malformed("Policy has invalid action".into());
        }
    }
    let arn = rules::bucket_arn(bucket);
    let resources = object.get("Resource").or(object.get("NotResource")).into_iter().flat_map(strings);
    for resource in resources {
        let inside = resource.strip_prefix(&arn).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !inside {
            return malformed("Policy has invalid resource".into());
        }
    }
    let operators = object.get("Condition").and_then(Value::as_object).into_iter().flatten();
    for (operator, _) in operators {
        if !escale_policy::is_operator(operator) {
            return Err(AwsError::not_supported(format_args!("The condition operator {operator}")).into());
        }
    }
    Ok(())
}

fn statements_mut(tree: &mut Value) -> Vec<&mut Value> {
    match tree.get_mut("Statement") {
        Some(Value::Array(items)) => items.iter_mut().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    }
}

fn strings(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(s) => Box::new(std::iter::once(s.as_str())),
        Value::Array(items) => Box::new(items.iter().filter_map(Value::as_str)),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(statement: Value) -> String {
        json!({"Version": "2012-10-17", "Statement": statement}).to_string()
    }

    fn allow(principal: Value, condition: Value) -> String {
        document(json!([{"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::media/*", "Condition": condition}]))
    }

    #[test]
    fn public_policies_name_everyone_without_a_limit() {
        let cdn =
            json!({"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::000000000000:distribution/E"}});
        assert!(is_public(&allow(json!("*"), json!({}))));
        assert!(is_public(&allow(json!({"AWS": ["*"]}), json!({}))));
        assert!(!is_public(&allow(json!({"Service": "cloudfront.amazonaws.com"}), json!({}))));
        assert!(!is_public(&allow(json!("*"), cdn)));
        assert!(!is_public(&allow(json!("*"), json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))));
        assert!(is_public(&allow(json!("*"), json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}))));
        assert!(is_public(&allow(json!("*"), json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}))));
        let deny = json!([{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::media/*"}]);
        assert!(!is_public(&document(deny)));
    }

    #[test]
    fn restricted_policies_are_not_public() {
        let left = restrict(&allow(json!("*"), json!({})), "123456789012");
        assert!(!is_public(&left));
        assert!(left.contains("arn:aws:iam::123456789012:root"), "{left}");
        let but_one = json!([{"Effect": "Allow", "NotPrincipal": {"AWS": "000000000000"}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::media/*"}]);
        assert!(is_public(&document(but_one.clone())));
        assert!(!is_public(&restrict(&document(but_one), "123456789012")));
        assert!(is_public("no JSON"), "a policy that cannot be parsed counts as public");
    }

    #[test]
    fn rejects_malformed_policies_with_a_reason() {
        let check = |text: &str, why: &str| {
            let error = check(text, &"media".into()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        check("no", "invalid Json");
        let twice = allow(json!("*"), json!({})).replace(r#""Effect":"#, r#""Effect":"Deny","Effect":"#);
        check(&twice, "duplicate key \"Effect\"");
        check(r#"{"Version": "2012-10-17"}"#, "Statement");
        check(&allow(json!("somebody"), json!({})), "principal");
        check(&allow(json!("*"), json!({"BinaryEquals": {"aws:username": "x"}})), "BinaryEquals");
        check(&allow(json!("*"), json!({"StringEquals": {"aws:Moon": "full"}})), "aws:Moon");
        check(&allow(json!("*"), json!({"DateGreaterThan": {"aws:CurrentTime": "x"}})), "DateGreaterThan");
        let other = allow(json!("*"), json!({})).replace(":media/", ":media2/");
        check(&other, "invalid resource");
        let action = allow(json!("*"), json!({})).replace("s3:GetObject", "ec2:RunInstances");
        check(&action, "invalid action");
        assert!(super::check(&allow(json!("*"), json!({})), &"media".into()).is_ok());
        let after = json!({"DateGreaterThanIfExists": {"aws:CurrentTime": "2026-11-22"}});
        assert!(super::check(&allow(json!("*"), after), &"media".into()).is_ok());
    }
}
