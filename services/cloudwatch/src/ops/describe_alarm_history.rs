//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html>

use crate::{Error, choices::ScanBy};
use escale_base::{Timestamp, Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{AlarmHistory, AlarmName, AlarmType, CompositeAlarm, HistoryItemType};

pub(crate) struct DescribeAlarmHistory;

#[derive(Wire)]
pub(crate) struct Input {
    alarm_name: Option<AlarmName>,
    alarm_types: Vec<AlarmType>,
    history_item_type: Option<HistoryItemType>,
    start_date: Option<Timestamp>,
    end_date: Option<Timestamp>,
    max_records: Option<usize>,
    next_token: Option<String>,
    scan_by: Option<ScanBy>,
}

#[derive(Wire)]
pub(crate) struct Output {
    alarm_history_items: Vec<Item>,
    next_token: Option<String>,
}

#[derive(Wire)]
struct Item {
    alarm_name: AlarmName,
    alarm_type: AlarmType,
    timestamp: Timestamp,
    history_item_type: HistoryItemType,
    history_summary: String,
    history_data: String,
}

impl Operation for DescribeAlarmHistory {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let size = input.max_records.unwrap_or(50);
        if !(1..=100).contains(&size) {
            return Err(Error::InvalidValue(format!(
                "The parameter MaxRecords must be 1 to 100; it is {size}."
            )));
        }
        // Without types, those of metric alarms only, as on AWS.
        let kind = |name: &AlarmName| {
            if cx.tx.has::<CompositeAlarm>(name) { AlarmType::Composite } else { AlarmType::Metric }
        };
        let is_wanted = |kind| {
            if input.alarm_types.is_empty() {
                kind == AlarmType::Metric
            } else {
                input.alarm_types.contains(&kind)
            }
        };
        let selects = |item: &AlarmHistory| {
            is_wanted(kind(&item.name))
                && input.alarm_name.as_ref().is_none_or(|name| item.name == *name)
                && input.history_item_type.is_none_or(|kind| item.kind == kind)
                && input.start_date.is_none_or(|start| item.at >= start)
                && input.end_date.is_none_or(|end| item.at <= end)
        };
        let items = cx.tx.scan::<AlarmHistory>().filter(|item| selects(item));
        let mut found: Vec<(String, AlarmHistory)> =
            items.map(|item| (key(&item, input.scan_by), (*item).clone())).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let token = input.next_token.as_deref();
        let page = paging::page(found, |(key, _)| key.clone(), token, size);
        let page = page.map_err(|_| Error::Token(token.unwrap_or_default().to_owned()))?;
        let item = |(_, item): (String, AlarmHistory)| Item {
            alarm_type: kind(&item.name),
            alarm_name: item.name,
            timestamp: item.at,
            history_item_type: item.kind,
            history_summary: item.summary,
            history_data: item.data,
        };
        Ok(Output { alarm_history_items: page.items.into_iter().map(item).collect(), next_token: page.next })
    }
}

/// Sorts by time, newest first unless the request wants the opposite.
fn key(item: &AlarmHistory, scan_by: Option<ScanBy>) -> String {
    let ascending = scan_by == Some(ScanBy::Ascending);
    let (at, number) =
        if ascending { (item.at.0, item.number) } else { (i64::MAX - item.at.0, u64::MAX - item.number) };
    format!("{at:020}/{number:020}/{}", item.name)
}
