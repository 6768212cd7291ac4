//! The entry point: a CloudFront distribution in front of the load balancer and the buckets, and the domain's zone.

use super::{Purpose, Sheet, get_att, pascal, reference, site_url, sub};
use crate::{
    manifest::{Bucket, Manifest},
    problem::{Place, Problem},
};
use serde_json::{Map, Value, json};

// AWS's managed policies.
// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html>
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html>
const ALL_VIEWER: &str = "216adef6-5c7f-47e4-b989-5492eafa07d3";
/// The hosted zone of every distribution, for alias records.
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";

pub(super) fn resources(sheet: &mut Sheet, manifest: &Manifest) {
    site_parameter(sheet, manifest);
    if is_given(manifest) {
        given(sheet);
    }
    if manifest.buckets.iter().any(|b| b.signed) {
        signing_key(sheet, manifest);
    }
    if !manifest.buckets.is_empty() {
        sheet.add(
            "OriginAccess",
            "AWS::CloudFront::OriginAccessControl",
            json!({"OriginAccessControlConfig": {
                "Name": sub("${AWS::StackName}-buckets"),
                "OriginAccessControlOriginType": "s3",
                "SigningBehavior": "always",
                "SigningProtocol": "sigv4",
            }}),
        );
    }
    distribution(sheet, manifest);
    if let Some(domain) = &manifest.domain {
        zone(sheet, domain, is_given(manifest));
    }
    sheet.output("SiteUrl", "The site's public URL", site_url(manifest, ""));
    sheet.output("DistributionId", "The distribution's id", reference("Distribution"));
    sheet.output(
        "DistributionDomain",
        "The distribution's domain name",
        get_att("Distribution", "DomainName"),
    );
}

fn site_parameter(sheet: &mut Sheet, manifest: &Manifest) {
    let default = manifest.domain.as_ref().map_or(String::new(), |domain| format!("https://{domain}"));
    let body = json!({"Description": "The site's public URL, without a path; signed URLs start with it"});
    sheet.parameter("SiteUrl", Purpose::SiteUrl, Some(default), body);
    if manifest.domain.is_none() {
        sheet.condition("HasSiteUrl", json!({"Fn::Not": [{"Fn::Equals": [reference("SiteUrl"), ""]}]}));
    }
}

/// The key pair that signs media URLs. CloudFront gets the public half; the private half goes to the services that sign.
fn signing_key(sheet: &mut Sheet, manifest: &Manifest) {
    let public = json!({"Description": "Public half of the key pair that signs media URLs (PEM)"});
    sheet.parameter("CdnPublicKeyPem", Purpose::CdnPublicKey, None, public);
    let private = json!({
        "Description": "Private half of the key pair that signs media URLs (PEM)", "NoEcho": true,
    });
    sheet.parameter("CdnPrivateKeyPem", Purpose::CdnPrivateKey, None, private);
    sheet.add(
        "CdnPublicKey",
        "AWS::CloudFront::PublicKey",
        json!({"PublicKeyConfig": {
            "CallerReference": reference("AWS::StackName"),
            "Name": sub("${AWS::StackName}-media"),
            "EncodedKey": reference("CdnPublicKeyPem"),
        }}),
    );
    sheet.add(
        "CdnKeyGroup",
        "AWS::CloudFront::KeyGroup",
        json!({"KeyGroupConfig": {
            "Name": sub("${AWS::StackName}-media"),
            "Items": [reference("CdnPublicKey")],
        }}),
    );
    sheet.add(
        "CdnSigningKey",
        "AWS::SecretsManager::Secret",
        json!({
            "Name": sub(format!("{}/${{Environment}}/cdn-signing-key", manifest.app)),
            "Description": "Private half of the key pair that signs media URLs",
            "SecretString": reference("CdnPrivateKeyPem"),
        }),
    );
    sheet.output("CdnKeyId", "The key pair id of signed URLs", reference("CdnPublicKey"));
    sheet.output("CdnSigningKeyArn", "The secret that holds the signing key", reference("CdnSigningKey"));
}

