//! Sets and removes headers of answers to viewers, as a behaviour demands. Cached answers are stored without these changes, so a
//! new specification applies to them, too.

use crate::{
    key::matches,
    spec::{Cors, ResponseHeaders},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// The headers of the CORS protocol in an answer.
const OF_CORS: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

impl ResponseHeaders {
    /// Changes the headers of the answer to this request.
    pub(crate) fn apply(&self, answer: &mut HeaderMap, method: &Method, request: &HeaderMap) {
        for name in &self.remove {
            answer.remove(name.as_str());
        }
        if let Some(cors) = &self.cors {
            cors.apply(answer, method, request);
        }
        for header in &self.set {
            if header.overrides || !answer.contains_key(header.name.as_str()) {
                put(answer, &header.name, &header.value);
            }
        }
    }
}

impl Cors {
    fn apply(&self, answer: &mut HeaderMap, method: &Method, request: &HeaderMap) {
        let Some(origin) = request.get(header::ORIGIN).and_then(|o| o.to_str().ok()) else { return };
        if !self.overrides && OF_CORS.iter().any(|name| answer.contains_key(name)) {
            return;
        }
        for name in &OF_CORS {
            answer.remove(name);
        }
        let any = self.origins.iter().any(|allowed| allowed == "*");
        if !any && !self.origins.iter().any(|allowed| matches(allowed, origin)) {
            return;
        }
        // A page that sends credentials gets its own origin: browsers refuse `*` then.
        put(answer, "access-control-allow-origin", if any && !self.credentials { "*" } else { origin });
        if !any || self.credentials {
            answer.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if self.credentials {
            put(answer, "access-control-allow-credentials", "true");
        }
        if !self.exposed.is_empty() {
            put(answer, "access-control-expose-headers", &self.exposed.join(", "));
        }
        let is_preflight =
            *method == Method::OPTIONS && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if is_preflight {
            put(answer, "access-control-allow-methods", &self.methods.join(", "));
            put(answer, "access-control-allow-headers", &self.headers.join(", "));
            if let Some(age) = self.max_age_s {
                put(answer, "access-control-max-age", &age.to_string());
            }
        }
    }
}

/// `check` guarantees valid names and values.
fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::SetHeader;

    fn map(text: &str) -> HeaderMap {
        let pairs = text.split(';').filter_map(|line| line.split_once(": "));
        pairs.map(|(n, v)| (HeaderName::try_from(n.trim()).unwrap(), v.parse().unwrap())).collect()
    }

    fn applied(policy: &ResponseHeaders, answer: &str, method: Method, request: &str) -> String {
        let mut answer = map(answer);
        policy.apply(&mut answer, &method, &map(request));
        let mut all: Vec<_> = answer.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        all.sort();
        all.join("; ")
    }

    #[test]
    fn sets_and_removes_headers() {
        let set = |name: &str, overrides| SetHeader { name: name.into(), value: "policy".into(), overrides };
        let policy = ResponseHeaders {
            set: vec![set("x-frame-options", false), set("x-a", true)],
            remove: vec!["Server".into()],
            cors: None,
        };
        for (answer, expected) in [
            ("server: s", "x-a: policy; x-frame-options: policy"),
            ("x-frame-options: origin; x-a: origin", "x-a: policy; x-frame-options: origin"),
        ] {
            assert_eq!(applied(&policy, answer, Method::GET, ""), expected);
        }
    }

    #[test]
    fn adds_cors_headers_for_allowed_origins() {
        let cors = |origins: &[&str], credentials, overrides| ResponseHeaders {
            cors: Some(Cors {
                origins: origins.iter().map(|o| (*o).to_owned()).collect(),
                headers: vec!["x-a".into()],
                methods: vec!["GET".into(), "PUT".into()],
                exposed: vec!["etag".into()],
                credentials,
                max_age_s: Some(60),
                overrides,
            }),
            ..ResponseHeaders::default()
        };
        let any = cors(&["*"], false, false);
        let some = cors(&["https://*.example.com"], true, true);
        let page = "origin: https://a.example.com";
        let preflight = "origin: https://a.example.com; access-control-request-method: PUT";
        let own = "access-control-allow-origin: https://own";
        for (policy, answer, method, request, expected) in [
            (&any, "", Method::GET, "", ""),
            (
                &any,
                "",
                Method::GET,
                page,
                "access-control-allow-origin: *; access-control-expose-headers: etag",
            ),
            (&any, own, Method::GET, page, own),
            (
                &some,
                own,
                Method::GET,
                page,
                "access-control-allow-credentials: true; access-control-allow-origin: https://a.example.com; \
                 access-control-expose-headers: etag; vary: Origin",
            ),
            (&some, own, Method::GET, "origin: https://other", ""),
            (
                &any,
                "",
                Method::OPTIONS,
                preflight,
                "access-control-allow-headers: x-a; access-control-allow-methods: GET, PUT; \
                 access-control-allow-origin: *; access-control-expose-headers: etag; access-control-max-age: 60",
            ),
        ] {
            assert_eq!(applied(policy, answer, method, request), expected, "{answer} {request}");
        }
    }
}
