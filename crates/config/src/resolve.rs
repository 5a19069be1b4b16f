//! A draft becomes settings: defaults, corrections, and the checks that need to see everything.
//!
//! The order is keepalived's (it completes each instance, then the groups, then the scripts), for some corrections
//! build on others.

use std::collections::{BTreeMap, BTreeSet};

use types::{IfName, Weight};
use vrrp::settings::{
    InstanceSettings, Linkbeat, Static, SyncGroupSettings, TrackGroup, TrackInterface, TrackScript,
    TrackWeight,
};

use crate::diagnostics::{Class, Diagnostic, Found, Reporter, Span};
use crate::draft::{At, Draft, GroupDraft, InstanceDraft, NotifyDraft, TrackDraft, TrackedDraft};
use crate::lints::{self, vrrp::Router};
use crate::machine::Machine;
use crate::settings::{Notify, NotifyDeleted, Settings};

use self::devices::Devices;

mod bfd;
pub(crate) mod checkers;
mod devices;
mod garp;
mod globals;
mod instance;
pub(crate) mod lvs;
mod proof;
mod reach;
mod scripts;
mod tracked;
mod vrids;

/// Makes settings of a draft; they count only if nothing fatal was reported.
pub(crate) fn resolve(mut draft: Draft, machine: &dyn Machine, report: &mut Reporter) -> Settings {
    report.finds(Found::Afterwards);
    let servers = std::mem::take(&mut draft.lvs);
    let mail = &draft.global.mail;
    draft.defaults.smtp_alert = mail.alert_vrrp.or(mail.alert).unwrap_or(false);
    // Without an interface the part of keepalived that speaks VRRP looks no further.
    report.leaves_unsaid(draft.lacks_interface);
    let mut judge = scripts::Judge::new(&draft, machine);
    let mut instances = Vec::new();
    let mut devices = Devices::new(&draft, globals::vmac_names(&draft), machine);
    for instance in &draft.instances {
        report.block_ends(instance.end);
        match instance::resolve(instance, &draft.defaults, machine, &mut devices, report) {
            Some(settings) => instances.push(Member {
                settings,
                draft: instance,
                group: None,
            }),
            None => judge.note(&instance.notify),
        }
    }
    vrids::check(&instances, draft.vrrp_global.allow_if_changes, report);
    let mut groups = groups(&draft, &mut instances, &mut judge, report);
    shared_devices(&devices.shared, &mut instances, report);
    let (scripts, mut commands) = judge.check_scripts(&draft.scripts, report);

    let mut settings = Settings::default();
    let mut used = BTreeSet::new();
    let made: BTreeSet<IfName> = devices
        .of_addresses
        .iter()
        .map(|device| device.name)
        .collect();
    for member in &mut instances {
        let group = member.group.and_then(|index| groups.get(index));
        track(member, group, &commands, &made, report);
        tracked::track(member, group, report);
        let scripts = member.settings.track_script.iter();
        used.extend(scripts.map(|track| track.script.clone()));
        member.settings.notify_priority_changes = member
            .draft
            .notify_priority_changes
            .or_else(|| group.and_then(|group| group.draft.notify_priority_changes))
            .unwrap_or(draft.defaults.notify_priority_changes);
        let notify = notify(&member.draft.notify, &mut judge, report);
        if notify != Notify::default() {
            settings
                .instance_notify
                .insert(member.settings.name.clone(), notify);
        }
    }
    for group in &mut groups {
        let wanted = group.draft.smtp_alert;
        group.settings.smtp_alert = wanted.unwrap_or(draft.defaults.smtp_alert);
        let notify = notify(&group.draft.notify, &mut judge, report);
        if notify != Notify::default() {
            settings
                .group_notify
                .insert(group.settings.name.clone(), notify);
        }
    }
    settings.global = globals::resolve(&draft, &mut judge, report);
    settings.vrrp.global = draft.vrrp_global;
    settings.lvs.global = draft.lvs_global.clone();
    settings.lvs.global.sync_daemon = globals::sync_daemon(&draft, report);
    judge.finish(report);
    report.leaves_unsaid(false);
    let mut judge = scripts::Judge::of_servers(&draft, machine);
    settings.lvs_commands = lvs::finish(servers, &mut settings.lvs, &mut judge, report);
    settings.lvs.commands = settings
        .lvs_commands
        .iter()
        .map(|command| ::lvs::settings::CommandFacts {
            line: command.argv.join(" "),
            user: (command.user.uid, command.user.gid),
        })
        .collect();
    judge.finish(report);
    globals::without_idle_readers(&mut settings, !draft.instances.is_empty());

    for At {
        value: script,
        span,
    } in scripts
    {
        if !used.contains(&script.name) {
            let message = format!(
                "script {} is not tracked by any running instance and never runs",
                script.name
            );
            // An instance without its interface is not kept, and with it what it tracks.
            let follows = draft.lacks_interface || draft.misspelt_scripts.contains(&script.name);
            let diagnostic = Diagnostic::warning(Class::Uncounted, message)
                .help("track it in an instance (track_script), or remove it")
                .following(follows);
            report.at(span, diagnostic);
        }
        if used.contains(&script.name) {
            settings.vrrp.scripts.push(script);
        } else {
            commands.remove(&script.name);
        }
    }
    settings.commands = commands;
    settings.vrrp.linkbeat = linkbeat(&draft, &instances);
    settings.vrrp.track_groups = track_groups(&draft, report);
    settings.vrrp.address_devices = devices.of_addresses;
    if report.wants_lints() {
        let routers: Vec<_> = instances
            .iter()
            .map(|member| Router {
                settings: &member.settings,
                draft: member.draft,
                group: member
                    .group
                    .and_then(|index| Some(groups.get(index)?.draft)),
            })
            .collect();
        let running = &settings.vrrp.scripts;
        lints::vrrp::check(
            &draft.scripts,
            &draft.static_ipaddress,
            &routers,
            running,
            machine,
            report,
        );
    }
    settings.vrrp.instances = instances
        .into_iter()
        .map(|member| member.settings)
        .collect();
    settings.vrrp.sync_groups = groups.into_iter().map(|group| group.settings).collect();
    settings.bfd.sessions = bfd::sessions(&draft.bfd, report);
    rest(&mut settings, draft);
    settings
}

