//! The types of policies.

use super::{by_id, delete};
use crate::ops::{
    create_cache_policy::CreateCachePolicy, create_origin_request_policy::CreateOriginRequestPolicy,
    create_response_headers_policy::CreateResponseHeadersPolicy, delete_cache_policy::DeleteCachePolicy,
    delete_origin_request_policy::DeleteOriginRequestPolicy,
    delete_response_headers_policy::DeleteResponseHeadersPolicy, get_cache_policy::GetCachePolicy,
    get_origin_request_policy::GetOriginRequestPolicy, get_response_headers_policy::GetResponseHeadersPolicy,
    update_cache_policy::UpdateCachePolicy, update_origin_request_policy::UpdateOriginRequestPolicy,
    update_response_headers_policy::UpdateResponseHeadersPolicy,
};
use escale_base::found;
use escale_service::{Created, ResourceType, properties_of};

const MODIFIED: &str = "LastModifiedTime";

/// Declares the type of one kind of policies.
macro_rules! policy_type {
    ($function:ident, $member:ident, $name:literal, $config:literal, $create:ty, $get:ty, $update:ty, $delete:ty) => {
        pub(super) fn $function() -> ResourceType {
            ResourceType::new(
                $name,
                &[$config],
                |cx, props| {
                    let made = props.input_without::<$create>(&[]).call(cx)?.$member;
                    let created = Created::new(made.id.as_str()).with("Id", made.id.0);
                    Ok(created.with(MODIFIED, made.last_modified_time.iso8601()))
                },
                |cx, created| match found(by_id::<$get>(created).call(cx))? {
                    Some(got) => delete::<$delete>(cx, created, &got.etag),
                    None => Ok(()),
                },
            )
            .update(|cx, update| {
                let etag = by_id::<$get>(update.created).call(cx)?.etag;
                let input = update.after.input_without::<$update>(&[]);
                let input = input.with("Id", &update.created.physical_id).with("IfMatch", &etag);
                let policy = input.call(cx)?.$member;
                Ok(update.created.clone().with(MODIFIED, policy.last_modified_time.iso8601()))
            })
            .read(|cx, created| {
                let got = found(by_id::<$get>(created).call(cx))?;
                Ok(got.map(|got| properties_of($name, &got.$member, &[])))
            })
        }
    };
}
policy_type!(
    cache_policy,
    cache_policy,
    "AWS::CloudFront::CachePolicy",
    "CachePolicyConfig",
    CreateCachePolicy,
    GetCachePolicy,
    UpdateCachePolicy,
    DeleteCachePolicy
);
policy_type!(
    origin_request_policy,
    origin_request_policy,
    "AWS::CloudFront::OriginRequestPolicy",
    "OriginRequestPolicyConfig",
    CreateOriginRequestPolicy,
    GetOriginRequestPolicy,
    UpdateOriginRequestPolicy,
    DeleteOriginRequestPolicy
);
policy_type!(
    response_headers_policy,
    response_headers_policy,
    "AWS::CloudFront::ResponseHeadersPolicy",
    "ResponseHeadersPolicyConfig",
    CreateResponseHeadersPolicy,
    GetResponseHeadersPolicy,
    UpdateResponseHeadersPolicy,
    DeleteResponseHeadersPolicy
);
