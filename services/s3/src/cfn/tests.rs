//! Tests of the types' updates.

use crate::S3;
use escale_base::{Clock, Timestamp};
use escale_harness::{Harness, PropertyTable};
use escale_objects::{Fake, Limits};
use escale_tables::s3::{Bucket, Versioning};
use serde_json::{Value, json};
use std::sync::Arc;

fn cloud() -> Harness {
    Harness::of(S3::new(Arc::new(Fake::new(Clock::by_hand(Timestamp(0)), Limits::default()))))
}

fn block(policy: bool) -> Value {
    json!({
        "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": policy, "RestrictPublicBuckets": policy,
    })
}

fn policy(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": action,
        "Resource": "arn:aws:s3:::policies/*", "Condition": {"StringEquals": {"AWS:SourceAccount": "000000000000"}},
    }]})
}

fn lifecycle() -> Value {
    json!({"TransitionDefaultMinimumObjectSize": "varies_by_storage_class", "Rules": [
        {"Id": "a", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        {
            "Id": "b", "Status": "Disabled", "Prefix": "b/", "TagFilters": [{"Key": "k", "Value": "v"}],
            "ObjectSizeGreaterThan": "10", "ObjectSizeLessThan": "20", "ExpirationDate": "2030-01-01T00:00:00.000Z",
            "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 10}],
        },
        {
            "Id": "c", "Status": "Enabled", "TagFilters": [{"Key": "k", "Value": "v"}],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
            "NoncurrentVersionTransitions": [{"StorageClass": "STANDARD_IA", "TransitionInDays": 30}],
        },
        {"Id": "d", "Status": "Enabled", "Prefix": "d/", "ExpiredObjectDeleteMarker": true},
    ]})
}

fn website() -> Value {
    json!({"IndexDocument": "index.html", "ErrorDocument": "404.html", "RoutingRules": [{
        "RoutingRuleCondition": {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "a/"},
        "RedirectRule": {
            "HostName": "a.example", "HttpRedirectCode": "302", "Protocol": "https", "ReplaceKeyPrefixWith": "b/",
        },
    }]})
}

#[test]
fn updates_change_every_property() {
    let cloud = cloud();
    cloud.create_resource("AWS::S3::Bucket", json!({"BucketName": "policies"})).unwrap();
    let encryption = |algorithm: &str, key: bool| {
        json!({"ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, "BucketKeyEnabled": key},
        ]})
    };
    for case in [
        PropertyTable::on(
            "AWS::S3::Bucket",
            &cloud,
            json!({
                "BucketName": "files", "PublicAccessBlockConfiguration": block(false),
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "VersioningConfiguration": {"Status": "Enabled"}, "BucketEncryption": encryption("aws:kms", true),
                "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
                "CorsConfiguration": {"CorsRules": [{"Id": "r", "AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
                "WebsiteConfiguration": {"IndexDocument": "index.html"},
                "LoggingConfiguration": {"LogFilePrefix": "a/"},
                "LifecycleConfiguration": {"Rules": [{"Id": "logs", "Status": "Enabled", "Prefix": "logs/", "ExpirationInDays": 30}]},
            }),
        )
        .changes(vec![
            json!({"PublicAccessBlockConfiguration": block(true)}),
            json!({"PublicAccessBlockConfiguration": null}),
            json!({"VersioningConfiguration": {"Status": "Suspended"}}),
            json!({"VersioningConfiguration": null}),
            json!({"BucketEncryption": encryption("AES256", false)}),
            json!({"BucketEncryption": {"ServerSideEncryptionConfiguration": [{
                "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/aws/s3"},
                "BucketKeyEnabled": true,
            }]}}),
            json!({"BucketEncryption": null}),
            json!({"Tags": [{"Key": "a", "Value": "3"}, {"Key": "c", "Value": "4"}]}),
            json!({"Tags": null}),
            json!({"LifecycleConfiguration": lifecycle()}),
            json!({"LifecycleConfiguration": null}),
            json!({"CorsConfiguration": {"CorsRules": [{
                "AllowedMethods": ["PUT", "GET"], "AllowedOrigins": ["http://a.example"], "AllowedHeaders": ["*"],
                "ExposedHeaders": ["ETag"], "MaxAge": 60,
            }]}}),
            json!({"CorsConfiguration": null}),
            json!({"WebsiteConfiguration": website()}),
            json!({"WebsiteConfiguration": {"RedirectAllRequestsTo": {"HostName": "a.example", "Protocol": "https"}}}),
            json!({"WebsiteConfiguration": null}),
            json!({"AccessControl": "Private"}),
            json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}),
            json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}, "AccessControl": "LogDeliveryWrite"}),
            json!({"LoggingConfiguration": {"DestinationBucketName": "files", "LogFilePrefix": "b/"}}),
            json!({"LoggingConfiguration": null}),
        ])
        .write_only(&["AccessControl"]),
        PropertyTable::on(
            "AWS::S3::BucketPolicy",
            &cloud,
            json!({"Bucket": "policies", "PolicyDocument": policy("s3:GetObject")}),
        )
        .changes(vec![json!({"PolicyDocument": policy("s3:ListBucket")})]),
    ] {
        case.check();
    }
    assert_eq!(cloud.store.read().get::<Bucket>("policies").unwrap().policy, None);
}

#[test]
fn update_keeps_tags_that_others_have_set() {
    let cloud = cloud();
    let properties = |value: &str| json!({"BucketName": "files", "Tags": [{"Key": "a", "Value": value}]});
    let mut resource = cloud.create_resource("AWS::S3::Bucket", properties("1")).unwrap();
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "other", "Value": "o"}]);
    cloud.ok("PutBucketTagging", json!({"Bucket": "files", "Tagging": {"TagSet": tags}}));
    cloud.update_resource(&mut resource, properties("2")).unwrap();
    let tags = cloud.ok("GetBucketTagging", json!({"Bucket": "files"}))["TagSet"].clone();
    assert_eq!(tags, json!([{"Key": "a", "Value": "2"}, {"Key": "other", "Value": "o"}]));
}

#[test]
fn bucket_without_versions_is_not_versioned_after_its_versioning_is_suspended() {
    let cloud = cloud();
    let mut resource = cloud.create_resource("AWS::S3::Bucket", json!({"BucketName": "files"})).unwrap();
    let after = json!({"BucketName": "files", "VersioningConfiguration": {"Status": "Suspended"}});
    cloud.update_resource(&mut resource, after).unwrap();
    assert_eq!(cloud.store.read().get::<Bucket>("files").unwrap().versioning, Versioning::Off);
}

#[test]
fn public_acl_of_an_update_is_refused() {
    let cloud = cloud();
    let mut resource = cloud.create_resource("AWS::S3::Bucket", json!({"BucketName": "files"})).unwrap();
    let after = json!({"BucketName": "files", "AccessControl": "PublicRead"});
    assert!(cloud.update_resource(&mut resource, after).is_err());
}
