//! DHCP options: from the parameters of requests to rows, and the options of a VPC.
//!
//! The programs of a VPC use no DHCP. ECS writes the domain name and the name servers into `resolv.conf` of new tasks.

use crate::{Error, rules};
use escale_base::Wire;
use escale_store::Image;
use escale_tables::ec2::{DhcpOptions, DhcpOptionsAssociation, DhcpOptionsId, DomainName, NameServer, VpcId};
use std::net::Ipv4Addr;

/// The options of a VPC that is associated with no other: its own resolver.
pub(crate) const DEFAULT: &str = "dopt-default";

/// AWS's name for a VPC's own resolver.
pub(crate) const OWN_RESOLVER: &str = "AmazonProvidedDNS";

/// Sources: <https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html>
const MAX_SERVERS: usize = 4;

/// `{"Key": "domain-name", "Values": ["example.com"]}`
#[derive(Wire)]
pub(crate) struct NewConfiguration {
    pub key: Option<String>,
    pub values: Vec<String>,
}

/// The ID of a VPC's options.
pub(crate) fn of_vpc(image: &Image, vpc: &VpcId) -> DhcpOptionsId {
    let row = image.get::<DhcpOptionsAssociation>(vpc.as_str());
    row.map_or_else(|| DEFAULT.into(), |row| row.options.clone())
}

/// The VPCs that are associated with these options.
pub(crate) fn users_of(image: &Image, options: &DhcpOptionsId) -> Vec<String> {
    let rows = image.scan::<DhcpOptionsAssociation>().filter(|a| a.options == *options);
    rows.map(|a| a.vpc.to_string()).collect()
}

pub(crate) fn default_options() -> DhcpOptions {
    DhcpOptions {
        id: DEFAULT.into(),
        domain_name: None,
        name_servers: vec![NameServer::Own],
        ntp_servers: Vec::new(),
        netbios_name_servers: Vec::new(),
        netbios_node_type: None,
        tags: Vec::new(),
    }
}

pub(crate) fn options(configurations: Vec<NewConfiguration>) -> Result<DhcpOptions, Error> {
    let mut options =
        DhcpOptions { id: DhcpOptionsId::random(), name_servers: Vec::new(), ..default_options() };
    if configurations.is_empty() {
        return Err(Error::Missing("dhcpConfiguration"));
    }
    let mut keys = Vec::new();
    for configuration in configurations {
        let key = configuration.key.ok_or(Error::Missing("dhcpConfiguration.key"))?;
        if keys.contains(&key) {
            return Err(Error::invalid("dhcpConfiguration", key, "The option is given twice."));
        }
        set(&mut options, &key, configuration.values)?;
        keys.push(key);
    }
    Ok(options)
}

fn set(options: &mut DhcpOptions, key: &str, values: Vec<String>) -> Result<(), Error> {
    if values.is_empty() {
        return Err(Error::invalid("dhcpConfiguration", key, "The option has no value."));
    }
    match key {
        "domain-name" => options.domain_name = Some(domain_name(values)?),
        "domain-name-servers" => {
            let server = |text: &String| match text.as_str() {
                OWN_RESOLVER => Ok(NameServer::Own),
                text => address(key, text).map(NameServer::Address),
            };
            options.name_servers = few(key, &values)?.iter().map(server).collect::<Result<_, _>>()?;
        }
        "ntp-servers" => options.ntp_servers = addresses(key, &values)?,
        "netbios-name-servers" => options.netbios_name_servers = addresses(key, &values)?,
        "netbios-node-type" => {
            let number = values[0].parse().ok().filter(|n| [1, 2, 4, 8].contains(n) && values.len() == 1);
            let why = "The node type is 1, 2, 4 or 8.";
            options.netbios_node_type =
                Some(number.ok_or_else(|| Error::invalid("netbios-node-type", &values[0], why))?);
        }
        "ipv6-address-preferred-lease-time" => {
            return Err(rules::refuse_with_hint(
                "The DHCP option ipv6-address-preferred-lease-time",
                "Leave it out: networks carry IPv4 only.",
            ));
        }
        other => return Err(Error::invalid("dhcpConfiguration", other, "AWS has no such DHCP option.")),
    }
    Ok(())
}

fn domain_name(values: Vec<String>) -> Result<DomainName, Error> {
    let label = |label: &str| {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(good)
    };
    match &values[..] {
        // A blank would be a second name in `resolv.conf`, and a line break another line.
        [name] if name.len() <= 253 && name.split('.').all(label) => Ok(name.as_str().into()),
        _ => {
            let why = "The option has one domain name, of letters, digits, hyphens, underscores and dots.";
            Err(Error::invalid("domain-name", values.join(","), why))
        }
    }
}

fn few<'v>(key: &str, values: &'v [String]) -> Result<&'v [String], Error> {
    if values.len() > MAX_SERVERS {
        let why = format!("The option has at most {MAX_SERVERS} servers.");
        return Err(Error::invalid("dhcpConfiguration", key, why));
    }
    Ok(values)
}

fn addresses(key: &str, values: &[String]) -> Result<Vec<Ipv4Addr>, Error> {
    few(key, values)?.iter().map(|text| address(key, text)).collect()
}

fn address(key: &str, text: &str) -> Result<Ipv4Addr, Error> {
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(rules::refuse_with_hint(
            format_args!("The IPv6 address {text} of the DHCP option {key}"),
            "Use IPv4 addresses: networks carry IPv4 only.",
        ));
    }
    let why = format!("'{text}' is not an IPv4 address.");
    text.parse().map_err(|_| Error::invalid("dhcpConfiguration", key, why))
}
