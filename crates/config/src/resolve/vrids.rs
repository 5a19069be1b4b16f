//! Two routers of one group on one wire would take each other's adverts for their own.

use std::collections::BTreeMap;

use types::IfName;

use super::Member;
use crate::diagnostics::{Class, Diagnostic, Reporter};
use crate::draft::InstanceDraft;
use crate::sources::Span;

/// Reports instances that nobody could tell apart: on multicast by interface and group, on unicast by source and peer.
///
/// `may_change`: interfaces may turn into others (`allow_if_changes`), so what clashes on one now is no mistake; the last of
/// them runs.
pub(super) fn check(instances: &[Member<'_>], may_change: bool, report: &mut Reporter) {
    let mut groups: BTreeMap<_, &InstanceDraft> = BTreeMap::new();
    let mut peers: BTreeMap<_, BTreeMap<Option<&IfName>, &InstanceDraft>> = BTreeMap::new();
    for member in instances {
        let settings = &member.settings;
        let (vrid, family) = (settings.vrid, settings.family);
        let own = settings.interface.as_ref();
        let mut clash = None;
        match &settings.unicast {
            None => {
                let key = (own, vrid, family, settings.mcast_dst_ip);
                clash = groups.insert(key, member.draft);
            }
            // Whose source is not configured is not compared, as in keepalived.
            Some(unicast) => {
                let Some(source) = settings.mcast_src_ip else {
                    continue;
                };
                for peer in &unicast.peers {
                    let key = (vrid, family, source, peer.address);
                    let others = peers.entry(key).or_default();
                    let other = match own {
                        None => others.values().next(),
                        Some(_) => others.get(&own).or_else(|| others.get(&None)),
                    };
                    clash = clash.or(other.copied());
                    others.insert(own, member.draft);
                }
            }
        }
        if let Some(other) = clash {
            conflict(member, other, may_change, report);
        }
    }
}

fn conflict(member: &Member<'_>, other: &InstanceDraft, may_change: bool, report: &mut Reporter) {
    let settings = &member.settings;
    let (name, vrid) = (&settings.name, settings.vrid);
    let place = match &settings.interface {
        Some(interface) => format!(" on {interface}"),
        None => String::new(),
    };
    let (what, help) = if settings.unicast.is_some() {
        (
            " and a common peer",
            "give one of them another virtual_router_id, source address or peers",
        )
    } else {
        (
            "",
            "give one of them another virtual_router_id, or another mcast_dst_ip",
        )
    };
    let message = format!(
        "instances {} and {name} both have virtual_router_id {vrid}{what}{place}",
        other.name
    );
    if may_change && settings.unicast.is_none() {
        let text = format!(
            "({}) - warning, VRID {vrid} for {} is currently duplicated on {name}",
            other.name, settings.family
        );
        let diagnostic = Diagnostic::warning(Class::Uncounted, message)
            .help(help)
            .with_note(format!("{name} runs, {} stays in FAULT", other.name))
            .keepalived(text);
        report.at(span_of(member.draft), diagnostic);
        return;
    }
    let (span, first) = (span_of(member.draft), span_of(other));
    let text = if settings.unicast.is_some() {
        format!(
            "({}) duplicate VRID conflict with {name} VRID {vrid}",
            other.name
        )
    } else {
        format!(
            "{} and {name} both use VRID {vrid} with {}{}",
            other.name,
            settings.family,
            place.replace(" on", " on interface")
        )
    };
    let diagnostic = Diagnostic::error(Class::General, message)
        .related(first, "the first one")
        .help(help)
        .keepalived(text)
        .fatal();
    report.at(span, diagnostic);
}

/// Where an instance says its VRID.
fn span_of(draft: &InstanceDraft) -> Span {
    draft.vrid.as_ref().map_or(draft.span, |vrid| vrid.span)
}
