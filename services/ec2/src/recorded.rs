//! What EC2 takes, keeps and shows again without effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.TagSpecifications", reason: "Tags are for who reads them" },
    Recorded {
        name: "*.ClientToken",
        reason: "A request that is sent twice is a request; the token is shown again and no answer is kept by it",
    },
    Recorded {
        name: "CreateVpc.InstanceTenancy",
        reason: "Whether hardware is shared with other customers has no meaning on one's own machine",
    },
    Recorded {
        name: "AllocateAddress.NetworkBorderGroup",
        reason: "The region is the only border group; another one is refused",
    },
    Recorded {
        name: "DescribeAvailabilityZones.AllAvailabilityZones",
        reason: "There are no local or wavelength zones that could be shown beside",
    },
    Recorded { name: "DescribeRegions.AllRegions", reason: "One installation is one region" },
    Recorded {
        name: "ModifySubnetAttribute.MapPublicIpOnLaunch",
        reason: "It is for instances, of which there are none; tasks and load balancers say it themselves",
    },
    Recorded {
        name: "AWS::EC2::Subnet.MapPublicIpOnLaunch",
        reason: "It is for instances, of which there are none; tasks and load balancers say it themselves",
    },
    Recorded {
        name: "AWS::EC2::VPC.InstanceTenancy",
        reason: "Whether hardware is shared with other customers has no meaning on one's own machine",
    },
];
