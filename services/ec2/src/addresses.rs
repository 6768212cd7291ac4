//! Chooses addresses, private and public, inside the transaction that takes them.

use crate::Error;
use escale_store::Image;
use escale_tables::ec2::{Address, Interface, InterfaceSeen, Subnet};
use std::{collections::BTreeSet, net::Ipv4Addr};

/// The first public address given out. Below it are the system's own: the visitor's, the API's, S3's.
const FIRST_PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 1, 0);
/// The last one. Above it are the Internet's test hosts.
const LAST_PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 199, 255);

/// A subnet's first four addresses and its last are not for interfaces: network, router, resolver, reserved,
/// broadcast. Source: <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>
const RESERVED_FIRST: u32 = 4;

/// How many interfaces a subnet has room for, still.
pub(crate) fn free_in(image: &Image, subnet: &Subnet) -> usize {
    let (first, last) = range(subnet);
    (last - first + 1) as usize - taken_in(image, subnet).len()
}

/// The address asked for, if it can be had; otherwise one that is free, with no order: one that was just given
/// back is not the next one taken, so that nobody's stale connection finds somebody else.
pub(crate) fn private(image: &Image, subnet: &Subnet, asked: Option<Ipv4Addr>) -> Result<Ipv4Addr, Error> {
    let (first, last) = range(subnet);
    let taken = taken_in(image, subnet);
    if let Some(address) = asked {
        if !subnet.cidr.contains(&address) {
            let why = format!("Address does not fall within the subnet's address range ({})", subnet.cidr);
            return Err(Error::invalid("privateIpAddress", address, why));
        }
        if !(first..=last).contains(&u32::from(address)) {
            return Err(Error::invalid(
                "privateIpAddress",
                address,
                "Address is in subnet's reserved address range",
            ));
        }
        if taken.contains(&address) {
            return Err(Error::AddressTaken(format!("Address {address} is in use.")));
        }
        return Ok(address);
    }
    let size = last - first + 1;
    let start = u32::from_str_radix(&escale_base::ids::random_hex(7), 16).unwrap_or(0) % size;
    (0..size)
        .map(|i| Ipv4Addr::from(first + (start + i) % size))
        .find(|a| !taken.contains(a))
        .ok_or_else(|| Error::SubnetFull(subnet.id.to_string()))
}

/// A public address that nobody has, nor has had until the plane has taken it off.
pub(crate) fn public(image: &Image) -> Result<Ipv4Addr, Error> {
    let mut taken: BTreeSet<Ipv4Addr> = image.scan::<Address>().map(|a| a.public_ip).collect();
    taken.extend(image.scan::<Interface>().filter_map(|i| i.auto_public_ip));
    taken.extend(image.scan::<InterfaceSeen>().filter_map(|i| i.public_ip));
    (u32::from(FIRST_PUBLIC)..=u32::from(LAST_PUBLIC))
        .map(Ipv4Addr::from)
        .find(|a| !taken.contains(a))
        .ok_or(Error::NoPublicAddress("AllocateAddress"))
}

fn range(subnet: &Subnet) -> (u32, u32) {
    (u32::from(subnet.cidr.network()) + RESERVED_FIRST, u32::from(subnet.cidr.broadcast()) - 1)
}

fn taken_in(image: &Image, subnet: &Subnet) -> BTreeSet<Ipv4Addr> {
    image.scan::<Interface>().filter(|i| i.subnet == subnet.id).map(|i| i.private_ip).collect()
}
