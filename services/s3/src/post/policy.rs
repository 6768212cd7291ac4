//! The policy of a form: what its fields and its file may be.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use super::{error::FormError, form::Fields};
use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::{AwsError, Timestamp, json as strict, wire::Value};
use escale_service::Body;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

/// Fields that a policy does not have to mention.
const FREE: [&str; 4] = ["bucket", "file", "policy", "x-amz-signature"];

/// The size that the file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    least: u64,
    most: u64,
}

impl Default for Size {
    fn default() -> Size {
        Size { least: 0, most: u64::MAX }
    }
}

/// Checks the fields; returns the size of the file that the policy allows.
pub(super) fn check(policy: &str, fields: &Fields, now: Timestamp) -> Result<Size, AwsError> {
    let text = STANDARD.decode(policy.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let document = text.as_deref().and_then(|text| strict::with_unique_keys(text).ok());
    let document = document.ok_or_else(|| invalid("Invalid JSON."))?;
    let expires = document["expiration"].as_str().and_then(Timestamp::parse_iso8601);
    if expires.ok_or_else(|| invalid("Invalid 'expiration' value."))? < now {
        return Err(denied("Policy expired."));
    }
    let conditions = document["conditions"].as_array();
    let conditions = conditions.ok_or_else(|| invalid("Policy missing conditions."))?;
    let mut size = Size::default();
    let mut covered: Vec<String> = Vec::new();
    for condition in conditions {
        match read(condition).ok_or_else(|| invalid(&format!("Invalid condition: {condition}")))? {
            Condition::Size(given) => size = given,
            Condition::Field { name, value, prefix } => {
                let found = fields.get(&name).map_or("", String::as_str);
                let holds = if prefix { starts_with(&name, found, &value) } else { found == value };
                if !holds {
                    return Err(denied(&format!("Policy Condition failed: {condition}")));
                }
                covered.push(name);
            }
        }
    }
    let is_free = |name: &str| FREE.contains(&name) || name.starts_with("x-ignore-");
    if let Some(extra) = fields.keys().find(|name| !is_free(name) && !covered.contains(*name)) {
        return Err(denied(&format!("Extra input fields: {extra}")));
    }
    Ok(size)
}

enum Condition {
    Size(Size),
    Field { name: String, value: String, prefix: bool },
}

fn read(condition: &Value) -> Option<Condition> {
    let field = |name: &str, value: &Value, prefix| {
        let (name, value) = (name.to_ascii_lowercase(), value.as_str()?.to_owned());
        Some(Condition::Field { name, value, prefix })
    };
    if let Some(object) = condition.as_object() {
        let mut members = object.iter();
        let (name, value) = members.next().filter(|_| object.len() == 1)?;
        return field(name, value, false);
    }
    let [operator, first, second] = condition.as_array()?.as_slice() else { return None };
    let operator = operator.as_str()?.to_ascii_lowercase();
    match operator.as_str() {
        "content-length-range" => {
            let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
            let (least, most) = (number(first)?, number(second)?);
            (least <= most).then_some(Condition::Size(Size { least, most }))
        }
        "eq" | "starts-with" => field(first.as_str()?.strip_prefix('$')?, second, operator == "starts-with"),
        _ => None,
    }
}

/// A list of types must begin with the prefix in each of its parts.
fn starts_with(name: &str, found: &str, prefix: &str) -> bool {
    if name == "content-type" {
        found.split(',').all(|part| part.trim_start().starts_with(prefix))
    } else {
        found.starts_with(prefix)
    }
}

fn invalid(why: &str) -> AwsError {
    FormError::InvalidPolicy(why.to_owned()).into()
}

fn denied(why: &str) -> AwsError {
    FormError::AgainstPolicy(why.to_owned()).into()
}

impl Size {
    /// The same body; it ends with an error if its size is not allowed, and then nothing is stored.
    pub(super) fn limit(self, body: Body) -> Body {
        let frames = stream::try_unfold((body, 0u64), move |(mut body, seen)| async move {
            loop {
                let Some(frame) = body.frame().await.transpose()? else {
                    if seen < self.least {
                        return Err(ended(FormError::FileTooSmall {
                            size_bytes: seen,
                            min_bytes: self.least,
                        }));
                    }
                    return Ok(None);
                };
                let Ok(data) = frame.into_data() else { continue };
                let seen = seen + data.len() as u64;
                if seen > self.most {
                    return Err(ended(FormError::FileTooLarge { size_bytes: seen, max_bytes: self.most }));
                }
                return Ok(Some((Frame::data(data), (body, seen))));
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

fn ended(error: FormError) -> Box<dyn std::error::Error + Send + Sync> {
    AwsError::from(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(conditions: Value, fields: &[(&str, &str)]) -> Result<Size, String> {
        let text = json!({"expiration": "2030-01-01T00:00:00Z", "conditions": conditions}).to_string();
        let fields = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        check(&STANDARD.encode(text), &fields, Timestamp(0)).map_err(|error| error.message)
    }

    #[test]
    fn every_field_must_meet_a_condition() {
        let fields = [("bucket", "b"), ("key", "user/a"), ("x-ignore-me", "1")];
        let all =
            json!([{"bucket": "b"}, ["starts-with", "$key", "user/"], ["content-length-range", 1, "10"]]);
        assert_eq!(verdict(all, &fields), Ok(Size { least: 1, most: 10 }));
        for (conditions, why) in [
            (json!([{"bucket": "other"}, ["starts-with", "$key", ""]]), "Policy Condition failed"),
            (json!([["eq", "$key", "user/b"]]), "Policy Condition failed"),
            (json!([{"bucket": "b"}]), "Extra input fields: key"),
            (json!([["starts-with", "$key", ""], {"acl": "private"}]), "Policy Condition failed"),
            (json!([["matches", "$key", ""]]), "Invalid condition"),
            (json!([["content-length-range", 5, 1]]), "Invalid condition"),
            (json!("x"), "missing conditions"),
        ] {
            let error = verdict(conditions.clone(), &fields).unwrap_err();
            assert!(error.contains(why), "{conditions}: {error}");
        }
        let types = json!([["starts-with", "$key", ""], ["starts-with", "$Content-Type", "image/"]]);
        let with = |kind| verdict(types.clone(), &[("key", "k"), ("content-type", kind)]);
        assert!(with("image/png, image/jpeg").is_ok() && with("image/png, text/html").is_err());
    }

    #[test]
    fn expired_or_unreadable_policy_is_refused() {
        let expired =
            STANDARD.encode(json!({"expiration": "2030-01-01T00:00:00Z", "conditions": []}).to_string());
        let late = Timestamp::parse_iso8601("2030-01-01T00:00:01Z").unwrap();
        assert!(check(&expired, &Fields::new(), late).unwrap_err().message.contains("expired"));
        assert!(check("%", &Fields::new(), late).is_err());
        assert!(check(&STANDARD.encode("{}"), &Fields::new(), late).is_err());
    }
}
