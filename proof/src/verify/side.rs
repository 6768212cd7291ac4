//! One deployment, and the requests that show what it is.

use std::collections::{BTreeMap, BTreeSet};

/// One deployment of an application.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// The environment of the manifest.
    pub name: String,
    pub region: String,
    /// Without a slash at the end. Signed URLs begin with it.
    pub url: String,
    /// The same site over HTTP and HTTPS. `None`: its port is not known.
    pub http_url: Option<String>,
    pub https_url: Option<String>,
    /// Paths that services answer with 200.
    pub pages: Vec<String>,
    /// The default behaviour is the last one; its pattern is `*`.
    pub behaviours: Vec<Behaviour>,
    pub balancers: Vec<Balancer>,
    pub databases: Vec<Database>,
    /// Addresses of this machine, other than loopback, at which the API listens. `None`: the API is not on this machine.
    pub api_listens_at: Option<Vec<String>>,
}

/// What the manifest expects of a path pattern, and how to try it.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    pub pattern: String,
    pub protocol: Protocol,
    pub is_cached: bool,
    pub is_signed: bool,
    /// By its response headers policy; names in lower case.
    pub headers: BTreeMap<String, Header>,
    /// The path of an existing object that it serves.
    pub object: Option<String>,
    /// URLs of that object.
    pub signed: Option<Signed>,
    /// Where the object is in S3, without the distribution.
    pub in_bucket: Option<String>,
}

/// A header that a distribution adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub value: String,
    /// Whether it replaces the origin's.
    pub replaces: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    AllowAll,
    RedirectToHttps,
    HttpsOnly,
}

/// URLs of one object that differ in their signatures only.
#[derive(Clone, Debug)]
pub struct Signed {
    pub right: String,
    pub expired: String,
    /// Signed with a key that the distribution does not know, under the id of one that it knows.
    pub forged: String,
}

#[derive(Clone, Debug, Default)]
pub struct Balancer {
    /// The logical id, as of all objects.
    pub id: String,
    pub zones: BTreeSet<String>,
    pub expected_zones: usize,
    pub nodes: Vec<Node>,
    pub groups: Vec<TargetGroup>,
}

/// A public address of a load balancer.
#[derive(Clone, Debug)]
pub struct Node {
    pub zone: String,
    /// Whether a connection to its port is accepted; or why that is not known.
    pub answers: Result<bool, String>,
}

#[derive(Clone, Debug, Default)]
pub struct TargetGroup {
    pub id: String,
    /// Zones with a healthy target.
    pub zones: BTreeSet<String>,
    pub expected_zones: usize,
}

#[derive(Clone, Debug)]
pub struct Database {
    pub id: String,
    pub is_public: bool,
    /// Address blocks that its security groups admit at its port.
    pub admitted: Vec<String>,
    /// Whether a subnet of its group has a route to an Internet gateway.
    pub has_internet_route: bool,
    /// Whether its port accepts a connection from outside of the VPC; or why that is not known.
    pub answers: Result<bool, String>,
    pub expects_standby: bool,
    pub has_standby: bool,
}

/// One request. Redirects are not followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// Unique among the visits of a side.
    pub name: String,
    pub url: String,
    /// The body of a POST; a GET without.
    pub form: Option<&'static str>,
    /// Instead of the URL's own.
    pub host: Option<String>,
    /// Repeated until the cache answers, as each edge location has several caches.
    pub is_for_cache: bool,
}

/// What a request got.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case, in the order of the response.
    pub headers: Vec<(String, String)>,
    /// The beginning.
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// By the name of the visit; or why there is no answer.
pub type Answers = BTreeMap<String, Result<Answer, String>>;

/// A request that every AWS API for credentials would answer, with an error at least.
pub(super) const CALL: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// The `Host` headers with which a site may not lead to an API.
pub(super) fn api_hosts(side: &Side) -> Vec<(String, Option<String>)> {
    let hosts = [
        format!("sts.{}.amazonaws.com", side.region),
        "sts.amazonaws.com".to_owned(),
        "api.escale.internal".to_owned(),
    ];
    let foreign =
        hosts.into_iter().map(|host| (format!("with the host {}", anywhere(&host, side)), Some(host)));
    std::iter::once(("with its own host".to_owned(), None)).chain(foreign).collect()
}

/// A name without what differs between regions.
fn anywhere(host: &str, side: &Side) -> String {
    if side.region.is_empty() { host.to_owned() } else { host.replace(&side.region, "REGION") }
}

/// The requests that [`super::observe()`] needs.
pub fn visits(side: &Side) -> Vec<Visit> {
    let mut all: Vec<Visit> = Vec::new();
    let mut get = |name: String, url: String, is_for_cache: bool| {
        all.push(Visit { name, url, is_for_cache, ..Visit::default() });
    };
    let at = |path: &str| format!("{}{path}", side.url);
    for page in &side.pages {
        get(format!("page {page}"), at(page), false);
    }
    let secure = side.https_url.as_ref().map(|site| format!("{site}{}", side.first_page()));
    if let Some(url) = secure {
        get("https".to_owned(), url, false);
    }
    for behaviour in &side.behaviours {
        let pattern = &behaviour.pattern;
        let path = behaviour.object.as_deref().or_else(|| behaviour.is_default().then(|| side.first_page()));
        if let (Some(site), Some(path)) = (&side.http_url, path) {
            get(format!("http {pattern}"), format!("{site}{path}"), false);
        }
        let Some(object) = &behaviour.object else { continue };
        if behaviour.is_signed {
            get(format!("unsigned {pattern}"), at(object), false);
        } else {
            get(format!("object {pattern}"), at(object), false);
            get(format!("again {pattern}"), at(object), behaviour.is_cached);
        }
        if let Some(Signed { right, expired, forged }) = &behaviour.signed {
            get(format!("right {pattern}"), right.clone(), false);
            get(format!("expired {pattern}"), expired.clone(), false);
            get(format!("forged {pattern}"), forged.clone(), false);
        }
        if let Some(url) = &behaviour.in_bucket {
            get(format!("bucket {pattern}"), url.clone(), false);
        }
    }
    all.extend(api_hosts(side).into_iter().map(|(name, host)| Visit {
        name: format!("api {name}"),
        url: at("/"),
        form: Some(CALL),
        host,
        is_for_cache: false,
    }));
    all
}

impl Side {
    pub(super) fn first_page(&self) -> &str {
        self.pages.first().map_or("/", String::as_str)
    }
}

impl Behaviour {
    pub(super) fn is_default(&self) -> bool {
        self.pattern == "*"
    }
}
