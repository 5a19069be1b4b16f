//! What instances track in the end of files, processes and BFD sessions.

use vrrp::settings::{
    FileSettings, InstanceSettings, ParameterMatch, ProcessSettings, TrackWeight, Tracked,
};

use super::{Group, Member, merge_tracked};
use crate::diagnostics::{Class, Diagnostic, Reporter};
use crate::draft::{FileDraft, ProcessDraft, TrackedDraft, TrackedLists};
use crate::keywords::tracked::What;

/// Fills the three lists of an instance from its own lists and its group's.
pub(super) fn track(member: &mut Member<'_>, group: Option<&Group<'_>>, report: &mut Reporter) {
    let TrackedLists {
        mut files,
        mut processes,
        mut bfd,
    } = member.draft.tracked.clone();
    let settings = &mut member.settings;
    let owner = settings.is_owner();
    let grouped = group.is_some_and(|group| !group.draft.tracking_weight);
    if owner || grouped {
        without_weight(settings, owner, What::File, &mut files, report);
        without_weight(settings, owner, What::Bfd, &mut bfd, report);
    }
    if let Some(group) = group {
        let lists = &group.draft.tracked;
        merge_tracked(&mut files, &lists.files, group.has_owner, report);
        merge_tracked(&mut processes, &lists.processes, group.has_owner, report);
        merge_tracked(&mut bfd, &lists.bfd, group.has_owner, report);
    }
    let finish = |list: Vec<TrackedDraft>| {
        list.into_iter()
            .map(|track| Tracked {
                name: track.name,
                weight: track.weight,
                reverse: track.reverse,
            })
            .collect()
    };
    settings.track_file = finish(files);
    settings.track_process = finish(processes);
    settings.track_bfd = finish(bfd);
}

/// Weights make no sense for an owner, whose priority is fixed, nor for a group's member, whose group decides. A file with
/// the usual weight becomes one whose content is a fault; everything else is not tracked.
fn without_weight(
    settings: &InstanceSettings,
    owner: bool,
    what: What,
    list: &mut Vec<TrackedDraft>,
    report: &mut Reporter,
) {
    let (why, text) = if owner {
        ("an address owner's priority is fixed", "address owner")
    } else {
        ("it is in a sync group", "SYNC group")
    };
    let name = &settings.name;
    let kind = what.word();
    list.retain_mut(|track| {
        if track.weight == TrackWeight::FAULT {
            return true;
        }
        let kept = what == What::File && track.weight == TrackWeight::ONE;
        let outcome = if kept {
            "loses its weight"
        } else {
            "is not tracked"
        };
        let message = format!(
            "instance {name}: {kind} {} {outcome}, for {why}",
            track.name
        );
        let diagnostic = Diagnostic::warning(Class::General, message)
            .help("sync_group_tracking_weight in the sync group keeps weights")
            .keepalived(format!(
                "({name}) ignoring tracked {kind} {} with weight {} due to {text}",
                track.name,
                track.weight.get()
            ));
        report.at(track.span, diagnostic);
        track.weight = TrackWeight::FAULT;
        kept
    });
}

pub(super) fn file(draft: FileDraft) -> Option<FileSettings> {
    Some(FileSettings {
        name: draft.name,
        path: draft.path?.value,
        init: draft.init,
        weight: draft.weight.unwrap_or(TrackWeight::ONE),
        reverse: draft.reverse,
    })
}

pub(super) fn process(draft: ProcessDraft) -> Option<ProcessSettings> {
    let mut words = draft.command.into_iter();
    let command = words.next()?;
    let parameters: Vec<String> = words.collect();
    let full_command = draft.full_command || !parameters.is_empty();
    Some(ProcessSettings {
        name: draft.name,
        command,
        full_command,
        parameters,
        matching: draft.matching.unwrap_or(ParameterMatch::Exact),
        quorum: draft.quorum,
        quorum_max: draft.quorum_max,
        fork_delay: draft.fork_delay,
        terminate_delay: draft.terminate_delay,
        weight: draft.weight,
        reverse: draft.reverse,
    })
}
