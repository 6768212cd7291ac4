//! The configuration of the installation, as operations see it.

use std::net::Ipv4Addr;

/// Fixed when the daemon starts.
#[derive(Clone, Debug)]
pub struct Config {
    pub account: String,
    /// The installation's only region.
    pub region: String,
    /// Availability zones: the region's name with a letter.
    pub zones: Vec<String>,
    /// The API's endpoint for clients on the host: host and port, without scheme.
    pub endpoint: String,
    /// The API's port at [`Config::api_address`] and [`Config::s3_address`]: HTTP's own, since security groups that allow
    /// outgoing requests usually allow it.
    pub port: u16,
    /// The API's address on the cloud's Internet: tasks reach it through a NAT gateway.
    pub api_address: Ipv4Addr,
    /// The address of S3 alone: a gateway endpoint routes to it.
    pub s3_address: Ipv4Addr,
    /// The address of the websites of buckets.
    pub website_address: Ipv4Addr,
    /// The address of the content delivery network's edge.
    pub edge_address: Ipv4Addr,
    /// The address of the public zones' DNS server on the cloud's Internet, at port 53.
    pub dns_address: Ipv4Addr,
    /// The port of the public zones' DNS server on the host's loopback; 0 selects any free port.
    pub dns_port: u16,
    /// The port of the host's loopback that routes by Host header (`http://shop.localhost:8080`).
    pub web_port: u16,
    /// The same for HTTPS, by the server name of the handshake.
    pub https_port: u16,
    pub internet: Internet,
    /// How many times shorter the periods of metrics and alarms are, for demonstrations and tests. A divisor of 60; 1 is AWS's speed.
    pub clock_speed: i64,
}

/// What the cloud's Internet has besides the cloud itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Internet {
    /// Nothing: no other name resolves.
    #[default]
    None,
    /// The host's Internet: its resolvers answer for all names that the cloud does not have.
    Host {
        /// Names that resolve although they are those of AWS's own services, with all names below.
        allowed_names: Vec<String>,
    },
}

impl Config {
    /// Names that the host's browsers resolve to loopback: load balancers, distributions.
    pub const PUBLIC_SUFFIX: &'static str = "localhost";
    /// Names that only a VPC's resolver knows: databases, the API itself.
    pub const PRIVATE_SUFFIX: &'static str = "escale.internal";

    /// The name under which tasks reach the API.
    pub fn api_name() -> String {
        format!("api.{}", Config::PRIVATE_SUFFIX)
    }

    /// The API's name for operations that the model gives a host of their own, such as DiscoverInstances: clients put `data-` before
    /// the name of any endpoint.
    pub fn data_api_name() -> String {
        format!("data-{}", Config::api_name())
    }

    /// The name under which tasks reach S3.
    pub fn s3_name() -> String {
        format!("s3.{}", Config::PRIVATE_SUFFIX)
    }

    /// The domains below which each bucket's website has a name: those that AWS uses, which vary between regions, and the same
    /// ones below `localhost`, which the host's browsers reach.
    ///
    /// Source: <https://docs.aws.amazon.com/general/latest/gr/s3.html#s3_website_region_endpoints>
    pub fn website_domains(&self) -> [String; 4] {
        let region = &self.region;
        let named =
            |suffix| [format!("s3-website-{region}.{suffix}"), format!("s3-website.{region}.{suffix}")];
        let ([dash, dot], [aws_dash, aws_dot]) = (named(Config::PUBLIC_SUFFIX), named("amazonaws.com"));
        [dash, dot, aws_dash, aws_dot]
    }

    /// The name of a bucket's website for clients of this cloud.
    pub fn website_name(&self, bucket: &str) -> String {
        format!("{bucket}.s3-website-{}.{}", self.region, Config::PUBLIC_SUFFIX)
    }

    /// The zones of a region: three, except where templates rely on more, as AWS has there.
    ///
    /// <https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html>
    pub fn zones_of(region: &str) -> Vec<String> {
        let letters = match region {
            "us-east-1" => "abcdef",
            "us-west-2" | "ap-northeast-2" => "abcd",
            _ => "abc",
        };
        letters.chars().map(|letter| format!("{region}{letter}")).collect()
    }

    /// Ids of zones, the same in every account: `euw3-az1`.
    pub fn zone_id(&self, zone: &str) -> String {
        let (area, rest) = self.region.split_once('-').unwrap_or((&self.region, ""));
        let short = |word: &str| match word {
            "northeast" => "ne".to_owned(),
            "southeast" => "se".to_owned(),
            "northwest" => "nw".to_owned(),
            "southwest" => "sw".to_owned(),
            other => other.chars().take(1).collect(),
        };
        let rest: String = rest.split('-').map(short).collect();
        let place = self.zones.iter().position(|z| z == zone).unwrap_or(0) + 1;
        format!("{area}{rest}-az{place}")
    }
}

impl Config {
    /// The second byte of the loopback addresses that lead to public addresses: 18 with the default endpoint, and another even
    /// number with another port, so that two installations on one machine do not need the same addresses.
    pub fn loopback_block(&self) -> u8 {
        const BLOCKS: u16 = 100;
        let port = |endpoint: &str| endpoint.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        let (own, usual) = (port(&self.endpoint), port(DEFAULT_ENDPOINT));
        let distance = own.unwrap_or_default().wrapping_sub(usual.unwrap_or_default()) % BLOCKS;
        18 + 2 * distance as u8
    }
}

const DEFAULT_ENDPOINT: &str = "127.0.0.1:4566";

impl Default for Config {
    fn default() -> Config {
        let region = "eu-west-3";
        Config {
            account: "000000000000".into(),
            region: region.into(),
            zones: Config::zones_of(region),
            endpoint: DEFAULT_ENDPOINT.into(),
            port: 80,
            api_address: Ipv4Addr::new(198, 18, 0, 2),
            s3_address: Ipv4Addr::new(198, 18, 0, 3),
            edge_address: Ipv4Addr::new(198, 18, 0, 4),
            website_address: Ipv4Addr::new(198, 18, 0, 7),
            dns_address: Ipv4Addr::new(198, 18, 0, 5),
            dns_port: 5354,
            web_port: 8080,
            https_port: 8443,
            internet: Internet::None,
            clock_speed: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn zone_ids_are_those_of_aws() {
        let config = super::Config::default();
        assert_eq!(config.zone_id("eu-west-3b"), "euw3-az2");
        let region = "us-gov-west-1";
        let config = super::Config { region: region.into(), zones: vec![format!("{region}a")], ..config };
        assert_eq!(config.zone_id("us-gov-west-1a"), "usgw1-az1");
    }

    #[test]
    fn installations_with_other_ports_have_other_loopback_addresses() {
        let at = |endpoint: &str| super::Config { endpoint: endpoint.into(), ..super::Config::default() };
        assert_eq!(at("127.0.0.1:4566").loopback_block(), 18);
        assert_eq!(at("127.0.0.1:4567").loopback_block(), 20);
        assert_eq!(at("127.0.0.1:4665").loopback_block(), 216);
        // Below the default port, and far above it: any even number from 18 to 216.
        for port in [1, 80, 4565, 4666, 65535] {
            let block = at(&format!("127.0.0.1:{port}")).loopback_block();
            assert!((18..=216).contains(&block) && block % 2 == 0, "{port}: {block}");
        }
    }
}