fn distribution(sheet: &mut Sheet, manifest: &Manifest) {
    let mut origins = vec![json!({
        "Id": "load-balancer",
        "DomainName": get_att("LoadBalancer", "DNSName"),
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only", "HTTPPort": 80},
    })];
    origins.extend(manifest.buckets.iter().map(bucket_origin));
    let mut config = json!({
        "Enabled": true,
        "Comment": sub("${AWS::StackName}"),
        "Origins": origins,
        "DefaultCacheBehavior": {
            "TargetOriginId": "load-balancer",
            "ViewerProtocolPolicy": viewer_protocol(manifest),
            "AllowedMethods": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
            "CachePolicyId": CACHING_DISABLED,
            "OriginRequestPolicyId": ALL_VIEWER,
            "Compress": true,
        },
    });
    if !manifest.buckets.is_empty() {
        let viewer = viewer_protocol(manifest);
        config["CacheBehaviors"] = manifest.buckets.iter().map(|b| bucket_behaviour(b, &viewer)).collect();
    }
    if let Some(domain) = &manifest.domain {
        config["Aliases"] = json!([domain]);
    }
    if is_given(manifest) {
        let certificate = json!({
            "AcmCertificateArn": reference(CERTIFICATE),
            "SslSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        });
        config["ViewerCertificate"] =
            json!({"Fn::If": ["HasCertificate", certificate, reference("AWS::NoValue")]});
    }
    config["Comment"] = reference("AWS::StackName");
    sheet.add("Distribution", "AWS::CloudFront::Distribution", json!({"DistributionConfig": config}));
}

fn bucket_origin(bucket: &Bucket) -> Value {
    json!({
        "Id": bucket.name,
        "DomainName": get_att(&format!("{}Bucket", pascal(&bucket.name)), "RegionalDomainName"),
        "OriginAccessControlId": get_att("OriginAccess", "Id"),
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    })
}

/// The parameter with the domain's certificate.
const CERTIFICATE: &str = "CertificateArn";
/// The parameter with the hosted zone in which the domain's records are made.
const ZONE: &str = "HostedZoneId";

/// Whether the deployment gives the domain's certificate and zone. A certificate is issued once a delegated zone proves the domain, so
/// both exist before the stack.
fn is_given(manifest: &Manifest) -> bool {
    manifest.domain.is_some() && !has_certificate(manifest)
}

fn given(sheet: &mut Sheet) {
    let body = json!({"Description": "The domain's certificate in us-east-1; without one the distribution has its own name's only"});
    sheet.parameter(CERTIFICATE, Purpose::Certificate, Some(String::new()), body);
    let body = json!({"Description": "The hosted zone for the domain's record; without one the stack creates a zone"});
    sheet.parameter(ZONE, Purpose::Zone, Some(String::new()), body);
    let is_absent = |parameter: &str| json!({"Fn::Equals": [reference(parameter), ""]});
    sheet.condition("HasCertificate", json!({"Fn::Not": [is_absent(CERTIFICATE)]}));
    sheet.condition("HasOwnZone", is_absent(ZONE));
}

fn has_certificate(manifest: &Manifest) -> bool {
    let certificate = ["Distribution", "DistributionConfig", "ViewerCertificate"];
    manifest.overrides.iter().any(|o| o.path.iter().take(3).eq(certificate))
}

/// With a domain and its certificate, HTTP only leads to HTTPS. Without them, viewers may have no way to trust the site's name.
fn viewer_protocol(manifest: &Manifest) -> Value {
    if is_given(manifest) {
        return json!({"Fn::If": ["HasCertificate", "redirect-to-https", "allow-all"]});
    }
    let is_trusted = manifest.domain.is_some() && has_certificate(manifest);
    if is_trusted { "redirect-to-https".into() } else { "allow-all".into() }
}

fn bucket_behaviour(bucket: &Bucket, viewer: &Value) -> Value {
    let mut behaviour = json!({
        "PathPattern": bucket.path,
        "TargetOriginId": bucket.name,
        "ViewerProtocolPolicy": viewer,
        "AllowedMethods": ["GET", "HEAD"],
        "CachePolicyId": CACHING_OPTIMIZED,
        "Compress": true,
    });
    if bucket.signed {
        behaviour["TrustedKeyGroups"] = json!([reference("CdnKeyGroup")]);
    }
    behaviour
}

/// Refuses a behaviour without signed access whose origin is a bucket with signed access. CloudFront matches patterns against
/// a path in which `%2F` is not a slash, and forwards the path unchanged; S3 then decodes it. So an open default behaviour on
/// such a bucket serves `/media%2Fx` without a signature, on AWS as here.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html>
pub(super) fn check_signed_buckets(
    resources: &Map<String, Value>,
    manifest: &Manifest,
) -> Result<(), Vec<Problem>> {
    let distributions = resources.iter().filter(|(_, r)| r["Type"] == "AWS::CloudFront::Distribution");
    let mut problems = Vec::new();
    for (id, distribution) in distributions {
        let config = &distribution["Properties"]["DistributionConfig"];
        let signed: Vec<&str> =
            manifest.buckets.iter().filter(|b| b.signed).map(|b| b.name.as_str()).collect();
        for (pattern, origin) in open_on_signed(config, &signed) {
            // The generated template never contains one, so the cause is an override.
            let made_by = manifest.overrides.iter().find(|o| o.path.first() == Some(id));
            let message = format!(
                "the behaviour `{pattern}` of `{id}` needs no signature, but its origin is the private bucket {origin}: paths like \
                 `/media%2Fx` would make the bucket's objects public"
            );
            let problem = Problem::new(
                &manifest.origin.source,
                made_by.map_or_else(Place::default, |o| o.place),
                message,
            );
            problems.push(problem.hint("put public files into a separate bucket"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Pattern and origin of each behaviour without trusted keys whose origin is a `signed` bucket, or has another behaviour that
/// requires signatures.
fn open_on_signed(config: &Value, signed: &[&str]) -> Vec<(String, String)> {
    let listed = config["CacheBehaviors"].as_array().into_iter().flatten();
    let behaviours: Vec<&Value> = listed.chain([&config["DefaultCacheBehavior"]]).collect();
    let is_signed = |b: &&&Value| ["TrustedKeyGroups", "TrustedSigners"].iter().any(|k| !is_empty(&b[*k]));
    // Two origins may have one domain name.
    let origins: Vec<&Value> = config["Origins"].as_array().into_iter().flatten().collect();
    let domain = |id: &Value| origins.iter().find(|o| o["Id"] == *id).map(|o| &o["DomainName"]);
    let of_behaviours = behaviours.iter().filter(is_signed).map(|b| &b["TargetOriginId"]);
    let of_buckets =
        origins.iter().map(|o| &o["Id"]).filter(|id| id.as_str().is_some_and(|i| signed.contains(&i)));
    let signed: Vec<&Value> = of_behaviours.chain(of_buckets).filter_map(domain).collect();
    let is_open_on_it = |b: &&&Value| domain(&b["TargetOriginId"]).is_some_and(|d| signed.contains(&d));
    let open = behaviours.iter().filter(|b| !is_signed(b)).filter(is_open_on_it);
    open.map(|b| (b["PathPattern"].as_str().unwrap_or("*").to_owned(), b["TargetOriginId"].to_string()))
        .collect()
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn zone(sheet: &mut Sheet, domain: &str, is_given: bool) {
    sheet.add("Zone", "AWS::Route53::HostedZone", json!({"Name": domain}));
    let mut zone = reference("Zone");
    if is_given {
        sheet.attribute("Zone", "Condition", "HasOwnZone");
        zone = json!({"Fn::If": ["HasOwnZone", zone, reference(ZONE)]});
    }
    sheet.add(
        "SiteRecord",
        "AWS::Route53::RecordSet",
        json!({
            "HostedZoneId": zone,
            "Name": domain,
            "Type": "A",
            "AliasTarget": {
                "DNSName": get_att("Distribution", "DomainName"),
                "HostedZoneId": CLOUDFRONT_ZONE,
            },
        }),
    );
    sheet.output("ZoneId", "The domain's hosted zone", zone);
}
