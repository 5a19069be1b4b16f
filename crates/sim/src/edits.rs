//! Reloads: a random edit of a node's configuration, and the way back to one that can work with its peers'.

use std::time::Duration;

use types::{Centiseconds, Family, Priority, Version};
use vrrp::Settings;
use vrrp::settings::{Authentication, InstanceSettings, SyncGroupSettings, TrackScript};

use crate::random::Random;
use crate::routing;
use crate::scenario::{
    ADDRESSES, LANS, SCRIPTS, draw_garp, draw_preempt, draw_script, draw_weight, password,
    virtual_address, vrid,
};

/// Added to the VRID of a router that an edit replaces by another one.
const OTHER: u8 = 100;

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
    let Some(instance) = settings.instances.get_mut(index) else {
        return "nothing";
    };
    match random.below(25) {
        0 => return "nothing",
        1 if !instance.is_owner() => {
            let priority = Priority::new(random.byte(1, 254)).unwrap_or(Priority::DEFAULT);
            for member in unit_of(settings, first, index) {
                member.priority = priority;
            }
            return "priority";
        }
        20 => {
            instance.accept = !instance.accept;
            return "accept";
        }
        2 => {
            let lan = u8::from(
                instance
                    .interface
                    .as_ref()
                    .is_some_and(|name| name.as_str() == "eth1"),
            );
            let fresh = virtual_address(
                instance.vrid.get() % OTHER,
                lan,
                instance.family,
                random.byte(0, ADDRESSES - 1),
            );
            if instance.addresses().all(|address| **address != fresh) {
                instance.virtual_ipaddress.push(fresh);
            }
            return "add an address";
        }
        3 if instance.virtual_ipaddress.len() > 1 => {
            if let Some(gone) = random.index(instance.virtual_ipaddress.len()) {
                let _gone = instance.virtual_ipaddress.remove(gone);
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
            for member in unit_of(settings, first, index) {
                member.preempt = preempt;
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
        22 | 23 => {
            routing::edit_routes(instance, random);
            return "routes";
        }
        24 => {
            routing::edit_rules(instance, random);
            return "rules";
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
        14 | 15 => {
            regroup(settings, random);
            return "other groups";
        }
        16 => {
            for group in &mut settings.sync_groups {
                group.name.push('x');
            }
            return "other names for the groups";
        }
        17 if instance.vrid.get() < OTHER => {
            instance.vrid = vrid(instance.vrid.get() + OTHER);
            return "another router of the same name";
        }
        21 => {
            rename(settings, index);
            return "another name";
        }
        18 => return move_an_address(settings, index, random),
        19 => {
            track_another_script(settings, first, (index, unit), random);
            return "track another script";
        }
        _ => {}
    }
    settings.clone_from(first);
    "back to the first settings"
}

/// An instance and those that were in one group with it when the world began.
fn unit_of<'a>(
    settings: &'a mut Settings,
    first: &Settings,
    index: usize,
) -> Vec<&'a mut InstanceSettings> {
    let Some(name) = settings.instances.get(index).map(|one| one.name.clone()) else {
        return Vec::new();
    };
    let group = first
        .sync_groups
        .iter()
        .find(|group| group.members.contains(&name));
    let together = |other: &str| {
        other == name || group.is_some_and(|group| group.members.iter().any(|one| one == other))
    };
    settings
        .instances
        .iter_mut()
        .filter(|other| together(&other.name))
        .collect()
}

/// Everybody goes somewhere else, or nowhere.
fn regroup(settings: &mut Settings, random: &mut Random) {
    let mut groups: Vec<SyncGroupSettings> = ["VG_0", "VG_1", "VG_other"]
        .map(|name| SyncGroupSettings {
            name: String::from(name),
            members: Vec::new(),
            smtp_alert: false,
        })
        .into();
    for instance in &settings.instances {
        let group = random.index(groups.len() + 1);
        if let Some(group) = group.and_then(|group| groups.get_mut(group)) {
            group.members.push(instance.name.clone());
        }
    }
    groups.retain(|group| !group.members.is_empty());
    settings.sync_groups = groups;
}

/// An address goes from one router to another, if there is one of its family.
fn move_an_address(settings: &mut Settings, from: usize, random: &mut Random) -> &'static str {
    let to = random.index(settings.instances.len());
    let family = |index: usize| settings.instances.get(index).map(|one| one.family);
    let Some(to) = to.filter(|to| *to != from && family(*to) == family(from)) else {
        return "nothing";
    };
    let donor = settings.instances.get_mut(from);
    let donor = donor.filter(|donor| donor.virtual_ipaddress.len() > 1);
    let Some(moved) = donor.and_then(|donor| donor.virtual_ipaddress.pop()) else {
        return "nothing";
    };
    if let Some(to) = settings.instances.get_mut(to)
        && to.addresses().all(|address| *address != moved)
    {
        to.virtual_ipaddress.push(moved);
    }
    "move an address to another router"
}

