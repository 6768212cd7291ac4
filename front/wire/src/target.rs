//! Finds the service and the protocol of a request.

use crate::head::{form_pairs, header, host, is_form, query_pairs};
use crate::{fault, sigv4};
use bytes::Bytes;
use escale_base::{AwsError, ErrorKind};
use escale_model::{Form, OtherService, Protocol, Service, ServiceModel, listed, other_services, service};
use http::{Response, request::Parts};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The service and protocol of a request, and its path. An S3 bucket is always in the path, also if the client put it into the
/// host name.
#[derive(Clone, Debug)]
pub struct Target {
    pub service: &'static ServiceModel,
    pub protocol: Protocol,
    /// Percent-encoded; `/bucket/key` for S3 even when the bucket was in the host name.
    pub path: String,
}

/// Characters of bucket names are not encoded.
const LABEL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Domains in which a host's first labels name a service or a bucket.
const DOMAINS: [&str; 2] = [".localhost", ".amazonaws.com"];

/// Finds the target. Only unsigned query requests need `body`; for all others it may be empty.
pub fn identify(parts: &Parts, body: &[u8]) -> Result<Target, AwsError> {
    let path = parts.uri.path();
    let (listed, protocol) = if let Some(rpc) = path.strip_prefix("/service/").filter(|_| is_smithy(parts)) {
        let prefix = rpc.split('/').next().unwrap_or("");
        (by_target_prefix(prefix)?, Protocol::Cbor)
    } else if let Some(target) = header(&parts.headers, "x-amz-target") {
        // `AmazonEC2ContainerServiceV20141113.ListClusters`: the operation is the part after the last dot.
        let prefix = target.rsplit_once('.').map_or(target, |(prefix, _)| prefix);
        (by_target_prefix(prefix)?, Protocol::Json)
    } else {
        let found = by_scope_or_form(parts, body)?;
        let spoken = [Protocol::Ec2, Protocol::RestXml, Protocol::Query];
        let model = found.model();
        match spoken.into_iter().find(|p| model.speaks(*p)) {
            Some(protocol) => (found, protocol),
            None => return Err(fault::no_target_header(model)),
        }
    };
    let model = listed.model();
    if !model.speaks(protocol) {
        let message = format!("the service {} does not speak this protocol ({protocol:?})", model.id);
        return Err(AwsError::new(ErrorKind::Invalid, "UnsupportedProtocol", 415, message));
    }
    let host = host(parts);
    let bucket = if model.id == "s3" { bucket_of_host(&host) } else { None };
    // Encoded, so that no character of a host's label acts as a separator or an escape in the path.
    let label = |bucket: &str| utf8_percent_encode(bucket, LABEL).to_string();
    let path = bucket.map_or_else(|| path.to_owned(), |bucket| format!("/{}{path}", label(bucket)));
    Ok(Target { service: model, protocol, path })
}

fn is_smithy(parts: &Parts) -> bool {
    header(&parts.headers, "smithy-protocol") == Some("rpc-v2-cbor")
}

fn by_target_prefix(prefix: &str) -> Result<&'static Service, AwsError> {
    let found = listed().iter().find(|s| !s.target_prefix.is_empty() && s.target_prefix == prefix);
    found.ok_or_else(|| match other_services().iter().find(|s| s.target_prefix == prefix) {
        Some(other) => fault::other_service(other),
        None => AwsError::not_supported(format_args!("The service of the target {prefix:?}"))
            .hint(fault::SERVICES),
    })
}

fn by_signing_name(scope: &str) -> Option<&'static OtherService> {
    other_services().iter().find(|s| s.signing_name == scope)
}

