//! XML documents of S3, Route 53 and CloudFront.

use escale_wire::{Target, decode, validate};

/// A service, and the method and path of an operation whose input is a document.
const OPERATIONS: &[(&str, &str, &str)] = &[
    ("s3", "PUT", "/bucket?tagging"),
    ("s3", "POST", "/bucket?delete"),
    ("s3", "PUT", "/bucket?lifecycle"),
    ("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/"),
    ("cloudfront", "POST", "/2020-05-31/distribution"),
];

pub(crate) fn check(bytes: &[u8]) {
    for (id, method, uri) in OPERATIONS {
        let Some(service) = escale_model::service(id) else { continue };
        let Ok(request) = http::Request::builder().method(*method).uri(*uri).body(()) else { continue };
        let parts = request.into_parts().0;
        let path = parts.uri.path().to_owned();
        let target = Target { service, protocol: escale_model::Protocol::RestXml, path };
        if let Ok(found) = decode(&target, &parts, bytes) {
            drop(validate(&target, found.operation, &found.input));
        }
    }
}
