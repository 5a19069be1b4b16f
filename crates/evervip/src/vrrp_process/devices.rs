//! Makes, sets up and removes the macvlans and ipvlans that the core wants, with the kernel's settings that they need.
//!
//! What is changed on a device dies with it. What is changed elsewhere is put back when no device needs it any more: the
//! interface below answers for its own addresses only (`arp_ignore`, `arp_filter`), and the reverse path filter of `all`, which
//! would forbid a macvlan to hear the routers on its link, is moved to the single interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use log::{debug, error, info, warn};
use sys::netlink::{IpvlanReach, Link, LinkKind, RouteSocket};
use sys::sysctl::{Overrides, Sysctl, Whose};
use types::{Family, IfIndex, IfName};
use vrrp::DeviceAction;
use vrrp::settings::{Device, DeviceKind, IpvlanMode};

/// An IPv4 macvlan: it answers for its own addresses only, hears routers whose addresses are its own host's or are routed
/// elsewhere, and keeps the others when its first address goes.
const ON_V4_MACVLAN: [(&str, i64); 4] = [
    ("arp_ignore", 1),
    ("accept_local", 1),
    ("rp_filter", 0),
    ("promote_secondaries", 1),
];

/// The interface below: it does not answer for addresses of the macvlan.
const BELOW_V4_MACVLAN: [(&str, i64); 2] = [("arp_ignore", 1), ("arp_filter", 1)];

#[derive(Default)]
pub(super) struct Devices {
    overrides: Overrides,
    /// What was made or set up, by name, and not removed: the core knows only of what the kernel has told it.
    made: BTreeMap<IfName, Arc<Device>>,
    /// What each device needs of others.
    claims: BTreeMap<IfName, Vec<Sysctl>>,
    /// The reverse path filter of `all`, and where it was moved to.
    moved: Vec<Sysctl>,
    /// That the kernel's settings cannot be changed was said.
    complained: bool,
    /// What the parent has not been told yet.
    untold: Vec<(String, Option<i64>)>,
}

/// It did not work, and why has been said.
pub(super) struct Refused;

impl Devices {
    /// `overridden`: what a predecessor has left changed, and what it was before.
    pub(super) fn new(overridden: BTreeMap<String, i64>) -> Self {
        let mut devices = Self::default();
        devices.overrides.inherit(overridden);
        devices
    }

    /// The kernel's settings that this process has changed, for others who change some.
    pub(super) const fn overrides(&mut self) -> &mut Overrides {
        &mut self.overrides
    }

    /// Puts back what a predecessor changed and nobody needs any more.
    pub(super) fn put_back_inherited(&mut self) {
        for problem in self.overrides.put_back_inherited() {
            warn!("{problem}");
        }
    }

    /// What a successor must know of the kernel's settings, until the parent has been told.
    pub(super) fn untold(&mut self) -> &mut Vec<(String, Option<i64>)> {
        self.untold.extend(self.overrides.take_news());
        &mut self.untold
    }

    pub(super) fn perform(
        &mut self,
        action: &DeviceAction,
        route: &mut RouteSocket,
    ) -> Result<(), Refused> {
        let (device, result) = match action {
            DeviceAction::Create { base, vrf, device } => {
                (device, self.create(device, *base, *vrf, route))
            }
            DeviceAction::SetUp { vrf, device, .. } => {
                self.made.insert(device.name, Arc::clone(device));
                (device, self.set_up(device, *vrf, route))
            }
            DeviceAction::Remove { interface, device } => {
                (device, self.remove(device, *interface, route))
            }
        };
        result.map_err(|problem| {
            error!("device {} on {}: {problem}", device.name, device.base);
            Refused
        })
    }

    fn create(
        &mut self,
        device: &Arc<Device>,
        base: IfIndex,
        vrf: Option<IfIndex>,
        route: &mut RouteSocket,
    ) -> Result<(), sys::Error> {
        let announce = match device.kind {
            DeviceKind::Macvlan {
                address,
                announce_link,
            } => {
                route.add_private_macvlan(&device.name, base, address)?;
                announce_link
            }
            DeviceKind::Ipvlan { mode } => {
                route.add_ipvlan(&device.name, base, reach(mode))?;
                false
            }
        };
        self.made.insert(device.name, Arc::clone(device));
        info!("made {} on {}", device.name, device.base);
        self.set_up(device, vrf, route)?;
        if announce && let Some(below) = route.link(&device.base)? {
            // The group that it has: nothing changes, and the kernel tells everybody about the interface.
            route.set_group(below.index, below.group)?;
        }
        Ok(())
    }