/// By the credential scope; for unsigned requests by path, API version or host.
fn by_scope_or_form(parts: &Parts, body: &[u8]) -> Result<&'static Service, AwsError> {
    let path = parts.uri.path();
    if let Some(scope) = sigv4::scope_service(parts) {
        let named = |s: &&Service| s.signing_name == scope && (s.id == "s3control") == is_s3control(path);
        let found = listed().iter().find(named);
        return found.ok_or_else(|| match by_signing_name(&scope) {
            Some(other) => fault::other_service(other),
            None => AwsError::not_supported(format_args!("The service {scope:?}")).hint(fault::SERVICES),
        });
    }
    let by_path = [("/2013-04-01/", "route53"), ("/2020-05-31/", "cloudfront"), ("/v20180820/", "s3control")];
    if let Some((_, id)) = by_path.iter().find(|(prefix, _)| path.starts_with(prefix)) {
        return by_id(id);
    }
    let mut fields = query_pairs(parts);
    if is_form(&parts.headers) {
        fields.extend(form_pairs(&String::from_utf8_lossy(body)));
    }
    let field = |name: &str| fields.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    if let (Some(action), Some(version)) = (field("Action"), field("Version")) {
        let found = listed().iter().find(|s| s.target_prefix.is_empty() && s.api_version == version);
        let found = found.or_else(|| listed().iter().find(|s| s.api_version == version));
        return found.ok_or_else(|| {
            let of_version =
                other_services().iter().filter(|s| s.api_version == version && s.form == Form::Xml);
            match of_version.collect::<Vec<_>>().as_slice() {
                [other] => fault::other_service(other),
                _ => AwsError::not_supported(format_args!(
                    "The operation {action} of the API version {version:?}"
                ))
                .hint(fault::SERVICES),
            }
        });
    }
    // A request without any of these marks is S3's: a path-style read of a public object has only its path.
    by_host(&host(parts)).map_or_else(|| by_id("s3"), Ok)
}

fn is_s3control(path: &str) -> bool {
    path.starts_with("/v20180820/")
}

fn by_id(id: &str) -> Result<&'static Service, AwsError> {
    let found = listed().iter().find(|s| s.id == id);
    found.ok_or_else(|| AwsError::not_supported(format_args!("The service {id:?}")).hint(fault::SERVICES))
}

