//! The challenge of a registry that wants a login: Basic, or a token from another server.
//!
//! Source: <https://distribution.github.io/distribution/spec/auth/token/>

use crate::Credentials;
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    /// The URL of the server that gives out tokens, with its query.
    Bearer(String),
}

impl Challenge {
    /// Reads the value of `WWW-Authenticate`. `repository` is its path at the server that sent it.
    pub(crate) fn parse(value: &str, repository: &str) -> Option<Challenge> {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let realm = parameters.get("realm")?;
        // The scope is what is needed, not what the registry suggests: a token for anything else is of no use here.
        let scope = format!("repository:{repository}:pull");
        let mut query = vec![("scope", scope.as_str())];
        if let Some(service) = parameters.get("service") {
            query.insert(0, ("service", service));
        }
        let pair =
            |(name, value): (&str, &str)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        let query: Vec<String> = query.into_iter().map(pair).collect();
        let joint = if realm.contains('?') { '&' } else { '?' };
        Some(Challenge::Bearer(format!("{realm}{joint}{}", query.join("&"))))
    }
}

/// `name="value",name="value"`
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').map_or((after, ""), |(value, _)| (value, &after[value.len()..])),
        };
        found.insert(name.trim_matches([' ', ',']).to_ascii_lowercase(), value.to_owned());
        rest = after;
    }
    found
}

pub(crate) fn basic(credentials: &Credentials) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", credentials.user, credentials.password.reveal())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_challenges() {
        let read = |value: &str| Challenge::parse(value, "library/nginx");
        let bearer = |url: &str| Some(Challenge::Bearer(url.to_owned()));
        assert_eq!(read("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(
            read(
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:all:push\""
            ),
            bearer(
                "https://auth.docker.io/token?service=registry%2Edocker%2Eio&scope=repository%3Alibrary%2Fnginx%3Apull"
            )
        );
        assert_eq!(
            read("bearer service=a, realm=\"https://a/t?x=1\""),
            bearer("https://a/t?x=1&service=a&scope=repository%3Alibrary%2Fnginx%3Apull")
        );
        for bad in ["", "Bearer", "Bearer service=\"a\"", "Negotiate", "Bearer realm"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
