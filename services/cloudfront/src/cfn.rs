//! The resource types `AWS::CloudFront::*`, implemented with this service's operations.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudFront.html>

mod distribution;
mod policy;
#[cfg(test)]
mod tests;

use crate::ops::{
    create_cloud_front_origin_access_identity::CreateCloudFrontOriginAccessIdentity,
    create_key_group::CreateKeyGroup, create_origin_access_control::CreateOriginAccessControl,
    create_public_key::CreatePublicKey,
    delete_cloud_front_origin_access_identity::DeleteCloudFrontOriginAccessIdentity,
    delete_key_group::DeleteKeyGroup, delete_origin_access_control::DeleteOriginAccessControl,
    delete_public_key::DeletePublicKey,
    get_cloud_front_origin_access_identity::GetCloudFrontOriginAccessIdentity, get_key_group::GetKeyGroup,
    get_origin_access_control::GetOriginAccessControl, get_public_key::GetPublicKey,
    update_cloud_front_origin_access_identity::UpdateCloudFrontOriginAccessIdentity,
    update_key_group::UpdateKeyGroup, update_origin_access_control::UpdateOriginAccessControl,
    update_public_key::UpdatePublicKey,
};
use escale_base::{AwsError, found, ids, wire::Value};
use escale_service::{Created, Cx, InputDraft, Named, Props, ResourceType, Resources, properties_of};
use escale_tables::cloudfront::{CallerReference, ETag, OriginAccessIdentityConfig};

const IDENTITY_CONFIG: &str = "CloudFrontOriginAccessIdentityConfig";

pub(crate) fn types() -> Resources {
    vec![
        distribution::distribution(),
        access_control(),
        access_identity(),
        public_key(),
        key_group(),
        policy::cache_policy(),
        policy::origin_request_policy(),
        policy::response_headers_policy(),
    ]
}

fn access_control() -> ResourceType {
    const NAME: &str = "AWS::CloudFront::OriginAccessControl";
    ResourceType::new(
        NAME,
        &["OriginAccessControlConfig"],
        |cx, props| {
            let made = props.input_without::<CreateOriginAccessControl>(&[]).call(cx)?.origin_access_control;
            Ok(Created::new(made.id.as_str()).with("Id", made.id.0))
        },
        |cx, created| match found(by_id::<GetOriginAccessControl>(created).call(cx))? {
            Some(got) => delete::<DeleteOriginAccessControl>(cx, created, &got.etag),
            None => Ok(()),
        },
    )
    .update(|cx, update| {
        let etag = by_id::<GetOriginAccessControl>(update.created).call(cx)?.etag;
        let input = update.after.input_without::<UpdateOriginAccessControl>(&[]);
        input.with("Id", &update.created.physical_id).with("IfMatch", &etag).call(cx)?;
        Ok(update.created.clone())
    })
    .read(|cx, created| {
        let got = found(by_id::<GetOriginAccessControl>(created).call(cx))?;
        Ok(got.map(|got| properties_of(NAME, &got.origin_access_control, &[])))
    })
}

