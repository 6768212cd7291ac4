//! Validates a spec before anything is changed.

use crate::{
    signed::SignedAccess,
    spec::{Behaviour, DistributionSpec},
};
use escale_base::PlaneError;
use escale_tls::Terminator;
use http::{HeaderName, HeaderValue, Method};

/// The error names the first invalid part of `spec`. The real plane and the fake both call it first.
pub fn check(spec: &DistributionSpec) -> Result<(), PlaneError> {
    let at = format!("distribution '{}'", spec.id);
    let wrong = |what: String| Err(PlaneError::asked(format!("{at}: {what}")));
    for (i, origin) in spec.origins.iter().enumerate() {
        if spec.origins[..i].iter().any(|o| o.id == origin.id) {
            return wrong(format!("origin '{}' is listed twice", origin.id));
        }
        if !(origin.path.is_empty() || (origin.path.starts_with('/') && !origin.path.ends_with('/'))) {
            return wrong(format!(
                "the path '{}' of origin '{}' must begin with '/' and must not end with one",
                origin.path, origin.id
            ));
        }
        if http::uri::PathAndQuery::try_from(format!("{}/", origin.path)).is_err()
            || HeaderValue::from_str(&origin.host).is_err()
        {
            return wrong(format!(
                "the host or path of origin '{}' has characters that are not allowed in a request",
                origin.id
            ));
        }
        if origin.connect_timeout_ms == 0 || origin.read_timeout_ms == 0 || origin.connect_attempts == 0 {
            return wrong(format!(
                "the timeouts and connection attempts of origin '{}' must be at least 1",
                origin.id
            ));
        }
        for (name, value) in &origin.headers {
            if HeaderName::try_from(name).is_err() || HeaderValue::from_str(value).is_err() {
                return wrong(format!("'{name}' of origin '{}' is not a valid header", origin.id));
            }
        }
    }
    for group in &spec.groups {
        let is_origin = |id: &String| spec.origins.iter().any(|o| o.id == *id);
        if is_origin(&group.id) || !is_origin(&group.first) || !is_origin(&group.second) {
            return wrong(format!(
                "group '{}' must have two origins, and an id that no origin has",
                group.id
            ));
        }
    }
    if let Some(tls) = &spec.tls {
        Terminator::new(tls).map_err(|error| PlaneError::asked(format!("{at}: {error}")))?;
    }
    for (pattern, behaviour) in &spec.behaviours {
        check_behaviour(&format!("{at}, behaviour '{pattern}'"), spec, behaviour)?;
    }
    check_behaviour(&format!("{at}, default behaviour"), spec, &spec.default)?;
    for error in &spec.errors {
        let page = error.page.as_ref();
        if !(400..600).contains(&error.status) || page.is_some_and(|(_, s)| !(200..600).contains(s)) {
            return wrong(format!(
                "the custom response to error {} is not valid: the error must be 400 to 599 and the response status 200 to 599",
                error.status
            ));
        }
        if page.is_some_and(|(p, _)| {
            !p.starts_with('/') || http::uri::PathAndQuery::try_from(p.as_str()).is_err()
        }) {
            return wrong(format!("the page for error {} must be a path that begins with '/'", error.status));
        }
    }
    Ok(())
}

fn check_behaviour(at: &str, spec: &DistributionSpec, behaviour: &Behaviour) -> Result<(), PlaneError> {
    let wrong = |what: String| Err(PlaneError::asked(format!("{at}: {what}")));
    let known = spec.origins.iter().map(|o| &o.id).chain(spec.groups.iter().map(|g| &g.id));
    if !known.into_iter().any(|id| *id == behaviour.origin) {
        return wrong(format!("origin '{}' is not an origin of the distribution", behaviour.origin));
    }
    let ttl = behaviour.ttl;
    if ttl.min_s > ttl.max_s || ttl.default_s > ttl.max_s {
        return wrong(format!(
            "the TTLs {}, {}, {} are not in the order minimum, default, maximum",
            ttl.min_s, ttl.default_s, ttl.max_s
        ));
    }
    let may_cache = [Method::GET, Method::HEAD, Method::OPTIONS];
    if let Some(method) = behaviour.cached_methods.iter().find(|m| !may_cache.contains(m)) {
        return wrong(format!("{method} cannot be cached; GET, HEAD and OPTIONS can"));
    }
    let headers = &behaviour.response_headers;
    let set = headers.set.iter().map(|h| (&h.name, h.value.as_str()));
    let names = set.chain(headers.remove.iter().map(|name| (name, "")));
    for (name, value) in names {
        if HeaderName::try_from(name).is_err() || HeaderValue::from_str(value).is_err() {
            return wrong(format!("'{name}' is not a valid header to set or remove"));
        }
    }
    SignedAccess::parse(&behaviour.trusted_keys).map_err(|e| PlaneError::asked(format!("{at}: {e}")))?;
    Ok(())
}

/// Validates the path of an invalidation.
pub(crate) fn check_invalidation(path: &str) -> Result<(), PlaneError> {
    let star = path.find('*');
    if !path.starts_with('/') || star.is_some_and(|at| at + 1 != path.len()) {
        return Err(PlaneError::asked(format!(
            "'{path}' cannot be invalidated: it must begin with '/', and '*' is allowed only at its end"
        )));
    }
    Ok(())
}