/// What needs no look at anything else.
fn rest(settings: &mut Settings, draft: Draft) {
    let vrrp = &mut settings.vrrp;
    vrrp.garp_interval = draft.defaults.garp_interval;
    vrrp.gna_interval = draft.defaults.gna_interval;
    vrrp.track_files = draft.files.into_iter().filter_map(tracked::file).collect();
    vrrp.track_processes = draft
        .processes
        .into_iter()
        .filter_map(tracked::process)
        .collect();
    // Whoever tracks a session that cannot run sees it down, as in keepalived.
    vrrp.bfd_sessions = draft
        .bfd
        .into_iter()
        .filter(|session| session.vrrp)
        .map(|session| session.name)
        .collect();
    vrrp.garp_groups = draft.garp_groups;
    // The last entry of an interface counts.
    let delays: BTreeMap<_, _> = draft
        .debounce
        .into_iter()
        .map(|delay| (delay.interface, delay))
        .collect();
    vrrp.debounce = delays.into_values().collect();
    for Static { entry, track_group } in draft.static_ipaddress {
        if let Some(interface) = entry.interface {
            vrrp.static_ipaddress.push(Static {
                entry: instance::address(&entry, interface),
                track_group,
            });
        }
    }
    vrrp.static_routes = draft.static_routes;
    vrrp.static_rules = draft.static_rules;
    // A group without members was removed after they had named it.
    let known: BTreeSet<&str> = vrrp
        .track_groups
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    let addresses = vrrp
        .static_ipaddress
        .iter_mut()
        .map(|it| &mut it.track_group);
    let routes = vrrp.static_routes.iter_mut().map(|it| &mut it.track_group);
    let rules = vrrp.static_rules.iter_mut().map(|it| &mut it.track_group);
    for group in addresses.chain(routes).chain(rules) {
        group.take_if(|name| !known.contains(name.as_str()));
    }
    track_statics(vrrp);
}

