//! From answers to observations. Values are the same on sides that behave the same: no names of hosts, ids or times.

use super::{
    Observation,
    side::{Answer, Answers, Balancer, Behaviour, Database, Node, Protocol, Side, api_hosts},
};
use std::collections::BTreeSet;

/// Headers that protect viewers, and those that caches obey.
const HEADERS: [&str; 17] = [
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "cache-control",
    "content-encoding",
    "content-security-policy",
    "content-type",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "pragma",
    "referrer-policy",
    "strict-transport-security",
    "vary",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

const ABSENT: &str = "absent";
const HIT: &str = "Hit from cloudfront";
const MISS: &str = "Miss from cloudfront";

/// All observations of a side, from the answers to its [`super::visits`].
pub fn observe(side: &Side, answers: &Answers) -> Vec<Observation> {
    let mut seen = Seen { side, answers, all: Vec::new() };
    for page in &side.pages {
        let name = format!("page {page}");
        seen.status("page", page.clone(), "200", &name);
        let default = side.behaviours.iter().find(|b| b.is_default());
        seen.headers(page, default, &name);
        seen.through_cdn(page, &name);
    }
    seen.https();
    for behaviour in &side.behaviours {
        seen.http(behaviour);
        seen.behaviour(behaviour);
    }
    seen.all.extend(side.balancers.iter().flat_map(zones));
    seen.all.extend(side.databases.iter().flat_map(database));
    seen.api();
    seen.all
}

fn fact(check: &'static str, subject: String, expected: Option<String>, observed: String) -> Observation {
    Observation { check, subject, expected, observed: Some(observed), note: None }
}

fn unknown(check: &'static str, subject: String, expected: Option<String>, why: &str) -> Observation {
    Observation { check, subject, expected, observed: None, note: Some(why.to_owned()) }
}

struct Seen<'a> {
    side: &'a Side,
    answers: &'a Answers,
    all: Vec<Observation>,
}

