//! What is put into the kernel's tables: addresses, routes and rules, those of instances and static ones.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};
use std::sync::Arc;

use types::{Family, IfName};
use vrrp::settings::{AddressDevice, InstanceSettings, PreferredLifetime, Static, VirtualAddress};

use super::page::{Page, Word};

/// What stands as long as the daemon runs. Its track groups stand before it.
pub(super) fn write_static(page: &mut Page, settings: &vrrp::Settings) {
    let addresses = settings.static_ipaddress.iter();
    page.list(
        "static_ipaddress",
        addresses.map(|address| {
            let group = track_group(address);
            let line = line(&address.entry, Some(&address.entry.interface));
            format!(
                "{line}{}",
                group.map(|group| format!(" {group}")).unwrap_or_default()
            )
        }),
    );
    page.list("static_routes", settings.static_routes.iter().map(entry));
    page.list("static_rules", settings.static_rules.iter().map(entry));
}

fn track_group<T>(entry: &Static<T>) -> Option<String> {
    let group = entry.track_group.as_ref()?;
    Some(format!("track_group {}", Word(group)))
}

/// A static route or rule. The group stands first, for next hops go on to the end of the line.
fn entry<T: Display>(entry: &Static<T>) -> String {
    match track_group(entry) {
        Some(group) => format!("{group} {}", entry.entry),
        None => entry.entry.to_string(),
    }
}

/// What comes and goes with an instance. `devices`: those of addresses that are not on their instance's own.
pub(super) fn write(page: &mut Page, instance: &InstanceSettings, devices: &[AddressDevice]) {
    let own = instance.interface.as_ref();
    let mut written = BTreeSet::new();
    let mut lines = |addresses: &[Arc<VirtualAddress>]| -> Vec<String> {
        addresses
            .iter()
            .map(|address| {
                // One address twice on the instance's interface is one that names it and one that does not.
                let on = configured(address, instance, devices);
                let again = !written.insert((address.prefix.address(), on.as_str().to_owned()));
                line(address, (!(again && own == Some(on))).then_some(on))
            })
            .collect()
    };
    let advertised = lines(&instance.virtual_ipaddress);
    let excluded = lines(&instance.virtual_ipaddress_excluded);
    page.list("virtual_ipaddress", advertised);
    page.list("virtual_ipaddress_excluded", excluded);
    page.list("virtual_routes", &instance.virtual_routes);
    page.list("virtual_rules", &instance.virtual_rules);
}

/// The interface that an address was configured on: what is below the device that it was put on.
fn configured<'a>(
    address: &'a VirtualAddress,
    instance: &'a InstanceSettings,
    devices: &'a [AddressDevice],
) -> &'a IfName {
    let on = &address.interface;
    let family = address.prefix.family();
    let own = instance.virtual_interface.as_ref();
    let below = if own.is_some_and(|own| own.name == *on) && family == instance.family {
        instance.interface.as_ref()
    } else {
        let device = devices
            .iter()
            .find(|device| device.name == *on && device.family == family);
        device.map(|device| &device.base)
    };
    below.unwrap_or(on)
}

/// An address with its options; `device`: the interface to name.
fn line(address: &VirtualAddress, device: Option<&IfName>) -> String {
    let VirtualAddress {
        prefix,
        // Given.
        interface: _,
        scope,
        label,
        broadcast,
        peer,
        dad,
        home,
        mngtmpaddr,
        noprefixroute,
        autojoin,
        preferred_lft,
        no_track,
        use_vmac,
    } = address;
    let family = prefix.family();
    let mut line = match peer {
        // It is the peer that has the prefix length then.
        Some(_) => prefix.address().to_string(),
        None => prefix.to_string(),
    };
    let mut option = |name: &str, value: &dyn Display| {
        // Writing into a String cannot fail.
        write!(line, " {name} {value}").unwrap_or_default();
    };
    if let Some(peer) = peer {
        option("peer", &peer.address());
    }
    if let Some(device) = device {
        option("dev", &Word(device.as_str()));
    }
    if let Some(broadcast) = broadcast {
        option("brd", broadcast);
    }
    if family == Family::V4 {
        // By its number: names are the system's.
        option("scope", scope);
    }
    if let Some(label) = label {
        option("label", &Word(label));
    }
    match preferred_lft {
        PreferredLifetime::Forever if family == Family::V4 => {}
        PreferredLifetime::Forever => option("preferred_lft", &"forever"),
        PreferredLifetime::Seconds(seconds) => option("preferred_lft", seconds),
    }
    for (name, on) in [
        ("-nodad", *dad),
        ("home", *home),
        ("mngtmpaddr", *mngtmpaddr),
        ("noprefixroute", *noprefixroute),
        ("autojoin", *autojoin),
        ("no_track", *no_track),
        ("use_vmac", *use_vmac),
    ] {
        if on {
            line.push(' ');
            line.push_str(name);
        }
    }
    line
}
