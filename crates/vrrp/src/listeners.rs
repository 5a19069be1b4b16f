//! Who listens to what: the groups that are joined, and the instance that a packet is for.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::action::{Action, Carrier};
use crate::receive::Packet;
use crate::vrrp::Vrrp;

impl Vrrp {
    /// Who listens to what has changed: finds out anew, and joins and leaves groups accordingly.
    pub(crate) fn update_listeners(&mut self) {
        self.listeners.clear();
        let mut memberships = BTreeSet::new();
        for instance in &self.instances {
            let settings = &instance.settings;
            if instance.interface.is_none() && settings.interface.is_some() {
                continue;
            }
            // Another one hears what is meant for its VRID here.
            if self.clashes.concerns(instance.id) {
                continue;
            }
            self.listeners
                .entry((instance.interface, settings.family, settings.vrid.get()))
                .or_default()
                .push(instance.id);
            if let (Some(interface), None) = (instance.interface, &settings.unicast) {
                memberships.insert((interface, settings.mcast_dst_ip));
            }
        }
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
        if found.is_none() {
            self.unknown_vrid += 1;
        }
        found
    }

    fn listener(&self, packet: &Packet<'_>, vrid: u8) -> Option<usize> {
        let on = |interface| {
            let listeners = self.listeners.get(&(interface, packet.family(), vrid));
            listeners.map(Vec::as_slice).unwrap_or_default()
        };
        let candidates = || {
            on(Some(packet.interface))
                .iter()
                .chain(on(None))
                .filter_map(|id| self.instances.get(*id))
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

    /// How many packets came for a virtual router that we do not run.
    #[must_use]
    pub const fn unknown_vrid(&self) -> u64 {
        self.unknown_vrid
    }
}
