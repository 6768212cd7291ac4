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

fn one(shape: ConditionShape) -> Result<Condition, Error> {
    let field = shape.field.ok_or_else(|| invalid("A condition field must be specified"))?;
    let plain = shape.values;
    let values = |config: Option<ValuesShape>| {
        let values = config.map(|c| c.values).or(plain).unwrap_or_default();
        filled(&field, values)
    };
    let condition = match field.as_str() {
        "path-pattern" => Condition::Path(values(shape.path_pattern_config)?),
        "host-header" => Condition::Host(values(shape.host_header_config)?),
        "http-request-method" => Condition::Method(values(shape.http_request_method_config)?),
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
            Condition::Header { name, values: filled(&field, config.values)? }
        }
        "query-string" => {
            let pairs = shape.query_string_config.ok_or_else(|| empty(&field))?.values;
            let read = |p: PairShape| Some(QueryPair { key: p.key, value: p.value? });
            let pairs: Option<Vec<_>> = pairs.into_iter().map(read).collect();
            Condition::Query(pairs.filter(|p| !p.is_empty()).ok_or_else(|| empty(&field))?)
        }
        other => return Err(invalid(format!("Condition field '{other}' is not recognized"))),
    };
    Ok(condition)
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
        ] {
            assert!(read(Vec::<ConditionShape>::read(&shape).unwrap()).is_err(), "{shape}");
        }
    }
}
