//! Signed URLs and cookies: the holder of a private key lets others read, for a limited time, from certain addresses.
//!
//! Parameter and condition names, the base64 alphabet and the canned policy's text must equal those of existing
//! signers byte for byte; they are the constants below.

use crate::{
    authority::Authority,
    key,
    public_key::{Hash, PublicKey},
    spec::TrustedKey,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::{Timestamp, json, path::RawPath};
use http::{HeaderMap, HeaderValue, header};
use ipnet::IpNet;
use serde_json::{Map, Value};
use std::{collections::HashMap, net::IpAddr};

const PARAMETERS: [&str; 5] = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"];
const COOKIE_PREFIX: &str = "CloudFront-";
const EPOCH: &str = "AWS:EpochTime";
const SOURCE: &str = "AWS:SourceIp";

/// The keys of a behaviour, parsed once.
pub(crate) struct SignedAccess(HashMap<String, PublicKey>);

/// The reason of a denial: a code and a sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Denied(pub(crate) &'static str, pub(crate) &'static str);

const MISSING_KEY: Denied = Denied("MissingKey", "Missing Key-Pair-Id query parameter or cookie value");
const UNKNOWN_KEY: Denied = Denied("InvalidKey", "Unknown Key");
const MALFORMED_SIGNATURE: Denied = Denied("MalformedSignature", "Could not unencode Signature");
const MALFORMED_POLICY: Denied = Denied("MalformedPolicy", "Malformed Policy");
const DENIED: Denied = Denied("AccessDenied", "Access denied");

pub(crate) struct Asked<'a> {
    pub(crate) https: bool,
    /// The same authority that selected the distribution.
    pub(crate) authority: &'a Authority,
    /// The raw path: a URL is signed as it is sent.
    pub(crate) path: RawPath<'a>,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) client: IpAddr,
    pub(crate) now: Timestamp,
}

impl SignedAccess {
    pub(crate) fn parse(keys: &[TrustedKey]) -> Result<SignedAccess, String> {
        let parsed = keys.iter().map(|key| {
            PublicKey::from_pem(&key.public_key_pem)
                .map(|k| (key.id.clone(), k))
                .map_err(|e| format!("The key '{}' {e}.", key.id))
        });
        parsed.collect::<Result<_, _>>().map(SignedAccess)
    }

    pub(crate) fn verify(&self, asked: &Asked<'_>) -> Result<(), Denied> {
        let parameters = parameters(asked);
        let get = |name: &str| parameters.get(name).map(String::as_str).filter(|v| !v.is_empty());
        let id = get("Key-Pair-Id").ok_or(MISSING_KEY)?;
        let key = self.0.get(id).ok_or(UNKNOWN_KEY)?;
        let signature = decode(get("Signature").ok_or(DENIED)?).ok_or(MALFORMED_SIGNATURE)?;
        let url = url(asked);
        let policy = match (get("Policy"), get("Expires")) {
            (Some(policy), _) => decode(policy).ok_or(MALFORMED_POLICY)?,
            (None, Some(expires)) => {
                if !expires.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(DENIED);
                }
                format!(
                    "{{\"Statement\":[{{\"Resource\":\"{url}\",\"Condition\":{{\"DateLessThan\":{{\"{EPOCH}\":{expires}}}}}}}]}}"
                )
                .into_bytes()
            }
            (None, None) => return Err(DENIED),
        };
        let hash = match get("Hash-Algorithm") {
            None | Some("SHA1") => Hash::Sha1,
            Some("SHA256") => Hash::Sha256,
            Some(_) => return Err(DENIED),
        };
        if !key.verifies(&policy, hash, &signature) {
            return Err(DENIED);
        }
        let policy = std::str::from_utf8(&policy).map_err(|_| MALFORMED_POLICY)?;
        let policy = json::with_unique_keys(policy).map_err(|_| MALFORMED_POLICY)?;
        allows(&policy, &url, asked)
    }
}

