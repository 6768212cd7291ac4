//! Selects the rule for a request, and builds the target of a redirect.

use crate::{
    spec::{Condition, QueryPattern, Redirect},
    table::{Forward, Port, Step},
};
use escale_base::{
    glob::{Glob, One},
    path::{MatchPath, RawPath},
};
use http::{HeaderMap, Method};
use std::net::IpAddr;

/// How path patterns are matched.
const CASED: Glob = Glob { one: One::Character, ignore_case: false, escape: true };
/// How all other patterns are matched.
const CASELESS: Glob = Glob { ignore_case: true, ..CASED };

/// The parts of a request that rules use.
pub(crate) struct Facts<'a> {
    pub(crate) method: &'a Method,
    /// Without the port.
    pub(crate) host: &'a str,
    /// Forwarded, and used in redirects.
    pub(crate) path: RawPath<'a>,
    /// Compared with conditions: [`RawPath::normalized`].
    pub(crate) matched: MatchPath,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) source: IpAddr,
    pub(crate) protocol: &'a str,
    pub(crate) port: u16,
}

impl Port {
    /// The groups of a listener that only forwards: then nothing about a request has to be known.
    pub(crate) fn forwards_all(&self) -> Option<&Forward> {
        match &self.default {
            Step::Forward(forward) if self.rules.is_empty() => Some(forward),
            _ => None,
        }
    }

    /// What to do, and the priority of the rule that says so; the default's is 0.
    pub(crate) fn step(&self, facts: &Facts<'_>) -> (u32, &Step) {
        self.rules
            .iter()
            .find(|(_, conditions, _)| conditions.iter().all(|c| c.holds(facts)))
            .map_or((0, &self.default), |(priority, _, step)| (*priority, step))
    }
}

impl Condition {
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Condition::Path(patterns) => patterns.iter().any(|p| CASED.matches(p, facts.matched.as_str())),
            Condition::Host(patterns) => patterns.iter().any(|p| CASELESS.matches(p, facts.host)),
            Condition::Method(methods) => methods.iter().any(|m| m == facts.method.as_str()),
            Condition::Header { name, values } => facts.headers.get_all(name.as_str()).iter().any(|sent| {
                sent.to_str().is_ok_and(|sent| values.iter().any(|pattern| CASELESS.matches(pattern, sent)))
            }),
            Condition::Query(wanted) => {
                let query = facts.query.unwrap_or("");
                query.split('&').filter(|pair| !pair.is_empty()).any(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    wanted.iter().any(|w| w.holds(key, value))
                })
            }
            Condition::Source(nets) => nets.iter().any(|net| net.contains(&facts.source)),
        }
    }
}

impl QueryPattern {
    fn holds(&self, key: &str, value: &str) -> bool {
        self.key.as_ref().is_none_or(|k| CASELESS.matches(k, key)) && CASELESS.matches(&self.value, value)
    }
}

