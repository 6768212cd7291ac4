//! The operations of EC2, a line each.

escale_service::operations! {
    CreateVpc => create_vpc,
    DeleteVpc => delete_vpc,
    DescribeVpcs => describe_vpcs,
}
