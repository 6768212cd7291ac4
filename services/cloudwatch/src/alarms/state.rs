//! A change of an alarm's state: the row, the history, and the actions, in one transaction.

use super::{action, composite, notification, reason, subject::Subject};
use escale_base::{AwsError, Timestamp};
use escale_service::Cx;
use escale_store::Tx;
use escale_tables::cloudwatch::{AlarmHistory, AlarmName, AlarmSeen, HistoryItemType, StateValue};
use serde_json::json;

/// Items of an alarm's history that are kept. AWS keeps those of 30 days.
const HISTORY: usize = 100;

pub(crate) struct Change {
    pub(crate) state: StateValue,
    pub(crate) reason: String,
    pub(crate) reason_data: Option<String>,
}

/// Writes the new state, and runs the actions of that state if it differs from the one before. An action that fails is an item of
/// the history: the change itself stays.
pub(crate) fn change_state(cx: &mut Cx<'_>, alarm: &Subject<'_>, change: Change) -> Result<(), AwsError> {
    let before = cx.tx.get::<AlarmSeen>(alarm.name).map(|seen| (*seen).clone());
    let before = before.unwrap_or_else(|| not_evaluated(alarm));
    let is_transition = before.state != change.state;
    let transitioned = if is_transition { cx.now } else { before.transitioned };
    let Change { state, reason, reason_data } = change;
    let name = alarm.name.clone();
    let seen = AlarmSeen { name, state, reason, reason_data, updated: cx.now, transitioned };
    cx.tx.put(seen.clone());
    if !is_transition {
        return Ok(());
    }
    action::invoke(cx, alarm, seen.state, recent(seen.reason_data.as_deref()));
    let summary = format!("Alarm updated from {} to {}", before.state, seen.state);
    let side = |seen: &AlarmSeen| {
        let data =
            seen.reason_data.as_deref().and_then(|d| serde_json::from_str::<serde_json::Value>(d).ok());
        json!({ "stateValue": seen.state.as_str(), "stateReason": seen.reason, "stateReasonData": data })
    };
    let data = json!({ "version": "1.0", "oldState": side(&before), "newState": side(&seen) });
    history(cx.tx, alarm.name, cx.now, HistoryItemType::StateUpdate, summary, data);
    if composite::suppresses(cx, alarm, before.state, seen.state) {
        return Ok(());
    }
    take_actions(cx, alarm, &before, &seen);
    Ok(())
}

/// Runs the actions of a state that the alarm entered.
pub(super) fn take_actions(cx: &mut Cx<'_>, alarm: &Subject<'_>, before: &AlarmSeen, seen: &AlarmSeen) {
    if !alarm.actions_enabled {
        return;
    }
    let notification = notification::of(cx.config, alarm, before, seen);
    for arn in alarm.actions.of(seen.state) {
        let (summary, data) = match action::run(cx, arn, &notification) {
            Ok(()) => (format!("Successfully executed action {arn}"), json!({ "actionState": "Succeeded" })),
            Err(error) => {
                tracing::warn!(alarm = alarm.name.as_str(), arn, %error, "an action of an alarm failed");
                let summary =
                    format!("Failed to execute action {arn}. Received error: \"{}\"", error.message);
                (summary, json!({ "actionState": "Failed", "error": error.message }))
            }
        };
        let data = json!({ "notificationResource": arn, "stateUpdateTimestamp": cx.now.0, "result": data });
        history(cx.tx, alarm.name, cx.now, HistoryItemType::Action, summary, data);
    }
}

/// The values in a state's data. A user who sets a state can give them, too.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html>
fn recent(data: Option<&str>) -> Vec<f64> {
    let data = data.and_then(|d| serde_json::from_str::<serde_json::Value>(d).ok()).unwrap_or_default();
    let recent = data["recentDatapoints"].as_array();
    recent.into_iter().flatten().filter_map(serde_json::Value::as_f64).collect()
}

/// The state of an alarm without an observation.
pub(crate) fn not_evaluated(alarm: &Subject<'_>) -> AlarmSeen {
    AlarmSeen {
        name: alarm.name.clone(),
        state: StateValue::InsufficientData,
        reason: reason::NOT_EVALUATED.to_owned(),
        reason_data: None,
        updated: alarm.created,
        transitioned: alarm.created,
    }
}

/// The item of the history for a new or changed configuration.
pub(crate) fn record_put(cx: &mut Cx<'_>, name: &AlarmName, is_update: bool) {
    let (verb, kind) = if is_update { ("updated", "Update") } else { ("created", "Create") };
    let data = json!({ "version": "1.0", "type": kind });
    let summary = format!("Alarm \"{name}\" {verb}");
    history(cx.tx, name, cx.now, HistoryItemType::ConfigurationUpdate, summary, data);
}

fn history(
    tx: &mut Tx,
    name: &AlarmName,
    at: Timestamp,
    kind: HistoryItemType,
    summary: String,
    data: serde_json::Value,
) {
    let mut own: Vec<_> = tx
        .prefix::<AlarmHistory>(&format!("{name}/"))
        .filter(|h| h.name == *name)
        .map(|h| h.number)
        .collect();
    own.sort_unstable();
    let number = own.last().map_or(0, |last| last + 1);
    let surplus = (own.len() + 1).saturating_sub(HISTORY);
    for old in own.into_iter().take(surplus) {
        tx.delete::<AlarmHistory>(&format!("{name}/{old:020}"));
    }
    let data = data.to_string();
    tx.put(AlarmHistory { name: name.clone(), number, at, kind, summary, data });
}
