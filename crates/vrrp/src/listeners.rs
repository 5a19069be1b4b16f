//! Who listens to what: the groups that are joined, and the instance that a packet is for.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use types::{Family, IfIndex};

use crate::action::{Action, Carrier};
use crate::instance::Instance;
use crate::interfaces::InterfaceKind;
use crate::receive::Packet;
use crate::vrrp::Vrrp;

/// Who listens: interface (`None`: every one), family and VRID, with the place of the instance. Sorted.
pub(crate) type Listeners = Vec<(Option<IfIndex>, Family, u8, u32)>;

impl Vrrp {
    /// Who listens to what has changed: finds out anew, and joins and leaves groups accordingly.
    pub(crate) fn update_listeners(&mut self) {
        self.listeners.clear();
        self.on_wire.clear();
        let mut memberships = BTreeSet::new();
        for instance in &self.instances {
            let settings = &instance.settings;
            // Another one hears what is meant for its VRID here.
            if self.clashes.concerns(instance.id) {
                continue;
            }
            for interface in instance.hears_on() {
                if let Ok(id) = u32::try_from(instance.id) {
                    let vrid = settings.vrid.get();
                    self.listeners.push((interface, settings.family, vrid, id));
                }
            }
            if let (Some(base), Some(_)) = (instance.base, &settings.virtual_interface) {
                let key = (base, settings.family, settings.vrid.get());
                self.on_wire.insert(key);
            }
            for interface in instance.member_on() {
                memberships.insert((interface, settings.mcast_dst_ip));
            }
        }
        self.listeners.sort_unstable();
        for (interface, group) in self.memberships.difference(&memberships) {
            self.shared.act(Action::LeaveGroup {
                interface: *interface,
                group: *group,
            });
        }
        for (interface, group) in memberships.difference(&self.memberships) {
            self.shared.act(Action::JoinGroup {
                interface: *interface,
                group: *group,
            });
        }
        self.memberships = memberships;
    }

    /// The instance that a packet is for.
    pub(crate) fn recipient(&mut self, packet: &Packet<'_>) -> Option<usize> {
        let before = match packet.carrier {
            Carrier::Vrrp => 0,
            Carrier::Ah { .. } => wire::ah::LENGTH,
        };
        let vrid = *packet.payload.get(before + 1)?;
        let found = self.listener(packet, vrid);
        if found.is_none() && !self.is_heard_elsewhere(packet, vrid) {
            self.unknown_vrid += 1;
        }
        found
    }

    /// Whether this is another copy of a packet: the kernel hands one to the interface and one to each macvlan above it.
    fn is_heard_elsewhere(&self, packet: &Packet<'_>, vrid: u8) -> bool {
        let Some(interface) = self.shared.interfaces.by_index(packet.interface) else {
            return false;
        };
        if !self.shared.devices.concern(&interface.name) {
            return false;
        }
        let base = interface.base.unwrap_or(interface.index);
        self.on_wire.contains(&(base, packet.family(), vrid))
            // Or without a device of its own, below the devices of others.
            || self.listening(Some(base), packet.family(), vrid).next().is_some()
    }

    /// Who listens on an interface, or with `None` on every one.
    fn listening(
        &self,
        interface: Option<IfIndex>,
        family: Family,
        vrid: u8,
    ) -> impl Iterator<Item = &Instance> {
        let wanted = (interface, family, vrid);
        let first = self
            .listeners
            .partition_point(|(interface, family, vrid, _)| (*interface, *family, *vrid) < wanted);
        let from_there = self.listeners.get(first..).unwrap_or_default().iter();
        from_there
            .take_while(move |(interface, family, vrid, _)| (*interface, *family, *vrid) == wanted)
            .filter_map(|(_, _, _, id)| self.instances.get(usize::try_from(*id).ok()?))
    }

    fn listener(&self, packet: &Packet<'_>, vrid: u8) -> Option<usize> {
        let on = |interface| self.listening(interface, packet.family(), vrid);
        let candidates = || {
            on(Some(packet.interface))
                .chain(on(None))
                .filter(|instance| self.is_in_vrf_of(instance, packet))
        };
        let (to, from) = (packet.destination, packet.source);
        let mut by_group = candidates().filter(|instance| instance.settings.unicast.is_none());
        if to.is_multicast() {
            return by_group
                .find(|instance| instance.settings.mcast_dst_ip == to)
                .map(|instance| instance.id);
        }
        let addressed = || {
            candidates().filter_map(|instance| {
                let unicast = instance.settings.unicast.as_deref()?;
                let ours = instance.source.is_none_or(|source| source == to);
                ours.then_some((instance.id, unicast))
            })
        };
        let mut several = addressed();
        match (several.next(), several.next()) {
            // It went to one address instead of the group: somebody will say so.
            (None, _) => by_group.next().map(|instance| instance.id),
            (Some((only, _)), None) => Some(only),
            // Of several only the peers tell which is meant. Who is nobody's peer means none of them.
            (Some(_), Some(_)) => addressed()
                .find(|(_, unicast)| unicast.peer(from).is_some())
                .map(|(id, _)| id),
        }
    }

    /// Whether a packet came from where an instance without an interface speaks: its VRF, or outside of all of them.
    fn is_in_vrf_of(&self, instance: &Instance, packet: &Packet<'_>) -> bool {
        if instance.settings.interface.is_some() {
            return true;
        }
        let interface = self.shared.interfaces.by_index(packet.interface);
        let vrf = interface.and_then(|interface| match interface.kind {
            InterfaceKind::Vrf => Some(interface.index),
            InterfaceKind::Other | InterfaceKind::Macvlan { .. } | InterfaceKind::Ipvlan { .. } => {
                self.shared.interfaces.vrf_of(interface)
            }
        });
        // It sends by its VRF, if it has one.
        vrf == instance.interface
    }

    /// How many packets came for a virtual router that we do not run.
    #[must_use]
    pub const fn unknown_vrid(&self) -> u64 {
        self.unknown_vrid
    }
}

impl Instance {
    /// The interfaces that its adverts come in by; `None` among them is any.
    fn hears_on(&self) -> impl Iterator<Item = Option<IfIndex>> {
        let settings = &self.settings;
        let anywhere = settings.interface.is_none().then_some(None);
        let own = match (&settings.virtual_interface, &settings.unicast) {
            (None, _) => [self.base, None],
            // The kernel gives an advert from the same virtual MAC address to nobody but the macvlan of that address, and
            // one from any other to it, too. keepalived with vmac_xmit_base listens below, and does not hear those.
            (Some(_), None) => [self.device, None],
            // What is for an address on the device comes in there; an ipvlan has the source.
            (Some(_), Some(_)) => [self.base, self.device],
        };
        anywhere
            .into_iter()
            .chain(own.into_iter().flatten().map(Some))
    }

    /// The interfaces on which it must be in its group.
    fn member_on(&self) -> impl Iterator<Item = IfIndex> {
        let own = match (&self.settings.virtual_interface, &self.settings.unicast) {
            (_, Some(_)) => [None, None],
            (None, None) => [self.base, None],
            // A switch learns it from the address that adverts are sent with.
            (Some(own), None) if own.transmit_on_base => [self.device, self.base],
            (Some(_), None) => [self.device, None],
        };
        own.into_iter().flatten()
    }
}
