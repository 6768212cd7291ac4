//! The operations on alarms and dashboards.

escale_service::operations! { "cloudwatch";
    DeleteAlarms => delete_alarms,
    DeleteDashboards => delete_dashboards,
    DescribeAlarmHistory => describe_alarm_history,
    DescribeAlarms => describe_alarms,
    DescribeAlarmsForMetric => describe_alarms_for_metric,
    DisableAlarmActions => disable_alarm_actions,
    EnableAlarmActions => enable_alarm_actions,
    GetDashboard => get_dashboard,
    ListDashboards => list_dashboards,
    ListTagsForResource => list_tags_for_resource,
    PutCompositeAlarm => put_composite_alarm,
    PutDashboard => put_dashboard,
    PutMetricAlarm => put_metric_alarm,
    SetAlarmState => set_alarm_state,
    TagResource => tag_resource,
    UntagResource => untag_resource,
}
