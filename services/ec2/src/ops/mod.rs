//! The operations of EC2, a line each.

escale_service::operations! {
    CreateNetworkInterface => create_network_interface,
    CreateSubnet => create_subnet,
    CreateVpc => create_vpc,
    DeleteNetworkInterface => delete_network_interface,
    DeleteSubnet => delete_subnet,
    DeleteVpc => delete_vpc,
    DescribeNetworkInterfaces => describe_network_interfaces,
    DescribeSubnets => describe_subnets,
    DescribeVpcAttribute => describe_vpc_attribute,
    DescribeVpcs => describe_vpcs,
    ModifyNetworkInterfaceAttribute => modify_network_interface_attribute,
    ModifySubnetAttribute => modify_subnet_attribute,
    ModifyVpcAttribute => modify_vpc_attribute,
}