/// The query without the parameters of signed access.
pub(crate) fn strip_query(query: &str) -> Option<String> {
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !PARAMETERS.contains(&pair.split_once('=').map_or(*pair, |(name, _)| name)))
        .collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

pub(crate) fn strip_cookies(headers: &mut HeaderMap) {
    let own = |name: &str| name.strip_prefix(COOKIE_PREFIX).is_some_and(|n| PARAMETERS.contains(&n));
    let kept: Vec<&str> =
        key::cookies(headers).filter(|(name, _)| !own(name)).map(|(_, whole)| whole).collect();
    let kept = HeaderValue::try_from(kept.join("; "));
    headers.remove(header::COOKIE);
    if let Ok(kept) = kept.map(|k| (!k.is_empty()).then_some(k))
        && let Some(kept) = kept
    {
        headers.insert(header::COOKIE, kept);
    }
}

/// From the query if it has any of them, otherwise from cookies.
fn parameters(asked: &Asked<'_>) -> HashMap<&'static str, String> {
    let known = |name: &str| PARAMETERS.iter().find(|p| **p == name).copied();
    let pairs = asked.query.unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
    let of_query: HashMap<_, _> = pairs.filter_map(|(n, v)| Some((known(n)?, v.to_owned()))).collect();
    if !of_query.is_empty() {
        return of_query;
    }
    key::cookies(asked.headers)
        .filter_map(|(name, whole)| {
            let value = whole.split_once('=')?.1;
            Some((known(name.strip_prefix(COOKIE_PREFIX)?)?, value.to_owned()))
        })
        .collect()
}

fn url(asked: &Asked<'_>) -> String {
    let scheme = if asked.https { "https" } else { "http" };
    let query = asked.query.and_then(strip_query).map(|q| format!("?{q}")).unwrap_or_default();
    format!("{scheme}://{}{}{query}", asked.authority.as_str(), asked.path.as_str())
}

/// base64 in the protocol's URL-safe variant, which replaces `+`, `=` and `/`.
fn decode(text: &str) -> Option<Vec<u8>> {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '=',
            '~' => '/',
            other => other,
        })
        .collect();
    STANDARD.decode(plain).ok()
}

/// Reads an object without any other members. A member that is not evaluated could be a restriction that the signer relies on,
/// so it is refused rather than ignored.
fn only<'a>(value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, Denied> {
    let object = value.as_object().ok_or(MALFORMED_POLICY)?;
    if object.keys().all(|key| known.contains(&key.as_str())) { Ok(object) } else { Err(MALFORMED_POLICY) }
}

