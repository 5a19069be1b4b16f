//! Removing what a dead child left in the kernel, when nobody is there to carry on with it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use config::Settings;
use log::{info, warn};
use sys::netlink::{AddressChange, KernelAddress, RouteSocket};
use types::{IfIndex, IfName};

/// Takes the addresses of these masters off their interfaces.
pub(super) fn release(settings: &Settings, masters: &BTreeSet<String>) -> Result<()> {
    if masters.is_empty() {
        return Ok(());
    }
    let mut socket = RouteSocket::new()?;
    let indices: BTreeMap<IfName, IfIndex> = socket
        .links()?
        .into_iter()
        .map(|link| (link.name, link.index))
        .collect();
    let changes: Vec<AddressChange> = settings
        .vrrp
        .instances
        .iter()
        .filter(|instance| masters.contains(&instance.name))
        .flat_map(|instance| instance.addresses())
        .filter_map(|address| {
            let mut kernel = KernelAddress::new(address.prefix);
            kernel.peer = address.peer;
            Some(AddressChange::Remove {
                interface: *indices.get(&address.interface)?,
                address: kernel,
            })
        })
        .collect();
    info!(
        "Removing {} virtual addresses that the VRRP process left",
        changes.len()
    );
    for problem in socket
        .change_addresses(&changes)?
        .into_iter()
        .filter_map(Result::err)
    {
        warn!("{problem}");
    }
    Ok(())
}
