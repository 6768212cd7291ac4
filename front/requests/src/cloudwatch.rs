//! Alarms: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html>

use escale_base::Wire;
use escale_tables::cloudwatch::{ComparisonOperator, Dimension, MetricDataQuery, StandardUnit, Statistic};

crate::requests! { "cloudwatch";
    DeleteAlarms => (),
    PutMetricAlarm => (),
}

#[derive(Clone, Debug, Wire)]
pub struct DeleteAlarms {
    pub alarm_names: Vec<String>,
}

/// An alarm on a single metric or on an expression.
#[derive(Clone, Debug, Wire)]
pub struct PutMetricAlarm {
    pub alarm_name: String,
    pub alarm_description: String,
    pub alarm_actions: Vec<String>,
    pub namespace: Option<String>,
    pub metric_name: Option<String>,
    pub dimensions: Vec<Dimension>,
    pub statistic: Option<Statistic>,
    pub unit: Option<StandardUnit>,
    pub period: Option<i64>,
    pub metrics: Vec<MetricDataQuery>,
    pub evaluation_periods: u32,
    pub threshold: f64,
    pub comparison_operator: ComparisonOperator,
}
