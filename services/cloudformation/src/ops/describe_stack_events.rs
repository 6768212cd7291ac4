//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html>

use crate::{Error, find};
use escale_base::{Timestamp, Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{
    ClientRequestToken, EventId, LogicalId, PhysicalId, ResourceStatus, StackArn, StackName, TypeName,
};
use escale_tables::cloudformation::{Stack, StackEvent};
use std::sync::Arc;

pub(crate) struct DescribeStackEvents;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Event {
    stack_id: StackArn,
    event_id: EventId,
    stack_name: StackName,
    logical_resource_id: LogicalId,
    physical_resource_id: PhysicalId,
    resource_type: TypeName,
    timestamp: Timestamp,
    resource_status: ResourceStatus,
    resource_status_reason: Option<String>,
    client_request_token: Option<ClientRequestToken>,
}

impl Operation for DescribeStackEvents {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stack = find::stack(cx.tx, &input.stack_name)?;
        let below = format!("{}/", stack.uuid);
        let mut events: Vec<Arc<StackEvent>> = cx.tx.prefix::<StackEvent>(&below).collect();
        events.reverse();
        // Newest first. Paging needs keys that grow along the list.
        let key = |e: &Arc<StackEvent>| format!("{:020}", u64::MAX - e.number);
        let page = paging::page(events, key, input.next_token.as_deref(), limits::PAGE_DEFAULT)?;
        let stack_events = page.items.iter().map(|e| shape(&stack, e)).collect();
        Ok(Output { stack_events, next_token: page.next })
    }
}

fn shape(stack: &Stack, row: &StackEvent) -> Event {
    Event {
        stack_id: stack.arn.clone(),
        event_id: row.id.clone(),
        stack_name: stack.name.clone(),
        logical_resource_id: row.logical_id.clone(),
        physical_resource_id: row.physical_id.clone(),
        resource_type: row.type_name.clone(),
        timestamp: row.at,
        resource_status: row.status,
        resource_status_reason: row.reason.clone(),
        client_request_token: row.token.clone(),
    }
}
