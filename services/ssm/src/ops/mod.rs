//! The operations of the Parameter Store.

escale_service::operations! { "ssm";
    AddTagsToResource => add_tags_to_resource,
    DeleteParameter => delete_parameter,
    DeleteParameters => delete_parameters,
    DescribeParameters => describe_parameters,
    GetParameter => get_parameter,
    GetParameterHistory => get_parameter_history,
    GetParameters => get_parameters,
    GetParametersByPath => get_parameters_by_path,
    ListTagsForResource => list_tags_for_resource,
    PutParameter => put_parameter,
    RemoveTagsFromResource => remove_tags_from_resource,
}
