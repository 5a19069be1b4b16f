//! `vrrp_sync_group NAME { ... }`.

use super::arguments::{SWITCH_WORD, noted, required};
use super::scripts::notify;
use super::{Keyword, Role, tracking};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::At;
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &["vrrp_sync_group"],
    ..super::ROW
};

/// A script with its user.
const NOTIFY: Keyword = Keyword {
    arguments: required("COMMAND [USER [[:]GROUP]]"),
    shell_words: true,
    default: "none",
    ..ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "group",
        arguments: noted("{ INSTANCE ... }"),
        help: "the members; they may be defined later",
        // DEVIATION(keepalived): there a second group block destroys the sync group; here its members are added.
        role: Role::NamedList {
            open: |_, _| true,
            entry: |r, entry| {
                let members = entry.words().enumerate().map(|(index, word)| At {
                    value: crate::bytes::shown(word),
                    span: entry.span(index),
                });
                r.group.members.extend(members);
            },
            close: empty,
        },
        ..ROW
    },
    Keyword {
        name: "track_interface",
        arguments: noted("{ INTERFACE [weight N [reverse]] ... }"),
        help: "interfaces that all members track",
        role: Role::List(|r, entry| {
            if let Some(track) = tracking::interface(r, entry) {
                tracking::add(r, entry, true, false, track);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "track_script",
        arguments: noted("{ SCRIPT [weight N [reverse]] ... }"),
        help: "scripts that all members track",
        role: Role::List(|r, entry| {
            let owner = r.group.name.clone();
            if let Some(track) = tracking::script(r, entry, &owner) {
                tracking::add(r, entry, true, true, track);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "sync_group_tracking_weight",
        default: "off",
        help: "keep weighted trackers of the members",
        role: Role::Set(|r, _| r.group.tracking_weight = true),
        ..ROW
    },
    Keyword {
        name: "global_tracking",
        help: "old spelling of sync_group_tracking_weight",
        role: Role::Set(|r, s| {
            let diagnostic =
                Diagnostic::warning(Class::Deprecated, "'global_tracking' is an old spelling")
                    .help("use 'sync_group_tracking_weight'");
            r.complain(s, 0, diagnostic);
            r.group.tracking_weight = true;
        }),
        ..ROW
    },
    Keyword {
        name: "notify_priority_changes",
        arguments: SWITCH_WORD,
        default: "vrrp_notify_priority_changes",
        help: "announce changes of the members' priorities",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.group.notify_priority_changes = Some(on);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "notify_master",
        help: "run when the group becomes master",
        role: Role::Set(|r, s| notify(r, s, |n| &mut n.master)),
        ..NOTIFY
    },
    Keyword {
        name: "notify_backup",
        help: "run when the group becomes backup",
        role: Role::Set(|r, s| notify(r, s, |n| &mut n.backup)),
        ..NOTIFY
    },
    Keyword {
        name: "notify_fault",
        help: "run when the group becomes faulty",
        role: Role::Set(|r, s| notify(r, s, |n| &mut n.fault)),
        ..NOTIFY
    },
    Keyword {
        name: "notify_stop",
        help: "run when the daemon stops",
        role: Role::Set(|r, s| notify(r, s, |n| &mut n.stop)),
        ..NOTIFY
    },
    Keyword {
        name: "notify",
        help: "run at every change, with what happened as further arguments",
        role: Role::Set(|r, s| notify(r, s, |n| &mut n.any)),
        ..NOTIFY
    },
];

/// A list without members, which keepalived reports here and again when it looks for them.
fn empty(reading: &mut Reading<'_>, list: &Statement) {
    if !list.block().is_empty() || !reading.group.members.is_empty() {
        return;
    }
    let name = &reading.group.name;
    let message = format!("sync group {name} has no members and is removed");
    let diagnostic = Diagnostic::error(Class::General, message)
        .help("group { INSTANCE ... }")
        .keepalived(format!("Warning - sync group {name} has empty group block"))
        .also_afterwards(
            Class::General,
            format!("Sync group {name} has no virtual router(s) - removing"),
        );
    reading.group.known_empty = true;
    reading.complain(list, 0, diagnostic);
}
