//! Settings from environment variables, which the daemon reads once.

use crate::{home::Home, internet, lock};
use anyhow::{Context, Result, bail};
use escale_network::InternetHost;
use escale_service::Config;
use escale_upstream::Mirrors;
use ipnet::Ipv4Net;
use std::collections::BTreeSet;

/// The configuration of the cloud, without the root key: see [`crate::root_key`].
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// The user chose the port of HTTPS, so it must be free.
    pub(crate) needs_https: bool,
    /// Hosts on the cloud's Internet that belong to no VPC.
    pub(crate) internet_hosts: Vec<InternetHost>,
    /// Registries that serve the images of others.
    pub(crate) image_mirrors: Mirrors,
    /// Addresses outside of the cloud that tasks may reach although they are private or the host's own.
    pub(crate) allowed_addresses: BTreeSet<Ipv4Net>,
}

/// The variables and their meaning; `escale --help` prints them.
pub(crate) const VARIABLES: &str = "\
Environment:
  ESCALE_HOME         folder of this installation's data [default: $XDG_DATA_HOME/escale]
  ESCALE_ENDPOINT     host and port of the API [default: 127.0.0.1:4566]
  ESCALE_WEB_PORT     port that serves load balancers, distributions and websites by name [default: 8080]
  ESCALE_HTTPS_PORT   the same over HTTPS; without this setting, HTTPS is not served if the port is in use [default: 8443]
  ESCALE_DNS_PORT     port of 127.0.0.1 that serves hosted zones over UDP and TCP; 0 chooses a free port [default: 5354]
  ESCALE_REGION       region of this cloud [default: eu-west-3]
  ESCALE_ACCOUNT      account id, 12 digits [default: 000000000000]
  ESCALE_ACCESS_KEY   id of the root key; set it together with ESCALE_SECRET_KEY [default: a random key of this
                      installation, which `escale env` prints]
  ESCALE_SECRET_KEY   secret of the root key; set it together with ESCALE_ACCESS_KEY
  ESCALE_INTERNET     `host`: tasks with a route to the Internet reach that of this machine; `none`: they reach the cloud
                      only, and images come from mirrors only [default: host]
  ESCALE_INTERNET_ALLOW  what tasks may reach although it is private or AWS's own: addresses, networks, names of AWS services,
                      for example 192.168.1.5,10.1.0.0/16,sqs.eu-west-3.amazonaws.com [default: none]
  ESCALE_INTERNET_HOSTS  simulated Internet hosts, for tests, for example
                      visitor=198.18.200.1,rogue=198.18.200.2 (from 198.18.200.0 upward) [default: none]
  ESCALE_IMAGE_MIRROR  registries that serve the images of others, for machines without Internet access, for example
                      docker.io=localhost:5000,ghcr.io=mirror.example/ghcr; also names the registries at private addresses
                      that images may come from: registry.corp=registry.corp [default: none]
  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE  proxy and trusted certificates of connections to registries; tasks trust these
                      certificates, too
  ESCALE_CLOCK_SPEED  divides the periods of metrics, alarms, flow logs and bake times, for demonstrations and tests: with 60, a minute of an
                      alarm is a second; a divisor of 60 [default: 1]
  ESCALE_LOG          log filter of the daemon, for example info or escale_engine=debug [default: info]";

