//! One line of an access log.

use crate::shapes;
use escale_base::{Timestamp, path};
use escale_service::{Config, Principal, Served};
use escale_tables::s3::BucketName;
use http::{HeaderMap, HeaderName, Version, header};

/// The interface that a request used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rest,
    Website,
}

/// The bucket of the path, and the key, decoded once.
pub(crate) fn names(path: &str) -> Option<(BucketName, Option<String>)> {
    let (bucket, key) =
        path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let key = path::decode_once(key).ok().filter(|key| !key.is_empty());
    Some((BucketName(bucket.to_owned()), key)).filter(|(bucket, _)| !bucket.is_empty())
}

/// The line, with the bytes that were sent.
pub(crate) fn line(
    served: &Served<'_>,
    kind: Kind,
    config: &Config,
) -> impl FnOnce(u64, Timestamp) -> String + use<> {
    let (bucket, key) = names(served.path).unwrap_or_else(|| (BucketName(String::new()), None));
    let request = served.request;
    let owner = shapes::owner(&config.account).id;
    let quoted =
        |name: HeaderName| text(&request.headers, &name).map_or("-".to_owned(), |v| v.replace('"', "%22"));
    let time = clf(served.started);
    let remote = served.arrival.peer.ip();
    let requester = requester(served.principal, &owner, &config.account);
    let (id, operation) = (served.request_id.to_owned(), operation(served, kind, key.is_some()));
    let key = key.map_or("-".to_owned(), |key| path::percent_encode(&key).replace("%2F", "/"));
    let version = if request.version == Version::HTTP_2 { "HTTP/2.0" } else { "HTTP/1.1" };
    let uri = request.uri.path_and_query().map_or("/", |p| p.as_str()).replace('"', "%22");
    let (status, error) = (served.status, served.error_code.unwrap_or("-").to_owned());
    let size = object_size(served);
    let (started, turn_around) = (served.started, served.answered.since_ms(served.started));
    let (method, referer, agent) =
        (request.method.clone(), quoted(header::REFERER), quoted(header::USER_AGENT));
    let object_version =
        text(served.headers, &HeaderName::from_static("x-amz-version-id")).unwrap_or("-").to_owned();
    let presigned = request.uri.query().is_some_and(|query| query.contains("X-Amz-Signature="));
    let (signature, auth) = match served.principal {
        None | Some(Principal::Anonymous) => ("-", "-"),
        Some(_) if presigned => ("SigV4", "QueryString"),
        Some(_) => ("SigV4", "AuthHeader"),
    };
    let host = quoted(header::HOST);
    let (suite, tls_version) = served.arrival.tls.map_or(("-", "-"), |tls| (tls.suite, tls.version));
    move |sent, now| {
        let sent = if sent == 0 { "-".to_owned() } else { sent.to_string() };
        let total = now.since_ms(started);
        // The last two: an access point, and an ACL that was needed.
        format!(
            "{owner} {bucket} [{time}] {remote} {requester} {id} {operation} {key} \"{method} {uri} {version}\" {status} \
             {error} {sent} {size} {total} {turn_around} \"{referer}\" \"{agent}\" {object_version} {id} {signature} \
             {suite} {auth} {host} {tls_version} - -"
        )
    }
}

/// `06/Feb/2019:00:00:38 +0000`, from `Wed, 06 Feb 2019 00:00:38 GMT`.
fn clf(at: Timestamp) -> String {
    let date = at.http_date();
    let part = |range: std::ops::Range<usize>| date.get(range).unwrap_or("").to_owned();
    format!("{}/{}/{}:{} +0000", part(5..7), part(8..11), part(12..16), part(17..25))
}

fn requester(principal: Option<&Principal>, owner: &str, account: &str) -> String {
    match principal {
        None | Some(Principal::Anonymous) => "-".into(),
        Some(Principal::Root) => owner.into(),
        Some(Principal::OnBehalf { service, .. } | Principal::Service(service)) => format!("svc:{service}"),
        Some(Principal::Foreign { canonical_id, .. }) => canonical_id.clone(),
        Some(user @ (Principal::User { .. } | Principal::Role { .. })) => user.arn(account),
    }
}

