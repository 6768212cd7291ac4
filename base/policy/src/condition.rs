//! `Condition` blocks: operators over context keys.

use crate::{
    Question,
    context::{self, Context},
    pattern,
};
use escale_base::Timestamp;
use serde_json::{Map, Value};
use std::{cmp::Ordering, net::IpAddr};

/// Operators that are evaluated, each also with `ForAllValues:` or `ForAnyValue:`; a document with another is refused when it is
/// stored.
const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Bool",
    "IpAddress",
    "NotIpAddress",
    "Null",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
];

/// Whether a condition operator, with or without `IfExists` and a set operator, is supported.
pub fn is_operator(name: &str) -> bool {
    OPERATORS.contains(&Operator::of(name).bare)
}

/// Reads a block whose operators, keys and variables are all supported; `Err` names the first that is not.
pub(crate) fn read(block: Option<&Value>, variables: bool) -> Result<Map<String, Value>, String> {
    let Some(block) = block else { return Ok(Map::new()) };
    let block = block.as_object().ok_or("Syntax errors in policy: Condition is not an object")?;
    for (operator, keys) in block {
        let name = Operator::of(operator).bare;
        if !is_operator(operator) {
            return Err(format!("The condition operator {name} is not supported"));
        }
        let keys = keys
            .as_object()
            .ok_or(format!("Syntax errors in policy: {operator} is not an object of keys"))?;
        for (key, wanted) in keys {
            if !context::is_known(key) {
                return Err(format!("The condition key {key} is not supported"));
            }
            let wanted = texts(wanted);
            if let Some(variable) =
                wanted.iter().filter(|_| variables).find_map(|w| pattern::unknown_variable(w))
            {
                return Err(format!("The policy variable ${{{variable}}} is not supported"));
            }
            let well_formed = |w: &String| match name {
                _ if name.starts_with("Numeric") => number(w).is_some(),
                _ if name.starts_with("Date") => date(w).is_some(),
                "IpAddress" | "NotIpAddress" => block_of(w).is_some(),
                _ => true,
            };
            if let Some(bad) = wanted.iter().find(|w| !w.contains("${") && !well_formed(w)) {
                return Err(format!("Syntax errors in policy: {bad} is not a valid value for {operator}"));
            }
        }
    }
    Ok(block.clone())
}

/// Whether every operator of the block holds. An absent key fails all but the negated and `…IfExists` operators.
pub(crate) fn holds(block: &Map<String, Value>, question: &Question<'_>, variables: bool) -> bool {
    block.iter().all(|(name, keys)| {
        let operator = Operator::of(name);
        keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, wanted)| {
                let test = Test { operator, context: question.context, variables };
                test.holds(question.value(key).as_deref(), &texts(wanted))
            })
        })
    })
}

/// An operator's name without its parts that say what happens if the key is absent.
#[derive(Clone, Copy)]
struct Operator<'a> {
    bare: &'a str,
    /// The result for an absent key, if the name decides it. `IfExists` and `ForAllValues:` hold then, `ForAnyValue:` does not.
    /// No supported key has several values, so these set operators differ from the bare operator in nothing else.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
    if_absent: Option<bool>,
}

impl Operator<'_> {
    fn of(name: &str) -> Operator<'_> {
        let all = name.strip_prefix("ForAllValues:");
        let any = name.strip_prefix("ForAnyValue:");
        let rest = all.or(any).unwrap_or(name);
        let existing = rest.strip_suffix("IfExists");
        let if_absent = match (existing, all, any) {
            (Some(_), ..) | (_, Some(_), _) => Some(true),
            (.., Some(_)) => Some(false),
            _ => None,
        };
        Operator { bare: existing.unwrap_or(rest), if_absent }
    }
}

struct Test<'a> {
    operator: Operator<'a>,
    context: &'a Context,
    variables: bool,
}

impl Test<'_> {
    fn holds(&self, found: Option<&str>, wanted: &[String]) -> bool {
        if self.operator.bare == "Null" {
            return wanted.iter().any(|w| w.eq_ignore_ascii_case("true") == found.is_none());
        }
        let (positive, negated) = match self.operator.bare {
            "StringNotEquals" => ("StringEquals", true),
            "StringNotEqualsIgnoreCase" => ("StringEqualsIgnoreCase", true),
            "StringNotLike" => ("StringLike", true),
            "ArnNotEquals" | "ArnNotLike" => ("ArnLike", true),
            "NotIpAddress" => ("IpAddress", true),
            "NumericNotEquals" => ("NumericEquals", true),
            "DateNotEquals" => ("DateEquals", true),
            other => (other, false),
        };
        match found {
            // IAM evaluates a negated operator to true when the key is absent.
            None => self.operator.if_absent.unwrap_or(negated),
            Some(found) => wanted.iter().any(|w| self.fits(positive, w, found)) != negated,
        }
    }

    fn fits(&self, operator: &str, wanted: &str, found: &str) -> bool {
        let variables = self.variables.then_some(self.context);
        // Only these operators interpret wildcards; IAM treats ArnEquals and ArnLike alike.
        if matches!(operator, "StringLike" | "ArnEquals" | "ArnLike") {
            return pattern::matches(wanted, found, variables);
        }
        let Some(wanted) = pattern::fill(wanted, variables) else { return false };
        match operator {
            "StringEquals" => wanted == found,
            "StringEqualsIgnoreCase" | "Bool" => wanted.eq_ignore_ascii_case(found),
            "IpAddress" => within(&wanted, found),
            _ => {
                let (kind, order) = match operator.strip_prefix("Numeric") {
                    Some(order) => (number(found).zip(number(&wanted)), order),
                    None => (date(found).zip(date(&wanted)), operator.trim_start_matches("Date")),
                };
                kind.and_then(|(f, w)| f.partial_cmp(&w)).is_some_and(|o| ordered(order, o))
            }
        }
    }
}

