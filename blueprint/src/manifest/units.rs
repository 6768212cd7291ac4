//! Values with a grammar: days, sizes, storage, engines, address blocks.

use std::{fmt, net::Ipv4Addr, str::FromStr};

/// A value that does not follow its grammar. The reader adds an example of the grammar to the error.
#[derive(Debug)]
pub struct NotInForm;

/// A number of days: `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(pub u32);

impl FromStr for Days {
    type Err = NotInForm;
    fn from_str(text: &str) -> Result<Days, NotInForm> {
        text.strip_suffix('d').and_then(|n| n.parse().ok()).map(Days).ok_or(NotInForm)
    }
}

/// A time: `60s` or `2m`; in seconds.
pub(crate) struct Seconds(pub(crate) u32);

impl FromStr for Seconds {
    type Err = NotInForm;
    fn from_str(text: &str) -> Result<Seconds, NotInForm> {
        let (number, factor) = match (text.strip_suffix('s'), text.strip_suffix('m')) {
            (Some(n), _) => (n, 1),
            (_, Some(n)) => (n, 60),
            _ => return Err(NotInForm),
        };
        number.parse::<u32>().ok().and_then(|n| n.checked_mul(factor)).map(Seconds).ok_or(NotInForm)
    }
}

/// A share: `100%`.
pub(crate) struct Percent(pub(crate) u32);

impl FromStr for Percent {
    type Err = NotInForm;
    fn from_str(text: &str) -> Result<Percent, NotInForm> {
        text.strip_suffix('%').and_then(|n| n.parse().ok()).map(Percent).ok_or(NotInForm)
    }
}

/// The size of a task: CPU units (1024 is one vCPU) and MiB of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub cpu: u32,
    pub memory_mib: u32,
}

impl Size {
    pub(crate) const SMALLEST: Size = Size { cpu: 256, memory_mib: 512 };

    /// The CPU sizes that Fargate sells.
    pub(crate) const CPUS: [u32; 7] = [256, 512, 1024, 2048, 4096, 8192, 16384];

    /// The memory sizes that Fargate sells with a CPU size, as (least, most, step) in MiB.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html>
    pub(crate) fn memory_of(cpu: u32) -> Option<(u32, u32, u32)> {
        Some(match cpu {
            256 => (512, 2048, 512),
            512 => (1024, 4096, 1024),
            1024 => (2048, 8192, 1024),
            2048 => (4096, 16384, 1024),
            4096 => (8192, 30720, 1024),
            8192 => (16384, 61440, 4096),
            16384 => (32768, 122880, 8192),
            _ => return None,
        })
    }

    /// Whether Fargate sells it. 0.25 vCPU comes with 0.5, 1 or 2 GiB, not with 1.5.
    pub(crate) fn is_sold(self) -> bool {
        let Some((least, most, step)) = Size::memory_of(self.cpu) else { return false };
        let memory = self.memory_mib;
        (least..=most).contains(&memory) && memory.is_multiple_of(step) && (self.cpu, memory) != (256, 1536)
    }
}

/// Disk of a database: `20GB`, or `20..100GB` to let it grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    pub gb: u32,
    pub max_gb: Option<u32>,
}

impl FromStr for Storage {
    type Err = NotInForm;
    fn from_str(text: &str) -> Result<Storage, NotInForm> {
        let number = text.strip_suffix("GB").ok_or(NotInForm)?;
        let (low, high) = match number.split_once("..") {
            Some((low, high)) => (low, Some(high)),
            None => (number, None),
        };
        let gb = low.parse().map_err(|_| NotInForm)?;
        let max_gb = high.map(|h| h.parse().map_err(|_| NotInForm)).transpose()?;
        // RDS: gp3 from 20 GiB on; autoscaling needs a ceiling above what there is
        let fits = (20..=65536).contains(&gb) && max_gb.is_none_or(|m| m > gb && m <= 65536);
        fits.then_some(Storage { gb, max_gb }).ok_or(NotInForm)
    }
}

/// A database engine and its major version: `postgres 15`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Postgres { major: u32 },
}

impl Engine {
    /// Every engine that a manifest can name, with the minor version in templates.
    pub(crate) const POSTGRES: [(u32, &str); 5] =
        [(14, "14.19"), (15, "15.14"), (16, "16.10"), (17, "17.6"), (18, "18.1")];

    pub fn major(self) -> u32 {
        let Engine::Postgres { major } = self;
        major
    }

    /// The full version, as `EngineVersion` wants it.
    pub fn version(self) -> &'static str {
        let found = Engine::POSTGRES.iter().find(|(major, _)| *major == self.major());
        found.map_or("", |(_, version)| version)
    }
}

