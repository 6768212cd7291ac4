//! A policy document.

use crate::{
    Question, condition, pattern,
    principal::{Naming, Principals},
};
use escale_base::json;
use serde_json::{Map, Value};

#[derive(Clone, Debug)]
pub struct Document {
    statements: Vec<Statement>,
    /// Whether `${…}` is a variable: only in version 2012-10-17.
    variables: bool,
}

/// The kind of object that a document is attached to; decides which elements a statement must and must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A user or role: the document lists what it may do.
    Identity,
    /// A role: the document lists who may assume it.
    Trust,
    /// A resource such as a bucket: the document lists who may do what with it.
    Resource,
}

#[derive(Clone, Debug)]
struct Statement {
    sid: Option<String>,
    allows: bool,
    action: Match,
    resource: Option<Match>,
    principals: Option<Principals>,
    condition: Map<String, Value>,
}

/// A list of patterns, or with `not` everything except them.
#[derive(Clone, Debug)]
struct Match {
    patterns: Vec<String>,
    not: bool,
}

/// The answer of one document to a question, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No statement applies.
    Silent,
    /// It allows the principal's account, which must itself allow the principal.
    Delegates,
    Allows,
    Denies,
}

impl Document {
    /// Parses a document; `Err` says what is wrong in the words of IAM's MalformedPolicyDocument.
    pub fn parse(text: &str, kind: Kind) -> Result<Document, String> {
        let tree: Value =
            json::with_unique_keys(text).map_err(|e| format!("This policy contains invalid Json: {e}"))?;
        let tree = tree.as_object().ok_or("Syntax errors in policy: it is not an object")?;
        if let Some(key) = tree.keys().find(|k| !["Version", "Id", "Statement"].contains(&k.as_str())) {
            return Err(format!("Syntax errors in policy: unknown element {key}"));
        }
        let variables = match tree.get("Version").map(Value::as_str) {
            Some(Some("2012-10-17")) => true,
            None | Some(Some("2008-10-17")) => false,
            _ => return Err("The policy must contain a valid version string".into()),
        };
        let read = |value: &Value| statement(value, kind, variables);
        let statements = match tree.get("Statement") {
            Some(Value::Array(items)) if !items.is_empty() => {
                items.iter().map(read).collect::<Result<_, _>>()?
            }
            Some(one @ Value::Object(_)) => vec![read(one)?],
            _ => return Err("Syntax errors in policy: Statement is missing".into()),
        };
        Ok(Document { statements, variables })
    }

    pub fn evaluate(&self, question: &Question<'_>) -> Verdict {
        self.statements.iter().map(|s| s.say(question, self.variables)).max().unwrap_or(Verdict::Silent)
    }

    /// The first statement that denies the question: its index, starting at 0, and its Sid.
    pub fn denying(&self, question: &Question<'_>) -> Option<(usize, Option<&str>)> {
        let denies = |(_, s): &(usize, &Statement)| s.say(question, self.variables) == Verdict::Denies;
        let (index, statement) = self.statements.iter().enumerate().find(denies)?;
        Some((index, statement.sid.as_deref()))
    }
}

impl Statement {
    fn say(&self, question: &Question<'_>, variables: bool) -> Verdict {
        let context = variables.then_some(question.context);
        // A document without principals is attached to the principal itself.
        let naming = self.principals.as_ref().map_or(Naming::Directly, |p| p.name(question.context));
        let applies = naming != Naming::No
            // Action names are case-insensitive in IAM, resource ARNs are not.
            && self.action.fits(&question.action.to_ascii_lowercase(), |p, t| {
                pattern::matches(&p.to_ascii_lowercase(), t, None)
            })
            && self
                .resource
                .as_ref()
                .is_none_or(|r| r.fits(question.resource, |p, t| pattern::matches(p, t, context)))
            && condition::holds(&self.condition, question, variables);
        match (applies, self.allows, naming) {
            (false, ..) => Verdict::Silent,
            // A `Deny` that names only the account denies each of its principals as well.
            (true, false, _) => Verdict::Denies,
            (true, true, Naming::Account) => Verdict::Delegates,
            (true, true, _) => Verdict::Allows,
        }
    }
}

