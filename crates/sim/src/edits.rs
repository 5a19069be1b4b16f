//! Reloads: a random edit of a node's configuration, and the way back to one that can work with its peers'.

use std::time::Duration;

use types::{Centiseconds, Family, Priority, Version};
use vrrp::Settings;
use vrrp::settings::{Authentication, InstanceSettings};

use crate::random::Random;
use crate::scenario::{ADDRESSES, draw_garp, draw_preempt, password, virtual_address};

/// Changes one thing, as an operator would. Says what.
///
/// `first` is what the node was configured with when the world began: what an edit took away comes back from there.
pub(crate) fn edit(
    settings: &mut Settings,
    first: &Settings,
    unit: Duration,
    random: &mut Random,
) -> &'static str {
    let Some(index) = random.index(settings.instances.len()) else {
        settings.clone_from(first);
        return "restore all instances";
    };
    let grouped = |name: &str| {
        first
            .sync_groups
            .iter()
            .any(|group| group.members.iter().any(|member| member == name))
    };
    let Some(instance) = settings.instances.get_mut(index) else {
        return "nothing";
    };
    match random.below(14) {
        0 => return "nothing",
        1 if !instance.is_owner() => {
            let priority = Priority::new(random.byte(1, 254)).unwrap_or(Priority::DEFAULT);
            if grouped(&instance.name) {
                for member in &mut settings.instances {
                    if grouped(&member.name) {
                        member.priority = priority;
                    }
                }
            } else {
                instance.priority = priority;
            }
            return "priority";
        }
        2 => {
            let lan = u8::from(
                instance
                    .interface
                    .as_ref()
                    .is_some_and(|name| name.as_str() == "eth1"),
            );
            let fresh = virtual_address(
                instance.vrid.get(),
                lan,
                instance.family,
                random.byte(0, ADDRESSES - 1),
            );
            if instance.addresses().all(|address| *address != fresh) {
                instance.virtual_ipaddress.push(fresh);
            }
            return "add an address";
        }
        3 if instance.virtual_ipaddress.len() > 1 => {
            if let Some(gone) = random.index(instance.virtual_ipaddress.len()) {
                instance.virtual_ipaddress.remove(gone);
            }
            return "remove an address";
        }
        4 if instance.virtual_ipaddress.len() > 1 => {
            if let Some(moved) = instance.virtual_ipaddress.pop() {
                instance.virtual_ipaddress_excluded.push(moved);
            }
            return "exclude an address";
        }
        5 => {
            let preempt = draw_preempt(unit, random);
            let name = instance.name.clone();
            let together = grouped(&name);
            for other in &mut settings.instances {
                if other.name == name || (together && grouped(&other.name)) {
                    other.preempt = preempt;
                }
            }
            return "preempt";
        }
        6 => {
            let interval = match instance.version {
                Version::V2 => 100 * random.between(1, 2),
                Version::V3 => {
                    let unit = u64::try_from(unit.as_millis() / 10).unwrap_or(100);
                    random.between((unit / 4).max(1), unit.max(1))
                }
            };
            instance.advert_int = Centiseconds::new(u16::try_from(interval).unwrap_or(100));
            return "advert_int";
        }
        7 => {
            remove(settings, index);
            return "remove an instance";
        }
        8 => {
            instance.garp = draw_garp(random);
            return "garp schedule";
        }
        9 if instance.version == Version::V2 && instance.family == Family::V4 => {
            instance.authentication = match instance.authentication {
                Authentication::None => password("other"),
                Authentication::Pass(_) | Authentication::Ah(_) | Authentication::Hmac(_) => {
                    Authentication::None
                }
            };
            return "password";
        }
        9 => {
            if let Authentication::Hmac(hmac) = &mut instance.authentication
                && let Some(key) = random.one_of(&hmac.keys)
            {
                hmac.active_key = key.id;
                return "active key";
            }
        }
        10 => {
            settings.sync_groups.clear();
            return "dissolve the groups";
        }
        11 if instance.unicast.is_some() => {
            // Another kind of router altogether: the old one leaves, a new one begins.
            instance.unicast = None;
            return "multicast instead of peers";
        }
        12 | 13 if let Some(unicast) = &mut instance.unicast => {
            if unicast.peers.len() > 1
                && let Some(gone) = random.index(unicast.peers.len())
            {
                unicast.peers.remove(gone);
            } else {
                unicast.peers.clear();
            }
            unicast.check_source = random.percent(50);
            return "fewer peers";
        }
        _ => {}
    }
    settings.clone_from(first);
    "back to the first settings"
}

fn remove(settings: &mut Settings, index: usize) {
    let name = settings.instances.remove(index).name;
    for group in &mut settings.sync_groups {
        group.members.retain(|member| *member != name);
    }
    settings
        .sync_groups
        .retain(|group| !group.members.is_empty());
}

/// Takes back what peers cannot live with: other groups, another password, other peers, another interval in version 2.
pub(crate) fn make_lawful(settings: &mut Settings, first: &Settings) {
    settings.sync_groups.clone_from(&first.sync_groups);
    let members = || first.sync_groups.iter().flat_map(|group| &group.members);
    for name in members() {
        let missing = settings
            .instances
            .iter()
            .all(|instance| instance.name != *name);
        if missing && let Some(original) = by_name(first, name) {
            settings.instances.push(original.clone());
        }
    }
    // A member that was away missed the edits of the others: all take the first one's priority and preemption.
    let common = members()
        .next()
        .and_then(|name| by_name(settings, name))
        .map(|leader| (leader.priority, leader.preempt));
    for instance in &mut settings.instances {
        if let Some(original) = by_name(first, &instance.name) {
            instance.authentication.clone_from(&original.authentication);
            instance.unicast.clone_from(&original.unicast);
            if instance.version == Version::V2 {
                instance.advert_int = original.advert_int;
            }
        }
        if let Some((priority, preempt)) = common
            && members().any(|member| *member == instance.name)
        {
            instance.priority = priority;
            instance.preempt = preempt;
        }
    }
}

fn by_name<'a>(settings: &'a Settings, name: &str) -> Option<&'a InstanceSettings> {
    settings
        .instances
        .iter()
        .find(|instance| instance.name == name)
}
