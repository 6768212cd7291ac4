//! The operations of CloudFront, one per line.

escale_service::operations! { "cloudfront";
    CreateCachePolicy => create_cache_policy,
    CreateCloudFrontOriginAccessIdentity => create_cloud_front_origin_access_identity,
    CreateDistribution => create_distribution,
    CreateDistributionWithTags => create_distribution_with_tags as "cloudfront:CreateDistribution",
    CreateInvalidation => create_invalidation,
    CreateKeyGroup => create_key_group,
    CreateOriginAccessControl => create_origin_access_control,
    CreateOriginRequestPolicy => create_origin_request_policy,
    CreatePublicKey => create_public_key,
    CreateResponseHeadersPolicy => create_response_headers_policy,
    DeleteCachePolicy => delete_cache_policy,
    DeleteCloudFrontOriginAccessIdentity => delete_cloud_front_origin_access_identity,
    DeleteDistribution => delete_distribution,
    DeleteKeyGroup => delete_key_group,
    DeleteOriginAccessControl => delete_origin_access_control,
    DeleteOriginRequestPolicy => delete_origin_request_policy,
    DeletePublicKey => delete_public_key,
    DeleteResponseHeadersPolicy => delete_response_headers_policy,
    GetCachePolicy => get_cache_policy,
    GetCachePolicyConfig => get_cache_policy_config,
    GetCloudFrontOriginAccessIdentity => get_cloud_front_origin_access_identity,
    GetCloudFrontOriginAccessIdentityConfig => get_cloud_front_origin_access_identity_config,
    GetDistribution => get_distribution,
    GetDistributionConfig => get_distribution_config,
    GetInvalidation => get_invalidation,
    GetKeyGroup => get_key_group,
    GetKeyGroupConfig => get_key_group_config,
    GetOriginAccessControl => get_origin_access_control,
    GetOriginAccessControlConfig => get_origin_access_control_config,
    GetOriginRequestPolicy => get_origin_request_policy,
    GetOriginRequestPolicyConfig => get_origin_request_policy_config,
    GetPublicKey => get_public_key,
    GetPublicKeyConfig => get_public_key_config,
    GetResponseHeadersPolicy => get_response_headers_policy,
    GetResponseHeadersPolicyConfig => get_response_headers_policy_config,
    ListCachePolicies => list_cache_policies,
    ListCloudFrontOriginAccessIdentities => list_cloud_front_origin_access_identities,
    ListDistributions => list_distributions,
    ListInvalidations => list_invalidations,
    ListKeyGroups => list_key_groups,
    ListOriginAccessControls => list_origin_access_controls,
    ListOriginRequestPolicies => list_origin_request_policies,
    ListPublicKeys => list_public_keys,
    ListResponseHeadersPolicies => list_response_headers_policies,
    ListTagsForResource => list_tags_for_resource,
    TagResource => tag_resource,
    UntagResource => untag_resource,
    UpdateCachePolicy => update_cache_policy,
    UpdateCloudFrontOriginAccessIdentity => update_cloud_front_origin_access_identity,
    UpdateDistribution => update_distribution,
    UpdateKeyGroup => update_key_group,
    UpdateOriginAccessControl => update_origin_access_control,
    UpdateOriginRequestPolicy => update_origin_request_policy,
    UpdatePublicKey => update_public_key,
    UpdateResponseHeadersPolicy => update_response_headers_policy,
}

#[cfg(test)]
mod tests {
    #[test]
    fn operations_have_the_members_of_the_model() {
        let model = escale_model::service("cloudfront").unwrap();
        let mut faults = Vec::new();
        for entry in super::all() {
            let operation = model.operation(entry.name).unwrap();
            for (shape, fields) in [(operation.input, entry.input), (operation.output, entry.output)] {
                let found = shape.map(|shape| escale_wire::check_fields(model, shape, fields));
                faults.extend(found.into_iter().flatten().map(|fault| format!("{}: {fault}", entry.name)));
            }
        }
        assert_eq!(faults, Vec::<String>::new());
    }
}
