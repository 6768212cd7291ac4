//! VPCCidrBlock, SubnetCidrBlock, EgressOnlyInternetGateway. Stored and shown only: networks carry IPv4.

use super::{describe, only_tags, shown, tags};
use crate::{
    choices,
    ops::{
        associate_subnet_cidr_block::AssociateSubnetCidrBlock,
        associate_vpc_cidr_block::AssociateVpcCidrBlock,
        create_egress_only_internet_gateway::CreateEgressOnlyInternetGateway,
        delete_egress_only_internet_gateway::DeleteEgressOnlyInternetGateway,
        describe_egress_only_internet_gateways::DescribeEgressOnlyInternetGateways,
        describe_subnets::DescribeSubnets, describe_vpcs::DescribeVpcs,
        disassociate_subnet_cidr_block::DisassociateSubnetCidrBlock,
        disassociate_vpc_cidr_block::DisassociateVpcCidrBlock,
    },
};
use escale_base::wire::Wire as _;
use escale_service::{Created, InputDraft, ResourceType};
use serde_json::json;

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType::new(
        "AWS::EC2::VPCCidrBlock",
        &["AmazonProvidedIpv6CidrBlock", "VpcId"],
        |cx, props| {
            let input = props.input::<AssociateVpcCidrBlock>(&["AmazonProvidedIpv6CidrBlock", "VpcId"]);
            let block = input.call(cx)?.ipv6_cidr_block_association;
            let id = block.association_id.as_str();
            Ok(Created::new(id)
                .with("Id", id)
                .with("Ipv6AddressAttribute", block.ipv6_address_attribute.write())
                .with("IpSource", block.ip_source.write()))
        },
        |cx, c| c.delete_by::<DisassociateVpcCidrBlock>(cx, "AssociationId"),
    )
    .read(|cx, c| {
        let name = "ipv6-cidr-block-association.association-id";
        let filter = json!([{"Name": name, "Values": [c.physical_id]}]);
        let answer = InputDraft::<DescribeVpcs>::new().with("Filters", &filter).call(cx)?;
        let properties = |vpc: &str| json!({"AmazonProvidedIpv6CidrBlock": true, "VpcId": vpc});
        Ok(answer.vpcs.first().and_then(|vpc| properties(vpc.vpc_id.as_str()).as_object().cloned()))
    }),
    ResourceType::new(
        "AWS::EC2::SubnetCidrBlock",
        &["Ipv6CidrBlock", "SubnetId"],
        |cx, props| {
            let input = props.input::<AssociateSubnetCidrBlock>(&["Ipv6CidrBlock", "SubnetId"]);
            let block = input.call(cx)?.ipv6_cidr_block_association;
            let id = block.association_id.as_str();
            Ok(Created::new(id)
                .with("Id", id)
                .with("Ipv6AddressAttribute", block.ipv6_address_attribute.write())
                .with("IpSource", block.ip_source.write()))
        },
        |cx, c| c.delete_by::<DisassociateSubnetCidrBlock>(cx, "AssociationId"),
    )
    .read(|cx, c| {
        let name = "ipv6-cidr-block-association.association-id";
        let filter = json!([{"Name": name, "Values": [c.physical_id]}]);
        let answer = InputDraft::<DescribeSubnets>::new().with("Filters", &filter).call(cx)?;
        let Some(subnet) = answer.subnets.first() else { return Ok(None) };
        let block = subnet.ipv6_cidr_block_association_set.first().map(|b| b.ipv6_cidr_block.as_str());
        Ok(json!({"Ipv6CidrBlock": block, "SubnetId": subnet.subnet_id.as_str()}).as_object().cloned())
    }),
    ResourceType::new(
        "AWS::EC2::EgressOnlyInternetGateway",
        &["Tags", "VpcId"],
        |cx, props| {
            let input = props.input::<CreateEgressOnlyInternetGateway>(&["VpcId"]);
            let tags = tags(props, choices::ResourceType::EgressOnlyInternetGateway)?;
            let output = input.with("TagSpecifications", &tags).call(cx)?;
            let id = output.egress_only_internet_gateway.egress_only_internet_gateway_id;
            Ok(Created::new(id.as_str()).with("Id", id.as_str()))
        },
        |cx, c| c.delete_by::<DeleteEgressOnlyInternetGateway>(cx, "EgressOnlyInternetGatewayId"),
    )
    .update(only_tags)
    .read(|cx, c| {
        let member = "EgressOnlyInternetGatewayIds";
        let answer = describe::<DescribeEgressOnlyInternetGateways>(cx, member, &c.physical_id)?;
        let gateway = answer.and_then(|a| a.egress_only_internet_gateways.into_iter().next());
        Ok(gateway.map(|gateway| {
            let mut properties = shown("AWS::EC2::EgressOnlyInternetGateway", &gateway, &gateway.tags);
            let vpc = gateway.attachments.first().map(|attachment| attachment.vpc_id.as_str());
            properties.insert("VpcId".into(), vpc.into());
            properties
        }))
    }),
];
