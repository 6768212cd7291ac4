//! <https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html>

use super::{PAGE, bad_token};
use crate::Error;
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::sns::{Topic, TopicArn};

pub(crate) struct ListTopics;

#[derive(Wire)]
pub(crate) struct Input {
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    topics: Vec<Listed>,
    next_token: Option<String>,
}

#[derive(Wire)]
struct Listed {
    topic_arn: TopicArn,
}

impl Operation for ListTopics {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let token = input.next_token.as_deref();
        let page = paging::page(cx.tx.scan::<Topic>(), |t| t.arn.to_string(), token, PAGE);
        let page = page.map_err(|_| bad_token(token))?;
        let topics = page.items.iter().map(|topic| Listed { topic_arn: topic.arn.clone() }).collect();
        Ok(Output { topics, next_token: page.next })
    }
}