/// `REST.GET.OBJECT`.
fn operation(served: &Served<'_>, kind: Kind, has_key: bool) -> String {
    const PARTS: [(&str, &str); 14] = [
        ("acl", "ACL"),
        ("cors", "CORS"),
        ("delete", "MULTI_OBJECT_DELETE"),
        ("encryption", "ENCRYPTION"),
        ("lifecycle", "LIFECYCLE"),
        ("location", "LOCATION"),
        ("logging", "LOGGING_STATUS"),
        ("partNumber", "PART"),
        ("policy", "BUCKETPOLICY"),
        ("uploadId", "UPLOAD"),
        ("uploads", "UPLOADS"),
        ("versioning", "VERSIONING"),
        ("versions", "BUCKETVERSIONS"),
        ("website", "WEBSITE"),
    ];
    let query = served.request.uri.query().unwrap_or("");
    let names = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let part = match PARTS.iter().find(|(name, _)| names(name)) {
        Some((_, part)) => part,
        None if names("tagging") && has_key => "OBJECT_TAGGING",
        None if names("tagging") => "TAGGING",
        None if has_key || kind == Kind::Website => "OBJECT",
        None => "BUCKET",
    };
    let interface = if kind == Kind::Website { "WEBSITE" } else { "REST" };
    format!("{interface}.{}.{part}", served.request.method)
}

/// The size of the object that was read or written, from the headers.
fn object_size(served: &Served<'_>) -> String {
    let number = |headers: &HeaderMap, name: &'static str| {
        text(headers, &HeaderName::from_static(name)).and_then(|v| v.parse::<u64>().ok())
    };
    let whole =
        text(served.headers, &header::CONTENT_RANGE).and_then(|range| range.rsplit_once('/')?.1.parse().ok());
    let size = match served.request.method.as_str() {
        "GET" | "HEAD" if served.status < 300 => whole.or(number(served.headers, "content-length")),
        "PUT" if served.status < 300 => number(&served.request.headers, "x-amz-decoded-content-length")
            .or(number(&served.request.headers, "content-length")),
        _ => None,
    };
    size.map_or("-".to_owned(), |size| size.to_string())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_service::{Arrival, Entrance, TlsSession};

    #[test]
    fn line_has_the_fields_of_aws() {
        let request = http::Request::builder()
            .uri("/files/a%20b?x=%221")
            .header("host", "s3.local")
            .header("user-agent", "a \"b\"");
        let (request, ()) = request.body(()).unwrap().into_parts();
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, "5".parse().unwrap())]);
        let tls = Some(TlsSession { version: "TLSv1.3", suite: "TLS_AES_128_GCM_SHA256" });
        let served = Served {
            request: &request,
            path: "/files/a%20b",
            request_id: "R",
            arrival: Arrival { entrance: Entrance::HostLoopback, peer: ([127, 0, 0, 1], 1).into(), tls },
            principal: Some(&Principal::Root),
            status: 200,
            error_code: None,
            headers: &headers,
            started: Timestamp(1_549_411_238_000),
            answered: Timestamp(1_549_411_238_003),
        };
        let line = line(&served, Kind::Rest, &Config::default())(5, Timestamp(1_549_411_238_010));
        let owner = "0".repeat(64);
        let start = format!(
            "{owner} files [06/Feb/2019:00:00:38 +0000] 127.0.0.1 {owner} R REST.GET.OBJECT a%20b \"GET "
        );
        assert!(line.starts_with(&start), "{line}");
        assert!(line.contains("\" 200 - 5 5 10 3 \"-\" "), "{line}");
        assert!(line.ends_with(" SigV4 TLS_AES_128_GCM_SHA256 AuthHeader s3.local TLSv1.3 - -"), "{line}");
    }
}
