//! DHCP options.

use crate::{dhcp, shapes::Text};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{DhcpOptions, DhcpOptionsId, NameServer};

#[derive(Debug, Wire)]
pub(crate) struct OptionsShape {
    pub dhcp_options_id: DhcpOptionsId,
    pub dhcp_configurations: Vec<Configuration>,
    pub owner_id: String,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Wire)]
pub(crate) struct Configuration {
    pub key: &'static str,
    pub values: Vec<Text>,
}

pub(crate) fn options(cx: &Cx<'_>, row: &DhcpOptions) -> OptionsShape {
    let server = |server: &NameServer| match server {
        NameServer::Own => dhcp::OWN_RESOLVER.to_owned(),
        NameServer::Address(address) => address.to_string(),
    };
    let all = [
        ("domain-name", row.domain_name.iter().map(ToString::to_string).collect::<Vec<_>>()),
        ("domain-name-servers", row.name_servers.iter().map(server).collect()),
        ("ntp-servers", row.ntp_servers.iter().map(ToString::to_string).collect()),
        ("netbios-name-servers", row.netbios_name_servers.iter().map(ToString::to_string).collect()),
        ("netbios-node-type", row.netbios_node_type.iter().map(ToString::to_string).collect()),
    ];
    let text = |value: String| Text { value: Some(value) };
    let configuration = |(key, values): (&'static str, Vec<String>)| {
        (!values.is_empty()).then(|| Configuration { key, values: values.into_iter().map(text).collect() })
    };
    OptionsShape {
        dhcp_options_id: row.id.clone(),
        dhcp_configurations: all.into_iter().filter_map(configuration).collect(),
        owner_id: cx.config.account.clone(),
        tags: row.tags.clone(),
    }
}
