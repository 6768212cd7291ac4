//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeDhcpOptions.html>

use crate::{
    Error,
    error::Kind,
    filters::{self, Filter, one},
    shapes::{Text, vpc::DHCP_OPTIONS},
};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};

pub(crate) struct DescribeDhcpOptions;

#[derive(Wire)]
pub(crate) struct Input {
    dhcp_options_ids: Vec<String>,
    filters: Vec<Filter>,
}

#[derive(Wire)]
pub(crate) struct Output {
    dhcp_options: Vec<Options>,
}

#[derive(Wire)]
pub(crate) struct Options {
    dhcp_options_id: &'static str,
    dhcp_configurations: Vec<Configuration>,
    owner_id: String,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Configuration {
    key: &'static str,
    values: Vec<Text>,
}

impl Operation for DescribeDhcpOptions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if let Some(id) = input.dhcp_options_ids.iter().find(|id| *id != DHCP_OPTIONS) {
            return Err(Error::NotFound(Kind::DhcpOptions, id.clone()));
        }
        let value_of = |name: &str| match name {
            "dhcp-options-id" => one(DHCP_OPTIONS),
            "owner-id" => one(&cx.config.account),
            "key" => one("domain-name-servers"),
            "value" => one("AmazonProvidedDNS"),
            _ => None,
        };
        // All VPCs share these options: `AmazonProvidedDNS` means each VPC's own resolver.
        let options = filters::passes(&input.filters, &[], value_of)?.then(|| Options {
            dhcp_options_id: DHCP_OPTIONS,
            dhcp_configurations: vec![Configuration {
                key: "domain-name-servers",
                values: vec![Text { value: Some("AmazonProvidedDNS".into()) }],
            }],
            owner_id: cx.config.account.clone(),
            tags: Vec::new(),
        });
        Ok(Output { dhcp_options: options.into_iter().collect() })
    }
}