impl Seen<'_> {
    fn answer(&self, visit: &str) -> Result<&Answer, String> {
        match self.answers.get(visit) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(why)) => Err(format!("no answer: {why}")),
            None => Err("not requested".to_owned()),
        }
    }

    /// A request without an answer is an observation, too: the site does not answer.
    fn status(&mut self, check: &'static str, subject: String, expected: &str, visit: &str) {
        let observed = self.answer(visit).map_or_else(|why| why, |answer| answer.status.to_string());
        self.all.push(fact(check, subject, Some(expected.to_owned()), observed));
    }

    fn headers(&mut self, path: &str, behaviour: Option<&Behaviour>, visit: &str) {
        let Ok(answer) = self.answer(visit).cloned() else { return };
        let expected = behaviour.map(|b| b.headers.clone()).unwrap_or_default();
        let own = expected.keys().map(String::as_str).filter(|name| !HEADERS.contains(name));
        for name in HEADERS.into_iter().chain(own) {
            let value = answer.header(name).map_or(ABSENT.to_owned(), |value| self.neutral(value));
            // An origin's own header may stay.
            let policy = expected.get(name).filter(|header| header.replaces || value == ABSENT);
            let promised = policy.map(|header| header.value.clone());
            self.all.push(fact("headers", format!("{path} {name}"), promised, value));
        }
        let cookies =
            answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| cookie(value));
        let cookies: Vec<String> = cookies.collect();
        let value = if cookies.is_empty() { ABSENT.to_owned() } else { cookies.join(", ") };
        self.all.push(fact("headers", format!("{path} set-cookie"), None, value));
    }

    /// Whether the answer came through the distribution, which adds these headers.
    fn through_cdn(&mut self, path: &str, visit: &str) {
        let Ok(answer) = self.answer(visit) else { return };
        let is_through = answer.header("x-cache").is_some()
            && answer.header("via").is_some_and(|via| via.contains("CloudFront"));
        let observed = if is_through { "through the distribution" } else { "not through the distribution" };
        self.all.push(fact(
            "distribution",
            path.to_owned(),
            Some("through the distribution".into()),
            observed.into(),
        ));
    }

    fn https(&mut self) {
        let (subject, expected) = (self.side.first_page().to_owned(), "200, with a valid certificate");
        if self.side.https_url.is_none() {
            self.all.push(unknown("https", subject, Some(expected.into()), "the port of HTTPS is not known"));
            return;
        }
        let observed =
            self.answer("https").map(|answer| format!("{}, with a valid certificate", answer.status));
        self.all.push(fact("https", subject, Some(expected.into()), observed.unwrap_or_else(|why| why)));
    }

    /// What HTTP gets, by the behaviour's viewer protocol policy.
    fn http(&mut self, behaviour: &Behaviour) {
        let pattern = behaviour.pattern.clone();
        let path =
            behaviour.object.as_deref().or_else(|| behaviour.is_default().then(|| self.side.first_page()));
        let Some(path) = path else { return };
        let expected = match behaviour.protocol {
            Protocol::RedirectToHttps => format!("301 to https://SITE{path}"),
            Protocol::HttpsOnly => "403".to_owned(),
            Protocol::AllowAll if behaviour.is_signed => "403".to_owned(),
            Protocol::AllowAll => "200".to_owned(),
        };
        if self.side.http_url.is_none() {
            self.all.push(unknown("http", pattern, Some(expected), "the port of HTTP is not known"));
            return;
        }
        let observed = self.answer(&format!("http {pattern}")).map(|answer| {
            let to = answer.header("location").map(|to| format!(" to {}", self.neutral(to)));
            format!("{}{}", answer.status, to.unwrap_or_default())
        });
        let observed = observed.unwrap_or_else(|why| why);
        self.all.push(fact("http", pattern, Some(expected), observed));
    }

    fn behaviour(&mut self, behaviour: &Behaviour) {
        let pattern = behaviour.pattern.as_str();
        if behaviour.is_default() {
            return;
        }
        if behaviour.object.is_none() {
            let check = if behaviour.is_signed { "signature" } else { "cache" };
            self.all.push(unknown(check, pattern.to_owned(), None, "its bucket has no object to request"));
            return;
        }
        if behaviour.is_signed {
            self.signatures(behaviour);
        } else {
            self.cached(behaviour);
        }
        if behaviour.in_bucket.is_some() {
            self.status(
                "bucket",
                format!("{pattern} in S3, without the distribution"),
                "403",
                &format!("bucket {pattern}"),
            );
        }
    }

    fn signatures(&mut self, behaviour: &Behaviour) {
        let pattern = &behaviour.pattern;
        self.status("signature", format!("{pattern} unsigned"), "403", &format!("unsigned {pattern}"));
        for (kind, expected) in [("expired", "403"), ("forged", "403"), ("right", "200")] {
            let subject = format!("{pattern} {kind}");
            if behaviour.signed.is_some() {
                self.status("signature", subject, expected, &format!("{kind} {pattern}"));
            } else {
                self.all.push(unknown(
                    "signature",
                    subject,
                    Some(expected.into()),
                    "the signing key cannot be read",
                ));
            }
        }
    }

    fn cached(&mut self, behaviour: &Behaviour) {
        let pattern = behaviour.pattern.clone();
        let (first, again) = (format!("object {pattern}"), format!("again {pattern}"));
        self.status("page", pattern.clone(), "200", &first);
        self.headers(&pattern, Some(behaviour), &first);
        let expected = if behaviour.is_cached { HIT } else { MISS };
        let answer = self.answer(&again).cloned();
        let observed = answer.as_ref().map_or_else(String::clone, |answer| {
            // An origin was asked whether the cached answer is still right, which is a hit, too.
            let text = answer.header("x-cache").unwrap_or(ABSENT);
            if text == "RefreshHit from cloudfront" { HIT.to_owned() } else { text.to_owned() }
        });
        self.all.push(fact("cache", format!("{pattern} second request"), Some(expected.into()), observed));
        if behaviour.is_cached {
            let has_age = answer.is_ok_and(|a| a.header("age").is_some_and(|age| age.parse::<u64>().is_ok()));
            let observed = if has_age { "present" } else { ABSENT };
            self.all.push(fact("cache", format!("{pattern} age"), Some("present".into()), observed.into()));
        }
    }

    /// An API of AWS answers a call without a signature with an error in its own words. A site answers with a page of its own.
    fn api(&mut self) {
        for (name, _) in api_hosts(self.side) {
            let observed = match self.answer(&format!("api {name}")) {
                Ok(answer) if is_api(answer) => "an AWS API answers",
                Ok(_) | Err(_) => "no AWS API answers",
            };
            let subject = format!("the site {name}");
            self.all.push(fact("api", subject, Some("no AWS API answers".into()), observed.into()));
        }
        let (subject, expected) = ("the endpoint listens at".to_owned(), Some("loopback only".to_owned()));
        self.all.push(match &self.side.api_listens_at {
            Some(none) if none.is_empty() => fact("api", subject, expected, "loopback only".to_owned()),
            Some(addresses) => fact("api", subject, expected, addresses.join(", ")),
            None => unknown("api", subject, expected, "the API is not that of this machine's daemon"),
        });
    }

    /// A value without the site's own name.
    fn neutral(&self, value: &str) -> String {
        let sites = [Some(&self.side.url), self.side.https_url.as_ref(), self.side.http_url.as_ref()];
        let mut text = value.to_owned();
        for site in sites.into_iter().flatten() {
            let authority = site.split_once("://").map_or(site.as_str(), |(_, rest)| rest);
            text = text.replace(authority, "SITE");
            text = text.replace(authority.rsplit_once(':').map_or(authority, |(host, _)| host), "SITE");
        }
        text
    }
}

