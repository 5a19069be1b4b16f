//! A draft becomes settings: defaults, corrections, and the checks that need to see everything.
//!
//! The order is keepalived's (it completes each instance, then the groups, then the scripts), for some corrections
//! build on others.

use std::collections::{BTreeMap, BTreeSet};

use types::{IfName, Weight};
use vrrp::settings::{InstanceSettings, Static, SyncGroupSettings, TrackInterface, TrackScript};

use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::draft::{At, Draft, GroupDraft, InstanceDraft, NotifyDraft, TrackDraft};
use crate::lints::{self, vrrp::Router};
use crate::machine::Machine;
use crate::settings::{Notify, NotifyDeleted, Settings};

pub(crate) mod checkers;
mod garp;
mod globals;
mod instance;
pub(crate) mod lvs;
mod scripts;

/// Makes settings of a draft; they count only if nothing fatal was reported.
pub(crate) fn resolve(mut draft: Draft, machine: &dyn Machine, report: &mut Reporter) -> Settings {
    let servers = std::mem::take(&mut draft.lvs);
    let mut instances = Vec::new();
    // One that is left out is completed all the same, for what there is to say about it.
    let mut left_out = Vec::new();
    for instance in &draft.instances {
        if let Some(settings) = instance::resolve(instance, &draft.defaults, machine, report) {
            let list = if instance.refused {
                &mut left_out
            } else {
                &mut instances
            };
            list.push(Member {
                settings,
                draft: instance,
                group: None,
            });
        }
    }
    unique_vrids(&instances, report);
    let groups = groups(&draft, &mut instances, report);
    let mut judge = scripts::Judge::new(&draft, machine);
    let (scripts, mut commands) = judge.check_scripts(&draft.scripts, report);
    for member in &mut left_out {
        track(member, None, &commands, report);
    }

    let mut settings = Settings::default();
    let mut used = BTreeSet::new();
    for member in &mut instances {
        let group = member.group.and_then(|index| groups.get(index));
        track(member, group, &commands, report);
        used.extend(
            member
                .settings
                .track_script
                .iter()
                .map(|track| track.script.clone()),
        );
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
    for group in &groups {
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
    let mut judge = scripts::Judge::of_servers(&draft, machine);
    settings.lvs_commands = lvs::finish(servers, &mut settings.lvs, &mut judge, report);
    judge.finish(report);

    for At {
        value: script,
        span,
    } in scripts
    {
        if used.contains(&script.name) {
            settings.vrrp.scripts.push(script);
        } else {
            commands.remove(&script.name);
            let message = format!(
                "script {} is not tracked by any running instance and never runs",
                script.name
            );
            report.at(span, Diagnostic::warning(Class::Uncounted, message));
        }
    }
    settings.commands = commands;
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
        lints::vrrp::check(&draft, &routers, running, machine, report);
    }
    settings.vrrp.instances = instances
        .into_iter()
        .map(|member| member.settings)
        .collect();
    settings.vrrp.sync_groups = groups.into_iter().map(|group| group.settings).collect();
    settings.vrrp.garp_interval = draft.defaults.garp_interval;
    settings.vrrp.gna_interval = draft.defaults.gna_interval;
    for Static { entry, track_group } in draft.static_ipaddress {
        if let Some(interface) = &entry.interface {
            settings.vrrp.static_ipaddress.push(Static {
                entry: instance::address(&entry, interface),
                track_group,
            });
        }
    }
    settings.vrrp.static_routes = draft.static_routes;
    settings.vrrp.static_rules = draft.static_rules;
    settings
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

/// Two routers of one group on one wire would take each other's adverts for their own.
fn unique_vrids(instances: &[Member<'_>], report: &mut Reporter) {
    let mut seen: BTreeMap<_, &InstanceDraft> = BTreeMap::new();
    for member in instances {
        let settings = &member.settings;
        let key = (
            &settings.interface,
            settings.vrid,
            settings.family,
            settings.mcast_dst_ip,
        );
        let Some(other) = seen.insert(key, member.draft) else {
            continue;
        };
        let message = format!(
            "instances {} and {} both have virtual_router_id {} on {}",
            other.name, settings.name, settings.vrid, settings.interface
        );
        let span = member
            .draft
            .vrid
            .as_ref()
            .map_or(member.draft.span, |vrid| vrid.span);
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("give one of them another virtual_router_id, or another mcast_dst_ip")
            .keepalived(format!(
                "({}) VRID {} is duplicated on interface {}",
                settings.name, settings.vrid, settings.interface
            ))
            .fatal();
        report.at(span, diagnostic);
    }
}

/// Finds the members of the groups.
fn groups<'a>(
    draft: &'a Draft,
    instances: &mut [Member<'a>],
    report: &mut Reporter,
) -> Vec<Group<'a>> {
    let index: BTreeMap<String, usize> = instances
        .iter()
        .enumerate()
        .map(|(at, member)| (member.settings.name.clone(), at))
        .collect();
    let left_out: BTreeSet<&str> = draft
        .instances
        .iter()
        .map(|instance| instance.name.as_str())
        .collect();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for group in &draft.groups {
        let mut members = Vec::new();
        let mut has_owner = false;
        for name in &group.members {
            let member = index.get(&name.value).and_then(|at| instances.get_mut(*at));
            match member {
                Some(member) if member.group.is_none() => {
                    member.group = Some(groups.len());
                    has_owner |= member.settings.is_owner();
                    members.push(name.value.clone());
                }
                other => report.at(
                    name.span,
                    no_member(group, &name.value, other.is_some(), &left_out, &index),
                ),
            }
        }
        let count = members.len();
        if count < 2 {
            report.at(group.span, small_group(&group.name, count));
        }
        if count > 0 {
            let settings = SyncGroupSettings {
                name: group.name.clone(),
                members,
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
    left_out: &BTreeSet<&str>,
    index: &BTreeMap<String, usize>,
) -> Diagnostic {
    if taken {
        let message = format!(
            "instance {name} is in a sync group already; it is not in {} too",
            group.name
        );
        return Diagnostic::error(Class::General, message);
    }
    if left_out.contains(name) {
        let message = format!(
            "instance {name} is left out, so sync group {} goes without it",
            group.name
        );
        return Diagnostic::warning(Class::Uncounted, message);
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

fn small_group(name: &str, count: usize) -> Diagnostic {
    if count == 0 {
        return Diagnostic::error(
            Class::General,
            format!("sync group {name} has no members and is removed"),
        )
        .help("group { INSTANCE ... }")
        .keepalived(format!("Sync group {name} has no members - removing"));
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
    report: &mut Reporter,
) {
    let draft = member.draft;
    let settings = &mut member.settings;
    let mut interfaces: Vec<TrackDraft> = Vec::new();
    for track in &draft.track_interface {
        if track.name == settings.interface.as_str() {
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
        interfaces.retain(|track| track.name != settings.interface.as_str());
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
    implied(settings);
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

/// The interfaces that addresses are on are tracked without being listed, unless an address says `no_track`.
fn implied(settings: &mut InstanceSettings) {
    let mut known: BTreeSet<IfName> = settings
        .track_interface
        .iter()
        .map(|track| track.interface.clone())
        .collect();
    known.insert(settings.interface.clone());
    let missing: Vec<_> = settings
        .addresses()
        .filter(|address| !address.no_track)
        .map(|address| address.interface.clone())
        .filter(|interface| known.insert(interface.clone()))
        .collect();
    settings
        .track_interface
        .extend(missing.into_iter().map(|interface| TrackInterface {
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
