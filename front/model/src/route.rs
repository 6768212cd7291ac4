//! REST routing: finds the operation of a method, a path and a query.

use crate::{Location, Operation, Segment, ServiceModel, outside::Route};

/// The path's labels with their percent-encoded values.
pub type Labels = Vec<(String, String)>;

/// The parts of a request's head that decide the operation.
pub struct RouteQuery<'a> {
    pub method: &'a str,
    /// Percent-encoded, from the leading slash.
    pub path: &'a str,
    /// Decoded.
    pub query: &'a [(String, String)],
    pub has_header: &'a dyn Fn(&str) -> bool,
}

/// The operation that a request calls.
pub enum Routed<'a> {
    Modelled(&'a Operation, Labels),
    /// An operation that the model leaves out: its name.
    LeftOut(&'a str),
}

/// How well an operation fits: the matching query keys, required members and path literals. Compared in this order.
type Fit = (usize, usize, usize);

impl ServiceModel {
    /// The most specific operation that fits. Its required headers and query keys must be present: only they distinguish
    /// `CopyObject` from `PutObject`, and `UploadPart` from both. Operations that the model leaves out compete as well;
    /// otherwise their requests would call a less specific operation: `PUT /bucket/key?renameObject` would be a PutObject.
    pub fn route(&self, request: &RouteQuery<'_>) -> Option<Routed<'_>> {
        let mut pieces: Vec<&str> =
            request.path.strip_prefix('/').unwrap_or(request.path).split('/').collect();
        if pieces == [""] {
            pieces.clear();
        }
        let candidates = self.operations.values().filter(|o| o.method == request.method);
        let fitting = candidates.filter_map(|operation| {
            let (labels, literals) = fit_path(&operation.path, &pieces)?;
            let query = fit_query(&operation.query, request.query)?;
            let required = self.fit_required(operation, request)?;
            Some(((query, required, literals), operation, labels))
        });
        // `max_by_key` would take the last of equals; the first keeps the answer stable.
        let mut best: Option<(Fit, &Operation, Labels)> = None;
        for found in fitting {
            if best.as_ref().is_none_or(|b| found.0 > b.0) {
                best = Some(found);
            }
        }
        let left_out = self.others.iter().filter_map(|other| {
            Some((fit_other(other.route.as_ref()?, request, &pieces)?, other.name.as_str()))
        });
        let left_out = left_out.max_by_key(|(fit, _)| *fit);
        match (best, left_out) {
            // Only if it fits better: the model's operation wins a tie.
            (Some((fit, ..)), Some((other, name))) if other > fit => Some(Routed::LeftOut(name)),
            (Some((_, operation, labels)), _) => Some(Routed::Modelled(operation, labels)),
            (None, Some((_, name))) => Some(Routed::LeftOut(name)),
            (None, None) => None,
        }
    }

    /// The number of required query and header members; `None` if the request lacks one.
    fn fit_required(&self, operation: &Operation, request: &RouteQuery<'_>) -> Option<usize> {
        let members = operation.input.map_or(&[][..], |i| self.members(i));
        let mut found = 0;
        for member in members.iter().filter(|m| m.required) {
            let there = match member.location {
                Location::Query => request.query.iter().any(|(k, _)| k == member.wire_name()),
                Location::Header => (request.has_header)(member.wire_name()),
                _ => continue,
            };
            if !there {
                return None;
            }
            found += 1;
        }
        Some(found)
    }
}

/// How well an operation that the model leaves out fits.
fn fit_other(route: &Route, request: &RouteQuery<'_>, pieces: &[&str]) -> Option<Fit> {
    let (_, literals) = fit_path(&route.path, pieces).filter(|_| route.method == request.method)?;
    let query = fit_query(&route.query, request.query)?;
    let has_query = |name: &String| request.query.iter().any(|(k, _)| k == name);
    let has_all = route.required_query.iter().all(has_query)
        && route.required_headers.iter().all(|name| (request.has_header)(name));
    let required = route.required_query.len() + route.required_headers.len();
    has_all.then_some((query, required, literals))
}

/// The labels and the number of literals; `None` if the path does not match.
fn fit_path(pattern: &[Segment], pieces: &[&str]) -> Option<(Labels, usize)> {
    let (mut labels, mut literals, mut at) = (Labels::new(), 0, 0);
    for segment in pattern {
        match segment {
            Segment::Literal(text) => {
                if pieces.get(at) != Some(&text.as_str()) {
                    return None;
                }
                literals += 1;
                at += 1;
            }
            Segment::Label(name) => {
                let piece = pieces.get(at).filter(|p| !p.is_empty())?;
                labels.push((name.clone(), (*piece).to_owned()));
                at += 1;
            }
            Segment::Greedy(name) => {
                // Joined again as it was split, so that an S3 key keeps its empty segments.
                let rest = pieces.get(at..)?.join("/");
                if rest.is_empty() {
                    return None;
                }
                labels.push((name.clone(), rest));
                at = pieces.len();
            }
        }
    }
    let rest = &pieces[at.min(pieces.len())..];
    // A trailing slash is not a segment: `/bucket/` is the bucket.
    (rest.is_empty() || rest == [""]).then_some((labels, literals))
}

/// The number of query literals; `None` if one does not match.
fn fit_query(wanted: &[(String, Option<String>)], query: &[(String, String)]) -> Option<usize> {
    for (key, value) in wanted {
        let there = query.iter().any(|(k, v)| k == key && value.as_ref().is_none_or(|wanted| wanted == v));
        if !there {
            return None;
        }
    }
    Some(wanted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(service: &str, request: &str, headers: &[&str], expected: &str) {
        let (method, uri) = request.split_once(' ').unwrap();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let query: Vec<(String, String)> = query
            .split('&')
            .filter(|p| !p.is_empty())
            .map(|p| p.split_once('=').unwrap_or((p, "")))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let has_header = |name: &str| headers.contains(&name);
        let query = RouteQuery { method, path, query: &query, has_header: &has_header };
        let found = crate::service(service).unwrap().route(&query);
        let found = match found {
            None => "-".to_owned(),
            Some(Routed::LeftOut(name)) => format!("left out: {name}"),
            Some(Routed::Modelled(operation, labels)) => {
                let labels: Vec<String> = labels.iter().map(|(k, v)| format!(" {k}={v}")).collect();
                format!("{}{}", operation.name, labels.concat())
            }
        };
        assert_eq!(found, expected, "{request}");
    }

    #[test]
    fn routes_s3_requests_to_operations() {
        check("s3", "GET /", &[], "ListBuckets");
        check("s3", "GET /b", &[], "ListObjects Bucket=b");
        check("s3", "GET /b/?list-type=2", &[], "ListObjectsV2 Bucket=b");
        check("s3", "GET /b?location", &[], "GetBucketLocation Bucket=b");
        check("s3", "GET /b/a/b%20c/", &[], "GetObject Bucket=b Key=a/b%20c/");
        check("s3", "GET /b//x", &[], "GetObject Bucket=b Key=/x");
        check("s3", "PUT /b/k", &[], "PutObject Bucket=b Key=k");
        check("s3", "PUT /b/k", &["x-amz-copy-source"], "CopyObject Bucket=b Key=k");
        check("s3", "PUT /b/k?partNumber=1&uploadId=u", &[], "UploadPart Bucket=b Key=k");
        check(
            "s3",
            "PUT /b/k?partNumber=1&uploadId=u",
            &["x-amz-copy-source"],
            "UploadPartCopy Bucket=b Key=k",
        );
        check("s3", "POST /b/k?uploads", &[], "CreateMultipartUpload Bucket=b Key=k");
        check("s3", "POST /b?delete", &[], "DeleteObjects Bucket=b");
        check("s3", "PATCH /b", &[], "-");
        // Without the list of left-out operations, these would be PutObject, GetObject and ListObjects.
        check("s3", "PUT /b/k?renameObject", &["x-amz-rename-source"], "left out: RenameObject");
        check("s3", "PUT /b/k?encryption", &[], "left out: UpdateObjectEncryption");
        check("s3", "GET /b/k?torrent", &[], "left out: GetObjectTorrent");
        check("s3", "GET /b?session", &[], "left out: CreateSession");
    }

    #[test]
    fn cloudfront_and_route53() {
        check("cloudfront", "POST /2020-05-31/distribution", &[], "CreateDistribution");
        check("cloudfront", "POST /2020-05-31/distribution?WithTags", &[], "CreateDistributionWithTags");
        check(
            "cloudfront",
            "PUT /2020-05-31/distribution/E1/config",
            &["If-Match"],
            "UpdateDistribution Id=E1",
        );
        check("route53", "GET /2013-04-01/hostedzone/Z1", &[], "GetHostedZone Id=Z1");
        check("route53", "POST /2013-04-01/hostedzone/Z1/rrset/", &[], "ChangeResourceRecordSets Id=Z1");
    }
}
