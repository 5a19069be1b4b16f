//! `global_defs { ... }`: what concerns the node as a whole, and what the files of the other subjects share.

use types::{IfName, IfNameError};

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::Draft;
use crate::read::Reading;

use super::arguments::{SWITCH_WORD, optional, required, strict_integer};
use super::{Keyword, PENDING, Role, pending};

pub(super) mod buffers;
pub(super) mod files;
pub(super) mod firewall;
pub(super) mod garp;
pub(super) mod lvs;
pub(super) mod mail;
pub(super) mod notify;
pub(super) mod processes;
pub(super) mod scripts;
pub(super) mod snmp;
mod sync_daemon;
#[cfg(test)]
mod tests;
pub(super) mod vrrp;

const ROW: Keyword = Keyword {
    blocks: &["global_defs"],
    ..super::ROW
};

/// A switch that means on when bare.
const SWITCH: Keyword = Keyword {
    arguments: SWITCH_WORD,
    default: "off",
    ..ROW
};

/// A keyword that says all by being there.
const FLAG: Keyword = Keyword {
    default: "off",
    ..ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "router_id",
        arguments: optional("NAME"),
        default: "the host name",
        help: "what this node calls itself",
        role: Role::Set(|r, s| {
            if let Some(name) = r.text(s, 1) {
                r.draft.global.router_id = Some(name);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "dynamic_interfaces",
        arguments: optional("[allow_if_changes]"),
        default: "off",
        help: "wait for interfaces that do not exist yet",
        role: Role::Set(|r, s| {
            r.draft.global.dynamic_interfaces = true;
            match s.word(1) {
                None => {}
                Some("allow_if_changes") => {
                    r.draft.global.allow_if_changes = true;
                    r.draft.vrrp_global.allow_if_changes = true;
                }
                Some(other) => {
                    let message =
                        format!("dynamic_interfaces: unknown option '{other}' is ignored");
                    r.complain(
                        s,
                        1,
                        Diagnostic::error(Class::General, message).help("allow_if_changes"),
                    );
                }
            }
        }),
        ..ROW
    },
    Keyword {
        name: "default_interface",
        arguments: optional("INTERFACE"),
        default: "eth0",
        help: "where static addresses go that name no interface",
        // Whether it exists is judged where an address goes there.
        role: Role::Set(|r, s| {
            if let Some(name) = r.text(s, 1) {
                r.draft.global.default_interface = name;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "disable_local_igmp",
        help: "the kernel reports no membership of groups in 224.0.0.0/24",
        role: Role::Set(|r, _| r.draft.global.disable_local_igmp = true),
        ..FLAG
    },
    Keyword {
        name: "log_unknown_vrids",
        default: "off",
        help: "log adverts of virtual routers that are not configured",
        role: Role::Set(|r, _| r.draft.global.log_unknown_vrids = true),
        ..ROW
    },
    Keyword {
        name: "vmac_prefix",
        arguments: required("PREFIX"),
        default: "vrrp",
        help: "what the names of VMAC interfaces begin with",
        role: Role::Set(|r, s| prefix(r, s, |d| &mut d.globals.vmac_prefix)),
        ..ROW
    },
    Keyword {
        name: "vmac_addr_prefix",
        arguments: required("PREFIX"),
        default: "vmac_prefix",
        help: "the same for the VMAC interfaces of addresses that are on another interface than their instance",
        role: Role::Set(|r, s| prefix(r, s, |d| &mut d.globals.vmac_addr_prefix)),
        ..ROW
    },
    Keyword {
        name: "random_seed",
        arguments: strict_integer(0, 4_294_967_295),
        help: "no effect, as in keepalived 2.4.3",
        role: Role::Set(|r, s| {
            // Only a mistake in it is worth a word.
            let _seed: Option<u32> = r.fits(s);
        }),
        ..ROW
    },
];

fn switch(reading: &mut Reading<'_>, statement: &Statement, slot: fn(&mut Draft) -> &mut bool) {
    if let Some(on) = reading.boolean(statement) {
        *slot(&mut reading.draft) = on;
    }
}

/// A text of which the first one is kept.
fn first(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut Draft) -> &mut Option<String>,
) {
    if slot(&mut reading.draft).is_some() {
        twice(reading, statement);
    } else if let Some(text) = reading.text(statement, 1) {
        *slot(&mut reading.draft) = Some(text);
    }
}

/// What interface names begin with. One that the kernel takes in no name would leave every device without any; one that is too
/// long is cut.
fn prefix(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut Draft) -> &mut Option<String>,
) {
    match IfName::new(statement.argument(1)) {
        Err(problem @ IfNameError::Character { .. }) => {
            let message = format!("{}: {problem}; it is ignored", statement.argument(0));
            let diagnostic = Diagnostic::warning(Class::Uncounted, message);
            reading.complain(statement, 1, diagnostic);
        }
        _ => first(reading, statement, slot),
    }
}

/// Reports a keyword of which the first one is kept.
pub(super) fn twice(reading: &mut Reading<'_>, statement: &Statement) {
    let name = statement.argument(0);
    let message = format!("{name} is given twice; the first one is kept");
    let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
        "{name} already specified - ignoring {}",
        statement.argument(1)
    ));
    reading.complain(statement, 0, diagnostic);
}

/// A path that nothing follows.
fn lone_path(reading: &mut Reading<'_>, statement: &Statement) -> Option<String> {
    let path = reading.text(statement, 1)?;
    let name = statement.argument(0);
    let problem = if statement.len() > 2 {
        format!(
            "{name} takes one path, not {}; it is ignored",
            statement.len() - 1
        )
    } else if path.is_empty() {
        format!("{name}: the path is empty; it is ignored")
    } else {
        return Some(path);
    };
    let diagnostic = Diagnostic::error(Class::General, problem)
        .help("a path with blanks stands between double quotes")
        .keepalived(format!("{name} invalid"));
    reading.complain(statement, 1, diagnostic);
    None
}