    fn set_up(
        &mut self,
        device: &Device,
        vrf: Option<IfIndex>,
        route: &mut RouteSocket,
    ) -> Result<(), sys::Error> {
        // Gone again: the kernel's word about that is on its way.
        let Some(link) = route.link(&device.name)? else {
            return Ok(());
        };
        let below = route.link(&device.base)?;
        if let DeviceKind::Macvlan { address, .. } = device.kind {
            if link.mac != Some(address) {
                route.set_mac(link.index, address)?;
            }
            if let Err(problem) = route.give_no_addresses(link.index) {
                // Without IPv6 there is nothing to keep the kernel from.
                if device.carries_v6 {
                    warn!("{problem}");
                }
            }
        }
        let group = device
            .group
            .or_else(|| below.as_ref().map(|below| below.group));
        if let Some(group) = group
            && group != link.group
        {
            route.set_group(link.index, group)?;
        }
        if link.master != vrf {
            route.set_master(link.index, vrf)?;
        }
        self.settings_of(device, route);
        if !link.up {
            route.set_up(link.index)?;
        }
        Ok(())
    }

    fn remove(
        &mut self,
        device: &Device,
        interface: IfIndex,
        route: &mut RouteSocket,
    ) -> Result<(), sys::Error> {
        self.made.remove(&device.name);
        self.needs_no_more(&device.name);
        match route.link(&device.name)? {
            Some(link) if link.index == interface => {
                route.delete_link(interface)?;
                info!("removed {}", device.name);
            }
            // Somebody was faster.
            Some(_) | None => debug!("{} is gone already", device.name),
        }
        Ok(())
    }

    /// A device needs nothing of others any more.
    fn needs_no_more(&mut self, device: &IfName) {
        let mut needless = self.claims.remove(device).unwrap_or_default();
        if self.claims.values().all(Vec::is_empty) {
            // `all` was the last one, and comes first: there is no moment without a filter.
            needless.extend(std::mem::take(&mut self.moved).into_iter().rev());
        }
        for setting in needless {
            if let Err(problem) = self.overrides.release(&setting) {
                warn!("{problem}");
            }
        }
    }

