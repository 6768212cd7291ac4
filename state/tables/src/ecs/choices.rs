//! AWS's enumerations that ECS stores.

use escale_base::choice;

choice! {
    /// The capacity providers that need no EC2 instances.
    pub enum CapacityProvider { Fargate = "FARGATE", FargateSpot = "FARGATE_SPOT" }
}
choice! {
    /// The versions of Fargate's platform. They are only recorded.
    pub enum PlatformVersion { V1_3 = "1.3.0", V1_4 = "1.4.0", Latest = "LATEST" }
}

impl PlatformVersion {
    /// The version that tasks get.
    pub fn resolved(self) -> PlatformVersion {
        match self {
            PlatformVersion::Latest => PlatformVersion::V1_4,
            version => version,
        }
    }
}
choice! {
    /// How the value of a circuit breaker's threshold is read.
    pub enum ThresholdType { Count = "COUNT", BoundedPercent = "BOUNDED_PERCENT", UnboundedPercent = "UNBOUNDED_PERCENT" }
}
choice! { pub enum ApplicationProtocol { Http = "http", Http2 = "http2", Grpc = "grpc" } }
choice! { pub enum AssignPublicIp { Enabled = "ENABLED", Disabled = "DISABLED" } }
choice! { pub enum ClusterSettingName { ContainerInsights = "containerInsights" } }
choice! {
    pub enum Compatibility {
        Ec2 = "EC2", Fargate = "FARGATE", External = "EXTERNAL", ManagedInstances = "MANAGED_INSTANCES",
    }
}
choice! {
    pub enum ContainerCondition {
        Start = "START", Complete = "COMPLETE", Success = "SUCCESS", Healthy = "HEALTHY",
    }
}
choice! { pub enum VersionConsistency { Enabled = "enabled", Disabled = "disabled" } }
choice! { pub enum CpuArchitecture { X8664 = "X86_64", Arm64 = "ARM64" } }
choice! {
    pub enum LogDriver {
        JsonFile = "json-file", Syslog = "syslog", Journald = "journald", Gelf = "gelf",
        Fluentd = "fluentd", Awslogs = "awslogs", Splunk = "splunk", Awsfirelens = "awsfirelens",
    }
}
choice! {
    pub enum OsFamily {
        WindowsServer2019Full = "WINDOWS_SERVER_2019_FULL",
        WindowsServer2019Core = "WINDOWS_SERVER_2019_CORE",
        WindowsServer2016Full = "WINDOWS_SERVER_2016_FULL",
        WindowsServer2004Core = "WINDOWS_SERVER_2004_CORE",
        WindowsServer2022Core = "WINDOWS_SERVER_2022_CORE",
        WindowsServer2022Full = "WINDOWS_SERVER_2022_FULL",
        WindowsServer2025Core = "WINDOWS_SERVER_2025_CORE",
        WindowsServer2025Full = "WINDOWS_SERVER_2025_FULL",
        WindowsServer20h2Core = "WINDOWS_SERVER_20H2_CORE", Linux = "LINUX",
    }
}
choice! {
    pub enum PropagateTags { TaskDefinition = "TASK_DEFINITION", Service = "SERVICE", None = "NONE" }
}
choice! {
    pub enum SettingName {
        ServiceLongArnFormat = "serviceLongArnFormat", TaskLongArnFormat = "taskLongArnFormat",
        ContainerInstanceLongArnFormat = "containerInstanceLongArnFormat",
        AwsvpcTrunking = "awsvpcTrunking", ContainerInsights = "containerInsights",
        FargateFIPSMode = "fargateFIPSMode", TagResourceAuthorization = "tagResourceAuthorization",
        FargateTaskRetirementWaitPeriod = "fargateTaskRetirementWaitPeriod",
        GuardDutyActivate = "guardDutyActivate", DefaultLogDriverMode = "defaultLogDriverMode",
        FargateEventWindows = "fargateEventWindows",
    }
}
choice! { pub enum TransportProtocol { Tcp = "tcp", Udp = "udp" } }
choice! {
    pub enum UlimitName {
        Core = "core", Cpu = "cpu", Data = "data", Fsize = "fsize", Locks = "locks", Memlock = "memlock",
        Msgqueue = "msgqueue", Nice = "nice", Nofile = "nofile", Nproc = "nproc", Rss = "rss",
        Rtprio = "rtprio", Rttime = "rttime", Sigpending = "sigpending", Stack = "stack",
    }
}
