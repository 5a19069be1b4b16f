//! Interfaces of the namespace that the calling thread is in, by name.

use std::fs;

use anyhow::{Context, Result};
use sys::netlink::{AddressChange, KernelAddress, Link, RouteSocket};
use types::{IfIndex, IfName, Prefix};

/// The interface of this name.
pub(crate) fn find(netlink: &mut RouteSocket, name: &str) -> Result<Link> {
    netlink
        .link(&IfName::new(name)?)?
        .with_context(|| format!("there is no interface {name}"))
}

/// Its number.
pub(crate) fn index(netlink: &mut RouteSocket, name: &str) -> Result<IfIndex> {
    Ok(find(netlink, name)?.index)
}

/// Switches it on or off.
pub(crate) fn switch(name: &str, power: Power) -> Result<()> {
    let mut netlink = RouteSocket::new()?;
    let index = index(&mut netlink, name)?;
    match power {
        Power::On => netlink.set_up(index)?,
        Power::Off => netlink.set_down(index)?,
    }
    Ok(())
}

/// Whether an interface is to work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Power {
    On,
    Off,
}

/// Changes one address.
pub(crate) fn change_address(
    name: &str,
    prefix: Prefix,
    change: fn(IfIndex, KernelAddress) -> AddressChange,
) -> Result<()> {
    let mut netlink = RouteSocket::new()?;
    let index = index(&mut netlink, name)?;
    // Duplicate address detection would keep an IPv6 address unusable for its first second.
    let address = KernelAddress {
        nodad: true,
        ..KernelAddress::new(prefix)
    };
    for result in netlink.change_addresses(&[change(index, address)])? {
        result.with_context(|| format!("cannot change address {prefix} of {name}"))?;
    }
    Ok(())
}

/// Its addresses of both families, link-local ones included, in the kernel's order.
pub(crate) fn addresses(name: &str) -> Result<Vec<Prefix>> {
    let mut netlink = RouteSocket::new()?;
    let index = index(&mut netlink, name)?;
    let all = netlink.addresses()?;
    Ok(all
        .into_iter()
        .filter(|address| address.interface == index)
        .map(|address| address.prefix)
        .collect())
}

/// Makes IPv6 on an interface as quiet and quick as a test wants it: no duplicate address detection, no
/// router solicitations. Nothing to do where the kernel has no IPv6.
pub(crate) fn calm_ipv6(interface: &str) -> Result<()> {
    for key in ["accept_dad", "router_solicitations", "accept_ra"] {
        let path = format!("/proc/sys/net/ipv6/conf/{interface}/{key}");
        match fs::write(&path, "0") {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot write {path}"));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
