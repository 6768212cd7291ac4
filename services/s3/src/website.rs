//! Website hosting: checks website configurations, and decides what a request for a website gets. `website/serve.rs` answers
//! the requests.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>

mod page;
pub(crate) mod serve;

use crate::Error;
use escale_base::path::percent_encode;
use escale_service::Config;
use escale_tables::s3::{BucketName, RedirectProtocol, RoutingRule, Website};

/// AWS's limit.
const RULES_MAX: usize = 50;

/// Checks a configuration.
pub(crate) fn check(site: &Website) -> Result<(), Error> {
    if let Some(all) = &site.redirect_all_requests_to {
        if site.index_document.is_some() || site.error_document.is_some() || site.routing_rules.is_some() {
            let why = "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.";
            return Err(Error::InvalidRequest(why.into()));
        }
        return host(&all.host_name);
    }
    match site.index_document.as_ref().map(|index| index.suffix.as_str()) {
        None => {
            return Err(invalid(
                "IndexDocument",
                "null",
                "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            ));
        }
        Some(suffix) if suffix.is_empty() || suffix.contains('/') => {
            return Err(invalid("IndexDocument", suffix, "The IndexDocument Suffix is not well formed"));
        }
        Some(_) => {}
    }
    if let Some(error) = site.error_document.as_ref().filter(|error| error.key.is_empty()) {
        return Err(invalid("ErrorDocument", &error.key, "The ErrorDocument Key is not well formed"));
    }
    let rules = site.routing_rules.as_deref().unwrap_or_default();
    if rules.len() > RULES_MAX {
        let why = format!(
            "{} routing rules provided, the number of routing rules in a website configuration is limited to {RULES_MAX}.",
            rules.len()
        );
        return Err(Error::InvalidRequest(why));
    }
    rules.iter().try_for_each(rule)
}

fn rule(rule: &RoutingRule) -> Result<(), Error> {
    let redirect = &rule.redirect;
    let wrong = |why: &str| Err(Error::InvalidRequest(why.to_owned()));
    if redirect.replace_key_with.is_some() && redirect.replace_key_prefix_with.is_some() {
        return wrong("You can only define ReplaceKeyPrefix or ReplaceKey but not both.");
    }
    let empty = redirect.host_name.is_none()
        && redirect.http_redirect_code.is_none()
        && redirect.protocol.is_none()
        && redirect.replace_key_with.is_none()
        && redirect.replace_key_prefix_with.is_none();
    if empty {
        return Err(Error::MalformedXml);
    }
    if let Some(name) = &redirect.host_name {
        host(name)?;
    }
    let is_in =
        |code: &str, from: u16, to: u16| code.parse().is_ok_and(|code: u16| (from..=to).contains(&code));
    if let Some(code) = redirect.http_redirect_code.as_ref().filter(|code| !is_in(code, 301, 399)) {
        return wrong(&format!(
            "The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."
        ));
    }
    let Some(condition) = &rule.condition else { return Ok(()) };
    match &condition.http_error_code_returned_equals {
        Some(code) if !is_in(code, 400, 599) => {
            wrong(&format!("The provided HTTP error code ({code}) is not valid. Valid codes are 4XX or 5XX."))
        }
        None if condition.key_prefix_equals.is_none() => wrong(
            "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.",
        ),
        _ => Ok(()),
    }
}

/// The name becomes a part of a header, so it must have the characters of a host and a port.
fn host(name: &str) -> Result<(), Error> {
    let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    if valid { Ok(()) } else { Err(invalid("HostName", name, "The HostName is not well formed")) }
}

fn invalid(name: &'static str, value: &str, why: &str) -> Error {
    Error::InvalidArgument { name, value: value.to_owned(), why: why.to_owned() }
}

/// The bucket of a website's host name. A name that is not one of S3's own is that of a bucket itself: so an alias or CNAME
/// record `www.example.com` leads to the website of the bucket `www.example.com`.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingCustomURLs>
pub(crate) fn bucket_of(authority: &str, config: &Config) -> BucketName {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let own = config
        .website_domains()
        .into_iter()
        .find_map(|domain| Some(host.strip_suffix(&domain)?.strip_suffix('.')?.to_owned()));
    BucketName(own.unwrap_or(host))
}

/// A request for a website, as far as redirects depend on it.
pub(crate) struct Asked<'a> {
    /// Host and port as the client named them.
    pub authority: &'a str,
    /// Percent-encoded.
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// The decoded path without its first slash.
    pub key: &'a str,
}

impl Asked<'_> {
    /// The key of the object: a folder has its index document.
    pub(crate) fn object(&self, site: &Website) -> String {
        let suffix = site.index_document.as_ref().map_or("", |index| index.suffix.as_str());
        if self.is_folder() { format!("{}{suffix}", self.key) } else { self.key.to_owned() }
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    fn with_query(&self, location: String) -> String {
        self.query.map_or(location.clone(), |query| format!("{location}?{query}"))
    }

    /// The redirect of all requests.
    pub(crate) fn redirect_all(&self, site: &Website) -> Option<Redirected> {
        let all = site.redirect_all_requests_to.as_ref()?;
        let protocol = all.protocol.unwrap_or(RedirectProtocol::Http);
        let location = self.with_query(format!("{protocol}://{}{}", all.host_name, self.path));
        Some(Redirected { status: 301, location })
    }

    /// The redirect of the first rule that applies: with an error, to a request that failed with this status; without one,
    /// before the object is read.
    pub(crate) fn by_rule(&self, site: &Website, error: Option<u16>) -> Option<Redirected> {
        let rules = site.routing_rules.iter().flatten();
        let found = rules.into_iter().find(|rule| {
            let condition = rule.condition.clone().unwrap_or_default();
            let code = condition.http_error_code_returned_equals.map(|code| code.parse().ok());
            let same_error = match code {
                None => error.is_none(),
                Some(code) => code == error && error.is_some(),
            };
            same_error
                && condition.key_prefix_equals.is_none_or(|prefix| self.key.starts_with(prefix.as_str()))
        })?;
        let redirect = &found.redirect;
        let prefix = found.condition.as_ref().and_then(|c| c.key_prefix_equals.as_deref()).unwrap_or("");
        let key = match (&redirect.replace_key_with, &redirect.replace_key_prefix_with) {
            (Some(key), _) => key.to_string(),
            (None, Some(instead)) => {
                format!("{instead}{}", self.key.strip_prefix(prefix).unwrap_or(self.key))
            }
            (None, None) => self.key.to_owned(),
        };
        let protocol = redirect.protocol.unwrap_or(RedirectProtocol::Http);
        let host = redirect.host_name.as_ref().map_or(self.authority, |name| name.as_str());
        let status = redirect.http_redirect_code.as_ref().and_then(|code| code.parse().ok()).unwrap_or(301);
        Some(Redirected {
            status,
            location: self.with_query(format!("{protocol}://{host}/{}", encoded(&key))),
        })
    }

    /// The redirect from `/docs` to `/docs/`, if only the latter has a document.
    pub(crate) fn to_folder(&self) -> Redirected {
        Redirected { status: 302, location: self.with_query(format!("{}/", self.path)) }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirected {
    pub status: u16,
    pub location: String,
}

/// A key as a path. `#` and `?` stay: rules use them to redirect to a fragment, as in `#!/`.
fn encoded(key: &str) -> String {
    let keep = |c: char| matches!(c, '/' | '#' | '?' | '!' | '=' | '&');
    key.split_inclusive(keep)
        .map(|piece| match piece.strip_suffix(keep) {
            Some(text) => format!("{}{}", percent_encode(text), &piece[text.len()..]),
            None => percent_encode(piece),
        })
        .collect()
}

#[cfg(test)]
mod tests;
