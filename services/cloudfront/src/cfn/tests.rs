//! Tests of the types' updates.

use crate::CloudFront;
use escale_base::wire::Value;
use escale_harness::{Harness, PropertyTable};
use serde_json::json;

/// Of 2048 bits.
const KEY: &str = include_str!("public_key.pem");
/// AWS's policy CachingOptimized.
const OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
/// AWS's policy CachingDisabled.
const DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

fn name(cloud: &Harness, kind: &str, properties: Value) -> String {
    cloud.create_resource(kind, properties).unwrap().created.physical_id
}

fn access_control(name: &str) -> Value {
    json!({"OriginAccessControlConfig": {
        "Name": name, "Description": "d", "SigningProtocol": "sigv4", "SigningBehavior": "always",
        "OriginAccessControlOriginType": "s3",
    }})
}

fn cache_policy(name: &str, ttl: u64) -> Value {
    json!({
        "Name": name, "Comment": "c", "MinTTL": 1, "DefaultTTL": ttl, "MaxTTL": 100,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": true, "EnableAcceptEncodingBrotli": false,
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": ["Host"]},
            "CookiesConfig": {"CookieBehavior": "allExcept", "Cookies": ["a"]},
            "QueryStringsConfig": {"QueryStringBehavior": "all"},
        },
    })
}

fn request_policy(name: &str, cookies: &str) -> Value {
    json!({
        "Name": name, "Comment": "c", "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": ["Referer"]},
        "CookiesConfig": {"CookieBehavior": cookies},
        "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": ["q"]},
    })
}

fn response_policy(name: &str, frame: &str) -> Value {
    json!({
        "Name": name, "Comment": "c",
        "CorsConfig": {
            "AccessControlAllowOrigins": {"Items": ["https://a.example"]}, "AccessControlAllowHeaders": {"Items": ["x-a"]},
            "AccessControlAllowMethods": {"Items": ["GET"]}, "AccessControlAllowCredentials": true, "OriginOverride": true,
        },
        "SecurityHeadersConfig": {"FrameOptions": {"FrameOption": frame, "Override": true}},
        "CustomHeadersConfig": {"Items": [{"Header": "x-a", "Value": "b", "Override": false}]},
        "RemoveHeadersConfig": {"Items": [{"Header": "server"}]},
    })
}

fn public_key(name: &str, comment: &str) -> Value {
    json!({"CallerReference": name, "Name": name, "EncodedKey": KEY, "Comment": comment})
}

fn site(control: &str, group: &str) -> Value {
    json!({
        "Enabled": true, "IPV6Enabled": true, "DefaultRootObject": "index.html", "PriceClass": "PriceClass_100",
        "Aliases": ["shop.example.com", "www.example.com"],
        "Origins": [
            {
                "Id": "files", "DomainName": "files.s3.us-east-1.amazonaws.com", "OriginAccessControlId": control,
                "S3OriginConfig": {"OriginAccessIdentity": ""},
            },
            {
                "Id": "app", "DomainName": "app.example.com",
                "OriginCustomHeaders": [{"HeaderName": "X-From", "HeaderValue": "edge"}],
                "CustomOriginConfig": {"OriginProtocolPolicy": "http-only", "OriginSSLProtocols": ["TLSv1.2"]},
            },
        ],
        "DefaultCacheBehavior": {
            "TargetOriginId": "app", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": DISABLED,
            "AllowedMethods": ["GET", "HEAD", "OPTIONS"], "CachedMethods": ["GET", "HEAD"],
        },
        "CacheBehaviors": [{
            "PathPattern": "/files/*", "TargetOriginId": "files", "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": OPTIMIZED, "TrustedKeyGroups": [group],
            "AllowedMethods": ["GET", "HEAD"], "CachedMethods": ["GET", "HEAD"],
        }],
        "CustomErrorResponses": [
            {"ErrorCode": 404, "ResponseCode": 200, "ResponsePagePath": "/index.html", "ErrorCachingMinTTL": 10},
        ],
        "ViewerCertificate": {"CloudFrontDefaultCertificate": true},
    })
}

