//! Parts of metrics that alarms store. The values are too many to be rows: the metrics plane stores them.

use escale_base::Wire;
use serde::{Deserialize, Serialize};

escale_base::choice! {
    pub enum StandardUnit { Seconds = "Seconds", Microseconds = "Microseconds", Milliseconds = "Milliseconds", Bytes = "Bytes", Kilobytes = "Kilobytes", Megabytes = "Megabytes", Gigabytes = "Gigabytes", Terabytes = "Terabytes", Bits = "Bits", Kilobits = "Kilobits", Megabits = "Megabits", Gigabits = "Gigabits", Terabits = "Terabits", Percent = "Percent", Count = "Count", BytesPerSecond = "Bytes/Second", KilobytesPerSecond = "Kilobytes/Second", MegabytesPerSecond = "Megabytes/Second", GigabytesPerSecond = "Gigabytes/Second", TerabytesPerSecond = "Terabytes/Second", BitsPerSecond = "Bits/Second", KilobitsPerSecond = "Kilobits/Second", MegabitsPerSecond = "Megabits/Second", GigabitsPerSecond = "Gigabits/Second", TerabitsPerSecond = "Terabits/Second", CountPerSecond = "Count/Second", None = "None" }
}

escale_base::choice! {
    pub enum Statistic {
        SampleCount = "SampleCount", Average = "Average", Sum = "Sum", Minimum = "Minimum", Maximum = "Maximum",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Wire)]
pub struct Dimension {
    pub name: String,
    pub value: String,
}

/// A metric with a statistic, or an expression on other queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct MetricDataQuery {
    pub id: String,
    pub metric_stat: Option<MetricStat>,
    pub expression: Option<String>,
    pub label: Option<String>,
    pub return_data: Option<bool>,
    pub period: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct MetricStat {
    pub metric: Metric,
    pub period: i64,
    pub stat: String,
    pub unit: Option<StandardUnit>,
}

/// Everything that identifies a metric but its unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub struct Metric {
    pub namespace: Option<String>,
    pub metric_name: Option<String>,
    pub dimensions: Vec<Dimension>,
}
