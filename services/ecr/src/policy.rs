//! Whether a repository's policy may be kept. Evaluation is IAM's.

use crate::Error;
use escale_base::wire::Value;
use escale_policy::{Document, Kind};

pub(crate) fn check(document: &str) -> Result<(), Error> {
    let bad = |why: &str| Error::Invalid {
        parameter: "PolicyText",
        why: format!("Invalid repository policy provided: {why}"),
    };
    let tree: Value = serde_json::from_str(document).map_err(|_| bad("it is no JSON"))?;
    let top = tree.as_object().ok_or_else(|| bad("it is no object"))?;
    if let Some(key) = top.keys().find(|k| !["Version", "Id", "Statement"].contains(&k.as_str())) {
        return Err(bad(&format!("unknown field {key}")));
    }
    let statements = match top.get("Statement") {
        Some(Value::Array(items)) if !items.is_empty() => items.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => return Err(bad("it has no statements")),
    };
    const KNOWN: [&str; 7] =
        ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"];
    for statement in statements {
        let object = statement.as_object().ok_or_else(|| bad("a statement is no object"))?;
        // A repository's policy is about that repository: naming resources is refused on AWS as well.
        if let Some(key) = object.keys().find(|k| !KNOWN.contains(&k.as_str())) {
            return Err(bad(&format!("unknown element {key}")));
        }
        if !matches!(object.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
            return Err(bad("Effect must be Allow or Deny"));
        }
        for (yes, no) in [("Principal", "NotPrincipal"), ("Action", "NotAction")] {
            if object.contains_key(yes) == object.contains_key(no) {
                return Err(bad(&format!("a statement has either {yes} or {no}")));
            }
        }
        for (operator, _) in object.get("Condition").and_then(Value::as_object).into_iter().flatten() {
            if !escale_policy::is_operator(operator) {
                return Err(Error::NotSupported(format!("The condition operator {operator}")));
            }
        }
    }
    // One that IAM cannot read would deny everybody everything, its own removal included.
    Document::parse(document, Kind::Resource).map_err(|why| bad(&why))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use serde_json::json;

    #[test]
    fn what_may_be_kept() {
        let with = |statement| check(&json!({"Version": "2012-10-17", "Statement": [statement]}).to_string());
        let good = json!({"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"});
        assert!(with(good.clone()).is_ok());
        for (key, value) in [
            ("Resource", json!("*")),
            ("Effect", json!("Maybe")),
            ("NotAction", json!("x")),
            ("Condition", json!({"ForAnyValue:StringLike": {"aws:username": "x"}})),
            ("Condition", json!({"StringEquals": {"aws:Moon": "full"}})),
            ("Condition", json!({"DateGreaterThan": {"aws:CurrentTime": "x"}})),
        ] {
            let mut bad = good.clone();
            bad[key] = value;
            assert!(with(bad).is_err(), "{key}");
        }
        assert!(check("{}").is_err());
        let mut after = good;
        after["Condition"] = json!({"DateGreaterThan": {"aws:CurrentTime": "2026-11-22"}});
        assert!(with(after).is_ok());
    }
}
