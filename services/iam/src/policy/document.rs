//! A policy document.

use super::{condition, pattern};
use escale_service::{Caller, Principal};
use serde_json::{Map, Value};

#[derive(Clone, Debug)]
pub(crate) struct Document {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    effect: Effect,
    action: Match,
    resource: Option<Match>,
    principal: Option<(Value, bool)>,
    condition: Map<String, Value>,
}

/// A list of patterns, or (`not`) everything but them.
#[derive(Clone, Debug)]
struct Match {
    patterns: Vec<String>,
    not: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// May `caller` do `action` on `resource`?
pub(crate) struct Question<'a> {
    pub caller: &'a Caller,
    pub action: &'a str,
    pub resource: &'a str,
}

impl Question<'_> {
    pub(crate) fn caller_arn(&self) -> String {
        // Conditions and principals name the role itself, not its session.
        match &self.caller.principal {
            Principal::Role { name, .. } => format!("arn:aws:iam::{}:role/{name}", self.account()),
            other => other.arn(self.account()),
        }
    }

    pub(crate) fn source_arn(&self) -> Option<String> {
        match &self.caller.principal {
            Principal::OnBehalf { source_arn, .. } => Some(source_arn.clone()),
            _ => None,
        }
    }

    pub(crate) fn principal_type(&self) -> &'static str {
        match self.caller.principal {
            Principal::Root => "Account",
            Principal::User { .. } => "User",
            Principal::Role { .. } => "AssumedRole",
            Principal::Service(_) | Principal::OnBehalf { .. } => "Service",
            Principal::Anonymous => "Anonymous",
        }
    }

    fn account(&self) -> &str {
        // A resource's ARN carries the account; those of S3 do not, and then any will do: there is one.
        self.resource.split(':').nth(4).filter(|a| !a.is_empty()).unwrap_or("000000000000")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No statement applies.
    Silent,
    Says(Effect),
}

impl Document {
    /// Reads a document; `Err` says what is wrong in the words of IAM's MalformedPolicyDocument.
    pub(crate) fn parse(text: &str) -> Result<Document, String> {
        let tree: Value =
            serde_json::from_str(text).map_err(|e| format!("This policy contains invalid Json: {e}"))?;
        let tree = tree.as_object().ok_or("The policy is not an object")?;
        if let Some(key) = tree.keys().find(|k| !["Version", "Id", "Statement"].contains(&k.as_str())) {
            return Err(format!("Unknown field {key}"));
        }
        let statements = match tree.get("Statement") {
            Some(Value::Array(items)) => items.iter().map(statement).collect::<Result<_, _>>()?,
            Some(one @ Value::Object(_)) => vec![statement(one)?],
            _ => return Err("Syntax errors in policy: Statement is missing".into()),
        };
        Ok(Document { statements })
    }

    /// What the document says to a question. A document on a resource also asks who (`Principal`).
    pub(crate) fn evaluate(&self, question: &Question<'_>, on_resource: bool) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in self.statements.iter().filter(|s| s.applies(question, on_resource)) {
            match statement.effect {
                Effect::Deny => return Verdict::Says(Effect::Deny),
                Effect::Allow => verdict = Verdict::Says(Effect::Allow),
            }
        }
        verdict
    }
}

impl Statement {
    fn applies(&self, question: &Question<'_>, on_resource: bool) -> bool {
        let resource_fits = match &self.resource {
            Some(resources) => resources.fits(question.resource, false),
            None => on_resource,
        };
        self.action.fits(question.action, true)
            && resource_fits
            && (!on_resource || self.names(question))
            && condition::holds(&self.condition, question)
    }

    fn names(&self, question: &Question<'_>) -> bool {
        match &self.principal {
            Some((principal, not)) => named(principal, question) != *not,
            None => false,
        }
    }
}

fn named(principal: &Value, question: &Question<'_>) -> bool {
    match principal {
        Value::String(all) => all == "*",
        Value::Object(kinds) => kinds.iter().any(|(kind, who)| {
            strings(who).iter().any(|who| match (kind.as_str(), &question.caller.principal) {
                ("AWS", _) if who == "*" => true,
                ("AWS", Principal::Anonymous | Principal::Service(_) | Principal::OnBehalf { .. }) => false,
                ("AWS", _) => {
                    // A bare account number or its root stands for everybody in the account.
                    let whole_account = who == question.account() || who.ends_with(":root");
                    whole_account || *who == question.caller_arn()
                }
                ("Service", Principal::Service(name) | Principal::OnBehalf { service: name, .. }) => {
                    who == name
                }
                _ => false,
            })
        }),
        _ => false,
    }
}

