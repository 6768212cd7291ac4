//! Alarms: wishes, and the states in which they were last observed.

use super::{Metric, MetricDataQuery, StandardUnit, Statistic};
use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// An alarm's name, unique in the account.
    AlarmName;
    /// The name or the ARN of an alarm, as the user wrote it.
    SuppressorRef;
}

escale_base::choice! {
    pub enum SuppressedBy { WaitPeriod = "WaitPeriod", ExtensionPeriod = "ExtensionPeriod", Alarm = "Alarm" }
}

escale_base::choice! {
    pub enum StateValue { Ok = "OK", Alarm = "ALARM", InsufficientData = "INSUFFICIENT_DATA" }
}

escale_base::choice! {
    pub enum ComparisonOperator {
        GreaterOrEqual = "GreaterThanOrEqualToThreshold",
        Greater = "GreaterThanThreshold",
        Less = "LessThanThreshold",
        LessOrEqual = "LessThanOrEqualToThreshold",
    }
}

escale_base::choice! {
    /// How an alarm treats periods without a value.
    pub enum MissingData { Breaching = "breaching", NotBreaching = "notBreaching", Ignore = "ignore", Missing = "missing" }
}

escale_base::choice! {
    /// Whether a percentile of too few values changes the state.
    pub enum LowSampleCount { Evaluate = "evaluate", Ignore = "ignore" }
}

escale_base::choice! {
    pub enum AlarmType { Composite = "CompositeAlarm", Metric = "MetricAlarm", Log = "LogAlarm" }
}

escale_base::choice! {
    pub enum HistoryItemType {
        ConfigurationUpdate = "ConfigurationUpdate",
        StateUpdate = "StateUpdate",
        Action = "Action",
        ContributorStateUpdate = "AlarmContributorStateUpdate",
        ContributorAction = "AlarmContributorAction",
    }
}

/// The wish for an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    pub name: AlarmName,
    pub description: Option<String>,
    pub actions_enabled: bool,
    pub actions: Actions,
    pub watch: Watch,
    pub rule: Rule,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
    /// When its configuration was last changed.
    pub updated: Timestamp,
}
row!(Alarm, "cloudwatch_alarm", |r| r.name.to_string());

/// The wish for an alarm on the states of other alarms. Its name is unique among alarms of both kinds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompositeAlarm {
    pub name: AlarmName,
    pub description: Option<String>,
    pub actions_enabled: bool,
    pub actions: Actions,
    /// As the user wrote it.
    pub rule: String,
    /// The alarms in the rule, sorted.
    pub children: Vec<AlarmName>,
    #[serde(default)]
    pub suppressor: Option<Suppressor>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
    /// When its configuration was last changed.
    pub updated: Timestamp,
}
row!(CompositeAlarm, "cloudwatch_composite_alarm", |r| r.name.to_string());

/// While another alarm is in ALARM, and some time around that, the alarm takes no action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppressor {
    pub alarm: SuppressorRef,
    /// How long an action waits for that alarm to enter ALARM.
    pub wait_s: u32,
    /// How long an action waits after that alarm left ALARM.
    pub extension_s: u32,
}

/// Why a composite alarm takes no action. Without a row, nothing suppresses its actions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmSuppression {
    pub name: AlarmName,
    pub by: Option<SuppressedBy>,
    pub since: Timestamp,
    /// The state in which the alarm was when it last took its actions, if it has changed since.
    pub from: Option<StateValue>,
}
row!(AlarmSuppression, "cloudwatch_alarm_suppression", |r| r.name.to_string());

/// ARNs of what happens when the alarm enters a state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Actions {
    pub ok: Vec<String>,
    pub alarm: Vec<String>,
    pub insufficient_data: Vec<String>,
}

impl Actions {
    pub fn of(&self, state: StateValue) -> &[String] {
        match state {
            StateValue::Ok => &self.ok,
            StateValue::Alarm => &self.alarm,
            StateValue::InsufficientData => &self.insufficient_data,
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.ok.iter().chain(&self.alarm).chain(&self.insufficient_data)
    }
}

/// The values that an alarm compares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Watch {
    Metric {
        metric: Metric,
        statistic: Option<Statistic>,
        /// A percentile, if there is no `statistic`.
        extended: Option<String>,
        unit: Option<StandardUnit>,
        period_secs: i64,
    },
    /// One of them returns its data.
    Queries(Vec<MetricDataQuery>),
}

/// When values mean an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub comparison: ComparisonOperator,
    pub threshold: f64,
    pub evaluation_periods: u32,
    /// `None` means all of them.
    pub datapoints_to_alarm: Option<u32>,
    pub missing: Option<MissingData>,
    pub low_samples: Option<LowSampleCount>,
}

/// The last state of an alarm. Without a row it has not been evaluated: its state is INSUFFICIENT_DATA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmSeen {
    pub name: AlarmName,
    pub state: StateValue,
    pub reason: String,
    /// A JSON document for programs.
    pub reason_data: Option<String>,
    /// When state or reason last changed.
    pub updated: Timestamp,
    /// When the state last changed.
    pub transitioned: Timestamp,
}
row!(AlarmSeen, "cloudwatch_alarm_seen", |r| r.name.to_string());

/// The last time that an alarm invoked the scaling policies among its actions: when its state changed, then once a minute while
/// the state lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmInvocation {
    pub name: AlarmName,
    pub at: Timestamp,
    pub state: StateValue,
    /// The values that decided the state, oldest first; empty if there was none.
    pub values: Vec<f64>,
}
row!(AlarmInvocation, "cloudwatch_alarm_invocation", |r| r.name.to_string());

/// What happened to an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmHistory {
    pub name: AlarmName,
    /// Counts an alarm's items.
    pub number: u64,
    pub at: Timestamp,
    pub kind: HistoryItemType,
    pub summary: String,
    /// A JSON document.
    pub data: String,
}
row!(AlarmHistory, "cloudwatch_alarm_history", |r| format!("{}/{:020}", r.name, r.number));