fn access_identity() -> ResourceType {
    const NAME: &str = "AWS::CloudFront::CloudFrontOriginAccessIdentity";
    /// The API requires a caller reference, which templates do not have.
    fn config(props: &Props<'_>, reference: CallerReference) -> Result<OriginAccessIdentityConfig, AwsError> {
        let config = props.read::<Value>(IDENTITY_CONFIG)?;
        let comment = config["Comment"].as_str().unwrap_or_default().to_owned();
        Ok(OriginAccessIdentityConfig { caller_reference: reference, comment })
    }
    ResourceType::new(
        NAME,
        &[IDENTITY_CONFIG],
        |cx, props| {
            let config = config(props, CallerReference(ids::random_uuid()))?;
            let input =
                InputDraft::<CreateCloudFrontOriginAccessIdentity>::new().with(IDENTITY_CONFIG, &config);
            let made = input.call(cx)?.cloud_front_origin_access_identity;
            let created = Created::new(made.id.as_str()).with("Id", made.id.0);
            Ok(created.with("S3CanonicalUserId", made.s3_canonical_user_id.0))
        },
        |cx, created| match found(by_id::<GetCloudFrontOriginAccessIdentity>(created).call(cx))? {
            Some(got) => delete::<DeleteCloudFrontOriginAccessIdentity>(cx, created, &got.etag),
            None => Ok(()),
        },
    )
    .update(|cx, update| {
        let got = by_id::<GetCloudFrontOriginAccessIdentity>(update.created).call(cx)?;
        let before = got.cloud_front_origin_access_identity.cloud_front_origin_access_identity_config;
        let config = config(update.after, before.caller_reference)?;
        let input =
            by_id::<UpdateCloudFrontOriginAccessIdentity>(update.created).with(IDENTITY_CONFIG, &config);
        input.with("IfMatch", &got.etag).call(cx)?;
        Ok(update.created.clone())
    })
    .read(|cx, created| {
        let got = found(by_id::<GetCloudFrontOriginAccessIdentity>(created).call(cx))?;
        Ok(got.map(|got| properties_of(NAME, &got.cloud_front_origin_access_identity, &[])))
    })
}

/// As on AWS, only the comment of a key can change. An update of another member is an error, and so is its stack's update.
fn public_key() -> ResourceType {
    const NAME: &str = "AWS::CloudFront::PublicKey";
    ResourceType::new(
        NAME,
        &["PublicKeyConfig"],
        |cx, props| {
            let made = props.input_without::<CreatePublicKey>(&[]).call(cx)?.public_key;
            let created = Created::new(made.id.as_str()).with("Id", made.id.0);
            Ok(created.with("CreatedTime", made.created_time.iso8601()))
        },
        |cx, created| match found(by_id::<GetPublicKey>(created).call(cx))? {
            Some(got) => delete::<DeletePublicKey>(cx, created, &got.etag),
            None => Ok(()),
        },
    )
    .update(|cx, update| {
        let etag = by_id::<GetPublicKey>(update.created).call(cx)?.etag;
        let input = update.after.input_without::<UpdatePublicKey>(&[]);
        input.with("Id", &update.created.physical_id).with("IfMatch", &etag).call(cx)?;
        Ok(update.created.clone())
    })
    .read(|cx, created| {
        let got = found(by_id::<GetPublicKey>(created).call(cx))?;
        Ok(got.map(|got| properties_of(NAME, &got.public_key, &[])))
    })
}

fn key_group() -> ResourceType {
    const NAME: &str = "AWS::CloudFront::KeyGroup";
    const MODIFIED: &str = "LastModifiedTime";
    ResourceType::new(
        NAME,
        &["KeyGroupConfig"],
        |cx, props| {
            let made = props.input_without::<CreateKeyGroup>(&[]).call(cx)?.key_group;
            let created = Created::new(made.id.as_str()).with("Id", made.id.0);
            Ok(created.with(MODIFIED, made.last_modified_time.iso8601()))
        },
        |cx, created| match found(by_id::<GetKeyGroup>(created).call(cx))? {
            Some(got) => delete::<DeleteKeyGroup>(cx, created, &got.etag),
            None => Ok(()),
        },
    )
    .update(|cx, update| {
        let etag = by_id::<GetKeyGroup>(update.created).call(cx)?.etag;
        let input = update.after.input_without::<UpdateKeyGroup>(&[]);
        let input = input.with("Id", &update.created.physical_id).with("IfMatch", &etag);
        let group = input.call(cx)?.key_group;
        Ok(update.created.clone().with(MODIFIED, group.last_modified_time.iso8601()))
    })
    .read(|cx, created| {
        let got = found(by_id::<GetKeyGroup>(created).call(cx))?;
        Ok(got.map(|got| properties_of(NAME, &got.key_group, &[])))
    })
}

fn by_id<O: Named>(created: &Created) -> InputDraft<O> {
    InputDraft::new().with("Id", &created.physical_id)
}

fn delete<O: Named>(cx: &mut Cx<'_>, created: &Created, etag: &ETag) -> Result<(), AwsError> {
    by_id::<O>(created).with("IfMatch", etag).call(cx).map(drop)
}
