//! Chooses private and public addresses, inside the transaction that assigns them.

use crate::Error;
use escale_store::Image;
use escale_tables::ec2::{Address, Interface, InterfaceSeen, Subnet};
use std::{collections::BTreeSet, net::Ipv4Addr};

/// The first public address for users. Those below it belong to the system: the visitor, the API, S3.
const FIRST_PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 1, 0);
/// The last public address for users. Those above it belong to the Internet's test hosts.
const LAST_PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 199, 255);

/// AWS reserves a subnet's first four addresses (network, router, resolver, future use) and its last (broadcast).
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>
const RESERVED_FIRST: u32 = 4;

/// How many more interfaces fit into a subnet.
pub(crate) fn free_in(image: &Image, subnet: &Subnet) -> usize {
    let (first, last) = range(subnet);
    (last - first + 1) as usize - taken_in(image, subnet).len()
}

/// The requested address if it is free; without a request, any free address.
pub(crate) fn private(
    image: &Image,
    subnet: &Subnet,
    requested: Option<Ipv4Addr>,
) -> Result<Ipv4Addr, Error> {
    let (first, last) = range(subnet);
    let taken = taken_in(image, subnet);
    if let Some(address) = requested {
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
    // The search starts at random, so that an address that was just released is rarely the next one assigned. Otherwise a
    // client's stale connection would reach the new interface.
    let start = u32::from_str_radix(&escale_base::ids::random_hex(7), 16).unwrap_or(0) % size;
    (0..size)
        .map(|i| Ipv4Addr::from(first + (start + i) % size))
        .find(|a| !taken.contains(a))
        .ok_or_else(|| Error::SubnetFull(subnet.id.to_string()))
}

/// A free public address. It must be free in the plane, too.
pub(crate) fn public(image: &Image) -> Result<Ipv4Addr, Error> {
    let mut taken: BTreeSet<Ipv4Addr> = image.scan::<Address>().map(|a| a.public_ip).collect();
    taken.extend(image.scan::<Interface>().filter_map(|i| i.auto_public_ip));
    // A released address is not free until the plane has removed it from its interface.
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