#[test]
fn updates_change_every_property() {
    let cloud = Harness::of(CloudFront);
    let control = name(&cloud, "AWS::CloudFront::OriginAccessControl", access_control("site"));
    let key = |id: &str| {
        name(&cloud, "AWS::CloudFront::PublicKey", json!({"PublicKeyConfig": public_key(id, "c")}))
    };
    let (first, second) = (key("first"), key("second"));
    let group = |name: &str, keys: &[&str]| json!({"Name": name, "Items": keys, "Comment": "c"});
    let trusted =
        name(&cloud, "AWS::CloudFront::KeyGroup", json!({"KeyGroupConfig": group("site", &[&first])}));
    let before = site(&control, &trusted);
    let changed = |member: &str, value: Value| {
        let mut config = before.clone();
        config[member] = value;
        json!({"DistributionConfig": config})
    };
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    let mut new_control = access_control("other");
    new_control["OriginAccessControlConfig"]["SigningBehavior"] = "never".into();
    for case in [
        PropertyTable::on(
            "AWS::CloudFront::Distribution",
            &cloud,
            json!({"DistributionConfig": before, "Tags": tags}),
        )
        .changes(vec![
                changed("Enabled", json!(false)),
                changed("IPV6Enabled", json!(false)),
                changed("Comment", json!("c")),
                changed("DefaultRootObject", json!("start.html")),
                changed("PriceClass", json!("PriceClass_All")),
                changed("HttpVersion", json!("http2")),
                changed("Aliases", json!(["www.example.com"])),
                changed("CacheBehaviors", json!([])),
                changed("CustomErrorResponses", json!([])),
                changed(
                    "OriginGroups",
                    json!({"Quantity": 1, "Items": [{
                        "Id": "both",
                        "FailoverCriteria": {"StatusCodes": {"Quantity": 2, "Items": [500, 503]}},
                        "Members": {"Quantity": 2, "Items": [{"OriginId": "files"}, {"OriginId": "app"}]},
                    }]}),
                ),
                changed(
                    "DefaultCacheBehavior",
                    json!({
                        "TargetOriginId": "files", "ViewerProtocolPolicy": "redirect-to-https", "CachePolicyId": OPTIMIZED,
                        "Compress": true,
                    }),
                ),
                changed(
                    "DefaultCacheBehavior",
                    json!({
                        "TargetOriginId": "files", "ViewerProtocolPolicy": "allow-all", "MinTTL": 1, "DefaultTTL": 2, "MaxTTL": 3,
                        "ForwardedValues": {
                            "QueryString": true, "QueryStringCacheKeys": ["q"], "Headers": ["Host"],
                            "Cookies": {"Forward": "whitelist", "WhitelistedNames": ["a"]},
                        },
                    }),
                ),
                json!({"Tags": [{"Key": "a", "Value": "3"}, {"Key": "c", "Value": "4"}]}),
                json!({"Tags": null}),
            ]),
        PropertyTable::on("AWS::CloudFront::OriginAccessControl", &cloud, access_control("one"))
            .changes(vec![json!({"OriginAccessControlConfig": new_control["OriginAccessControlConfig"]})]),
        PropertyTable::on(
            "AWS::CloudFront::PublicKey",
            &cloud,
            json!({"PublicKeyConfig": public_key("third", "c")}),
        )
        .changes(vec![json!({"PublicKeyConfig": public_key("third", "other")})]),
        PropertyTable::on(
            "AWS::CloudFront::KeyGroup",
            &cloud,
            json!({"KeyGroupConfig": group("one", &[&first])}),
        )
        .changes(vec![json!({"KeyGroupConfig": group("two", &[&first, &second])})]),
    ] {
        case.check();
    }
}

#[test]
fn updates_change_every_property_of_policies_and_identities() {
    let cloud = Harness::of(CloudFront);
    for case in [
        PropertyTable::on(
            "AWS::CloudFront::CloudFrontOriginAccessIdentity",
            &cloud,
            json!({"CloudFrontOriginAccessIdentityConfig": {"Comment": "c"}}),
        )
        .changes(vec![json!({"CloudFrontOriginAccessIdentityConfig": {"Comment": "other"}})]),
        PropertyTable::on(
            "AWS::CloudFront::CachePolicy",
            &cloud,
            json!({"CachePolicyConfig": cache_policy("one", 60)}),
        )
        .changes(vec![json!({"CachePolicyConfig": cache_policy("two", 90)})]),
        PropertyTable::on(
            "AWS::CloudFront::OriginRequestPolicy",
            &cloud,
            json!({"OriginRequestPolicyConfig": request_policy("one", "all")}),
        )
        .changes(vec![json!({"OriginRequestPolicyConfig": request_policy("one", "none")})]),
        PropertyTable::on(
            "AWS::CloudFront::ResponseHeadersPolicy",
            &cloud,
            json!({"ResponseHeadersPolicyConfig": response_policy("one", "DENY")}),
        )
        .changes(vec![json!({"ResponseHeadersPolicyConfig": response_policy("one", "SAMEORIGIN")})]),
    ] {
        case.check();
    }
}

#[test]
fn member_that_the_template_no_longer_has_gets_its_default() {
    let cloud = Harness::of(CloudFront);
    let control = name(&cloud, "AWS::CloudFront::OriginAccessControl", access_control("site"));
    let keys = json!({"PublicKeyConfig": public_key("k", "c")});
    let group = json!({"Name": "g", "Items": [name(&cloud, "AWS::CloudFront::PublicKey", keys)]});
    let group = name(&cloud, "AWS::CloudFront::KeyGroup", json!({"KeyGroupConfig": group}));
    let mut config = site(&control, &group);
    config["Comment"] = "c".into();
    let mut resource = cloud
        .create_resource("AWS::CloudFront::Distribution", json!({"DistributionConfig": config}))
        .unwrap();
    let members = config.as_object_mut().unwrap();
    for member in ["Comment", "Aliases", "CustomErrorResponses", "DefaultRootObject"] {
        members.remove(member);
    }
    cloud.update_resource(&mut resource, json!({"DistributionConfig": config})).unwrap();
    let seen = cloud.read_resource(&resource)["DistributionConfig"].clone();
    assert_eq!(seen["Comment"], "");
    for member in ["Aliases", "CustomErrorResponses", "DefaultRootObject"] {
        assert_eq!(seen.get(member), None, "{member}");
    }
}

#[test]
fn new_key_in_an_existing_public_key_is_an_error() {
    let cloud = Harness::of(CloudFront);
    let before = json!({"PublicKeyConfig": public_key("k", "c")});
    let mut resource = cloud.create_resource("AWS::CloudFront::PublicKey", before).unwrap();
    let after = json!({"PublicKeyConfig": public_key("renamed", "c")});
    let error = cloud.update_resource(&mut resource, after).unwrap_err();
    assert_eq!(error.code, "CannotChangeImmutablePublicKeyFields");
}
