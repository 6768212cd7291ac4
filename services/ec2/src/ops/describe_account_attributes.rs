//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeAccountAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    attribute_names: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    account_attributes: Vec<Attribute>,
}

#[derive(Wire)]
pub(crate) struct Attribute {
    attribute_name: &'static str,
    attribute_values: Vec<AttributeValue>,
}

#[derive(Wire)]
pub(crate) struct AttributeValue {
    attribute_value: &'static str,
}

/// No default VPC is made for anybody, and a network interface has at most five groups.
const ATTRIBUTES: &[(&str, &str)] =
    &[("supported-platforms", "VPC"), ("default-vpc", "none"), ("vpc-max-security-groups-per-interface", "5")];

impl Operation for DescribeAccountAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let names = &input.attribute_names;
        let known = |name: &String| ATTRIBUTES.iter().any(|(known, _)| known == name);
        if let Some(name) = names.iter().find(|n| !known(n)) {
            let why = "Known are supported-platforms, default-vpc and vpc-max-security-groups-per-interface.";
            return Err(Error::invalid("attributeName", name, why));
        }
        let wanted = ATTRIBUTES.iter().filter(|(n, _)| names.is_empty() || names.iter().any(|x| x == n));
        let account_attributes = wanted.map(|(name, value)| Attribute {
            attribute_name: name,
            attribute_values: vec![AttributeValue { attribute_value: value }],
        });
        Ok(Output { account_attributes: account_attributes.collect() })
    }
}
