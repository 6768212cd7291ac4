//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html>

use crate::choices::ClassInput;
use crate::{Error, Logs, rules};
use escale_base::{Wire, paging};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::logs::{LogGroup, LogGroupClass, LogGroupName};
use std::sync::Arc;

pub(crate) struct DescribeLogGroups;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_identifiers: Vec<String>,
    log_group_class: Option<ClassInput>,
    include_linked_accounts: Option<bool>,
    next_token: Option<String>,
    limit: Option<i32>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    log_groups: Vec<Shape>,
    next_token: Option<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
struct Shape {
    log_group_name: LogGroupName,
    creation_time: i64,
    retention_in_days: Option<i32>,
    metric_filter_count: i32,
    arn: String,
    stored_bytes: i64,
    log_group_class: LogGroupClass,
    log_group_arn: String,
}

impl StreamOperation<Logs> for DescribeLogGroups {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(
        service: Arc<Logs>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
            return Err(Error::Invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.".into(),
            ));
        }
        let limit = match input.limit.unwrap_or(50) {
            n @ 1..=50 => n as usize,
            n => return Err(Error::Invalid(format!("limit {n} is not between 1 and 50"))),
        };
        let named: Result<Vec<LogGroupName>, Error> =
            input.log_group_identifiers.iter().map(|i| rules::group_name(None, Some(i.clone()))).collect();
        let named = named?;
        let pattern = input.log_group_name_pattern.map(|p| p.to_lowercase());
        let wanted = |g: &Arc<LogGroup>| {
            (named.is_empty() || named.contains(&g.name))
                && pattern.as_ref().is_none_or(|p| g.name.to_lowercase().contains(p))
                && input.log_group_class.is_none_or(|c| c.as_str() == g.class.as_str())
        };
        let prefix = input.log_group_name_prefix.unwrap_or_default();
        let page = {
            let image = cx.store.read();
            let found = image.prefix::<LogGroup>(&prefix).filter(wanted);
            paging::page(found, |g| g.name.to_string(), input.next_token.as_deref(), limit)?
        };
        let mut log_groups = Vec::new();
        for group in page.items {
            let ids = rules::stream_ids(&cx.store.read(), &group.name);
            let bytes: u64 = service.plane.summaries(&ids).await?.values().map(|s| s.bytes).sum();
            log_groups.push(Shape {
                log_group_name: group.name.clone(),
                creation_time: group.created.0,
                retention_in_days: group.retention_days,
                metric_filter_count: 0,
                arn: rules::group_resource(&cx.config, &group.name),
                stored_bytes: bytes as i64,
                log_group_class: group.class,
                log_group_arn: rules::group_arn(&cx.config, &group.name),
            });
        }
        Ok(Output { log_groups, next_token: page.next }.into())
    }
}
