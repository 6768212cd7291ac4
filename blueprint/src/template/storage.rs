//! Buckets: private, versioned, owned by the account alone; the CDN reads them, and only this stack's distribution.

use super::{Sheet, get_att, pascal, reference, sub};
use crate::manifest::{Bucket, Manifest};
use serde_json::json;

pub(super) fn resources(sheet: &mut Sheet, manifest: &Manifest) {
    for bucket in &manifest.buckets {
        one(sheet, manifest, bucket);
    }
}

fn one(sheet: &mut Sheet, manifest: &Manifest, bucket: &Bucket) {
    let id = format!("{}Bucket", pascal(&bucket.name));
    sheet.add(
        &id,
        "AWS::S3::Bucket",
        json!({
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": true,
                "BlockPublicPolicy": true,
                "IgnorePublicAcls": true,
                "RestrictPublicBuckets": true,
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "VersioningConfiguration": {"Status": "Enabled"},
        }),
    );
    // a bucket that `sync` fills can be filled again, so it is deleted with the stack
    let keep = manifest.environment.protect && bucket.sync.is_none();
    let policy = if keep { "Retain" } else { "Delete" };
    sheet.attribute(&id, "DeletionPolicy", policy);
    sheet.attribute(&id, "UpdateReplacePolicy", policy);
    sheet.add(
        &format!("{id}Policy"),
        "AWS::S3::BucketPolicy",
        json!({
            "Bucket": reference(&id),
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Sid": "Cdn",
                "Effect": "Allow",
                "Principal": {"Service": "cloudfront.amazonaws.com"},
                "Action": "s3:GetObject",
                "Resource": sub(format!("${{{id}.Arn}}/*")),
                "Condition": {"StringEquals": {"AWS:SourceArn": distribution_arn()}},
            }]},
        }),
    );
    sheet.output(&format!("{id}Name"), "The bucket's name", reference(&id));
    sheet.output(&format!("{id}Arn"), "The bucket's ARN", get_att(&id, "Arn"));
}

fn distribution_arn() -> serde_json::Value {
    sub("arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${Distribution}")
}