fn is_api(answer: &Answer) -> bool {
    ["GetCallerIdentity", "MissingAuthenticationToken", "InvalidClientTokenId", "sts.amazonaws.com/doc"]
        .iter()
        .any(|word| answer.body.contains(word))
}

/// A cookie's name and attributes. Its value and its times belong to one viewer.
fn cookie(text: &str) -> String {
    let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
    let name = pair.split('=').next().unwrap_or_default().trim();
    let kept = attributes.split(';').map(str::trim).filter(|attribute| {
        let name = attribute.split('=').next().unwrap_or_default().to_ascii_lowercase();
        !matches!(name.as_str(), "expires" | "max-age" | "domain" | "")
    });
    let mut parts: Vec<String> = kept.map(str::to_ascii_lowercase).collect();
    parts.sort();
    parts.insert(0, name.to_owned());
    parts.join("; ")
}

fn zones(balancer: &Balancer) -> Vec<Observation> {
    let count = |n: usize| format!("{n} zone{}", if n == 1 { "" } else { "s" });
    let id = &balancer.id;
    let expected = Some(count(balancer.expected_zones));
    let mut all =
        vec![fact("zones", format!("{id} has nodes in"), expected.clone(), count(balancer.zones.len()))];
    let subject = format!("{id} answers at addresses of");
    let answering = |node: &Node| node.answers.clone().map(|answers| answers.then(|| node.zone.clone()));
    let known: Result<Vec<Option<String>>, String> = balancer.nodes.iter().map(answering).collect();
    all.push(match known {
        Ok(answers) if !answers.is_empty() => {
            let zones: BTreeSet<String> = answers.into_iter().flatten().collect();
            fact("zones", subject, expected, count(zones.len()))
        }
        Ok(_) => unknown("zones", subject, expected, "its addresses are not known"),
        Err(why) => unknown("zones", subject, expected, &why),
    });
    all.extend(balancer.groups.iter().map(|group| {
        let subject = format!("{} has healthy targets in", group.id);
        fact("zones", subject, Some(count(group.expected_zones)), count(group.zones.len()))
    }));
    all
}

fn database(database: &Database) -> Vec<Observation> {
    let yes_or_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let id = &database.id;
    let admitted =
        if database.admitted.is_empty() { "none".to_owned() } else { database.admitted.join(", ") };
    let is = |what: &str, expected: bool, observed: bool| {
        fact("database", format!("{id} {what}"), Some(yes_or_no(expected)), yes_or_no(observed))
    };
    let subject = format!("{id} accepts a connection from outside");
    vec![
        is("is publicly accessible", false, database.is_public),
        fact("database", format!("{id} admits address blocks"), Some("none".into()), admitted),
        is("has a subnet with a route to the Internet", false, database.has_internet_route),
        is("has a standby", database.expects_standby, database.has_standby),
        match &database.answers {
            Ok(answers) => fact("database", subject, Some("no".into()), yes_or_no(*answers)),
            Err(why) => unknown("database", subject, Some("no".into()), why),
        },
    ]
}