fn ordered(word: &str, found: Ordering) -> bool {
    match word {
        "Equals" => found.is_eq(),
        "LessThan" => found.is_lt(),
        "LessThanEquals" => found.is_le(),
        "GreaterThan" => found.is_gt(),
        "GreaterThanEquals" => found.is_ge(),
        _ => false,
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|n| n.is_finite())
}

/// Seconds since 1970, from a number of seconds, a date, or a time with a time zone.
fn date(text: &str) -> Option<f64> {
    let at = || {
        let day = (text.len() == 10).then(|| format!("{text}T00:00:00Z"));
        Timestamp::parse_iso8601(day.as_deref().unwrap_or(text)).map(|t| t.0 as f64 / 1000.0)
    };
    number(text).or_else(at)
}

fn texts(wanted: &Value) -> Vec<String> {
    let text = |v: &Value| match v {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    match wanted {
        Value::Array(items) => items.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

/// An address block: its address as bits, its prefix length, and the width of its family.
fn block_of(text: &str) -> Option<(u128, u32)> {
    let (base, length) = match text.split_once('/') {
        Some((base, length)) => (base, Some(length.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let (bits, width) = bits(base.parse().ok()?);
    let length = length.unwrap_or(width);
    (length <= width).then_some((bits, length + (128 - width)))
}

/// An address as 128 bits; IPv4 addresses are mapped to `::ffff:0:0/96`.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_ipv6_mapped()), 32),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(_) => (u128::from(v6), 32),
            None => (u128::from(v6), 128),
        },
    }
}

fn within(block: &str, address: &str) -> bool {
    let (Some((base, length)), Ok(address)) = (block_of(block), address.parse()) else { return false };
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    base & mask == bits(address).0 & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Who;
    use serde_json::json;

    #[test]
    fn evaluates_every_operator() {
        let context = Context {
            who: Who::user("000000000000", "/", "ada", "AIDA1"),
            tags: Vec::new(),
            account: "000000000000".into(),
            region: "eu-west-3".into(),
            now: Timestamp::parse_iso8601("2026-11-22T09:39:00Z").unwrap(),
            source_ip: Some("10.0.1.5".parse().unwrap()),
            secure_transport: Some(true),
            given: vec![("s3:x-amz-acl", "bucket-owner-full-control".into())],
        };
        for (block, expected) in [
            (json!({"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-3"]}}), true),
            (json!({"StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-3"]}}), false),
            (json!({"StringEquals": {"aws:PrincipalAccount": "000000000000"}}), true),
            (json!({"StringLike": {"aws:username": "A*"}}), false),
            (json!({"StringEquals": {"aws:username": "${aws:username}"}}), true),
            (json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/16"}}), true),
            (json!({"NotIpAddress": {"aws:SourceIp": ["10.1.0.0/16", "fd00::/8"]}}), true),
            (json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), true),
            (json!({"DateLessThan": {"aws:CurrentTime": "2026-11-23"}}), true),
            (json!({"DateGreaterThanEquals": {"aws:CurrentTime": "2026-11-22T10:00:00Z"}}), false),
            (json!({"NumericGreaterThan": {"aws:EpochTime": 1_700_000_000}}), true),
            (json!({"NumericLessThanEquals": {"aws:EpochTime": "1"}}), false),
            (json!({"StringEquals": {"aws:SourceAccount": "000000000000"}}), false),
            (json!({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}), true),
            (json!({"StringNotEquals": {"aws:SourceAccount": "1"}}), true),
            (json!({"Null": {"aws:SourceAccount": "true"}}), true),
            (json!({"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}}), true),
            (json!({"ForAllValues:StringEquals": {"aws:username": "bob"}}), false),
            (json!({"ForAnyValue:StringNotEquals": {"aws:SourceAccount": "1"}}), false),
            (json!({"ForAnyValue:StringEquals": {"aws:username": ["ada", "bob"]}}), true),
            (json!({"StringEquals": {"aws:ResourceAccount": "000000000000"}}), true),
            (json!({"StringNotEquals": {"s3:ResourceAccount": "000000000000"}}), false),
            (json!({"StringEquals": {"kms:ViaService": "s3.eu-west-3.amazonaws.com"}}), false),
            (json!({"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}), true),
            (json!({"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}), true),
            (json!({"StringEquals": {"aws:SourceOrgID": "o-1"}}), false),
            (json!({"Bool": {"aws:SecureTransport": false}}), false),
            (
                json!({"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:username": "bob"}}),
                false,
            ),
        ] {
            let read = read(Some(&block), true).unwrap();
            let question = Question { context: &context, action: "s3:GetObject", resource: "*" };
            assert_eq!(holds(&read, &question, true), expected, "{block}");
        }
    }

    #[test]
    fn refuses_operators_and_keys_that_are_not_evaluated() {
        for (block, named) in [
            (json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}), "aws:TagKeys"),
            (json!({"BinaryEquals": {"aws:username": "a"}}), "BinaryEquals"),
            (json!({"StringEquals": {"s3:signatureversion": "a"}}), "s3:signatureversion"),
            (json!({"StringEquals": {"aws:username": "${saml:sub}"}}), "saml:sub"),
            (json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}), "10.0.0.0/33"),
            (json!({"DateLessThan": {"aws:CurrentTime": "tomorrow"}}), "tomorrow"),
        ] {
            let error = read(Some(&block), true).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
