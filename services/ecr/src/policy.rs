//! Validates a repository's policy. IAM evaluates it.

use crate::Error;
use escale_base::{AwsError, json, wire::Value};
use escale_policy::{Document, Kind};

pub(crate) fn check(document: &str) -> Result<(), Error> {
    let bad = |why: &str| Error::Invalid {
        parameter: "PolicyText",
        why: format!("Invalid repository policy provided: {why}"),
    };
    let tree = json::with_unique_keys(document).map_err(|e| bad(&format!("invalid Json: {e}")))?;
    let statements = match tree.get("Statement") {
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for statement in statements {
        // A repository's policy always applies to that repository. AWS refuses resources in it too.
        if let Some(key) = ["Resource", "NotResource"].into_iter().find(|k| statement.get(k).is_some()) {
            return Err(bad(&format!("unknown element {key}")));
        }
        for (operator, _) in statement.get("Condition").and_then(Value::as_object).into_iter().flatten() {
            if !escale_policy::is_operator(operator) {
                return Err(AwsError::not_supported(format_args!("The condition operator {operator}")).into());
            }
        }
    }
    // The rest is as in all policies. A policy that IAM cannot parse would deny every request, even its own removal.
    Document::parse(document, Kind::Resource).map_err(|why| bad(&why))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use serde_json::json;

    #[test]
    fn refuses_invalid_policies() {
        let with = |statement| check(&json!({"Version": "2012-10-17", "Statement": [statement]}).to_string());
        let good = json!({"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"});
        assert!(with(good.clone()).is_ok());
        for (key, value) in [
            ("Resource", json!("*")),
            ("NotResource", json!("*")),
            ("Effect", json!("Maybe")),
            ("Principle", json!("*")),
            ("NotAction", json!("x")),
            ("Condition", json!({"BinaryEquals": {"aws:username": "x"}})),
            ("Condition", json!({"StringEquals": {"aws:Moon": "full"}})),
            ("Condition", json!({"DateGreaterThan": {"aws:CurrentTime": "x"}})),
        ] {
            let mut bad = good.clone();
            bad[key] = value;
            assert!(with(bad).is_err(), "{key}");
        }
        for bad in [
            r#"{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Principal": "*", "Action": "ecr:*"}]}"#,
            "",
            "[]",
            "{}",
            r#"{"Statement": []}"#,
            r#"{"Statement": [1]}"#,
            r#"{"Statements": []}"#,
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        let mut after = good;
        after["Condition"] = json!({"DateGreaterThan": {"aws:CurrentTime": "2026-11-22"}});
        assert!(with(after).is_ok());
    }
}
