//! Enumerations of requests. What Escale does not scale is refused by name.

escale_base::choice! {
    pub(crate) enum Namespace {
        Ecs = "ecs",
        Elasticmapreduce = "elasticmapreduce",
        Ec2 = "ec2",
        Appstream = "appstream",
        Dynamodb = "dynamodb",
        Rds = "rds",
        Sagemaker = "sagemaker",
        CustomResource = "custom-resource",
        Comprehend = "comprehend",
        Lambda = "lambda",
        Cassandra = "cassandra",
        Kafka = "kafka",
        Elasticache = "elasticache",
        Neptune = "neptune",
        Workspaces = "workspaces",
    }
}

escale_base::choice! {
    pub(crate) enum Dimension { EcsServiceDesiredCount = "ecs:service:DesiredCount" }
}

escale_base::choice! {
    pub(crate) enum MetricType {
        Cpu = "ECSServiceAverageCPUUtilization",
        Memory = "ECSServiceAverageMemoryUtilization",
        Requests = "ALBRequestCountPerTarget",
        CpuHighResolution = "ECSServiceAverageCPUUtilizationHighResolution",
        MemoryHighResolution = "ECSServiceAverageMemoryUtilizationHighResolution",
    }
}

escale_base::choice! {
    pub(crate) enum PolicyType {
        Step = "StepScaling", TargetTracking = "TargetTrackingScaling", Predictive = "PredictiveScaling",
    }
}
