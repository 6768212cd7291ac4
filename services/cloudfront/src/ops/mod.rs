//! The operations of CloudFront, one per line.

escale_service::operations! { "cloudfront";
    CreateDistribution => create_distribution,
    CreateDistributionWithTags => create_distribution_with_tags as "cloudfront:CreateDistribution",
    CreateInvalidation => create_invalidation,
    CreateKeyGroup => create_key_group,
    CreateOriginAccessControl => create_origin_access_control,
    CreatePublicKey => create_public_key,
    DeleteDistribution => delete_distribution,
    DeleteKeyGroup => delete_key_group,
    DeleteOriginAccessControl => delete_origin_access_control,
    DeletePublicKey => delete_public_key,
    GetCachePolicy => get_cache_policy,
    GetCachePolicyConfig => get_cache_policy_config,
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
    ListCachePolicies => list_cache_policies,
    ListDistributions => list_distributions,
    ListInvalidations => list_invalidations,
    ListKeyGroups => list_key_groups,
    ListOriginAccessControls => list_origin_access_controls,
    ListOriginRequestPolicies => list_origin_request_policies,
    ListPublicKeys => list_public_keys,
    ListTagsForResource => list_tags_for_resource,
    TagResource => tag_resource,
    UntagResource => untag_resource,
    UpdateDistribution => update_distribution,
    UpdateKeyGroup => update_key_group,
    UpdateOriginAccessControl => update_origin_access_control,
    UpdatePublicKey => update_public_key,
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
