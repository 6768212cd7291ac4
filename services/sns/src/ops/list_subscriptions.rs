//! <https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptions.html>

use super::{PAGE, bad_token};
use crate::Error;
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::sns::{Protocol, Subscription, TopicArn};
use std::sync::Arc;

pub(crate) struct ListSubscriptions;

#[derive(Wire)]
pub(crate) struct Input {
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    subscriptions: Vec<Listed>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(super) struct Listed {
    /// `PendingConfirmation` instead of an ARN until it is confirmed.
    subscription_arn: String,
    owner: String,
    protocol: Protocol,
    endpoint: String,
    topic_arn: TopicArn,
}

impl Operation for ListSubscriptions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (subscriptions, next_token) =
            page(cx, cx.tx.scan::<Subscription>(), input.next_token.as_deref())?;
        Ok(Output { subscriptions, next_token })
    }
}

pub(super) fn page(
    cx: &Cx<'_>,
    all: impl Iterator<Item = Arc<Subscription>>,
    token: Option<&str>,
) -> Result<(Vec<Listed>, Option<String>), Error> {
    let page = paging::page(all, |s| s.arn.to_string(), token, PAGE).map_err(|_| bad_token(token))?;
    let listed = |s: &Arc<Subscription>| Listed {
        subscription_arn: match s.confirmed {
            Some(_) => s.arn.to_string(),
            None => "PendingConfirmation".to_owned(),
        },
        owner: cx.config.account.clone(),
        protocol: s.protocol,
        endpoint: s.endpoint.clone(),
        topic_arn: s.topic.clone(),
    };
    Ok((page.items.iter().map(listed).collect(), page.next))
}
