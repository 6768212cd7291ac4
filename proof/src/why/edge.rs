//! What a distribution does with a URL: its behaviour, the signature it needs, and whether a bucket lets it read.

use escale_base::{
    Timestamp,
    glob::{Glob, One},
};
use escale_policy::{Context, Document, Kind, Question, Verdict, Who};
use serde_json::Value;

/// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html>
const PATTERN: Glob = Glob { one: One::Byte, ignore_case: false, escape: false };

/// The first pattern that serves a path. A leading slash in a pattern has no meaning. `None` is the default behaviour.
pub fn behaviour(patterns: &[String], path: &str) -> Option<usize> {
    let bare = |text: &str| text.strip_prefix('/').unwrap_or(text).to_owned();
    patterns.iter().position(|pattern| PATTERN.matches(&bare(pattern), &bare(path)))
}

/// What is wrong with the signature of a URL, by its text alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Nothing: whether the signature itself verifies only the edge knows.
    Plausible {
        expires: i64,
    },
    Missing(&'static str),
    /// The key is in no key group of the behaviour.
    UnknownKey(String),
    Expired {
        expires: i64,
    },
    Unreadable(&'static str),
}

/// Reads the signature of a query; `keys` are those of the behaviour's key groups.
pub fn signature(query: &str, keys: &[String], now: Timestamp) -> Signature {
    let get = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let Some(key) = get("Key-Pair-Id") else { return Signature::Missing("Key-Pair-Id") };
    if get("Signature").is_none() {
        return Signature::Missing("Signature");
    }
    if !keys.iter().any(|k| k == key) {
        return Signature::UnknownKey(key.to_owned());
    }
    let expires = match (get("Policy"), get("Expires")) {
        (Some(policy), _) => policy_expiry(policy),
        (None, Some(expires)) => expires.parse().ok(),
        (None, None) => return Signature::Missing("Expires or Policy"),
    };
    match expires {
        None => Signature::Unreadable("its expiry cannot be read"),
        Some(expires) if expires <= now.secs() => Signature::Expired { expires },
        Some(expires) => Signature::Plausible { expires },
    }
}

fn policy_expiry(policy: &str) -> Option<i64> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let plain = policy.replace('-', "+").replace('_', "=").replace('~', "/");
    let policy: Value = serde_json::from_slice(&STANDARD.decode(plain).ok()?).ok()?;
    policy["Statement"][0]["Condition"]["DateLessThan"]["AWS:EpochTime"].as_i64()
}

/// Whether a bucket's policy lets a distribution read an object; else what is wrong.
pub fn reads(policy: Option<&str>, bucket: &str, key: &str, reader: &Reader<'_>) -> Result<(), String> {
    let Some(policy) = policy else {
        return Err(format!("the bucket {bucket} has no policy, so the distribution may not read it"));
    };
    let document = Document::parse(policy, Kind::Resource)
        .map_err(|error| format!("the policy of the bucket {bucket} cannot be read: {error}"))?;
    let context = Context {
        who: Who::Service {
            name: "cloudfront.amazonaws.com".to_owned(),
            source_arn: Some(reader.distribution.to_owned()),
        },
        tags: Vec::new(),
        account: reader.account.to_owned(),
        region: reader.region.to_owned(),
        now: reader.now,
        source_ip: None,
        // The edge reads buckets over TLS.
        secure_transport: Some(true),
        given: Vec::new(),
    };
    let resource = format!("arn:aws:s3:::{bucket}/{key}");
    let question = Question { context: &context, action: "s3:GetObject", resource: &resource };
    match document.evaluate(&question) {
        Verdict::Allows => Ok(()),
        Verdict::Denies => {
            let sid = document.denying(&question).map(|(at, sid)| match sid {
                Some(sid) => format!("statement '{sid}'"),
                None => format!("statement {}", at + 1),
            });
            let statement = sid.unwrap_or_default();
            Err(format!("{statement} of the policy of the bucket {bucket} denies s3:GetObject on {resource}"))
        }
        Verdict::Silent | Verdict::Delegates => Err(format!(
            "no statement of the policy of the bucket {bucket} allows cloudfront.amazonaws.com s3:GetObject on {resource} for {}",
            reader.distribution
        )),
    }
}

/// The distribution that reads.
pub struct Reader<'a> {
    pub distribution: &'a str,
    pub account: &'a str,
    pub region: &'a str,
    pub now: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::parse_iso8601("1970-01-01T00:00:00Z").expect("a time").plus_ms(seconds * 1000)
    }

    #[test]
    fn the_first_pattern_that_matches_serves() {
        let patterns = ["/static/*".to_owned(), "media/*.png".to_owned(), "*.png".to_owned()];
        for (path, expected) in
            [("/static/a", Some(0)), ("/media/a.png", Some(1)), ("/x.png", Some(2)), ("/media/a.gif", None)]
        {
            assert_eq!(behaviour(&patterns, path), expected, "{path}");
        }
    }

    #[test]
    fn a_signature_is_judged_by_key_and_time() {
        let keys = ["K1".to_owned()];
        for (query, expected) in [
            ("", Signature::Missing("Key-Pair-Id")),
            ("Key-Pair-Id=K1", Signature::Missing("Signature")),
            ("Key-Pair-Id=K2&Signature=s&Expires=200", Signature::UnknownKey("K2".into())),
            ("Key-Pair-Id=K1&Signature=s", Signature::Missing("Expires or Policy")),
            ("Key-Pair-Id=K1&Signature=s&Expires=99", Signature::Expired { expires: 99 }),
            ("Key-Pair-Id=K1&Signature=s&Expires=200", Signature::Plausible { expires: 200 }),
            ("Key-Pair-Id=K1&Signature=s&Expires=x", Signature::Unreadable("its expiry cannot be read")),
        ] {
            assert_eq!(signature(query, &keys, at(100)), expected, "{query}");
        }
    }

    #[test]
    fn a_policy_must_allow_this_distribution() {
        let policy = |effect: &str, arn: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Cdn","Effect":"{effect}","Principal":{{"Service":"cloudfront.amazonaws.com"}},
                "Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{{"StringEquals":{{"AWS:SourceArn":"{arn}"}}}}}}]}}"#
            )
        };
        let arn = "arn:aws:cloudfront::000000000000:distribution/E1";
        let reader = Reader { distribution: arn, account: "000000000000", region: "eu-west-3", now: at(0) };
        let check = |text: Option<&str>| reads(text, "b", "a.css", &reader);
        assert_eq!(check(Some(&policy("Allow", arn))), Ok(()));
        assert!(check(None).unwrap_err().contains("has no policy"));
        assert!(
            check(Some(&policy("Allow", "arn:aws:cloudfront::0:distribution/E2")))
                .unwrap_err()
                .contains("no statement")
        );
        assert!(check(Some(&policy("Deny", arn))).unwrap_err().starts_with("statement 'Cdn'"));
    }
}
