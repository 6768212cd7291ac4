//! Alarms. The values of metrics are too many to be rows: the metrics plane stores them.

mod alarm;
mod dashboard;
mod metric;

pub use alarm::{
    Actions, Alarm, AlarmHistory, AlarmInvocation, AlarmName, AlarmSeen, AlarmSuppression, AlarmType,
    ComparisonOperator, CompositeAlarm, HistoryItemType, LowSampleCount, MissingData, Rule, StateValue,
    SuppressedBy, Suppressor, SuppressorRef, Watch,
};
pub use dashboard::{Dashboard, DashboardName};
pub use metric::{Dimension, Metric, MetricDataQuery, MetricStat, StandardUnit, Statistic};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<Alarm>(),
    TableDef::of::<CompositeAlarm>(),
    TableDef::of::<AlarmSeen>(),
    TableDef::of::<AlarmInvocation>(),
    TableDef::of::<AlarmSuppression>(),
    TableDef::of::<AlarmHistory>(),
    TableDef::of::<Dashboard>(),
];