/// The instances of an entry's `track_group` track the entry's interface.
fn track_statics(vrrp: &mut vrrp::Settings) {
    let addresses = vrrp.static_ipaddress.iter();
    let addresses = addresses.map(|it| (&it.track_group, Some(it.entry.interface)));
    let routes = vrrp.static_routes.iter();
    let routes = routes.map(|it| (&it.track_group, it.entry.interface));
    let rules = vrrp.static_rules.iter();
    let rules = rules.map(|it| (&it.track_group, it.entry.input));
    let mut of_groups: BTreeMap<&str, BTreeSet<IfName>> = BTreeMap::new();
    for (group, interface) in addresses.chain(routes).chain(rules) {
        if let (Some(group), Some(interface)) = (group, interface) {
            of_groups.entry(group).or_default().insert(interface);
        }
    }
    let mut of_instances: BTreeMap<&str, BTreeSet<IfName>> = BTreeMap::new();
    for group in &vrrp.track_groups {
        let Some(interfaces) = of_groups.get(group.name.as_str()) else {
            continue;
        };
        for member in &group.members {
            of_instances.entry(member).or_default().extend(interfaces);
        }
    }
    for instance in &mut vrrp.instances {
        if let Some(interfaces) = of_instances.get(instance.name.as_str()) {
            track_too(instance, interfaces.iter().copied());
        }
    }
}

/// The interfaces whose link is asked for: those listed, and those of instances that say so.
fn linkbeat(draft: &Draft, instances: &[Member<'_>]) -> Vec<Linkbeat> {
    let own = instances
        .iter()
        .filter(|member| member.draft.linkbeat_use_polling)
        .filter_map(|member| member.settings.interface)
        .map(|interface| Linkbeat {
            interface,
            method: None,
        });
    let mut known = BTreeSet::new();
    draft
        .linkbeat
        .iter()
        .cloned()
        .chain(own)
        .filter(|linkbeat| known.insert(linkbeat.interface))
        .collect()
}

/// Groups that static entries depend on; without members they are of no use.
fn track_groups(draft: &Draft, report: &mut Reporter) -> Vec<TrackGroup> {
    let known: BTreeSet<&str> = draft
        .instances
        .iter()
        .map(|instance| instance.name.as_str())
        .collect();
    let mut groups = Vec::new();
    for group in &draft.track_groups {
        let mut members = BTreeSet::new();
        for At { value, span } in &group.members {
            if known.contains(value.as_str()) {
                members.insert(value.clone());
                continue;
            }
            let near = crate::suggest::nearest(value, known.iter().copied());
            let message = format!("track_group {} has unknown member '{value}'", group.name);
            let diagnostic = Diagnostic::error(Class::Uncounted, message)
                .maybe_help(near.map(|near| format!("did you mean '{near}'?")));
            report.at(*span, diagnostic);
        }
        if members.is_empty() {
            let message = format!("track_group {} has no members and is removed", group.name);
            let diagnostic =
                Diagnostic::error(Class::Uncounted, message).help("group { INSTANCE ... }");
            report.at(group.span, diagnostic);
            continue;
        }
        groups.push(TrackGroup {
            name: group.name.clone(),
            members: members.into_iter().collect(),
        });
    }
    groups
}

/// An instance on its way.
struct Member<'a> {
    settings: InstanceSettings,
    draft: &'a InstanceDraft,
    /// Index of its sync group.
    group: Option<usize>,
}

/// A sync group that has members.
struct Group<'a> {
    settings: SyncGroupSettings,
    draft: &'a GroupDraft,
    /// One of its members owns its addresses: what the group tracks can only be a fault, not change priorities.
    has_owner: bool,
}

