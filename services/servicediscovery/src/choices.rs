//! AWS's enumerations that are not stored.

use escale_base::choice;

choice! { pub(crate) enum HealthStatus { Healthy = "HEALTHY", Unhealthy = "UNHEALTHY", Unknown = "UNKNOWN" } }
choice! {
    pub(crate) enum HealthStatusFilter {
        Healthy = "HEALTHY", Unhealthy = "UNHEALTHY", All = "ALL", HealthyOrElseAll = "HEALTHY_OR_ELSE_ALL",
    }
}
choice! { pub(crate) enum HealthCheckType { Http = "HTTP", Https = "HTTPS", Tcp = "TCP" } }
choice! { pub(crate) enum ServiceTypeOption { Http = "HTTP" } }
choice! {
    pub(crate) enum FilterCondition { Eq = "EQ", In = "IN", Between = "BETWEEN", BeginsWith = "BEGINS_WITH" }
}
choice! {
    pub(crate) enum NamespaceFilterName {
        Type = "TYPE", Name = "NAME", HttpName = "HTTP_NAME", ResourceOwner = "RESOURCE_OWNER",
    }
}
choice! {
    pub(crate) enum ServiceFilterName { NamespaceId = "NAMESPACE_ID", ResourceOwner = "RESOURCE_OWNER" }
}
choice! {
    pub(crate) enum OperationFilterName {
        NamespaceId = "NAMESPACE_ID", ServiceId = "SERVICE_ID", Status = "STATUS", Type = "TYPE",
        UpdateDate = "UPDATE_DATE",
    }
}
choice! {
    pub(crate) enum OperationStatus {
        Submitted = "SUBMITTED", Pending = "PENDING", Success = "SUCCESS", Fail = "FAIL",
    }
}
choice! {
    pub(crate) enum OperationTargetType {
        Namespace = "NAMESPACE", Service = "SERVICE", Instance = "INSTANCE",
    }
}
