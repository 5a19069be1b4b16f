//! BFD sessions: the checks at the end of a block, and two of the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use bfd::settings::{MaxHops, Session};
use types::Family;

use crate::diagnostics::{Class, Diagnostic, Found, Reporter};
use crate::draft::{At, BfdDraft};

/// The TTL of an IPv6 session that says nothing; keepalived takes the kernel's default.
const TTL_V6: NonZeroU8 = NonZeroU8::new(64).unwrap();

/// The sources of the sessions with one neighbour: of two, each needs one, and a different one.
#[derive(Default)]
struct Sources {
    any: bool,
    named: BTreeSet<IpAddr>,
}

/// The sessions that can run, in the order of the file.
pub(super) fn sessions(drafts: &[BfdDraft], report: &mut Reporter) -> Vec<Session> {
    let mut known: BTreeMap<(IpAddr, bool), Sources> = BTreeMap::new();
    let sessions = drafts
        .iter()
        .filter_map(|draft| {
            report.at_block_end(draft.end);
            session(draft, &mut known, report)
        })
        .collect();
    report.finds(Found::Afterwards);
    sessions
}

fn session(
    draft: &BfdDraft,
    known: &mut BTreeMap<(IpAddr, bool), Sources>,
    report: &mut Reporter,
) -> Option<Session> {
    let name = &draft.name;
    let neighbor = match &draft.neighbor {
        Some(neighbor) if !draft.refused => neighbor,
        _ => {
            let said = if draft.refused { "no usable" } else { "no" };
            let message = format!("bfd_instance {name} has {said} neighbor_ip and is removed");
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("add 'neighbor_ip ADDRESS'")
                .keepalived(format!(
                    "Configuration error: BFD instance {name} has no neighbor address set, disabling instance"
                ));
            // A bad address was reported where it stands.
            if !draft.refused {
                report.at(draft.span, diagnostic);
            }
            return None;
        }
    };
    let family = Family::of(neighbor.value);
    if let Some(source) = &draft.source
        && Family::of(source.value) != family
    {
        let message = format!(
            "bfd_instance {name} is removed: source {} and neighbor {} are not of one family",
            source.value, neighbor.value
        );
        let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
            "Configuration error: BFD instance {name} source address {} and neighbor address {} are not of the same \
             family, disabling instance",
            source.value, neighbor.value
        ));
        report.at(source.span, diagnostic);
        return None;
    }
    let source = draft.source.as_ref().map(|source| source.value);
    let sources = known.entry((neighbor.value, draft.multihop)).or_default();
    let taken = match source {
        None => sources.any || !sources.named.is_empty(),
        Some(source) => sources.any || sources.named.contains(&source),
    };
    if taken {
        let message = format!(
            "bfd_instance {name} is removed: another one has neighbor {}",
            neighbor.value
        );
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("two sessions with one neighbor need different source_ip")
            .keepalived(format!(
                "Configuration error: BFD instance {name} has duplicate neighbor address {}, ignoring instance",
                neighbor.value
            ));
        report.at(neighbor.span, diagnostic);
        return None;
    }
    match source {
        None => sources.any = true,
        Some(source) => {
            sources.named.insert(source);
        }
    }
    let usual = match family {
        Family::V4 => NonZeroU8::MAX,
        Family::V6 => TTL_V6,
    };
    let ttl = draft.ttl.unwrap_or(usual);
    Some(Session {
        name: name.clone(),
        neighbor: neighbor.value,
        source,
        min_rx: Duration::from_micros(draft.min_rx),
        min_tx: Duration::from_micros(draft.min_tx),
        idle_tx: Duration::from_micros(draft.idle_tx),
        multiplier: draft.multiplier,
        passive: draft.passive,
        ttl,
        max_hops: max_hops(name, &draft.max_hops, ttl, report),
        multihop: draft.multihop,
        to_vrrp: draft.vrrp,
        to_checker: draft.checker,
    })
}

/// No more than the TTL; "any number" counts as 255, as in keepalived.
fn max_hops(name: &str, wanted: &At<MaxHops>, ttl: NonZeroU8, report: &mut Reporter) -> MaxHops {
    let number = match wanted.value {
        MaxHops::AtMost(number) => number,
        MaxHops::Unlimited => u8::MAX,
    };
    if number <= ttl.get() {
        return wanted.value;
    }
    let message = format!("bfd_instance {name}: max_hops is above the ttl, {ttl}, which is used");
    let diagnostic = Diagnostic::warning(Class::General, message)
        .help("set ttl to 255 for any number of hops")
        .keepalived(format!(
            "BFD instance {name}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit"
        ));
    report.at(wanted.span, diagnostic);
    MaxHops::AtMost(ttl.get())
}
