//! The operations on groups and streams.

escale_service::operations! { "logs";
    CreateLogGroup => create_log_group,
    CreateLogStream => create_log_stream,
    DeleteLogGroup => delete_log_group,
    DeleteLogStream => delete_log_stream,
    DeleteRetentionPolicy => delete_retention_policy,
    ListTagsForResource => list_tags_for_resource,
    ListTagsLogGroup => list_tags_log_group,
    PutRetentionPolicy => put_retention_policy,
    TagLogGroup => tag_log_group,
    TagResource => tag_resource,
    UntagLogGroup => untag_log_group,
    UntagResource => untag_resource,
}