impl Settings {
    pub(crate) fn from_environment() -> Result<Settings> {
        let get = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let mut config = Config::default();
        if let Some(region) = get("ESCALE_REGION") {
            config.zones = Config::zones_of(&region);
            config.region = region;
        }
        if let Some(account) = get("ESCALE_ACCOUNT") {
            if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
                bail!("ESCALE_ACCOUNT={account}: an account id must have 12 digits");
            }
            config.account = account;
        }
        if let Some(endpoint) = get("ESCALE_ENDPOINT") {
            let at: std::net::SocketAddr = endpoint.parse().with_context(|| {
                format!("ESCALE_ENDPOINT={endpoint}: expected address:port, for example 127.0.0.1:4566")
            })?;
            if !at.ip().is_loopback() {
                bail!(
                    "ESCALE_ENDPOINT={endpoint}: the API is served on loopback only. Use an address 127.x.x.x"
                );
            }
            config.endpoint = at.to_string();
        }
        if let Some(port) = get("ESCALE_WEB_PORT") {
            config.web_port =
                port.parse().with_context(|| format!("ESCALE_WEB_PORT={port}: this is not a port number"))?;
        }
        let https_port = get("ESCALE_HTTPS_PORT");
        if let Some(port) = &https_port {
            config.https_port = port
                .parse()
                .with_context(|| format!("ESCALE_HTTPS_PORT={port}: this is not a port number"))?;
        }
        if let Some(port) = get("ESCALE_DNS_PORT") {
            config.dns_port =
                port.parse().with_context(|| format!("ESCALE_DNS_PORT={port}: this is not a port number"))?;
        }
        if let Some(speed) = get("ESCALE_CLOCK_SPEED") {
            config.clock_speed = clock_speed(&speed)?;
        }
        let (internet, allowed_addresses) =
            internet::read(get("ESCALE_INTERNET").as_deref(), get("ESCALE_INTERNET_ALLOW").as_deref())?;
        config.internet = internet;
        Ok(Settings {
            config,
            allowed_addresses,
            needs_https: https_port.is_some(),
            internet_hosts: internet_hosts(&get("ESCALE_INTERNET_HOSTS").unwrap_or_default())?,
            image_mirrors: mirrors(&get("ESCALE_IMAGE_MIRROR").unwrap_or_default())?,
        })
    }

    /// The settings for the command line. If a daemon runs, they have that daemon's addresses.
    pub(crate) fn of(home: &Home) -> Result<Settings> {
        let mut settings = Settings::from_environment()?;
        if let Some(daemon) = lock::running(home)? {
            settings.config.endpoint = daemon.endpoint;
            settings.config.web_port = daemon.web_port;
            settings.config.https_port = daemon.https_port;
        }
        Ok(settings)
    }

    /// The API's address as a URL.
    pub(crate) fn endpoint_url(&self) -> String {
        format!("http://{}", self.config.endpoint)
    }
}

fn mirrors(text: &str) -> Result<Mirrors> {
    text.parse().map_err(|why| anyhow::anyhow!("ESCALE_IMAGE_MIRROR: {why}"))
}

fn clock_speed(text: &str) -> Result<i64> {
    match text.parse() {
        Ok(speed @ 1..=60) if 60 % speed == 0 => Ok(speed),
        _ => bail!("ESCALE_CLOCK_SPEED={text}: expected a divisor of 60, for example 10"),
    }
}

/// `name=address,name=address`
fn internet_hosts(text: &str) -> Result<Vec<InternetHost>> {
    let host = |entry: &str| {
        let (name, address) = entry
            .split_once('=')
            .with_context(|| format!("ESCALE_INTERNET_HOSTS: {entry}: expected name=address"))?;
        let address = address
            .parse()
            .with_context(|| format!("ESCALE_INTERNET_HOSTS: {entry}: {address} is not an IPv4 address"))?;
        Ok(InternetHost { name: name.to_owned(), address })
    };
    text.split(',').map(str::trim).filter(|e| !e.is_empty()).map(host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_speed_divides_a_minute() {
        assert_eq!(clock_speed("20").unwrap(), 20);
        for text in ["0", "7", "120", "fast"] {
            assert!(clock_speed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parses_internet_hosts_or_refuses_them() {
        let hosts = internet_hosts("a=198.18.200.1, b=198.18.200.2").unwrap();
        assert_eq!(hosts.iter().map(|h| h.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(internet_hosts("").unwrap().is_empty());
        assert!(internet_hosts("a").is_err());
        assert!(internet_hosts("a=nowhere").is_err());
    }
}