/// Finds the members of the groups.
fn groups<'a>(
    draft: &'a Draft,
    instances: &mut [Member<'a>],
    judge: &mut scripts::Judge<'_>,
    report: &mut Reporter,
) -> Vec<Group<'a>> {
    let index: BTreeMap<String, usize> = instances
        .iter()
        .enumerate()
        .map(|(at, member)| (member.settings.name.clone(), at))
        .collect();
    let unusable: BTreeSet<&str> = draft
        .instances
        .iter()
        .map(|instance| instance.name.as_str())
        .collect();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for group in &draft.groups {
        let mut members = Vec::new();
        let mut has_owner = false;
        let mut cannot_run = 0_usize;
        for name in &group.members {
            let member = index.get(&name.value).and_then(|at| instances.get_mut(*at));
            match member {
                Some(member) if member.group.is_none() => {
                    member.group = Some(groups.len());
                    has_owner |= member.settings.is_owner();
                    members.push(name.value.clone());
                }
                None if unusable.contains(name.value.as_str()) => {
                    cannot_run += 1;
                    report.at(name.span, goes_without(&group.name, &name.value));
                }
                other => report.at(
                    name.span,
                    no_member(group, &name.value, other.is_some(), &index),
                ),
            }
        }
        let count = members.len();
        if count < 2 && cannot_run == 0 && !group.known_empty {
            // Its other members were reported one by one.
            let follows = count < group.members.len();
            report.at(group.span, small_group(group, count).following(follows));
        }
        if count == 0 {
            judge.note(&group.notify);
        } else {
            let settings = SyncGroupSettings {
                name: group.name.clone(),
                members,
                smtp_alert: false,
            };
            groups.push(Group {
                settings,
                draft: group,
                has_owner,
            });
        }
    }
    groups
}

fn no_member(
    group: &GroupDraft,
    name: &str,
    taken: bool,
    index: &BTreeMap<String, usize>,
) -> Diagnostic {
    if taken {
        let message = format!(
            "instance {name} is in a sync group already; it is not in {} too",
            group.name
        );
        return Diagnostic::error(Class::General, message);
    }
    let help = crate::suggest::nearest(name, index.keys().map(String::as_str));
    Diagnostic::error(
        Class::General,
        format!("sync group {} has unknown member '{name}'", group.name),
    )
    .maybe_help(help.map(|near| format!("did you mean '{near}'?")))
    .keepalived(format!(
        "Virtual router {name} specified in sync group {} doesn't exist - ignoring",
        group.name
    ))
}

fn goes_without(group: &str, name: &str) -> Diagnostic {
    let message = format!("instance {name} is left out, so sync group {group} goes without it");
    // Why it is left out was said where it stands.
    Diagnostic::warning(Class::Uncounted, message).following(true)
}

fn small_group(group: &GroupDraft, count: usize) -> Diagnostic {
    let name = &group.name;
    if count == 0 && group.members.is_empty() {
        return Diagnostic::error(
            Class::General,
            format!("sync group {name} has no members and is removed"),
        )
        .help("group { INSTANCE ... }")
        .keepalived(format!("Sync group {name} has no members - removing"));
    }
    if count == 0 {
        return Diagnostic::error(
            Class::General,
            format!("none of the members of sync group {name} exists; it is removed"),
        )
        .keepalived(format!(
            "Sync group {name}, no matching virtual router found in group declaration - removing"
        ));
    }
    Diagnostic::warning(
        Class::General,
        format!("sync group {name} has one member only"),
    )
    .help("a group makes several instances change state together; for one it does nothing")
    .keepalived(format!(
        "Sync group {name} has only 1 virtual router(s) - this probably isn't what you want"
    ))
}

