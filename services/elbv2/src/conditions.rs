//! Conditions of rules: conversion between AWS's shapes and the stored ones.

use crate::{Error, error::invalid};
use escale_base::Wire;
use escale_tables::elbv2::{Condition, QueryPair};
use ipnet::IpNet;

#[derive(Clone, Debug, Default, Wire)]
pub(crate) struct ConditionShape {
    pub field: Option<String>,
    pub values: Option<Vec<String>>,
    pub host_header_config: Option<ValuesShape>,
    pub path_pattern_config: Option<ValuesShape>,
    pub http_header_config: Option<HeaderShape>,
    pub query_string_config: Option<QueryShape>,
    pub http_request_method_config: Option<ValuesShape>,
    pub source_ip_config: Option<ValuesShape>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct ValuesShape {
    pub values: Vec<String>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct HeaderShape {
    pub http_header_name: Option<String>,
    pub values: Vec<String>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct QueryShape {
    pub values: Vec<PairShape>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct PairShape {
    pub key: Option<String>,
    pub value: Option<String>,
}

/// AWS's quota of values in all conditions of a rule together.
const VALUES: usize = 5;
/// AWS's quota of wildcards in all conditions of a rule together.
const WILDCARDS: usize = 6;
/// Of the names of headers and methods.
const NAME_CHARS: usize = 40;
/// Besides letters and digits. Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>
const PATH_CHARS: &str = "_-.$/~\"'@:+&*?\\";
const HOST_CHARS: &str = "-.*?\\";
const HEADER_NAME_CHARS: &str = "*?-!#$%&'+.^_`|~";

pub(crate) fn read(shapes: Vec<ConditionShape>) -> Result<Vec<Condition>, Error> {
    if shapes.is_empty() {
        return Err(invalid("A rule must have at least one condition"));
    }
    let conditions = shapes.into_iter().map(one).collect::<Result<Vec<_>, _>>()?;
    for (i, condition) in conditions.iter().enumerate() {
        // AWS allows several conditions only for headers and query strings.
        let single = !matches!(condition, Condition::Header { .. } | Condition::Query(_));
        let kind = std::mem::discriminant(condition);
        if single && conditions[..i].iter().any(|c| std::mem::discriminant(c) == kind) {
            let field = show(condition).field.unwrap_or_default();
            return Err(invalid(format!("A rule can have only one '{field}' condition")));
        }
    }
    let count: usize = conditions.iter().map(count).sum();
    if count > VALUES {
        return Err(Error::TooManyValues { most: VALUES, count });
    }
    let wildcards: usize = conditions.iter().map(wildcards).sum();
    if wildcards > WILDCARDS {
        return Err(invalid(format!(
            "A rule can have at most {WILDCARDS} wildcards in total; this one has {wildcards}"
        )));
    }
    Ok(conditions)
}

fn count(condition: &Condition) -> usize {
    match condition {
        Condition::Path(v) | Condition::Host(v) | Condition::Method(v) => v.len(),
        Condition::Header { values, .. } => values.len(),
        Condition::Query(v) => v.len(),
        Condition::Source(v) => v.len(),
    }
}

/// Those after a backslash are literal.
fn wildcards(condition: &Condition) -> usize {
    let of = |text: &String| {
        let mut escaped = false;
        let is_wildcard = |c: char| {
            let wild = !escaped && matches!(c, '*' | '?');
            escaped = c == '\\' && !escaped;
            wild
        };
        text.chars().map(is_wildcard).filter(|wild| *wild).count()
    };
    match condition {
        Condition::Path(values) | Condition::Host(values) | Condition::Header { values, .. } => {
            values.iter().map(of).sum()
        }
        Condition::Query(pairs) => pairs.iter().map(|p| p.key.as_ref().map_or(0, of) + of(&p.value)).sum(),
        Condition::Method(_) | Condition::Source(_) => 0,
    }
}

/// Refuses a value with another character than these, letters and digits.
fn only(field: &str, values: Vec<String>, chars: &str) -> Result<Vec<String>, Error> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || chars.contains(c);
    match values.iter().find(|value| !value.chars().all(is_allowed)) {
        Some(value) => Err(invalid(format!(
            "The '{field}' value '{value}' can only contain letters, digits and the characters {chars}"
        ))),
        None => Ok(values),
    }
}

/// A host has a dot, and letters only after the last one.
fn host(value: &String) -> Result<(), Error> {
    let top = value.rsplit_once('.').map(|(_, top)| top);
    let is_top =
        |top: &str| !top.is_empty() && top.chars().all(|c| c.is_ascii_alphabetic() || "*?".contains(c));
    match top {
        Some(top) if is_top(top) => Ok(()),
        _ => Err(invalid(format!(
            "The 'host-header' value '{value}' must contain a dot, and only letters or wildcards after the last one"
        ))),
    }
}

fn one(shape: ConditionShape) -> Result<Condition, Error> {
    let field = shape.field.ok_or_else(|| invalid("A condition field must be specified"))?;
    let plain = shape.values;
    let values = |config: Option<ValuesShape>| {
        let values = config.map(|c| c.values).or(plain).unwrap_or_default();
        filled(&field, values)
    };
    let condition = match field.as_str() {
        "path-pattern" => Condition::Path(only(&field, values(shape.path_pattern_config)?, PATH_CHARS)?),
        "host-header" => {
            let values = only(&field, values(shape.host_header_config)?, HOST_CHARS)?;
            values.iter().try_for_each(host)?;
            Condition::Host(values)
        }
        "http-request-method" => Condition::Method(methods(values(shape.http_request_method_config)?)?),
        "source-ip" => {
            let read = |text: &String| {
                text.parse::<IpNet>().map_err(|_| invalid(format!("'{text}' is not a CIDR block")))
            };
            Condition::Source(values(shape.source_ip_config)?.iter().map(read).collect::<Result<_, _>>()?)
        }
        "http-header" => {
            let config = shape.http_header_config.ok_or_else(|| empty(&field))?;
            let name = config.http_header_name.filter(|n| !n.is_empty()).ok_or_else(|| empty(&field))?;
            if name.eq_ignore_ascii_case("host") {
                return Err(invalid("Use a host-header condition for the header 'host'"));
            }
            if name.len() > NAME_CHARS {
                return Err(invalid(format!(
                    "The header name '{name}' must have at most {NAME_CHARS} characters"
                )));
            }
            let name = only(&field, vec![name], HEADER_NAME_CHARS)?.concat();
            Condition::Header { name, values: filled(&field, config.values)? }
        }
        "query-string" => {
            let pairs = shape.query_string_config.ok_or_else(|| empty(&field))?.values;
            let read = |p: PairShape| Some(QueryPair { key: p.key, value: p.value? });
            let pairs: Option<Vec<_>> = pairs.into_iter().map(read).collect();
            let pairs = pairs.filter(|p| !p.is_empty()).ok_or_else(|| empty(&field))?;
            let texts = || pairs.iter().flat_map(|p| p.key.iter().chain([&p.value]));
            if let Some(long) = texts().find(|text| text.len() > 128) {
                return Err(invalid(format!(
                    "The 'query-string' value '{long}' must have at most 128 characters"
                )));
            }
            Condition::Query(pairs)
        }
        other => return Err(invalid(format!("Condition field '{other}' is not recognized"))),
    };
    Ok(condition)
}

/// Methods are compared exactly, so those with other characters would never match.
fn methods(methods: Vec<String>) -> Result<Vec<String>, Error> {
    let is_method =
        |m: &String| m.len() <= NAME_CHARS && m.chars().all(|c| c.is_ascii_uppercase() || "-_".contains(c));
    match methods.iter().find(|m| !is_method(m)) {
        Some(other) => Err(invalid(format!(
            "The 'http-request-method' value '{other}' must have 1 to {NAME_CHARS} characters: A-Z, hyphens and underscores"
        ))),
        None => Ok(methods),
    }
}

fn empty(field: &str) -> Error {
    invalid(format!("A condition value must be specified for '{field}'"))
}

fn filled(field: &str, values: Vec<String>) -> Result<Vec<String>, Error> {
    if values.is_empty() {
        return Err(empty(field));
    }
    if let Some(long) = values.iter().find(|v| v.is_empty() || v.len() > 128) {
        return Err(invalid(format!("The '{field}' value '{long}' must have 1 to 128 characters")));
    }
    Ok(values)
}

pub(crate) fn show(condition: &Condition) -> ConditionShape {
    // The older member `Values` exists only for paths and hosts.
    let mut shape = ConditionShape { values: Some(Vec::new()), ..ConditionShape::default() };
    let field = match condition {
        Condition::Path(values) => {
            shape.values = Some(values.clone());
            shape.path_pattern_config = Some(ValuesShape { values: values.clone() });
            "path-pattern"
        }
        Condition::Host(values) => {
            shape.values = Some(values.clone());
            shape.host_header_config = Some(ValuesShape { values: values.clone() });
            "host-header"
        }
        Condition::Method(values) => {
            shape.http_request_method_config = Some(ValuesShape { values: values.clone() });
            "http-request-method"
        }
        Condition::Source(nets) => {
            let values = nets.iter().map(ToString::to_string).collect();
            shape.source_ip_config = Some(ValuesShape { values });
            "source-ip"
        }
        Condition::Header { name, values } => {
            shape.http_header_config =
                Some(HeaderShape { http_header_name: Some(name.clone()), values: values.clone() });
            "http-header"
        }
        Condition::Query(pairs) => {
            let pair = |p: &QueryPair| PairShape { key: p.key.clone(), value: Some(p.value.clone()) };
            shape.query_string_config = Some(QueryShape { values: pairs.iter().map(pair).collect() });
            "query-string"
        }
    };
    shape.field = Some(field.into());
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_conditions_as_they_were_read() {
        for shape in [
            json!({"Field": "path-pattern", "Values": ["/api/*"], "PathPatternConfig": {"Values": ["/api/*"]}}),
            json!({"Field": "http-header", "Values": [], "HttpHeaderConfig": {"HttpHeaderName": "x", "Values": ["1"]}}),
            json!({"Field": "query-string", "Values": [], "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b"}]}}),
            json!({"Field": "source-ip", "Values": [], "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}),
        ] {
            let read = read(vec![ConditionShape::read(&shape).unwrap()]).unwrap();
            assert_eq!(show(&read[0]).write(), shape);
        }
    }

    #[test]
    fn refuses_invalid_conditions() {
        for shape in [
            json!([]),
            json!([{"Field": "path-pattern"}]),
            json!([{"Field": "moon", "Values": ["x"]}]),
            json!([{"Field": "path-pattern", "Values": ["a"]}, {"Field": "path-pattern", "Values": ["b"]}]),
            json!([{"Field": "path-pattern", "Values": ["1", "2", "3", "4", "5", "6"]}]),
            json!([{"Field": "path-pattern", "Values": ["/*/*/*/*/*/*/*"]}]),
            json!([{"Field": "path-pattern", "Values": ["/a b"]}]),
            json!([{"Field": "host-header", "Values": ["localhost"]}]),
            json!([{"Field": "host-header", "Values": ["a.b_c.com"]}]),
            json!([{"Field": "host-header", "Values": ["10.0.0.1"]}]),
            json!([{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["get"]}}]),
            json!([{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "a b", "Values": ["1"]}}]),
            json!([{"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "v".repeat(129)}]}}]),
        ] {
            assert!(read(Vec::<ConditionShape>::read(&shape).unwrap()).is_err(), "{shape}");
        }
    }
}
