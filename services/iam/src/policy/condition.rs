//! `Condition` blocks: operators over context keys.

use super::{document::Question, pattern};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// Operators that are evaluated; a document with another is refused when it is stored.
const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
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
];

/// The name of the first operator that is not known, if there is one.
pub(crate) fn unknown_operator(block: &Value) -> Option<String> {
    let names = block.as_object()?.keys();
    names.map(|n| bare(n).0).find(|n| !OPERATORS.contains(n)).map(str::to_owned)
}

/// Whether every operator of the block holds. An absent key fails all but the negated and `…IfExists` operators.
pub(crate) fn holds(block: &Map<String, Value>, question: &Question<'_>) -> bool {
    block.iter().all(|(name, keys)| {
        let (operator, if_exists) = bare(name);
        keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, wanted)| one(operator, if_exists, &value(key, question), &texts(wanted)))
        })
    })
}

fn bare(name: &str) -> (&str, bool) {
    match name.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (name, false),
    }
}

fn one(operator: &str, if_exists: bool, found: &Option<String>, wanted: &[String]) -> bool {
    let any = |test: &dyn Fn(&str, &str) -> bool| match found {
        Some(found) => wanted.iter().any(|w| test(w, found)),
        None => if_exists,
    };
    let none = |test: &dyn Fn(&str, &str) -> bool| match found {
        Some(found) => !wanted.iter().any(|w| test(w, found)),
        None => true,
    };
    match operator {
        "StringEquals" => any(&|w, f| w == f),
        "StringNotEquals" => none(&|w, f| w == f),
        "StringEqualsIgnoreCase" | "Bool" => any(&|w, f| w.eq_ignore_ascii_case(f)),
        "StringLike" | "ArnEquals" | "ArnLike" => any(&pattern::matches),
        "StringNotLike" | "ArnNotEquals" | "ArnNotLike" => none(&pattern::matches),
        "IpAddress" => any(&within),
        "NotIpAddress" => none(&within),
        "Null" => wanted.iter().any(|w| (w == "true") == found.is_none()),
        _ => false,
    }
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

/// The context's value of a key; `None` when this request has none.
fn value(key: &str, question: &Question<'_>) -> Option<String> {
    let caller = question.caller;
    match key.to_ascii_lowercase().as_str() {
        "aws:principalarn" => Some(question.caller_arn()),
        "aws:sourceip" => caller.source_ip.map(|ip| ip.to_string()),
        // The API is served in plain HTTP on loopback and inside the cloud's own network; TLS-only policies are meant
        // against a wire that does not exist here.
        "aws:securetransport" => Some("true".into()),
        "aws:sourcearn" => question.source_arn(),
        "aws:principaltype" => Some(question.principal_type().into()),
        _ => None,
    }
}

fn within(block: &str, address: &str) -> bool {
    let Ok(IpAddr::V4(address)) = address.parse() else { return block == address };
    let (base, length) = block.split_once('/').unwrap_or((block, "32"));
    let (Ok(base), Ok(length)) = (base.parse::<std::net::Ipv4Addr>(), length.parse::<u32>()) else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32 - length.min(32)).unwrap_or(0);
    u32::from(base) & mask == u32::from(address) & mask
}