/// `ecs.us-east-1.amazonaws.com`, `ecs.localhost`, `data-servicediscovery.…`
fn by_host(host: &str) -> Option<&'static Service> {
    let name = DOMAINS.iter().find_map(|d| host.strip_suffix(d))?;
    let name = name.strip_prefix("data-").or_else(|| name.strip_prefix("stream-")).unwrap_or(name);
    let names = |s: &&Service| {
        s.hosts
            .iter()
            .any(|h| name.strip_prefix(h).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    listed().iter().find(names)
}

/// The bucket in `bucket.s3.localhost`, `bucket.s3.eu-west-1.amazonaws.com` or `bucket.localhost`; `None` for path style.
pub fn bucket_of_host(host: &str) -> Option<&str> {
    let (domain, name) = DOMAINS.iter().find_map(|d| Some((*d, host.strip_suffix(d)?)))?;
    if name == "s3" || name.starts_with("s3.") {
        return None;
    }
    if let Some(bucket) = name.strip_suffix(".s3") {
        return Some(bucket);
    }
    if let Some((bucket, _region)) = name.rsplit_once(".s3.") {
        return Some(bucket);
    }
    (domain == ".localhost" && !name.is_empty()).then_some(name)
}

/// Whether AWS's clients use this host name for a service: `ecs.eu-west-3.amazonaws.com`, `bucket.s3.localhost`.
pub fn is_own_host(host: &str) -> bool {
    by_host(host).is_some() || bucket_of_host(host).is_some()
}

/// The answer to a request without a known target, in the form that the client of the intended service can read.
pub fn encode_unidentified(parts: &Parts, error: &AwsError, request_id: &str) -> Response<Bytes> {
    let signed_for = || sigv4::scope_service(parts).as_deref().and_then(by_signing_name).map(|s| s.form);
    let form = match () {
        () if is_smithy(parts) => Form::Cbor,
        () if header(&parts.headers, "x-amz-target").is_some() => Form::Json,
        () => signed_for().unwrap_or(Form::Xml),
    };
    // The error belongs to no service; any service of the protocol provides its form.
    let (id, protocol) = match form {
        Form::Json => ("ecs", Protocol::Json),
        Form::Cbor => ("cloudwatch", Protocol::Cbor),
        Form::Xml => ("sts", Protocol::Query),
    };
    match service(id) {
        Some(service) => {
            let target = Target { service, protocol, path: parts.uri.path().to_owned() };
            crate::encode_error(&target, error, request_id, parts.uri.path())
        }
        None => Response::new(Bytes::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, headers: &[(&str, &str)], body: &str, expected: &str) {
        let (method, uri) = request.split_once(' ').unwrap();
        let mut builder = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        let found = match identify(&parts, body.as_bytes()) {
            Ok(t) => format!("{} {:?} {}", t.service.id, t.protocol, t.path),
            Err(e) => e.to_string(),
        };
        assert_eq!(found, expected);
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    #[test]
    fn finds_service_and_protocol() {
        let target = "AmazonEC2ContainerServiceV20141113.ListClusters";
        check("POST /", &[("x-amz-target", target)], "", "ecs Json /");
        // The prefix may have dots of its own.
        let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
        check("POST /", &[("x-amz-target", target)], "", "cloudtrail Json /");
        check("POST /", &[("authorization", &signed("ec2"))], "", "ec2 Ec2 /");
        check("POST /", &[("authorization", &signed("monitoring"))], "", "cloudwatch Query /");
        let cbor = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
        check(
            &format!("POST {cbor}"),
            &[("smithy-protocol", "rpc-v2-cbor")],
            "",
            &format!("cloudwatch Cbor {cbor}"),
        );
        check("GET /2013-04-01/hostedzone", &[], "", "route53 RestXml /2013-04-01/hostedzone");
        check("GET /v20180820/x", &[("authorization", &signed("s3"))], "", "s3control RestXml /v20180820/x");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        check("POST /", &form, "Action=GetCallerIdentity&Version=2011-06-15", "sts Query /");
        check("GET /?Action=DescribeVpcs&Version=2016-11-15", &[], "", "ec2 Ec2 /");
    }

    #[test]
    fn finds_buckets_in_host_names() {
        check("GET /k", &[("host", "b.s3.localhost:4566")], "", "s3 RestXml /b/k");
        check("GET /k", &[("host", "a.b.s3.eu-west-1.amazonaws.com")], "", "s3 RestXml /a.b/k");
        check(
            "GET /k",
            &[("host", "B.localhost:4566"), ("authorization", &signed("s3"))],
            "",
            "s3 RestXml /b/k",
        );
        check("GET /k%2Fl", &[("host", "b/x.s3.localhost")], "", "s3 RestXml /b%2Fx/k%2Fl");
        check("GET //k", &[("host", "b%2fx.s3.localhost")], "", "s3 RestXml /b%252fx//k");
        check("GET /b/k", &[("host", "s3.us-east-1.amazonaws.com")], "", "s3 RestXml /b/k");
        check("GET /b/k", &[("host", "localhost:4566")], "", "s3 RestXml /b/k");
        check("GET /b/k", &[("host", "127.0.0.1:4566")], "", "s3 RestXml /b/k");
        check("GET /b/k", &[("host", "[::1]:4566")], "", "s3 RestXml /b/k");
    }

    #[test]
    fn names_missing_services_in_errors() {
        check(
            "POST /",
            &[("x-amz-target", "DynamoDB_20120810.PutItem")],
            "",
            "NotImplemented: The service DynamoDB is not supported. `escale coverage` lists the supported services.",
        );
        check(
            "POST /",
            &[("x-amz-target", "Nothing_1.Do")],
            "",
            "NotImplemented: The service of the target \"Nothing_1\" is not supported. `escale coverage` lists the supported services.",
        );
        check(
            "POST /",
            &[("authorization", &signed("sqs"))],
            "",
            "NotImplemented: The service SQS is not supported. `escale coverage` lists the supported services.",
        );
        check(
            "POST /",
            &[("authorization", &signed("nothing"))],
            "",
            "NotImplemented: The service \"nothing\" is not supported. `escale coverage` lists the supported services.",
        );
        let form = [("content-type", "application/x-www-form-urlencoded")];
        check(
            "POST /",
            &form,
            "Action=Select&Version=2009-04-15",
            "NotImplemented: The service SimpleDB is not supported. `escale coverage` lists the supported services.",
        );
        // The version of several services.
        check(
            "POST /",
            &form,
            "Action=SendEmail&Version=2010-12-01",
            "NotImplemented: The operation SendEmail of the API version \"2010-12-01\" is not supported. `escale coverage` lists the supported services.",
        );
        check(
            "POST /",
            &[("authorization", &signed("ecs"))],
            "",
            "MissingAction: ecs reads the operation from the header X-Amz-Target, which is missing",
        );
    }
}
