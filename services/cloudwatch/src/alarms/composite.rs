//! Alarms on other alarms: evaluated whenever the state of one of those changes.

use super::{
    Change, Rule, arn, change_state,
    evaluator::PRINCIPAL,
    name_of_arn,
    reason::moment,
    state::{not_evaluated, take_actions},
    subject,
    subject::{Kind, Subject},
    suppression::{Seen, Status},
};
use crate::Error;
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_service::{Caller, Cloud, Config, Cx};
use escale_store::{Image, Row, Store};
use escale_tables::cloudwatch::{
    AlarmName, AlarmSeen, AlarmSuppression, CompositeAlarm, StateValue, SuppressedBy, Suppressor,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct Composites {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
}

impl Reconciler for Composites {
    type Step = Step;
    const NAME: &'static str = "cloudwatch.composites";
    const WATCHES: &'static [&'static str] =
        &[CompositeAlarm::TABLE, AlarmSeen::TABLE, AlarmSuppression::TABLE];

    fn concerned(&self, image: &Image, change: &escale_store::Change) -> BTreeSet<String> {
        if change.table != AlarmSeen::TABLE {
            return BTreeSet::from([change.key.clone()]);
        }
        // Its own state as well: a user may have set it to one that the rule does not have.
        let own = image.get::<CompositeAlarm>(&change.key).map(|alarm| alarm.name.to_string());
        parents(image, &AlarmName(change.key.clone())).map(|name| name.to_string()).chain(own).collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<CompositeAlarm>().map(|a| a.name.to_string()).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Step> {
        let Some(alarm) = image.get::<CompositeAlarm>(key) else { return Plan::Done };
        if let Some(state) = decide(image, &alarm) {
            return Plan::Step(Step::Enter(state));
        }
        let (before, seen) = (status(image, &alarm.name), suppressor(image, &self.cloud.config, &alarm));
        let state = state_of(image, &alarm.name).unwrap_or(StateValue::InsufficientData);
        if before.next(state, seen, now) != (before, None) {
            return Plan::Step(Step::Suppression);
        }
        match seen.and_then(|seen| before.until(seen)) {
            Some(until) => Plan::wait_until(until, "its actions are suppressed for a while"),
            None => Plan::Done,
        }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        let changed = self.cloud.transact(&self.store, &Caller::service(PRINCIPAL), |cx| {
            let Some(alarm) = cx.tx.get::<CompositeAlarm>(key) else { return Ok(()) };
            // The states may have changed since the plan; then there is another one.
            match step {
                Step::Enter(state) if decide(cx.tx, &alarm) == Some(state) => {
                    let change = change(cx.tx, cx.config, &alarm, state);
                    change_state(cx, &(&*alarm).into(), change)
                }
                Step::Enter(_) => Ok(()),
                Step::Suppression => {
                    update_suppression(cx, &alarm);
                    Ok(())
                }
            }
        });
        changed.map_err(|failed| failed.0.into())
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Enter(StateValue),
    /// The suppressor changed, or the time of a suppression is over.
    Suppression,
}

fn status(image: &Image, name: &AlarmName) -> Status {
    image.get::<AlarmSuppression>(name).map_or(Status::NONE, |row| Status::of(&row))
}

fn suppressor(image: &Image, config: &Config, alarm: &CompositeAlarm) -> Option<Seen> {
    let wish = alarm.suppressor.as_ref()?;
    let seen = seen(image, &suppressor_name(wish).ok()?)?;
    let scaled = |secs: u32| i64::from(secs) * 1000 / config.clock_speed;
    Some(Seen {
        in_alarm: seen.state == StateValue::Alarm,
        since: seen.transitioned,
        wait_ms: scaled(wish.wait_s),
        extension_ms: scaled(wish.extension_s),
    })
}

/// The alarm that a suppressor names.
pub(crate) fn suppressor_name(wish: &Suppressor) -> Result<AlarmName, Error> {
    let text = wish.alarm.as_str();
    if text.starts_with("arn:") { name_of_arn(text) } else { Ok(AlarmName(text.to_owned())) }
}

/// Whether an alarm that entered a state must not take its actions now. An alarm without a suppressor always takes them.
pub(super) fn suppresses(cx: &mut Cx<'_>, alarm: &Subject<'_>, from: StateValue, to: StateValue) -> bool {
    let Kind::Composite(alarm) = alarm.kind else { return false };
    let Some(seen) = suppressor(cx.tx, cx.config, alarm) else { return false };
    let changed = status(cx.tx, &alarm.name).changed(from, Some(seen), cx.now);
    let (next, act) = changed.next(to, Some(seen), cx.now);
    store(cx, &alarm.name, next);
    act.is_none()
}

/// Writes what suppresses the alarm now, and takes the actions that waited.
fn update_suppression(cx: &mut Cx<'_>, alarm: &CompositeAlarm) {
    let Some(seen) = cx.tx.get::<AlarmSeen>(&alarm.name) else { return };
    let suppressor = suppressor(cx.tx, cx.config, alarm);
    let (next, act) = status(cx.tx, &alarm.name).next(seen.state, suppressor, cx.now);
    store(cx, &alarm.name, next);
    if let Some(state) = act {
        let before = AlarmSeen { state, ..(*seen).clone() };
        take_actions(cx, &alarm.into(), &before, &seen);
    }
}

fn store(cx: &mut Cx<'_>, name: &AlarmName, status: Status) {
    if status == Status::NONE {
        cx.tx.delete::<AlarmSuppression>(name);
    } else {
        cx.tx.put(status.row(name));
    }
}

/// What suppresses the actions of an alarm, and why.
pub(super) fn suppressed(
    image: &Image,
    config: &Config,
    alarm: &CompositeAlarm,
) -> Option<(SuppressedBy, String)> {
    let status = status(image, &alarm.name);
    let (by, name) = (status.by?, suppressor_name(alarm.suppressor.as_ref()?).ok()?);
    let (arn, since) = (arn(config, &name), date(status.since));
    let reason = match by {
        SuppressedBy::Alarm => format!("Actions are suppressed by {arn}, which is in ALARM since {since}"),
        SuppressedBy::WaitPeriod => format!("Actions wait since {since} for {arn} to enter ALARM"),
        SuppressedBy::ExtensionPeriod => format!("Actions are still suppressed: {arn} left ALARM at {since}"),
    };
    Some((by, reason))
}

/// The state that an alarm should enter; `None` if it is in the right one. It has no data until its first evaluation only.
fn decide(image: &Image, alarm: &CompositeAlarm) -> Option<StateValue> {
    // A rule that was stored was read before.
    let rule = Rule::parse(&alarm.rule).ok()?;
    let holds = rule.holds(&|name| state_of(image, name));
    let state = if holds { StateValue::Alarm } else { StateValue::Ok };
    let current = image.get::<AlarmSeen>(&alarm.name).map(|seen| seen.state);
    (current != Some(state)).then_some(state)
}

/// An alarm that was never evaluated has no data; one that does not exist has no state.
fn state_of(image: &Image, name: &AlarmName) -> Option<StateValue> {
    seen(image, name).map(|seen| seen.state)
}

fn seen(image: &Image, name: &AlarmName) -> Option<AlarmSeen> {
    let found = subject(image, name)?;
    let seen = image.get::<AlarmSeen>(name).map(|seen| (*seen).clone());
    Some(seen.unwrap_or_else(|| not_evaluated(&found.subject())))
}

/// The change to a state, whose reason is the alarm that changed last.
fn change(image: &Image, config: &Config, alarm: &CompositeAlarm, state: StateValue) -> Change {
    let is_first = !image.has::<AlarmSeen>(&alarm.name);
    let children = alarm.children.iter().filter_map(|name| seen(image, name));
    let last = children.max_by_key(|seen| seen.transitioned);
    let Some(last) = last.filter(|_| !is_first) else {
        let reason = if is_first {
            format!("{} was created and its alarm rule evaluates to {state}", arn(config, &alarm.name))
        } else {
            format!("The alarm rule of {} evaluates to {state}", arn(config, &alarm.name))
        };
        return Change { state, reason, reason_data: None };
    };
    let child = arn(config, &last.name);
    let reason = format!("{child} transitioned to {} at {}", last.state, date(last.transitioned));
    let triggering = json!([{ "arn": child, "state": { "value": last.state.as_str(), "timestamp": moment(last.transitioned) } }]);
    Change { state, reason, reason_data: Some(json!({ "triggeringAlarms": triggering }).to_string()) }
}

/// The alarms that caused a state, as a message to a topic has them.
pub(super) fn triggering(seen: &AlarmSeen) -> Value {
    let data = seen.reason_data.as_deref().and_then(|data| serde_json::from_str::<Value>(data).ok());
    let alarms = data.as_ref().and_then(|data| data["triggeringAlarms"].as_array());
    let one = |alarm: &Value| {
        let state = &alarm["state"];
        json!({ "Arn": alarm["arn"], "State": { "Value": state["value"], "Timestamp": state["timestamp"] } })
    };
    alarms.into_iter().flatten().map(one).collect()
}

/// `Friday 04 August, 2023 12:54:46 UTC`
fn date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    // 1 January 1970 was a Thursday.
    let day = DAYS[at.secs().div_euclid(86_400).rem_euclid(7) as usize];
    let iso = at.iso8601();
    let part = |range: std::ops::Range<usize>| iso.get(range).unwrap_or_default();
    let month = part(5..7).parse().ok().and_then(|month: usize| MONTHS.get(month.wrapping_sub(1)));
    format!(
        "{day} {} {}, {} {} UTC",
        part(8..10),
        month.copied().unwrap_or_default(),
        part(0..4),
        part(11..19)
    )
}

/// The composite alarms that name an alarm, in their rule or as their suppressor.
pub(crate) fn parents(image: &Image, name: &AlarmName) -> impl Iterator<Item = AlarmName> {
    let suppresses = |alarm: &CompositeAlarm| {
        alarm.suppressor.as_ref().and_then(|s| suppressor_name(s).ok()).is_some_and(|s| s == *name)
    };
    let names =
        image.scan::<CompositeAlarm>().filter(|alarm| alarm.children.contains(name) || suppresses(alarm));
    names.map(|alarm| alarm.name.clone()).collect::<Vec<_>>().into_iter()
}

/// Refuses a suppressor that does not exist, and the alarm itself.
pub(crate) fn check_suppressor(image: &Image, name: &AlarmName, wish: &Suppressor) -> Result<(), Error> {
    let other = suppressor_name(wish)?;
    if other == *name {
        return Err(Error::Validation(format!("The alarm {name} cannot be its own ActionsSuppressor.")));
    }
    match subject(image, &other) {
        Some(_) => Ok(()),
        None => Err(Error::Validation(format!(
            "ActionsSuppressor names the alarm {other}, which does not exist. Create it first."
        ))),
    }
}

/// Refuses alarms that do not exist, and those that depend on `name` themselves. AWS accepts such a cycle and stops evaluating it.
pub(crate) fn check_children(
    image: &Image,
    name: &AlarmName,
    children: &BTreeSet<AlarmName>,
) -> Result<(), Error> {
    let list = |names: Vec<&AlarmName>| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let missing: Vec<_> =
        children.iter().filter(|child| *child != name && subject(image, child).is_none()).collect();
    if !missing.is_empty() {
        return Err(Error::Validation(format!(
            "AlarmRule names alarms that do not exist: {}. Create them first.",
            list(missing)
        )));
    }
    let (mut reached, mut open): (BTreeSet<AlarmName>, Vec<AlarmName>) =
        (children.clone(), children.iter().cloned().collect());
    while let Some(next) = open.pop() {
        if next == *name {
            return Err(Error::Validation(format!(
                "AlarmRule makes the alarm {name} depend on itself, through {}. Remove it from the rule of one of them.",
                list(reached.iter().collect())
            )));
        }
        let below =
            image.get::<CompositeAlarm>(&next).map(|alarm| alarm.children.clone()).unwrap_or_default();
        open.extend(below.into_iter().filter(|child| reached.insert(child.clone())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_on_aws() {
        assert_eq!(date(Timestamp(1_691_153_686_138)), "Friday 04 August, 2023 12:54:46 UTC");
        assert_eq!(date(Timestamp(0)), "Thursday 01 January, 1970 00:00:00 UTC");
    }
}