/// The members of a custom policy are these and no others:
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html>
pub(crate) fn allows(policy: &Value, url: &str, asked: &Asked<'_>) -> Result<(), Denied> {
    let statement = match only(policy, &["Statement"])?.get("Statement").and_then(Value::as_array) {
        Some(statements) if statements.len() == 1 => only(&statements[0], &["Resource", "Condition"])?,
        _ => return Err(MALFORMED_POLICY),
    };
    let condition = statement.get("Condition").ok_or(MALFORMED_POLICY)?;
    let condition = only(condition, &["DateLessThan", "DateGreaterThan", "IpAddress"])?;
    let resource = match statement.get("Resource") {
        None => "*",
        Some(Value::String(text)) => text,
        Some(_) => return Err(MALFORMED_POLICY),
    };
    // `http*://` covers both schemes; otherwise the scheme is part of the pattern.
    // A wildcard covers the paths below it. A path that an origin may normalize to one outside (`/a/../b`, in any encoding)
    // must be signed exactly.
    let covered = resource == url || (key::matches(resource, url) && !asked.path.may_climb());
    if !covered {
        return Err(DENIED);
    }
    let time = |name: &str| match condition.get(name) {
        None => Ok(None),
        Some(given) => {
            let at = only(given, &[EPOCH])?.get(EPOCH).and_then(Value::as_i64);
            at.map(Some).ok_or(MALFORMED_POLICY)
        }
    };
    let until = time("DateLessThan")?.ok_or(MALFORMED_POLICY)?;
    let from = time("DateGreaterThan")?;
    let net = match condition.get("IpAddress") {
        None => None,
        Some(given) => {
            let text = only(given, &[SOURCE])?.get(SOURCE).and_then(Value::as_str).ok_or(MALFORMED_POLICY)?;
            let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            Some(net.map_err(|_| MALFORMED_POLICY)?)
        }
    };
    let now = asked.now.secs();
    let good = now < until && from.is_none_or(|f| now > f) && net.is_none_or(|n| n.contains(&asked.client));
    if good { Ok(()) } else { Err(DENIED) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::{
        RsaPrivateKey,
        pkcs1v15::SigningKey,
        pkcs8::EncodePublicKey,
        signature::{SignatureEncoding, Signer},
    };
    use sha1::Sha1;

    const NOW: i64 = 1_800_000_000;

    struct Signing {
        key: SigningKey<Sha1>,
        access: SignedAccess,
    }

    fn signing() -> Signing {
        let mut random = rsa::rand_core::OsRng;
        let private = RsaPrivateKey::new(&mut random, 1024).unwrap();
        let pem = private.to_public_key().to_public_key_pem(Default::default()).unwrap();
        let access = SignedAccess::parse(&[TrustedKey { id: "K1".into(), public_key_pem: pem }]).unwrap();
        Signing { key: SigningKey::new(private), access }
    }

    fn encode(bytes: &[u8]) -> String {
        STANDARD.encode(bytes).replace('+', "-").replace('=', "_").replace('/', "~")
    }

    impl Signing {
        fn ask(&self, query: &str, cookie: Option<&str>, client: [u8; 4]) -> Result<(), Denied> {
            self.ask_for("/a/b.png", query, cookie, client)
        }

        fn ask_for(
            &self,
            path: &str,
            query: &str,
            cookie: Option<&str>,
            client: [u8; 4],
        ) -> Result<(), Denied> {
            let mut headers = HeaderMap::new();
            if let Some(cookie) = cookie {
                headers.insert(header::COOKIE, cookie.parse().unwrap());
            }
            let authority =
                Authority::of(&"https://cdn.test/".parse().unwrap(), &HeaderMap::new(), true).unwrap();
            self.access.verify(&Asked {
                https: true,
                authority: &authority,
                path: RawPath::new(path),
                query: Some(query).filter(|q| !q.is_empty()),
                headers: &headers,
                client: client.into(),
                now: Timestamp(NOW * 1000),
            })
        }

        fn sign(&self, policy: &str) -> String {
            encode(&self.key.sign(policy.as_bytes()).to_bytes())
        }
    }

    #[test]
    fn canned_and_custom_policies() {
        let s = signing();
        let me = [10, 0, 0, 1];
        let canned = |url: &str, until: i64| {
            let policy = format!(
                r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{until}}}}}}}]}}"#
            );
            format!("Expires={until}&Signature={}&Key-Pair-Id=K1", s.sign(&policy))
        };
        let url = "https://cdn.test/a/b.png";
        assert_eq!(s.ask(&canned(url, NOW + 1), None, me), Ok(()));
        assert_eq!(s.ask(&format!("v=1&{}", canned(&format!("{url}?v=1"), NOW + 1)), None, me), Ok(()));
        assert_eq!(s.ask(&canned(url, NOW), None, me), Err(DENIED));
        assert_eq!(s.ask(&canned("https://cdn.test/other", NOW + 1), None, me), Err(DENIED));
        assert_eq!(s.ask(&canned(url, NOW + 1).replace("K1", "K2"), None, me), Err(UNKNOWN_KEY));
        assert_eq!(s.ask("", None, me), Err(MISSING_KEY));
        assert_eq!(s.ask("Key-Pair-Id=K1&Expires=1&Signature=%%", None, me), Err(MALFORMED_SIGNATURE));

        let custom = |resource: &str, more: &str| {
            let policy = format!(
                r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{}}}{more}}}}}]}}"#,
                NOW + 9
            );
            (encode(policy.as_bytes()), s.sign(&policy))
        };
        let ask = |(policy, signature): (String, String)| {
            let by_query = s.ask(&format!("Policy={policy}&Signature={signature}&Key-Pair-Id=K1"), None, me);
            let cookie = format!(
                "x=1; CloudFront-Policy={policy}; CloudFront-Signature={signature}; CloudFront-Key-Pair-Id=K1"
            );
            assert_eq!(s.ask("", Some(&cookie), me), by_query);
            by_query
        };
        assert_eq!(ask(custom("https://cdn.test/a/*.png", "")), Ok(()));
        assert_eq!(ask(custom("http*://cdn.test/a/?.png", "")), Ok(()));
        assert_eq!(ask(custom("http://cdn.test/*", "")), Err(DENIED));
        assert_eq!(ask(custom("*", r#","IpAddress":{"AWS:SourceIp":"10.0.0.0/24"}"#)), Ok(()));
        assert_eq!(ask(custom("*", r#","IpAddress":{"AWS:SourceIp":"10.9.0.0/24"}"#)), Err(DENIED));
        assert_eq!(
            ask(custom("*", &format!(r#","DateGreaterThan":{{"AWS:EpochTime":{NOW}}}"#))),
            Err(DENIED)
        );
        assert_eq!(ask(custom("*", r#","DateGreaterThan":{"AWS:EpochTime":"x"}"#)), Err(MALFORMED_POLICY));
        // A restriction that is not evaluated, and a duplicate member, must not widen the signer's intent.
        for unknown in [
            r#","NotIpAddress":{"AWS:SourceIp":"203.0.113.7"}"#,
            r#","IpAddress":{"AWS:SourceIP":"203.0.113.7"}"#,
            r#","IpAddress":{"AWS:SourceIp":"0.0.0.0/0","aws:SourceVpc":"vpc-1"}"#,
            r#","IpAddress":null"#,
            r#","DateGreaterThan":{"AWS:EpochTime":1,"aws:CurrentTime":1}"#,
            r#","DateLessThan":{"AWS:EpochTime":9999999999}"#,
            r#"},"Effect":{"#,
        ] {
            assert_eq!(ask(custom("*", unknown)), Err(MALFORMED_POLICY), "{unknown}");
        }
        assert_eq!(ask(custom(r#"https://cdn.test/other","Resource":"*"#, "")), Err(MALFORMED_POLICY));
    }

    #[test]
    fn wildcards_cover_what_is_below_them() {
        let s = signing();
        let ask = |resource: &str, path: &str| {
            let policy = format!(
                r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{}}}}}}}]}}"#,
                NOW + 9
            );
            let query =
                format!("Policy={}&Signature={}&Key-Pair-Id=K1", encode(policy.as_bytes()), s.sign(&policy));
            s.ask_for(path, &query, None, [10, 0, 0, 1])
        };
        let all = "https://cdn.test/m/public/*";
        assert_eq!(ask(all, "/m/public/x%20y"), Ok(()));
        assert_eq!(ask(all, "/m/public/a/..b"), Ok(()));
        for outside in [
            "/m/public/../private/x",
            "/m/public/%2e%2E/private/x",
            "/m/public/..%2fprivate/x",
            "/m/public/%252e%252e/private/x",
            "/m/public/..%5cprivate/x",
            "/m/public/./x",
            "/m//public/x",
            "/m/%70ublic/x",
        ] {
            assert_eq!(ask(all, outside), Err(DENIED), "{outside}");
        }
        assert_eq!(ask("https://cdn.test/m/a/../b", "/m/a/../b"), Ok(()), "signed as it is");
    }

    #[test]
    fn strips_signature_parameters_and_cookies() {
        assert_eq!(strip_query("a=1&Expires=2&Signature=x&b").as_deref(), Some("a=1&b"));
        assert_eq!(strip_query("Policy=2"), None);
        let mut headers: HeaderMap =
            [(header::COOKIE, "CloudFront-Policy=1; a=2".parse().unwrap())].into_iter().collect();
        strip_cookies(&mut headers);
        assert_eq!(headers[header::COOKIE], "a=2");
    }
}
