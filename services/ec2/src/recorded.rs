//! The parameters that EC2 stores and shows without effect. `docs/coverage.md` lists the reasons.

use escale_service::Recorded;

const IPV6: &str =
    "Escale's networks carry IPv4 only; the block is stored and shown, and no packet has an address of it";
const IPV6_RULE: &str = "Escale's networks carry IPv4 only; no packet ever matches this rule";
const IPV6_ROUTE: &str = "Escale's networks carry IPv4 only; no packet ever takes this route";

const TIME: &str = "Tasks have the clock of the machine and use no DHCP";
const NETBIOS: &str = "Tasks use neither NetBIOS nor DHCP";
const DYNAMODB: &str = "The cloud has no DynamoDB: no packet ever uses the endpoint";

const fn of(name: &'static str, reason: &'static str) -> Recorded {
    Recorded { name, reason }
}

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded {
        name: "*.TagSpecifications",
        reason: "Tags are stored and returned, and have no other effect",
    },
    Recorded {
        name: "*.ClientToken",
        reason: "The token is returned, but repeated requests are not deduplicated",
    },
    Recorded { name: "CreateVpc.InstanceTenancy", reason: "No other customers share the machine's hardware" },
    Recorded {
        name: "AllocateAddress.NetworkBorderGroup",
        reason: "The region is the only border group; others are refused",
    },
    Recorded {
        name: "DescribeAvailabilityZones.AllAvailabilityZones",
        reason: "There are no Local Zones or Wavelength Zones",
    },
    Recorded { name: "DescribeRegions.AllRegions", reason: "An installation has one region" },
    Recorded {
        name: "ModifySubnetAttribute.MapPublicIpOnLaunch",
        reason: "It applies to instances, which do not exist here; tasks and load balancers have their own setting",
    },
    Recorded {
        name: "AWS::EC2::Subnet.MapPublicIpOnLaunch",
        reason: "It applies to instances, which do not exist here; tasks and load balancers have their own setting",
    },
    Recorded {
        name: "AWS::EC2::SecurityGroupIngress.SourceSecurityGroupOwnerId",
        reason: "An installation has one account",
    },
    Recorded {
        name: "AWS::EC2::VPC.InstanceTenancy",
        reason: "No other customers share the machine's hardware",
    },
    of("CreateVpc.AmazonProvidedIpv6CidrBlock", IPV6),
    of("AssociateVpcCidrBlock.AmazonProvidedIpv6CidrBlock", IPV6),
    of("AWS::EC2::VPCCidrBlock.AmazonProvidedIpv6CidrBlock", IPV6),
    of("CreateSubnet.Ipv6CidrBlock", IPV6),
    of("AssociateSubnetCidrBlock.Ipv6CidrBlock", IPV6),
    of("AWS::EC2::SubnetCidrBlock.Ipv6CidrBlock", IPV6),
    of("ModifySubnetAttribute.AssignIpv6AddressOnCreation", IPV6),
    of("AWS::EC2::Subnet.AssignIpv6AddressOnCreation", IPV6),
    of("CreateRoute.DestinationIpv6CidrBlock", IPV6_ROUTE),
    of("CreateRoute.EgressOnlyInternetGatewayId", IPV6_ROUTE),
    of("ReplaceRoute.DestinationIpv6CidrBlock", IPV6_ROUTE),
    of("ReplaceRoute.EgressOnlyInternetGatewayId", IPV6_ROUTE),
    of("CreateEgressOnlyInternetGateway.VpcId", IPV6_ROUTE),
    of("CreateNetworkAclEntry.Ipv6CidrBlock", IPV6_RULE),
    of("ReplaceNetworkAclEntry.Ipv6CidrBlock", IPV6_RULE),
    of("AuthorizeSecurityGroupIngress.IpPermissions/Ipv6Ranges", IPV6_RULE),
    of("AuthorizeSecurityGroupEgress.IpPermissions/Ipv6Ranges", IPV6_RULE),
    of("ModifySecurityGroupRules.SecurityGroupRules/CidrIpv6", IPV6_RULE),
    of("AWS::EC2::SecurityGroupIngress.CidrIpv6", IPV6_RULE),
    of("AWS::EC2::SecurityGroupEgress.CidrIpv6", IPV6_RULE),
    of("AWS::EC2::SecurityGroup.SecurityGroupIngress/CidrIpv6", IPV6_RULE),
    of("AWS::EC2::SecurityGroup.SecurityGroupEgress/CidrIpv6", IPV6_RULE),
    of("CreateDhcpOptions.DhcpConfigurations/ntp-servers", TIME),
    of("AWS::EC2::DHCPOptions.NtpServers", TIME),
    of("CreateDhcpOptions.DhcpConfigurations/netbios-name-servers", NETBIOS),
    of("CreateDhcpOptions.DhcpConfigurations/netbios-node-type", NETBIOS),
    of("AWS::EC2::DHCPOptions.NetbiosNameServers", NETBIOS),
    of("AWS::EC2::DHCPOptions.NetbiosNodeType", NETBIOS),
    of("CreateVpcEndpoint.ServiceName=*.dynamodb", DYNAMODB),
    of("AWS::EC2::VPCEndpoint.ServiceName=*.dynamodb", DYNAMODB),
];