impl Match {
    fn fits(&self, text: &str, fold_case: bool) -> bool {
        let fits = |p: &String| match fold_case {
            true => pattern::matches(&p.to_ascii_lowercase(), &text.to_ascii_lowercase()),
            // A question about everything is answered by a pattern for everything only.
            false => pattern::matches(p, text),
        };
        self.patterns.iter().any(fits) != self.not
    }
}

const KNOWN: [&str; 9] = [
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
];

fn statement(value: &Value) -> Result<Statement, String> {
    let object = value.as_object().ok_or("Syntax errors in policy: a statement is not an object")?;
    if let Some(key) = object.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        return Err(format!("Syntax errors in policy: unknown element {key}"));
    }
    let effect = match object.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err("Syntax errors in policy: Effect must be Allow or Deny".into()),
    };
    let pick = |yes: &str, no: &str| match (object.get(yes), object.get(no)) {
        (Some(v), None) => Ok(Some(Match { patterns: strings(v), not: false })),
        (None, Some(v)) => Ok(Some(Match { patterns: strings(v), not: true })),
        (None, None) => Ok(None),
        _ => Err(format!("Syntax errors in policy: {yes} and {no} exclude each other")),
    };
    let action = pick("Action", "NotAction")?.ok_or("Syntax errors in policy: Action is missing")?;
    let condition = object.get("Condition").cloned().unwrap_or(Value::Object(Map::new()));
    if let Some(operator) = condition::unknown_operator(&condition) {
        return Err(format!("The condition operator {operator} is not supported by Escale"));
    }
    let condition =
        condition.as_object().cloned().ok_or("Syntax errors in policy: Condition is not an object")?;
    let principal = match (object.get("Principal"), object.get("NotPrincipal")) {
        (Some(p), None) => Some((p.clone(), false)),
        (None, Some(p)) => Some((p.clone(), true)),
        _ => None,
    };
    Ok(Statement { effect, action, resource: pick("Resource", "NotResource")?, principal, condition })
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(s) => vec![s.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn caller(principal: Principal) -> Caller {
        Caller { principal, ..Caller::service("x") }
    }

    fn role() -> Caller {
        caller(Principal::Role { name: "shop".into(), session: "t".into(), role_id: "AROA".into() })
    }

    fn check(
        statement: Value,
        caller: &Caller,
        action: &str,
        resource: &str,
        on_resource: bool,
        expected: Verdict,
    ) {
        let document =
            Document::parse(&json!({"Version": "2012-10-17", "Statement": statement}).to_string()).unwrap();
        let found = document.evaluate(&Question { caller, action, resource }, on_resource);
        assert_eq!(found, expected, "{statement} {action} {resource}");
    }

    #[test]
    fn identity_policies() {
        let allow = json!([{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::media/*"}]);
        let yes = Verdict::Says(Effect::Allow);
        check(allow.clone(), &role(), "s3:GetObject", "arn:aws:s3:::media/a", false, yes);
        check(allow.clone(), &role(), "s3:getobject", "arn:aws:s3:::media/a", false, yes);
        check(allow.clone(), &role(), "s3:PutObject", "arn:aws:s3:::media/a", false, Verdict::Silent);
        check(allow, &role(), "s3:GetObject", "arn:aws:s3:::static/a", false, Verdict::Silent);
        let both = json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}
        ]);
        check(both.clone(), &role(), "s3:GetObject", "x", false, yes);
        check(both, &role(), "ec2:RunInstances", "x", false, Verdict::Says(Effect::Deny));
    }

    #[test]
    fn resource_policies_ask_who() {
        let cdn = json!({"Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::media/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::000000000000:distribution/E1"}}});
        let from = |d: &str| {
            let source_arn = format!("arn:aws:cloudfront::000000000000:distribution/{d}");
            caller(Principal::OnBehalf { service: "cloudfront.amazonaws.com".into(), source_arn })
        };
        check(
            cdn.clone(),
            &from("E1"),
            "s3:GetObject",
            "arn:aws:s3:::media/a",
            true,
            Verdict::Says(Effect::Allow),
        );
        check(cdn.clone(), &from("E2"), "s3:GetObject", "arn:aws:s3:::media/a", true, Verdict::Silent);
        check(
            cdn,
            &caller(Principal::Anonymous),
            "s3:GetObject",
            "arn:aws:s3:::media/a",
            true,
            Verdict::Silent,
        );
    }

    #[test]
    fn malformed_documents_say_why() {
        for (text, why) in [
            ("{", "invalid Json"),
            (r#"{"Statement": [{"Effect": "Maybe", "Action": "*"}]}"#, "Effect"),
            (r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Oops": 1}]}"#, "Oops"),
            (
                r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Condition": {"DateEquals": {}}}]}"#,
                "DateEquals",
            ),
        ] {
            let error = Document::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