/// What an instance tracks in the end: its own list, its group's, and the interfaces of its addresses.
fn track(
    member: &mut Member<'_>,
    group: Option<&Group<'_>>,
    scripts: &BTreeMap<String, crate::settings::Command>,
    made: &BTreeSet<IfName>,
    report: &mut Reporter,
) {
    let draft = member.draft;
    let settings = &mut member.settings;
    let mut interfaces: Vec<TrackDraft> = Vec::new();
    for track in &draft.track_interface {
        if is_own(settings, &track.name) {
            let message = format!("instance {} tracks its own interface anyway", settings.name);
            let diagnostic = Diagnostic::warning(Class::General, message).keepalived(format!(
                "({}) Ignoring track_interface {} since own interface",
                settings.name, track.name
            ));
            report.at(track.span, diagnostic);
            continue;
        }
        interfaces.push(track.clone());
    }
    let mut tracked: Vec<TrackDraft> = draft
        .track_script
        .iter()
        .filter(|track| scripts.contains_key(&track.name))
        .cloned()
        .collect();
    weights(
        settings,
        group.map(|group| group.draft),
        &mut interfaces,
        &mut tracked,
        report,
    );
    if let Some(Group {
        draft: group,
        has_owner,
        ..
    }) = group
    {
        merge(&mut interfaces, &group.track_interface, *has_owner, report);
        let known: Vec<_> = group
            .track_script
            .iter()
            .filter(|track| scripts.contains_key(&track.name))
            .cloned()
            .collect();
        merge(&mut tracked, &known, *has_owner, report);
        interfaces.retain(|track| !is_own(settings, &track.name));
    }
    settings.track_interface = interfaces
        .into_iter()
        .filter_map(|track| {
            let interface = IfName::new(&track.name).ok()?;
            Some(TrackInterface {
                interface,
                weight: track.weight,
                reverse: track.reverse,
            })
        })
        .collect();
    settings.track_script = tracked
        .into_iter()
        .map(|track| TrackScript {
            script: track.name,
            weight: track.weight,
            reverse: track.reverse,
        })
        .collect();
    implied(settings, made);
}