fn track_another_script(
    settings: &mut Settings,
    first: &Settings,
    (index, unit): (usize, Duration),
    random: &mut Random,
) {
    let Some(name) = random.one_of(&SCRIPTS).copied() else {
        return;
    };
    let weight = draw_weight(random);
    for member in unit_of(settings, first, index) {
        member.track_script.retain(|tracked| tracked.script != name);
        member.track_script.push(TrackScript {
            script: name.to_owned(),
            weight,
            reverse: false,
        });
    }
    if settings.scripts.iter().all(|script| script.name != name) {
        let known = first.scripts.iter().find(|script| script.name == name);
        let script = known.cloned();
        settings
            .scripts
            .push(script.unwrap_or_else(|| draw_script(name, unit, random)));
    }
}

/// Its group knows it by its new name.
fn rename(settings: &mut Settings, index: usize) {
    let Some(instance) = settings.instances.get_mut(index) else {
        return;
    };
    let old = instance.name.clone();
    instance.name.push('x');
    let members = settings
        .sync_groups
        .iter_mut()
        .flat_map(|group| &mut group.members);
    for member in members.filter(|member| **member == old) {
        member.clone_from(&instance.name);
    }
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

/// Takes back what peers, or the other rules here, cannot live with: other names, groups, routers, passwords, peers, addresses of other routers, other
/// scripts, another interval in version 2.
pub(crate) fn make_lawful(settings: &mut Settings, first: &Settings) {
    settings.sync_groups.clone_from(&first.sync_groups);
    settings.scripts.clone_from(&first.scripts);
    for instance in &mut settings.instances {
        let vrid = instance.vrid.get() % OTHER;
        let mut originals = first.instances.iter();
        if let Some(original) = originals.find(|original| original.vrid.get() == vrid) {
            instance.name.clone_from(&original.name);
        }
    }
    for name in first.sync_groups.iter().flat_map(|group| &group.members) {
        if by_name(settings, name).is_none()
            && let Some(original) = by_name(first, name)
        {
            settings.instances.push(original.clone());
        }
    }
    for instance in &mut settings.instances {
        let Some(original) = by_name(first, &instance.name) else {
            continue;
        };
        if instance.vrid != original.vrid {
            instance.clone_from(original);
        }
        instance.authentication.clone_from(&original.authentication);
        instance.unicast.clone_from(&original.unicast);
        instance.track_script.clone_from(&original.track_script);
        if instance.version == Version::V2 {
            instance.advert_int = original.advert_int;
        }
        let (number, family) = (instance.vrid.get(), instance.family);
        let own = (0..LANS)
            .flat_map(|lan| {
                (0..=ADDRESSES).map(move |last| virtual_address(number, lan, family, last))
            })
            .collect::<Vec<_>>();
        instance
            .virtual_ipaddress
            .retain(|address| own.contains(&**address));
        if instance.virtual_ipaddress.is_empty() {
            instance
                .virtual_ipaddress
                .clone_from(&original.virtual_ipaddress);
            instance.virtual_ipaddress_excluded.clear();
        }
    }
    // A member that was away missed the edits of the others: all take the first one's priority and preemption.
    for group in &first.sync_groups {
        let leader = group
            .members
            .first()
            .and_then(|name| by_name(settings, name));
        let Some((priority, preempt)) = leader.map(|leader| (leader.priority, leader.preempt))
        else {
            continue;
        };
        for member in &mut settings.instances {
            if group.members.contains(&member.name) {
                member.priority = priority;
                member.preempt = preempt;
            }
        }
    }
}

fn by_name<'a>(settings: &'a Settings, name: &str) -> Option<&'a InstanceSettings> {
    settings
        .instances
        .iter()
        .find(|instance| instance.name == name)
}
