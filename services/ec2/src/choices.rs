//! Enumerations of AWS's API whose values are not stored.

use escale_base::choice;

choice! {
    pub(crate) enum AccountAttributeName {
        SupportedPlatforms = "supported-platforms",
        DefaultVpc = "default-vpc",
        /// AWS documents this value, but its model does not list it.
        MaxGroupsPerInterface = "vpc-max-security-groups-per-interface",
    }
}
choice! { pub(crate) enum AvailabilityMode { Zonal = "zonal", Regional = "regional" } }
choice! {
    pub(crate) enum OptInStatus {
        OptInNotRequired = "opt-in-not-required", OptedIn = "opted-in", NotOptedIn = "not-opted-in",
    }
}
choice! {
    pub(crate) enum ZoneState {
        Available = "available", Information = "information", Impaired = "impaired",
        Unavailable = "unavailable", Constrained = "constrained",
    }
}
choice! { pub(crate) enum ConnectivityType { Private = "private", Public = "public" } }
choice! { pub(crate) enum DomainType { Vpc = "vpc", Standard = "standard" } }
choice! { pub(crate) enum FlowLogStatus { Active = "ACTIVE" } }
choice! { pub(crate) enum FlowLogDelivery { Success = "SUCCESS", Failed = "FAILED" } }
choice! {
    pub(crate) enum FlowLogsResourceType {
        Vpc = "VPC", Subnet = "Subnet", NetworkInterface = "NetworkInterface", TransitGateway = "TransitGateway",
        TransitGatewayAttachment = "TransitGatewayAttachment", RegionalNatGateway = "RegionalNatGateway",
    }
}
choice! { pub(crate) enum IpSource { Amazon = "amazon", Byoip = "byoip", None = "none" } }
choice! { pub(crate) enum Ipv6AddressAttribute { Public = "public", Private = "private" } }
choice! { pub(crate) enum IpAddressType { Ipv4 = "ipv4", Dualstack = "dualstack", Ipv6 = "ipv6" } }
choice! {
    pub(crate) enum NatGatewayAddressStatus {
        Assigning = "assigning", Unassigning = "unassigning", Associating = "associating",
        Disassociating = "disassociating", Succeeded = "succeeded", Failed = "failed",
    }
}
choice! {
    pub(crate) enum PrefixListState {
        CreateInProgress = "create-in-progress", CreateComplete = "create-complete",
        CreateFailed = "create-failed", ModifyInProgress = "modify-in-progress",
        ModifyComplete = "modify-complete", ModifyFailed = "modify-failed",
        RestoreInProgress = "restore-in-progress", RestoreComplete = "restore-complete",
        RestoreFailed = "restore-failed", DeleteInProgress = "delete-in-progress",
        DeleteComplete = "delete-complete", DeleteFailed = "delete-failed",
    }
}
choice! {
    pub(crate) enum ResourceType {
        CapacityReservation = "capacity-reservation", ClientVpnEndpoint = "client-vpn-endpoint",
        CustomerGateway = "customer-gateway", CarrierGateway = "carrier-gateway", CoipPool = "coip-pool",
        DeclarativePoliciesReport = "declarative-policies-report", DedicatedHost = "dedicated-host",
        DhcpOptions = "dhcp-options", EgressOnlyInternetGateway = "egress-only-internet-gateway",
        ElasticIp = "elastic-ip", ElasticGpu = "elastic-gpu", ExportImageTask = "export-image-task",
        ExportInstanceTask = "export-instance-task", Fleet = "fleet", FpgaImage = "fpga-image",
        HostReservation = "host-reservation", Image = "image", ImageUsageReport = "image-usage-report",
        ImportImageTask = "import-image-task", ImportSnapshotTask = "import-snapshot-task",
        Instance = "instance", InstanceEventWindow = "instance-event-window",
        InternetGateway = "internet-gateway", Ipam = "ipam", IpamPool = "ipam-pool",
        IpamScope = "ipam-scope", Ipv4poolEc2 = "ipv4pool-ec2", Ipv6poolEc2 = "ipv6pool-ec2",
        KeyPair = "key-pair", LaunchTemplate = "launch-template", LocalGateway = "local-gateway",
        LocalGatewayRouteTable = "local-gateway-route-table",
        LocalGatewayVirtualInterface = "local-gateway-virtual-interface",
        LocalGatewayVirtualInterfaceGroup = "local-gateway-virtual-interface-group",
        LocalGatewayRouteTableVpcAssociation = "local-gateway-route-table-vpc-association",
        LocalGatewayRouteTableVirtualInterfaceGroupAssociation = "local-gateway-route-table-virtual-interface-group-association",
        Natgateway = "natgateway", NetworkAcl = "network-acl", NetworkInterface = "network-interface",
        NetworkInsightsAnalysis = "network-insights-analysis",
        NetworkInsightsPath = "network-insights-path",
        NetworkInsightsAccessScope = "network-insights-access-scope",
        NetworkInsightsAccessScopeAnalysis = "network-insights-access-scope-analysis",
        OutpostLag = "outpost-lag", PlacementGroup = "placement-group", PrefixList = "prefix-list",
        ReplaceRootVolumeTask = "replace-root-volume-task", ReservedInstances = "reserved-instances",
        RouteTable = "route-table", SecurityGroup = "security-group",
        SecurityGroupRule = "security-group-rule",
        ServiceLinkVirtualInterface = "service-link-virtual-interface", Snapshot = "snapshot",
        SpotFleetRequest = "spot-fleet-request", SpotInstancesRequest = "spot-instances-request",
        Subnet = "subnet", SubnetCidrReservation = "subnet-cidr-reservation",
        TrafficMirrorFilter = "traffic-mirror-filter", TrafficMirrorSession = "traffic-mirror-session",
        TrafficMirrorTarget = "traffic-mirror-target", TransitGateway = "transit-gateway",
        TransitGatewayAttachment = "transit-gateway-attachment",
        TransitGatewayConnectPeer = "transit-gateway-connect-peer",
        TransitGatewayMulticastDomain = "transit-gateway-multicast-domain",
        TransitGatewayPolicyTable = "transit-gateway-policy-table",
        TransitGatewayMeteringPolicy = "transit-gateway-metering-policy",
        TransitGatewayRouteTable = "transit-gateway-route-table",
        TransitGatewayRouteTableAnnouncement = "transit-gateway-route-table-announcement",
        Volume = "volume", Vpc = "vpc", VpcEndpoint = "vpc-endpoint",
        VpcEndpointConnection = "vpc-endpoint-connection", VpcEndpointService = "vpc-endpoint-service",
        VpcEndpointServicePermission = "vpc-endpoint-service-permission",
        VpcPeeringConnection = "vpc-peering-connection", VpnConnection = "vpn-connection",
        VpnGateway = "vpn-gateway", VpcFlowLog = "vpc-flow-log",
        CapacityReservationFleet = "capacity-reservation-fleet",
        TrafficMirrorFilterRule = "traffic-mirror-filter-rule",
        VpcEndpointConnectionDeviceType = "vpc-endpoint-connection-device-type",
        VerifiedAccessInstance = "verified-access-instance", VerifiedAccessGroup = "verified-access-group",
        VerifiedAccessEndpoint = "verified-access-endpoint",
        VerifiedAccessPolicy = "verified-access-policy",
        VerifiedAccessTrustProvider = "verified-access-trust-provider",
        VpnConnectionDeviceType = "vpn-connection-device-type",
        VpcBlockPublicAccessExclusion = "vpc-block-public-access-exclusion",
        VpcEncryptionControl = "vpc-encryption-control", RouteServer = "route-server",
        RouteServerEndpoint = "route-server-endpoint", RouteServerPeer = "route-server-peer",
        IpamResourceDiscovery = "ipam-resource-discovery",
        IpamResourceDiscoveryAssociation = "ipam-resource-discovery-association",
        InstanceConnectEndpoint = "instance-connect-endpoint",
        VerifiedAccessEndpointTarget = "verified-access-endpoint-target",
        IpamExternalResourceVerificationToken = "ipam-external-resource-verification-token",
        CapacityBlock = "capacity-block", MacModificationTask = "mac-modification-task",
        IpamPrefixListResolver = "ipam-prefix-list-resolver", IpamPolicy = "ipam-policy",
        IpamPrefixListResolverTarget = "ipam-prefix-list-resolver-target",
        SecondaryInterface = "secondary-interface", SecondaryNetwork = "secondary-network",
        SecondarySubnet = "secondary-subnet", CapacityManagerDataExport = "capacity-manager-data-export",
        VpnConcentrator = "vpn-concentrator", IpamPoolAllocation = "ipam-pool-allocation",
    }
}
choice! {
    pub(crate) enum RouteOrigin {
        CreateRouteTable = "CreateRouteTable", CreateRoute = "CreateRoute",
        EnableVgwRoutePropagation = "EnableVgwRoutePropagation", Advertisement = "Advertisement",
    }
}
choice! {
    pub(crate) enum AssociationStateCode {
        Associating = "associating", Associated = "associated", Disassociating = "disassociating",
        Disassociated = "disassociated", Failed = "failed",
    }
}
choice! { pub(crate) enum RuleAction { Allow = "allow", Deny = "deny" } }
choice! { pub(crate) enum ServiceManaged { Alb = "alb", Nlb = "nlb", Rnat = "rnat", Rds = "rds" } }
choice! {
    pub(crate) enum SubnetState {
        Pending = "pending", Available = "available", Unavailable = "unavailable", Failed = "failed",
        FailedInsufficientCapacity = "failed-insufficient-capacity",
    }
}
choice! { pub(crate) enum Tenancy { Default = "default", Dedicated = "dedicated", Host = "host" } }
choice! {
    pub(crate) enum CidrBlockState {
        Associating = "associating", Associated = "associated", Disassociating = "disassociating",
        Disassociated = "disassociated", Failing = "failing", Failed = "failed",
    }
}
choice! {
    pub(crate) enum VpcEndpointType {
        Interface = "Interface", Gateway = "Gateway", GatewayLoadBalancer = "GatewayLoadBalancer",
        Resource = "Resource", ServiceNetwork = "ServiceNetwork",
    }
}
choice! {
    /// AWS returns these values for a gateway that is attached to a VPC, although its model lists others.
    pub(crate) enum AttachmentStatus { Attaching = "attaching", Attached = "attached", Available = "available" }
}
choice! {
    /// AWS returns these values in lower case, although its model capitalizes them.
    pub(crate) enum EndpointState { Pending = "pending", Available = "available" }
}
choice! {
    /// The types that clients may request, and those that services set on their own interfaces.
    pub(crate) enum InterfaceCreationType {
        Efa = "efa", EfaOnly = "efa-only", Branch = "branch", Trunk = "trunk", Interface = "interface",
        NatGateway = "nat_gateway", NetworkLoadBalancer = "network_load_balancer",
    }
}
