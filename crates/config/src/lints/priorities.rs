//! Priorities that do not do what they seem to.

use std::collections::BTreeMap;

use vrrp::settings::Preempt;

use super::Lint;
use super::vrrp::Router;
use crate::diagnostics::{Reporter, Span};
use crate::draft::{TrackDraft, TrackedLists};

/// A `state MASTER` that makes its router the owner of the addresses.
pub(super) const MASTER_WITHOUT_PRIORITY: Lint = Lint {
    name: "master_without_priority",
    what: "`state MASTER` and no `priority`, which makes the priority 255",
    why: "255 is for the owner of the addresses: no tracker can lower it, and it takes over whenever it comes back",
    fix: "say which priority it shall have: `priority 1..254`, or `priority 255` for an owner",
};

/// Weights beside `nopreempt`.
pub(super) const NOPREEMPT_WEIGHT: Lint = Lint {
    name: "nopreempt_weight",
    what: "`nopreempt` beside a tracker with a weight: as backup the router never uses its higher priority",
    why: "with nopreempt a backup leaves a master alone whose priority has sunk below its own; if all routers have it, \
          a failed check never moves the addresses",
    fix: "weight 0 makes a failure a fault, so that the master gives up; or let the other routers preempt",
};

/// Weights that the limits of the priority swallow.
pub(super) const WEIGHT_WITHOUT_EFFECT: Lint = Lint {
    name: "weight_without_effect",
    what: "a weight that cannot change the priority, because that stops at 1 and at 254",
    why: "what the tracker finds makes no difference to who is master",
    fix: "leave room for it: a lower priority for a positive weight, a higher one for a negative weight",
};

/// The lowest and the highest priority that weights lead to.
const LEAST: i32 = 1;
const MOST: i32 = 254;

/// Something tracked that changes the priority.
struct Tracker<'a> {
    kind: &'static str,
    name: &'a str,
    weight: i32,
    /// What it adds lies between these two.
    lowest: i32,
    highest: i32,
}

/// A file adds its content times the weight, so anything.
const ANYTHING: i32 = 1_000_000;

/// Looks at one instance.
pub(super) fn check(router: &Router<'_>, report: &mut Reporter) {
    let settings = router.settings;
    if let (None, Some(state)) = (&router.draft.priority, &router.draft.state)
        && settings.is_owner()
        && report.is_complete()
    {
        let name = router.name();
        let message = format!(
            "instance {name} has state MASTER and no priority, so it is the address owner with priority 255"
        );
        report.lint(state.span, MASTER_WITHOUT_PRIORITY.found(message));
    }
    let trackers = trackers(router);
    if settings.is_owner() || trackers.is_empty() {
        return;
    }
    no_preemption(router, &trackers, report);
    without_effect(router, &trackers, report);
}

fn trackers<'a>(router: &Router<'a>) -> Vec<Tracker<'a>> {
    let settings = router.settings;
    let scripts = settings.track_script.iter();
    let scripts = scripts.map(|track| {
        let weight = track.weight.get();
        ("script", track.script.as_str(), weight, track.reverse)
    });
    let interfaces = settings.track_interface.iter();
    let interfaces = interfaces.map(|track| {
        let weight = track.weight.get();
        ("interface", track.interface.as_str(), weight, track.reverse)
    });
    let others = [
        ("file", &settings.track_file),
        ("process", &settings.track_process),
        ("BFD session", &settings.track_bfd),
    ];
    let others = others.into_iter().flat_map(|(kind, list)| {
        list.iter()
            .map(move |track| (kind, track.name.as_str(), track.weight.get(), track.reverse))
    });
    scripts
        .chain(interfaces)
        .chain(others)
        .filter(|(_, _, weight, _)| *weight != 0)
        .map(|(kind, name, weight, reverse)| {
            let weight = i32::from(weight);
            let added = if reverse { -weight } else { weight };
            let (lowest, highest) = match kind {
                "file" => (-ANYTHING, ANYTHING),
                _ => (added.min(0), added.max(0)),
            };
            Tracker {
                kind,
                name,
                weight,
                lowest,
                highest,
            }
        })
        .collect()
}

/// Where each is tracked, by kind and name.
fn places<'a>(router: &Router<'a>) -> BTreeMap<(&'static str, &'a str), Span> {
    let own = router.draft;
    let mut places = BTreeMap::new();
    let mut add =
        |scripts: &'a [TrackDraft], interfaces: &'a [TrackDraft], more: &'a TrackedLists| {
            for (kind, list) in [("script", scripts), ("interface", interfaces)] {
                places.extend(list.iter().map(|one| ((kind, one.name.as_str()), one.span)));
            }
            for (kind, list) in [
                ("file", &more.files),
                ("process", &more.processes),
                ("BFD session", &more.bfd),
            ] {
                places.extend(list.iter().map(|one| ((kind, one.name.as_str()), one.span)));
            }
        };
    add(&own.track_script, &own.track_interface, &own.tracked);
    // What the group tracks counts even if the instance has it, too.
    if let Some(group) = router.group {
        add(&group.track_script, &group.track_interface, &group.tracked);
    }
    places
}

fn no_preemption(router: &Router<'_>, trackers: &[Tracker<'_>], report: &mut Reporter) {
    let (Preempt::Never, Some(span), Some(first)) = (
        router.settings.preempt,
        router.draft.nopreempt,
        trackers.first(),
    ) else {
        return;
    };
    let more = match trackers.len() {
        1 => String::new(),
        number => format!(" and of {} more", number - 1),
    };
    let message = format!(
        "instance {} has nopreempt: as backup it never takes over because of the weight {} of {} {}{more}",
        router.name(),
        first.weight,
        first.kind,
        first.name
    );
    let mut lint = NOPREEMPT_WEIGHT.found(message);
    if let Some(place) = places(router).get(&(first.kind, first.name)) {
        lint = lint.related(*place, "tracked here");
    }
    report.lint(span, lint);
}

fn without_effect(router: &Router<'_>, trackers: &[Tracker<'_>], report: &mut Reporter) {
    let priority = i32::from(router.settings.priority.get());
    // A weight is added or not; so these are the sums that all of them can come to.
    let lowest: i32 = trackers.iter().map(|tracker| tracker.lowest).sum();
    let highest: i32 = trackers.iter().map(|tracker| tracker.highest).sum();
    let always = if priority + lowest >= MOST {
        MOST
    } else if priority + highest <= LEAST {
        LEAST
    } else {
        return;
    };
    let places = places(router);
    for tracker in trackers {
        let message = format!(
            "instance {}: the weight {} of {} {} changes nothing, the priority is always {always}",
            router.name(),
            tracker.weight,
            tracker.kind,
            tracker.name
        );
        let place = places.get(&(tracker.kind, tracker.name));
        let span = place.copied().unwrap_or_else(|| router.priority_span());
        let mut lint = WEIGHT_WITHOUT_EFFECT.found(message);
        if place.is_some() {
            lint = lint.related(router.priority_span(), format!("priority {priority}"));
        }
        report.lint(span, lint);
    }
}

#[cfg(test)]
mod tests;
