//! Keywords outside of all blocks.

use std::time::Duration;

use super::arguments::{optional, required, strict_integer};
use super::global_defs::twice;
use super::{Keyword, PENDING, Role, pending};
use crate::diagnostics::{Class, Diagnostic, Found};
use crate::document::Statement;
use crate::draft::{GroupDraft, InstanceDraft, ScriptDraft};
use crate::read::Reading;
use crate::settings::global::IpvsNamespace;

const ROW: Keyword = Keyword {
    blocks: &[""],
    ..super::ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "global_defs",
        help: "settings of the daemon and defaults of all instances; may stand several times",
        role: Role::Block {
            open: |_, _| true,
            close: |_, _| {},
        },
        ..ROW
    },
    Keyword {
        name: "vrrp_instance",
        arguments: optional("NAME"),
        help: "a virtual router",
        role: Role::Block {
            open: |r, s| {
                let taken =
                    |r: &mut Reading<'_>, name: &str| !r.names.instances.insert(name.to_owned());
                let Some(name) = name(r, s, taken) else {
                    return false;
                };
                r.vips.clear();
                r.names.tracked.clear();
                r.names.peers.clear();
                r.instance = InstanceDraft::new(name, s.whole());
                true
            },
            close: |r, s| {
                super::unicast::note_list(r, s);
                let attempted = &mut r.instance.attempted;
                attempted.vrid = s.attempts("virtual_router_id");
                attempted.interface = s.attempts("interface");
                attempted.addresses = s.attempts_entries("virtual_ipaddress");
                r.instance.end = s.end();
                let instance = std::mem::replace(
                    &mut r.instance,
                    InstanceDraft::new(String::new(), s.whole()),
                );
                r.draft.instances.push(instance);
            },
        },
        ..ROW
    },
    Keyword {
        name: "vrrp_sync_group",
        arguments: optional("NAME"),
        help: "instances that change state together",
        role: Role::Block {
            open: |r, s| {
                let taken =
                    |r: &mut Reading<'_>, name: &str| !r.names.groups.insert(name.to_owned());
                let Some(name) = name(r, s, taken) else {
                    return false;
                };
                r.names.tracked.clear();
                r.group = GroupDraft::new(name, s.whole());
                true
            },
            close: |r, s| {
                one_list(r, s);
                if r.group.members.is_empty() && !r.group.known_empty {
                    let name = &r.group.name;
                    let message = format!("sync group {name} has no members and is removed");
                    let diagnostic = Diagnostic::error(Class::General, message)
                        .help("group { INSTANCE ... }")
                        .keepalived(format!("Sync group {name} has no members - removing"))
                        .following(s.misspells("group"));
                    r.complain(s, 1, diagnostic);
                    r.group.known_empty = true;
                }
                let group =
                    std::mem::replace(&mut r.group, GroupDraft::new(String::new(), s.whole()));
                r.draft.groups.push(group);
            },
        },
        ..ROW
    },
    Keyword {
        name: "vrrp_script",
        arguments: required("NAME"),
        help: "a command that is run again and again; track_script uses its result",
        role: Role::Block {
            open: super::vrrp_script::open,
            close: super::vrrp_script::close,
        },
        ..ROW
    },
    Keyword {
        name: "instance",
        arguments: optional("NAME"),
        help: "appended to pid file names and syslog idents",
        role: Role::Set(|r, s| {
            if r.draft.global.instance.is_some() {
                twice(r, s);
            } else {
                r.draft.global.instance = r.text(s, 1);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "use_pid_dir",
        help: "pid files go into a directory of their own",
        default: "off",
        role: Role::Set(|r, _| r.draft.global.use_pid_dir = true),
        ..ROW
    },
    Keyword {
        name: "child_wait_time",
        arguments: strict_integer(0, 4_294_967_295),
        default: "5",
        help: "how long the parent waits for its children to end",
        role: Role::Set(|r, s| {
            if let Some(seconds) = r.fits(s) {
                r.draft.global.child_wait_time = Duration::from_secs(seconds);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "net_namespace",
        arguments: optional("NAME"),
        default: "the one it is started in",
        help: "the network namespace to run in; pid files then go into a directory of their own",
        role: Role::Set(|r, s| {
            if r.draft.global.namespaces.network.is_some() {
                twice(r, s);
            } else {
                r.draft.global.namespaces.network = r.text(s, 1);
            }
        }),
        pending: pending("evervip runs in the network namespace it was started in"),
        ..ROW
    },
    Keyword {
        name: "net_namespace_ipvs",
        arguments: optional("[NAME]"),
        default: "net_namespace",
        help: "the network namespace that IPVS is programmed in; bare: the one it is started in",
        role: Role::Set(|r, s| {
            if r.draft.global.namespaces.ipvs != IpvsNamespace::SameAsDaemon {
                twice(r, s);
            } else if s.word(1).is_none() && !s.is_damaged() {
                r.draft.global.namespaces.ipvs = IpvsNamespace::Initial;
            } else if let Some(name) = r.text(s, 1) {
                r.draft.global.namespaces.ipvs = IpvsNamespace::Named(name);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "namespace_with_ipsets",
        default: "off",
        help: "use ipsets within a namespace, although kernels before 3.13 share them",
        role: Role::Set(|r, _| r.draft.global.namespaces.with_ipsets = true),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "linkbeat_use_polling",
        default: "off",
        help: "ask for the state of every link again and again instead of trusting the kernel's word",
        role: Role::Set(|r, _| r.draft.vrrp_global.linkbeat_use_polling = true),
        ..ROW
    },
];

/// Remarks upon a second list of members.
pub(super) fn one_list(reading: &mut Reading<'_>, statement: &Statement) {
    let lists = statement
        .block()
        .filter(|inner| inner.argument(0) == "group");
    for second in lists.skip(1) {
        let message = "a second list of members; keepalived would drop the whole group";
        let diagnostic = Diagnostic::warning(Class::General, message)
            .help("list all members in one 'group { }'")
            .keepalived(format!(
                "Group list already specified for sync group {}",
                statement.argument(1)
            ));
        reading.complain(&second, 0, diagnostic.found(Found::There));
    }
}

/// The name of a block; exactly one word that no earlier block has. Anything else is reported: the block is stepped over.
pub(super) fn name(
    reading: &mut Reading<'_>,
    statement: &Statement,
    taken: fn(&mut Reading<'_>, &str) -> bool,
) -> Option<String> {
    let keyword = statement.argument(0);
    if statement.len() > 2 {
        let message = format!("{keyword} has more than one name; the block is ignored");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("a name with blanks stands between double quotes");
        reading.complain(statement, 2, diagnostic);
        return None;
    }
    let Some(name) = statement
        .word(1)
        .map(|_| ())
        .and_then(|()| reading.text(statement, 1))
    else {
        let message = format!("{keyword} lacks its name; the block is ignored");
        reading.complain(statement, 0, Diagnostic::error(Class::General, message));
        return None;
    };
    let block = statement.keyword().map_or("", |keyword| keyword.name);
    if taken(reading, &name) {
        let first = reading.names.begun.get(&(block, name.clone())).copied();
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("{keyword} {name} is already defined; the block is ignored"),
        )
        .help("give it another name")
        .maybe_related(first, "the first one")
        .keepalived(format!(
            "{} {name} already defined",
            keyword.replace('_', " ")
        ));
        reading.complain(statement, 1, diagnostic);
        return None;
    }
    let key = (block, name.clone());
    reading.names.begun.entry(key).or_insert(statement.whole());
    Some(name)
}

/// A script's draft, for the block's own file.
pub(super) fn script(reading: &mut Reading<'_>, statement: &Statement) -> Option<ScriptDraft> {
    reading
        .text(statement, 1)
        .map(|name| ScriptDraft::new(name, statement.whole()))
}