    /// After new settings were carried out: removes what is not wanted any more and was not there as far as the core knew.
    pub(super) fn keep_only(&mut self, wanted: &BTreeSet<IfName>, route: &mut RouteSocket) {
        let (kept, left): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.made)
            .into_iter()
            .partition(|(name, _)| wanted.contains(name));
        self.made = kept;
        for device in left.into_values() {
            self.needs_no_more(&device.name);
            if let Err(problem) = remove_if_ours(&device, route) {
                error!(
                    "device {} on {} is left behind: {problem}",
                    device.name, device.base
                );
            }
        }
    }

    /// The daemon stops: removes what is left, and puts everything back.
    pub(super) fn end(&mut self, route: &mut RouteSocket) {
        self.keep_only(&BTreeSet::new(), route);
        for problem in self.overrides.release_all() {
            warn!("{problem}");
        }
    }

    /// An interface is gone: what was changed on it went with it.
    pub(super) fn interface_is_gone(&mut self, name: &IfName) {
        self.overrides.interface_is_gone(name);
        let theirs = Whose::Interface(*name);
        for claims in self.claims.values_mut() {
            claims.retain(|setting| setting.whose != theirs);
        }
        self.moved.retain(|setting| setting.whose != theirs);
    }

    /// The kernel's settings for a macvlan, and on what is below. An ipvlan needs none: it has addresses of its own.
    fn settings_of(&mut self, device: &Device, route: &mut RouteSocket) {
        let DeviceKind::Macvlan { .. } = device.kind else {
            return;
        };
        let own = |family, name| Sysctl::of(family, device.name, name);
        let v6 = own(Family::V6, "disable_ipv6");
        match device.family {
            Family::V4 => {
                for (name, value) in ON_V4_MACVLAN {
                    let setting = own(Family::V4, name);
                    self.attempt(device, |overrides| overrides.write(&setting, value));
                }
                self.below_v4(device, route);
            }
            Family::V6 => {
                let setting = own(Family::V4, "arp_ignore");
                self.attempt(device, |overrides| overrides.write(&setting, 1));
            }
        }
        let wanted = i64::from(!device.carries_v6);
        // Where there is no IPv6 it need not be switched off.
        if self.overrides.read(&v6).is_ok_and(|now| now != wanted) {
            self.attempt(device, |overrides| overrides.write(&v6, wanted));
        }
    }

    fn below_v4(&mut self, device: &Device, route: &mut RouteSocket) {
        for (name, least) in BELOW_V4_MACVLAN {
            let setting = Sysctl::of(Family::V4, device.base, name);
            self.claim(device, setting, least);
        }
        self.move_reverse_path_filter(device, route);
    }

    /// The greater of `all` and an interface's own counts, so that 0 on a macvlan is not enough: what `all` says is said for
    /// every interface, and for those to come.
    fn move_reverse_path_filter(&mut self, device: &Device, route: &mut RouteSocket) {
        let all = v4(Whose::All);
        // Not what it is now: a predecessor may have moved it, and what is not claimed is put back.
        let for_all = self.overrides.original(&all).unwrap_or(0);
        if for_all == 0 || !self.moved.is_empty() {
            return;
        }
        let links = route.links().unwrap_or_else(|problem| {
            warn!("{problem}");
            Vec::new()
        });
        let others = links
            .into_iter()
            .map(|Link { name, .. }| name)
            .filter(|name| *name != device.name && !self.claims.contains_key(name))
            .map(Whose::Interface);
        for whose in others.chain([Whose::Default]).collect::<Vec<_>>() {
            let setting = v4(whose);
            let wanted = self
                .overrides
                .read(&setting)
                .map_or(for_all, |now| now.max(for_all));
            self.move_one(device, setting, wanted);
        }
        self.move_one(device, all, 0);
    }

    fn move_one(&mut self, device: &Device, setting: Sysctl, value: i64) {
        if self.attempt(device, |overrides| overrides.claim(&setting, value)) {
            self.moved.push(setting);
        }
    }

    /// Wants a setting elsewhere to be at least so much, for as long as a device is there; once for each device.
    fn claim(&mut self, device: &Device, setting: Sysctl, least: i64) {
        let claims = self.claims.entry(device.name).or_default();
        if claims.contains(&setting) {
            return;
        }
        let wanted = self
            .overrides
            .read(&setting)
            .map_or(least, |now| now.max(least));
        if self.attempt(device, |overrides| overrides.claim(&setting, wanted)) {
            self.claims.entry(device.name).or_default().push(setting);
        }
    }

    /// True when it worked. What does not is mentioned once: where one cannot be changed, none can.
    fn attempt(
        &mut self,
        device: &Device,
        change: impl FnOnce(&mut Overrides) -> Result<(), sys::Error>,
    ) -> bool {
        match change(&mut self.overrides) {
            Ok(()) => true,
            Err(problem) if self.complained => {
                debug!("{}: {problem}", device.name);
                false
            }
            Err(problem) => {
                self.complained = true;
                warn!(
                    "{problem}: {} may not hear other routers, and {} may answer for its addresses",
                    device.name, device.base
                );
                false
            }
        }
    }
}

/// Removes a device by its name, unless somebody else's has that meanwhile.
fn remove_if_ours(device: &Device, route: &mut RouteSocket) -> Result<(), sys::Error> {
    let Some(link) = route.link(&device.name)? else {
        return Ok(());
    };
    let ours = match device.kind {
        DeviceKind::Macvlan { address, .. } => {
            link.kind == LinkKind::Macvlan { private: true } && link.mac == Some(address)
        }
        DeviceKind::Ipvlan { mode } => {
            let reach = reach(mode);
            let layer2 = true;
            link.kind == LinkKind::Ipvlan { layer2, reach }
        }
    };
    if ours {
        route.delete_link(link.index)?;
        info!("removed {}", device.name);
    }
    Ok(())
}

const fn v4(whose: Whose) -> Sysctl {
    Sysctl {
        family: Family::V4,
        whose,
        name: "rp_filter",
    }
}

const fn reach(mode: IpvlanMode) -> IpvlanReach {
    match mode {
        IpvlanMode::Bridge => IpvlanReach::Bridge,
        IpvlanMode::Private => IpvlanReach::Private,
        IpvlanMode::Vepa => IpvlanReach::Vepa,
    }
}
