//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcAttribute.html>

use crate::{Error, rules, shapes::Flag};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Vpc, VpcId};

pub(crate) struct DescribeVpcAttribute;

escale_base::choice! {
    pub(crate) enum Attribute {
        DnsSupport = "enableDnsSupport",
        DnsHostnames = "enableDnsHostnames",
        Usage = "enableNetworkAddressUsageMetrics",
    }
}

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
    attribute: Attribute,
}

#[derive(Wire)]
pub(crate) struct Output {
    vpc_id: VpcId,
    pub(crate) enable_dns_support: Option<Flag>,
    pub(crate) enable_dns_hostnames: Option<Flag>,
    enable_network_address_usage_metrics: Option<Flag>,
}

impl Operation for DescribeVpcAttribute {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        let mut output = Output {
            vpc_id: vpc.id.clone(),
            enable_dns_support: None,
            enable_dns_hostnames: None,
            enable_network_address_usage_metrics: None,
        };
        match input.attribute {
            Attribute::DnsSupport => output.enable_dns_support = Flag::of(vpc.dns_support),
            Attribute::DnsHostnames => output.enable_dns_hostnames = Flag::of(vpc.dns_hostnames),
            // These metrics are not supported; off is AWS's default.
            Attribute::Usage => output.enable_network_address_usage_metrics = Flag::of(false),
        }
        Ok(output)
    }
}
