//! Which rule of a listener serves a request, and which answers a health check accepts.

use escale_base::glob::{Glob, One};

/// A condition of a rule, with its values.
#[derive(Clone, Debug)]
pub struct Condition {
    /// `path-pattern`, `host-header`, `http-request-method`, ….
    pub field: String,
    pub values: Vec<String>,
}

/// Paths are compared with case, hosts without.
/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>
const PATH: Glob = Glob { one: One::Byte, ignore_case: false, escape: true };
const HOST: Glob = Glob { one: One::Byte, ignore_case: true, escape: true };

/// Whether a GET request fits all conditions; `None` if they depend on headers, the query or the client, which a URL does not say.
pub fn fits(conditions: &[Condition], host: &str, path: &str) -> Option<bool> {
    let mut is_known = true;
    for condition in conditions {
        let any = |test: &dyn Fn(&str) -> bool| condition.values.iter().any(|v| test(v));
        let holds = match condition.field.as_str() {
            "path-pattern" => any(&|v| PATH.matches(v, path)),
            "host-header" => any(&|v| HOST.matches(v, host)),
            "http-request-method" => any(&|v| v == "GET"),
            _ => {
                is_known = false;
                true
            }
        };
        if !holds {
            return Some(false);
        }
    }
    is_known.then_some(true)
}

/// Whether a matcher such as `200,202` or `200-299` accepts a status.
pub fn accepts(matcher: &str, status: u16) -> bool {
    matcher.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&status),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fits_if_all_its_conditions_do() {
        let condition =
            |field: &str, value: &str| Condition { field: field.into(), values: vec![value.into()] };
        for (conditions, expected) in [
            (vec![], Some(true)),
            (vec![condition("path-pattern", "/api/*")], Some(true)),
            (vec![condition("path-pattern", "/API/*")], Some(false)),
            (vec![condition("path-pattern", "/api/*"), condition("host-header", "SHOP.*")], Some(true)),
            (vec![condition("path-pattern", "/api/*"), condition("host-header", "other.*")], Some(false)),
            (vec![condition("http-request-method", "POST")], Some(false)),
            (vec![condition("source-ip", "10.0.0.0/8")], None),
            (vec![condition("source-ip", "10.0.0.0/8"), condition("path-pattern", "/x")], Some(false)),
        ] {
            assert_eq!(fits(&conditions, "shop.example.com", "/api/items"), expected, "{conditions:?}");
        }
    }

    #[test]
    fn matchers_are_lists_and_ranges() {
        for (matcher, status, expected) in [
            ("200", 200, true),
            ("200", 404, false),
            ("200,302", 302, true),
            ("200-299", 204, true),
            ("200-299", 300, false),
        ] {
            assert_eq!(accepts(matcher, status), expected, "{matcher} {status}");
        }
    }
}
