//! The operations on values, which need the plane.

escale_service::streams! { crate::Monitor;
    GetMetricData => get_metric_data,
    GetMetricStatistics => get_metric_statistics,
    ListMetrics => list_metrics,
    PutMetricData => put_metric_data,
}
