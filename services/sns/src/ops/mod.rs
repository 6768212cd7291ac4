//! The operations.

escale_service::operations! { "sns";
    ConfirmSubscription => confirm_subscription,
    CreateTopic => create_topic,
    DeleteTopic => delete_topic,
    GetSubscriptionAttributes => get_subscription_attributes,
    GetTopicAttributes => get_topic_attributes,
    ListSubscriptions => list_subscriptions,
    ListSubscriptionsByTopic => list_subscriptions_by_topic,
    ListTagsForResource => list_tags_for_resource,
    ListTopics => list_topics,
    Publish => publish,
    SetSubscriptionAttributes => set_subscription_attributes,
    SetTopicAttributes => set_topic_attributes,
    Subscribe => subscribe,
    TagResource => tag_resource,
    Unsubscribe => unsubscribe,
    UntagResource => untag_resource,
}

/// AWS's page size of lists.
const PAGE: usize = 100;

fn bad_token(token: Option<&str>) -> crate::Error {
    crate::Error::Invalid(format!(
        "NextToken Reason: '{}' is no token of this list",
        token.unwrap_or_default()
    ))
}
