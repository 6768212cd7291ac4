//! The operations on alarms.

escale_service::operations! { "cloudwatch";
    DeleteAlarms => delete_alarms,
    DescribeAlarmHistory => describe_alarm_history,
    DescribeAlarms => describe_alarms,
    DescribeAlarmsForMetric => describe_alarms_for_metric,
    DisableAlarmActions => disable_alarm_actions,
    EnableAlarmActions => enable_alarm_actions,
    ListTagsForResource => list_tags_for_resource,
    PutMetricAlarm => put_metric_alarm,
    SetAlarmState => set_alarm_state,
    TagResource => tag_resource,
    UntagResource => untag_resource,
}