/// A device that addresses of two instances are on comes and goes with neither, and answers for both: that is right only if
/// they are always in the same state.
fn shared_devices(
    shared: &[(String, String)],
    instances: &mut [Member<'_>],
    report: &mut Reporter,
) {
    for (name, other) in shared {
        let group_of = |name: &str| {
            let mut members = instances.iter();
            let found = members.find(|member| member.settings.name == name)?;
            found.group
        };
        if let Some(group) = group_of(name)
            && group_of(other) == Some(group)
        {
            continue;
        }
        let mut members = instances.iter_mut();
        let Some(member) = members.find(|member| member.settings.name == *name) else {
            continue;
        };
        if member.settings.unusable.is_some() {
            continue;
        }
        let why = format!("it has addresses on a macvlan of instance {other}");
        let message = format!("instance {name} stays in FAULT: {why}");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("put both into one sync group, or give one of them another virtual_router_id");
        report.at(member.draft.span, diagnostic);
        member.settings.unusable = Some(why.into_boxed_str());
    }
}

/// Weights make no sense for an owner, whose priority is fixed, nor for a group's member, whose group decides.
fn weights(
    settings: &InstanceSettings,
    group: Option<&GroupDraft>,
    interfaces: &mut Vec<TrackDraft>,
    scripts: &mut Vec<TrackDraft>,
    report: &mut Reporter,
) {
    let owner = settings.is_owner();
    let grouped = group.is_some_and(|group| !group.tracking_weight);
    if !owner && !grouped {
        return;
    }
    let why = if owner {
        "an address owner's priority is fixed"
    } else {
        "it is in a sync group"
    };
    let code = if owner { "address owner" } else { "SYNC group" };
    let name = &settings.name;
    let about = |track: &TrackDraft, kind: &str, verb: &str, outcome: &str| {
        Diagnostic::warning(
            Class::General,
            format!(
                "instance {name}: {kind} {} {outcome}, for {why}",
                track.name
            ),
        )
        .help("sync_group_tracking_weight in the sync group keeps weights")
        .keepalived(format!(
            "({name}) ignoring tracked {kind} {} with weights due to {code}{verb}",
            track.name
        ))
    };
    scripts.retain(|track| {
        let kept = track.weight == Weight::FAULT;
        if !kept {
            report.at(track.span, about(track, "script", "", "is not tracked"));
        }
        kept
    });
    interfaces.retain_mut(|track| {
        if track.weight == Weight::FAULT {
            return true;
        }
        let outcome = if owner {
            "is not tracked"
        } else {
            "loses its weight"
        };
        report.at(track.span, about(track, "interface", "", outcome));
        track.weight = Weight::FAULT;
        !owner
    });
}

/// Adds what a group tracks; for what a member tracks too the group decides, unless a failure is a fault to the member.
fn merge(own: &mut Vec<TrackDraft>, group: &[TrackDraft], has_owner: bool, report: &mut Reporter) {
    for track in group {
        let mut track = track.clone();
        if has_owner {
            track.weight = Weight::FAULT;
        }
        let Some(same) = own.iter_mut().find(|same| same.name == track.name) else {
            own.push(track);
            continue;
        };
        let message = format!(
            "'{}' is tracked by the instance and by its sync group",
            track.name
        );
        report.at(same.span, Diagnostic::warning(Class::General, message));
        if same.weight != Weight::FAULT {
            *same = track;
        }
    }
}

/// The same for files, processes and BFD sessions.
fn merge_tracked(
    own: &mut Vec<TrackedDraft>,
    group: &[TrackedDraft],
    has_owner: bool,
    report: &mut Reporter,
) {
    let at: BTreeMap<String, usize> = own
        .iter()
        .enumerate()
        .map(|(index, track)| (track.name.clone(), index))
        .collect();
    for track in group {
        let mut track = track.clone();
        if has_owner {
            track.weight = TrackWeight::FAULT;
        }
        let Some(same) = at.get(&track.name).and_then(|index| own.get_mut(*index)) else {
            own.push(track);
            continue;
        };
        let message = format!(
            "'{}' is tracked by the instance and by its sync group",
            track.name
        );
        report.at(same.span, Diagnostic::warning(Class::General, message));
        if same.weight != TrackWeight::FAULT {
            *same = track;
        }
    }
}

fn is_own(settings: &InstanceSettings, name: &str) -> bool {
    settings
        .interface
        .as_ref()
        .is_some_and(|interface| interface.as_str() == name)
}

/// The interfaces of addresses, routes and rules are tracked without being listed, unless an entry says `no_track`. Those that
/// are made for addresses stand last.
fn implied(settings: &mut InstanceSettings, made: &BTreeSet<IfName>) {
    let addresses = settings.addresses().filter(|address| !address.no_track);
    let routes = settings.virtual_routes.iter();
    let rules = settings.virtual_rules.iter();
    let (made, mut all): (Vec<_>, Vec<_>) = addresses
        .map(|address| address.interface)
        .chain(routes.flat_map(|route| route.interfaces().copied()))
        .chain(rules.flat_map(|rule| rule.interfaces().copied()))
        .partition(|interface| made.contains(interface));
    all.extend(made);
    track_too(settings, all);
}

/// Tracks interfaces, too, whose failure is a fault: those that are neither tracked already nor the instance's own.
fn track_too(settings: &mut InstanceSettings, interfaces: impl IntoIterator<Item = IfName>) {
    let mut known: BTreeSet<IfName> = settings
        .track_interface
        .iter()
        .map(|track| track.interface)
        .collect();
    known.extend(settings.interface);
    let device = settings.virtual_interface.as_ref();
    known.extend(device.map(|device| device.name));
    let missing = interfaces.into_iter().filter(|one| known.insert(*one));
    settings
        .track_interface
        .extend(missing.map(|interface| TrackInterface {
            interface,
            weight: Weight::FAULT,
            reverse: false,
        }));
}

fn notify(draft: &NotifyDraft, judge: &mut scripts::Judge<'_>, report: &mut Reporter) -> Notify {
    let mut command =
        |draft: &Option<_>| draft.as_ref().and_then(|draft| judge.notify(draft, report));
    Notify {
        master: command(&draft.master),
        backup: command(&draft.backup),
        fault: command(&draft.fault),
        stop: command(&draft.stop),
        deleted: match &draft.deleted {
            None => NotifyDeleted::AsFault,
            Some(script) => NotifyDeleted::AsDeleted(command(script)),
        },
        master_rx_lower_pri: command(&draft.master_rx_lower_pri),
        any: command(&draft.any),
    }
}

/// A correction that keepalived counts as a mistake.
fn corrected(report: &mut Reporter, span: Span, message: String, keepalived: String) {
    report.at(
        span,
        Diagnostic::warning(Class::General, message).keepalived(keepalived),
    );
}

#[cfg(test)]
mod tests;
