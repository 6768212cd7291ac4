//! Bucket policies: whether one is well formed, whether it is public, and what of it counts.
//!
//! Evaluation is IAM's. Source of what is public:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use crate::{Error, rules};
use escale_base::{json as strict, wire::Value};
use escale_policy::{Document, Kind};
use escale_service::ResourcePolicy;
use escale_store::Image;
use escale_tables::s3::Bucket;
use serde_json::json;

/// AWS's limit.
const POLICY_BYTES: usize = 20 * 1024;

/// Condition keys that, bound to fixed values, keep the public out.
const FENCES: [&str; 10] = [
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

/// The bucket's policy, as far as its public access block lets it count. `RestrictPublicBuckets` leaves a public policy
/// to the account's own callers: "everybody" then means everybody in the account.
pub(crate) fn in_force(image: &Image, bucket: &str) -> Vec<ResourcePolicy> {
    let Some(row) = image.get::<Bucket>(bucket) else { return Vec::new() };
    let Some(document) = &row.policy else { return Vec::new() };
    let restricted = row.public_access_block.is_some_and(|b| b.restrict_public_buckets);
    let document = if restricted && is_public(document) { restrict(document) } else { document.clone() };
    vec![ResourcePolicy { document }]
}

fn restrict(document: &str) -> String {
    // The gate refuses every request under a document that cannot be read.
    let Ok(mut tree) = strict::with_unique_keys(document) else { return document.to_owned() };
    for statement in statements_mut(&mut tree) {
        let everybody = names_everybody(statement) || statement.get("NotPrincipal").is_some();
        if statement.get("Effect") == Some(&json!("Allow")) && everybody {
            if let Some(object) = statement.as_object_mut() {
                object.remove("NotPrincipal");
            }
            statement["Principal"] = json!({"AWS": "arn:aws:iam::000000000000:root"});
        }
    }
    tree.to_string()
}

/// Whether anybody in the world gets something by this document.
pub(crate) fn is_public(document: &str) -> bool {
    // Nobody can say what a document that cannot be read lets in.
    let Ok(mut tree) = strict::with_unique_keys(document) else { return true };
    statements_mut(&mut tree).iter().any(|s| {
        s.get("Effect") == Some(&json!("Allow"))
            && (names_everybody(s) || s.get("NotPrincipal").is_some())
            && !is_fenced(s)
    })
}

fn names_everybody(statement: &Value) -> bool {
    match statement.get("Principal") {
        Some(Value::String(who)) => who == "*",
        Some(Value::Object(kinds)) => {
            kinds.iter().any(|(kind, who)| kind == "AWS" && strings(who).any(|w| w == "*"))
        }
        _ => false,
    }
}

fn is_fenced(statement: &Value) -> bool {
    let Some(operators) = statement.get("Condition").and_then(Value::as_object) else { return false };
    operators.iter().any(|(operator, keys)| {
        let binds = matches!(
            operator.as_str(),
            "StringEquals" | "StringLike" | "ArnEquals" | "ArnLike" | "IpAddress" | "StringEqualsIgnoreCase"
        );
        let mut keys = keys.as_object().into_iter().flatten();
        binds
            && keys.any(|(key, values)| {
                let mut values = strings(values);
                FENCES.contains(&key.to_ascii_lowercase().as_str())
                    && values.all(|v| !v.contains(['*', '?']) && !v.ends_with("/0"))
            })
    })
}

/// Whether a document may be kept, in the words of S3.
pub(crate) fn check(document: &str, bucket: &str) -> Result<(), Error> {
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
    // One that IAM cannot read would deny everybody everything, its own removal included.
    Document::parse(document, Kind::Resource).map_err(Error::MalformedPolicy)?;
    Ok(())
}

fn check_statement(statement: &Value, bucket: &str) -> Result<(), Error> {
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
    for (yes, no) in [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")] {
        match (object.get(yes), object.get(no)) {
            (None, None) => return malformed(format!("Missing required field {yes}")),
            (Some(_), Some(_)) => return malformed(format!("{yes} and {no} exclude each other")),
            _ => {}
        }
    }
    let good = |principal: &Value| match principal {
        Value::String(who) => who == "*",
        Value::Object(kinds) => {
            let known = ["AWS", "Service", "Federated", "CanonicalUser"];
            !kinds.is_empty() && kinds.keys().all(|kind| known.contains(&kind.as_str()))
        }
        _ => false,
    };
    if !object.get("Principal").or(object.get("NotPrincipal")).is_some_and(good) {
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
            return Err(Error::NotSupported(format!("The condition operator {operator}")));
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
    fn what_is_public() {
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
    fn restricted_to_the_account() {
        let left = restrict(&allow(json!("*"), json!({})));
        assert!(!is_public(&left));
        assert!(left.contains(":root"), "{left}");
        let but_one = json!([{"Effect": "Allow", "NotPrincipal": {"AWS": "000000000000"}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::media/*"}]);
        assert!(is_public(&document(but_one.clone())));
        assert!(!is_public(&restrict(&document(but_one))));
        assert!(is_public("no JSON"), "what cannot be read counts as public");
    }

    #[test]
    fn malformed_ones_say_why() {
        let check = |text: &str, why: &str| {
            let error = check(text, "media").unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        check("no", "invalid Json");
        let twice = allow(json!("*"), json!({})).replace(r#""Effect":"#, r#""Effect":"Deny","Effect":"#);
        check(&twice, "duplicate key \"Effect\"");
        check(r#"{"Version": "2012-10-17"}"#, "Statement");
        check(&allow(json!("somebody"), json!({})), "principal");
        check(&allow(json!("*"), json!({"ForAnyValue:StringLike": {"aws:username": "x"}})), "ForAnyValue");
        check(&allow(json!("*"), json!({"StringEquals": {"aws:Moon": "full"}})), "aws:Moon");
        check(&allow(json!("*"), json!({"DateGreaterThan": {"aws:CurrentTime": "x"}})), "DateGreaterThan");
        let other = allow(json!("*"), json!({})).replace(":media/", ":media2/");
        check(&other, "invalid resource");
        let action = allow(json!("*"), json!({})).replace("s3:GetObject", "ec2:RunInstances");
        check(&action, "invalid action");
        assert!(super::check(&allow(json!("*"), json!({})), "media").is_ok());
        let after = json!({"DateGreaterThanIfExists": {"aws:CurrentTime": "2026-11-22"}});
        assert!(super::check(&allow(json!("*"), after), "media").is_ok());
    }
}
