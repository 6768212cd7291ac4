//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html>

use crate::{Error, error::Limit};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::DefaultVpc;

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
    attribute_value: String,
}

const ATTRIBUTES: &[&str] = &["supported-platforms", "default-vpc", "vpc-max-security-groups-per-interface"];

fn value(cx: &Cx<'_>, name: &str) -> String {
    match name {
        "default-vpc" => DefaultVpc::of(cx.tx).map_or_else(|| "none".into(), |id| id.to_string()),
        "vpc-max-security-groups-per-interface" => Limit::GroupsPerInterface.most().to_string(),
        _ => "VPC".into(),
    }
}

impl Operation for DescribeAccountAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let names = &input.attribute_names;
        let known = |name: &String| ATTRIBUTES.contains(&name.as_str());
        if let Some(name) = names.iter().find(|n| !known(n)) {
            let why = "Known are supported-platforms, default-vpc and vpc-max-security-groups-per-interface.";
            return Err(Error::invalid("attributeName", name, why));
        }
        let wanted = ATTRIBUTES.iter().filter(|n| names.is_empty() || names.iter().any(|x| x == *n));
        let account_attributes = wanted.map(|name| Attribute {
            attribute_name: name,
            attribute_values: vec![AttributeValue { attribute_value: value(cx, name) }],
        });
        Ok(Output { account_attributes: account_attributes.collect() })
    }
}