impl Match {
    fn fits(&self, text: &str, matches: impl Fn(&str, &str) -> bool) -> bool {
        self.patterns.iter().any(|p| matches(p, text)) != self.not
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

fn statement(value: &Value, kind: Kind, variables: bool) -> Result<Statement, String> {
    let object = value.as_object().ok_or("Syntax errors in policy: a statement is not an object")?;
    if let Some(key) = object.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        return Err(format!("Syntax errors in policy: unknown element {key}"));
    }
    let allows = match object.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err("Syntax errors in policy: Effect must be Allow or Deny".into()),
    };
    let action = pick(object, "Action", "NotAction")?.ok_or("Policy statement must contain actions.")?;
    if let Some(bad) = action.patterns.iter().find(|a| *a != "*" && !a.contains(':')) {
        return Err(format!(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {bad}"
        ));
    }
    let resource = pick(object, "Resource", "NotResource")?;
    for pattern in resource.iter().flat_map(|r| &r.patterns) {
        if pattern != "*" && !pattern.starts_with("arn:") {
            return Err(format!("Resource {pattern} must be in ARN format or \"*\"."));
        }
        if let Some(variable) = pattern::unknown_variable(pattern).filter(|_| variables) {
            return Err(format!("The policy variable ${{{variable}}} is not supported"));
        }
    }
    let principals = match (object.get("Principal"), object.get("NotPrincipal")) {
        (Some(p), None) => Some(Principals::read(p, false)?),
        (None, Some(p)) => Some(Principals::read(p, true)?),
        (None, None) => None,
        _ => return Err("Syntax errors in policy: Principal and NotPrincipal exclude each other".into()),
    };
    match (kind, &principals, &resource) {
        (Kind::Identity, Some(_), _) => return Err("Policy document should not specify a principal.".into()),
        (Kind::Identity, None, None) => return Err("Policy statement must contain resources.".into()),
        (Kind::Trust, _, Some(_)) => return Err("Has prohibited field Resource".into()),
        (Kind::Trust | Kind::Resource, None, _) => return Err("Missing required field Principal".into()),
        _ => {}
    }
    let condition = condition::read(object.get("Condition"), variables)?;
    let sid = object.get("Sid").and_then(Value::as_str).map(str::to_owned);
    Ok(Statement { sid, allows, action, resource, principals, condition })
}

fn pick(object: &Map<String, Value>, yes: &str, no: &str) -> Result<Option<Match>, String> {
    let (value, not) = match (object.get(yes), object.get(no)) {
        (Some(value), None) => (value, false),
        (None, Some(value)) => (value, true),
        (None, None) => return Ok(None),
        _ => return Err(format!("Syntax errors in policy: {yes} and {no} exclude each other")),
    };
    let patterns = match value {
        Value::String(s) => Some(vec![s.clone()]),
        Value::Array(items) => items.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    match patterns {
        Some(patterns) => Ok(Some(Match { patterns, not })),
        None => Err(format!("Syntax errors in policy: {yes} takes strings")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_documents_are_refused_with_a_reason() {
        for (text, kind, why) in [
            ("{", Kind::Identity, "invalid Json"),
            (
                r#"{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}]}"#,
                Kind::Identity,
                "duplicate key \"Effect\"",
            ),
            (
                r#"{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*", "AWS": "000000000000"}}]}"#,
                Kind::Trust,
                "duplicate key \"AWS\"",
            ),
            (r#"{"Version": "2012-10-18", "Statement": {}}"#, Kind::Identity, "version"),
            (r#"{"Statement": [{"Effect": "Maybe", "Action": "*"}]}"#, Kind::Identity, "Effect"),
            (r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Oops": 1}]}"#, Kind::Identity, "Oops"),
            (
                r#"{"Statement": [{"Effect": "Allow", "Action": "Get", "Resource": "*"}]}"#,
                Kind::Identity,
                "vendor",
            ),
            (r#"{"Statement": [{"Effect": "Allow", "Action": "s3:*"}]}"#, Kind::Identity, "resources"),
            (
                r#"{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "media"}]}"#,
                Kind::Identity,
                "ARN format",
            ),
            (
                r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${saml:sub}"}]}"#,
                Kind::Identity,
                "${saml:sub}",
            ),
            (r#"{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}"#, Kind::Trust, "Principal"),
            (
                r#"{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "ada"}}]}"#,
                Kind::Trust,
                "Invalid principal",
            ),
            (
                r#"{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Federated": "x.com"}}]}"#,
                Kind::Trust,
                "Federated",
            ),
        ] {
            let error = Document::parse(text, kind).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
