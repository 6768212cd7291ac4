//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html>

use crate::{Error, choices::AccountAttributeName, error::Limit};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::DefaultVpc;

pub(crate) struct DescribeAccountAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    attribute_names: Vec<AccountAttributeName>,
}

#[derive(Wire)]
pub(crate) struct Output {
    account_attributes: Vec<Attribute>,
}

#[derive(Wire)]
pub(crate) struct Attribute {
    attribute_name: AccountAttributeName,
    attribute_values: Vec<AttributeValue>,
}

#[derive(Wire)]
pub(crate) struct AttributeValue {
    attribute_value: String,
}

fn value(cx: &Cx<'_>, name: AccountAttributeName) -> String {
    match name {
        AccountAttributeName::DefaultVpc => {
            DefaultVpc::of(cx.tx).map_or_else(|| "none".into(), |id| id.to_string())
        }
        AccountAttributeName::MaxGroupsPerInterface => Limit::GroupsPerInterface.max().to_string(),
        AccountAttributeName::SupportedPlatforms => "VPC".into(),
    }
}

impl Operation for DescribeAccountAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let names = &input.attribute_names;
        let selected = AccountAttributeName::ALL.iter().filter(|n| names.is_empty() || names.contains(n));
        let account_attributes = selected.map(|name| Attribute {
            attribute_name: *name,
            attribute_values: vec![AttributeValue { attribute_value: value(cx, *name) }],
        });
        Ok(Output { account_attributes: account_attributes.collect() })
    }
}
