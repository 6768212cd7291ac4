//! Reading other operations' answers.

use escale_base::{AwsError, wire::Value};

/// A text of an operation's answer, by JSON pointer (`/Listeners/0/ListenerArn`).
///
/// An answer without it, or with an empty one, is an internal error: an empty id, ARN or password must be neither stored nor
/// acted upon. The answer itself is not logged, since it may hold a secret.
pub fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str, AwsError> {
    let found = answer.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    found.ok_or_else(|| {
        tracing::error!(pointer, "an operation's answer lacks this text");
        AwsError::internal()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn refuses_absent_and_empty_texts() {
        let answer = json!({"A": {"B": ["x"]}, "Empty": "", "Number": 1, "Null": null});
        assert_eq!(text(&answer, "/A/B/0").unwrap(), "x");
        for pointer in ["/Empty", "/Number", "/Null", "/Missing", "/A/B/1", ""] {
            assert_eq!(text(&answer, pointer).unwrap_err().code, "InternalFailure", "{pointer}");
        }
    }
}