impl Redirect {
    pub(crate) fn location(&self, facts: &Facts<'_>) -> String {
        let port = facts.port.to_string();
        let fill = |part: &str| {
            let mut out = String::with_capacity(part.len() + 32);
            let mut rest = part;
            while let Some((before, after)) = rest.split_once("#{") {
                out.push_str(before);
                // Not a placeholder; the text stays as it is.
                let Some((word, behind)) = after.split_once('}') else {
                    out.push_str("#{");
                    rest = after;
                    continue;
                };
                match word {
                    "protocol" => out.push_str(facts.protocol),
                    "host" => out.push_str(facts.host),
                    "port" => out.push_str(&port),
                    "path" => {
                        let path = facts.path.as_str();
                        out.push_str(path.strip_prefix('/').unwrap_or(path));
                    }
                    "query" => out.push_str(facts.query.unwrap_or("")),
                    other => {
                        out.push_str("#{");
                        out.push_str(other);
                        out.push('}');
                    }
                }
                rest = behind;
            }
            out.push_str(rest);
            out
        };
        let query = fill(&self.query);
        let mark = if query.is_empty() { "" } else { "?" };
        format!(
            "{}://{}:{}{}{mark}{query}",
            fill(&self.protocol).to_ascii_lowercase(),
            fill(&self.host),
            fill(&self.port),
            fill(&self.path),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn facts<'a>(method: &'a Method, path: &'a str, query: &'a str, headers: &'a HeaderMap) -> Facts<'a> {
        Facts {
            method,
            host: "Shop.Example.com",
            path: RawPath::new(path),
            matched: RawPath::new(path).normalized(),
            query: Some(query).filter(|q| !q.is_empty()),
            headers,
            source: [10, 0, 1, 7].into(),
            protocol: "HTTP",
            port: 80,
        }
    }

    #[test]
    fn matches_conditions_of_rules() {
        let mut headers = HeaderMap::new();
        headers.append("x-kind", "Beta-1".parse().unwrap());
        headers.append("x-kind", "two".parse().unwrap());
        let facts = facts(&Method::GET, "/Api/x", "a=1&Version=V2&flag", &headers);
        let s = |v: &[&str]| v.iter().map(|s| s.to_string()).collect::<Vec<_>>();
        let query = |key: Option<&str>, value: &str| {
            Condition::Query(vec![QueryPattern { key: key.map(str::to_owned), value: value.to_owned() }])
        };
        let header = |name: &str, v: &[&str]| Condition::Header { name: name.into(), values: s(v) };
        let cases = [
            Condition::Path(s(&["/Api/*"])),
            Condition::Path(s(&["/api/*"])),
            Condition::Path(s(&["/no", "/Api/?"])),
            Condition::Host(s(&["*.example.COM"])),
            Condition::Host(s(&["example.com"])),
            Condition::Method(s(&["POST", "GET"])),
            Condition::Method(s(&["get"])),
            header("X-Kind", &["beta*"]),
            header("X-Kind", &["TWO"]),
            header("X-Kind", &["three"]),
            header("X-Kind", &[r"t\w\o"]),
            header("X-Kind", &[r"tw\*"]),
            Condition::Path(s(&["/?pi/x"])),
            Condition::Path(s(&[r"/\?pi/x"])),
            query(Some("version"), "v?"),
            query(Some("version"), "1"),
            query(None, "1"),
            query(Some("flag"), ""),
            Condition::Source(vec!["10.0.0.0/16".parse().unwrap()]),
            Condition::Source(vec!["10.1.0.0/16".parse().unwrap()]),
        ];
        let shown: String = cases.iter().map(|c| format!("{:5} {c:?}\n", c.holds(&facts))).collect();
        expect![[r#"
            true  Path(["/Api/*"])
            false Path(["/api/*"])
            true  Path(["/no", "/Api/?"])
            true  Host(["*.example.COM"])
            false Host(["example.com"])
            true  Method(["POST", "GET"])
            false Method(["get"])
            true  Header { name: "X-Kind", values: ["beta*"] }
            true  Header { name: "X-Kind", values: ["TWO"] }
            false Header { name: "X-Kind", values: ["three"] }
            true  Header { name: "X-Kind", values: ["t\\w\\o"] }
            false Header { name: "X-Kind", values: ["tw\\*"] }
            true  Path(["/?pi/x"])
            false Path(["/\\?pi/x"])
            true  Query([QueryPattern { key: Some("version"), value: "v?" }])
            false Query([QueryPattern { key: Some("version"), value: "1" }])
            true  Query([QueryPattern { key: None, value: "1" }])
            true  Query([QueryPattern { key: Some("flag"), value: "" }])
            true  Source([10.0.0.0/16])
            false Source([10.1.0.0/16])
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn path_conditions_match_decoded_paths() {
        let headers = HeaderMap::new();
        let admin = Condition::Path(vec!["/admin/*".into()]);
        let holds = |path: &str| admin.holds(&facts(&Method::GET, path, "", &headers));
        for path in
            ["/admin/x", "/%61dmin/x", "/adm%69n/x", "/a/../admin/x", "/a/%2e%2e/admin/x", "/./admin/"]
        {
            assert!(holds(path), "{path}");
        }
        for path in ["/Admin/x", "/admin%2Fx", "//admin/x", "/%2561dmin/x", "/admin/../x"] {
            assert!(!holds(path), "{path}");
        }
    }

    #[test]
    fn builds_redirect_locations() {
        let redirect = |protocol: &str, host: &str, port: &str, path: &str, query: &str| Redirect {
            protocol: protocol.into(),
            host: host.into(),
            port: port.into(),
            path: path.into(),
            query: query.into(),
            permanent: true,
        };
        let headers = HeaderMap::new();
        let cases = [
            redirect("HTTPS", "#{host}", "443", "/#{path}", "#{query}"),
            redirect("#{protocol}", "new.#{host}", "#{port}", "/v2/#{path}/#{host}", "from=#{path}&#{query}"),
            redirect("https", "x", "1", "/#{what}#{", ""),
        ];
        let shown: String = cases
            .iter()
            .map(|r| {
                let with = r.location(&facts(&Method::GET, "/a/b", "q=1", &headers));
                let without = r.location(&facts(&Method::GET, "/", "", &headers));
                format!("{with}\n{without}\n")
            })
            .collect();
        expect![[r#"
            https://Shop.Example.com:443/a/b?q=1
            https://Shop.Example.com:443/
            http://new.Shop.Example.com:80/v2/a/b/Shop.Example.com?from=a/b&q=1
            http://new.Shop.Example.com:80/v2//Shop.Example.com?from=&
            https://x:1/#{what}#{
            https://x:1/#{what}#{
        "#]]
        .assert_eq(&shown);
    }
}
