//! The parameters that EC2 stores and shows without effect. `docs/coverage.md` lists the reasons.

use escale_service::Recorded;

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
];
