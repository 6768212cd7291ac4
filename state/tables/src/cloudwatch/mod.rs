//! Alarms. The values of metrics are too many to be rows: the metrics plane stores them.

mod alarm;
mod metric;

pub use alarm::{
    Actions, Alarm, AlarmHistory, AlarmName, AlarmSeen, AlarmType, ComparisonOperator, HistoryItemType,
    LowSampleCount, MissingData, Rule, StateValue, Watch,
};
pub use metric::{Dimension, Metric, MetricDataQuery, MetricStat, StandardUnit, Statistic};

use escale_store::TableDef;

pub const TABLES: &[TableDef] =
    &[TableDef::of::<Alarm>(), TableDef::of::<AlarmSeen>(), TableDef::of::<AlarmHistory>()];
