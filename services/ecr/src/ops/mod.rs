//! The operations of ECR that only need rows.

escale_service::operations! { "ecr";
    CreateRepository => create_repository,
    DeleteLifecyclePolicy => delete_lifecycle_policy,
    DeleteRepositoryPolicy => delete_repository_policy,
    DescribeRepositories => describe_repositories,
    GetAuthorizationToken => get_authorization_token,
    GetLifecyclePolicy => get_lifecycle_policy,
    GetRepositoryPolicy => get_repository_policy,
    ListTagsForResource => list_tags_for_resource,
    PutImageScanningConfiguration => put_image_scanning_configuration,
    PutImageTagMutability => put_image_tag_mutability,
    PutLifecyclePolicy => put_lifecycle_policy,
    SetRepositoryPolicy => set_repository_policy,
    TagResource => tag_resource,
    UntagResource => untag_resource,
}