impl FromStr for Engine {
    type Err = NotInForm;
    fn from_str(text: &str) -> Result<Engine, NotInForm> {
        let major = text.strip_prefix("postgres ").and_then(|m| m.trim().parse().ok()).ok_or(NotInForm)?;
        let known = Engine::POSTGRES.iter().any(|(m, _)| *m == major);
        known.then_some(Engine::Postgres { major }).ok_or(NotInForm)
    }
}

/// An IPv4 block: `10.0.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    pub address: Ipv4Addr,
    pub prefix: u32,
}

impl FromStr for Cidr {
    type Err = NotInForm;
    fn from_str(text: &str) -> Result<Cidr, NotInForm> {
        let (address, prefix) = text.split_once('/').ok_or(NotInForm)?;
        let address: Ipv4Addr = address.parse().map_err(|_| NotInForm)?;
        let prefix: u32 = prefix.parse().map_err(|_| NotInForm)?;
        // a VPC is /16 to /28, and the bits behind the prefix are zero
        let inside = (16..=28).contains(&prefix) && address.to_bits() & (u32::MAX >> prefix) == 0;
        inside.then_some(Cidr { address, prefix }).ok_or(NotInForm)
    }
}

/// Connections that may leave the VPC: `587`, `53/udp`, `203.0.113.0/24:5432`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Egress {
    pub to: Cidr,
    pub port: u16,
    pub udp: bool,
}

impl Egress {
    pub(crate) const ANYWHERE: Cidr = Cidr { address: Ipv4Addr::UNSPECIFIED, prefix: 0 };

    pub(crate) const fn tcp(port: u16) -> Egress {
        Egress { to: Egress::ANYWHERE, port, udp: false }
    }
}

impl FromStr for Egress {
    type Err = NotInForm;
    fn from_str(text: &str) -> Result<Egress, NotInForm> {
        let (to, port) = match text.rsplit_once(':') {
            Some((to, port)) => (Some(to), port),
            None => (None, text),
        };
        let (port, udp) = match port.strip_suffix("/udp") {
            Some(port) => (port, true),
            None => (port, false),
        };
        let port = port.parse().ok().filter(|p| *p > 0).ok_or(NotInForm)?;
        let Some(to) = to else { return Ok(Egress { to: Egress::ANYWHERE, port, udp }) };
        let (address, prefix) = to.split_once('/').unwrap_or((to, "32"));
        let address: Ipv4Addr = address.parse().map_err(|_| NotInForm)?;
        let prefix: u32 = prefix.parse().ok().filter(|p| *p <= 32).ok_or(NotInForm)?;
        let has_host_bits = u64::from(address.to_bits()) & (u64::from(u32::MAX) >> prefix) != 0;
        if has_host_bits { Err(NotInForm) } else { Ok(Egress { to: Cidr { address, prefix }, port, udp }) }
    }
}

impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.to != Egress::ANYWHERE {
            write!(f, "{}:", self.to)?;
        }
        write!(f, "{}{}", self.port, if self.udp { "/udp" } else { "" })
    }
}

impl Cidr {
    /// Whether the two blocks overlap.
    pub(crate) fn meets(self, other: Cidr) -> bool {
        let prefix = self.prefix.min(other.prefix);
        (self.address.to_bits() ^ other.address.to_bits()) >> (32 - prefix) == 0
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_values_of_the_manifest() {
        assert_eq!("20..100GB".parse::<Storage>().unwrap(), Storage { gb: 20, max_gb: Some(100) });
        for bad in ["20", "20..10GB", "5GB", "..GB"] {
            assert!(bad.parse::<Storage>().is_err(), "{bad}");
        }
        assert_eq!("10.0.0.0/16".parse::<Cidr>().unwrap().to_string(), "10.0.0.0/16");
        for bad in ["10.0.0.1/16", "10.0.0.0/8", "10.0.0.0", "10.0.0.0/x", "300.0.0.0/16"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
        for good in ["587", "53/udp", "203.0.113.0/24:5432", "0.0.0.0/1:9/udp"] {
            assert_eq!(good.parse::<Egress>().unwrap().to_string(), good);
        }
        assert_eq!("203.0.113.7:1".parse::<Egress>().unwrap().to_string(), "203.0.113.7/32:1");
        for bad in ["0", "65536", "53/tcp", "10.0.0.1/24:5", "10.0.0.0/33:5", "10.0.0.0/8", "x:5", ":5", ""] {
            assert!(bad.parse::<Egress>().is_err(), "{bad}");
        }
        assert_eq!("postgres 15".parse::<Engine>().unwrap().major(), 15);
        assert!("postgres".parse::<Engine>().is_err() && "mysql 8".parse::<Engine>().is_err());
        assert!(
            Size { cpu: 512, memory_mib: 3072 }.is_sold() && !Size { cpu: 256, memory_mib: 4096 }.is_sold()
        );
    }
}
