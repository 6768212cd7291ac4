//! AWS's enumerations that no row stores.

use escale_base::choice;

choice! {
    pub(crate) enum Protocol {
        Http = "HTTP", Https = "HTTPS", Tcp = "TCP", Tls = "TLS", Udp = "UDP", TcpUdp = "TCP_UDP",
        Geneve = "GENEVE", Quic = "QUIC", TcpQuic = "TCP_QUIC",
    }
}
choice! {
    pub(crate) enum IpAddressType {
        Ipv4 = "ipv4", Dualstack = "dualstack",
        DualstackWithoutPublicIpv4 = "dualstack-without-public-ipv4",
    }
}
choice! { pub(crate) enum TargetGroupIpAddressType { Ipv4 = "ipv4", Ipv6 = "ipv6" } }
choice! {
    pub(crate) enum LoadBalancerType {
        Application = "application", Network = "network", Gateway = "gateway",
    }
}
choice! {
    pub(crate) enum TargetHealthReason {
        ElbRegistrationInProgress = "Elb.RegistrationInProgress",
        ElbInitialHealthChecking = "Elb.InitialHealthChecking",
        TargetResponseCodeMismatch = "Target.ResponseCodeMismatch", TargetTimeout = "Target.Timeout",
        TargetFailedHealthChecks = "Target.FailedHealthChecks",
        TargetNotRegistered = "Target.NotRegistered", TargetNotInUse = "Target.NotInUse",
        TargetDeregistrationInProgress = "Target.DeregistrationInProgress",
        TargetInvalidState = "Target.InvalidState", TargetIpUnusable = "Target.IpUnusable",
        TargetHealthCheckDisabled = "Target.HealthCheckDisabled", ElbInternalError = "Elb.InternalError",
    }
}
choice! {
    pub(crate) enum TargetTypeInput { Instance = "instance", Ip = "ip", Lambda = "lambda", Alb = "alb" }
}
choice! { pub(crate) enum RedirectStatus { Http301 = "HTTP_301", Http302 = "HTTP_302" } }
