//! Blocks about interfaces: `garp_group`, `linkbeat_interfaces`, `interface_up_down_delays`; and `track_group`, which
//! static entries depend on.

use std::time::Duration;

use types::IfName;
use vrrp::settings::{Debounce, GarpGroup, Linkbeat, LinkbeatMethod};

use super::arguments::{decimal, noted, optional, required};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{At, GarpGroupDraft, TrackGroupDraft};
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &[""],
    ..super::ROW
};

const IN_GARP_GROUP: Keyword = Keyword {
    blocks: &["garp_group"],
    ..ROW
};

/// The longest delay of an interface, in microseconds.
const LONGEST: u64 = 255_000_000;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "track_group",
        arguments: optional("NAME"),
        help: "instances that static addresses, routes and rules depend on",
        role: Role::Block {
            open: |r, s| {
                let taken =
                    |r: &mut Reading<'_>, name: &str| !r.names.track_groups.insert(name.to_owned());
                let Some(name) = super::root::name(r, s, taken) else {
                    return false;
                };
                r.track_group = TrackGroupDraft {
                    name,
                    span: s.whole(),
                    members: Vec::new(),
                };
                true
            },
            close: |r, s| {
                super::root::one_list(r, s);
                let empty = TrackGroupDraft {
                    name: String::new(),
                    span: s.whole(),
                    members: Vec::new(),
                };
                let group = std::mem::replace(&mut r.track_group, empty);
                r.draft.track_groups.push(group);
            },
        },
        ..ROW
    },
    Keyword {
        blocks: &["track_group"],
        name: "group",
        arguments: noted("{ INSTANCE ... }"),
        help: "the instances; they may be defined later",
        // DEVIATION(keepalived): there a second group block destroys the track_group; here its members are added.
        role: Role::NamedList {
            open: |_, _| true,
            entry: |r, entry| {
                let members = entry.words().enumerate().map(|(index, word)| At {
                    value: crate::bytes::shown(word),
                    span: entry.span(index),
                });
                r.track_group.members.extend(members);
            },
            close: |r, list| {
                if list.block().is_empty() {
                    let name = &r.track_group.name;
                    let message = format!("track_group {name} has an empty list of members");
                    let text = format!("Warning - track group {name} has empty group block");
                    let diagnostic = Diagnostic::warning(Class::General, message).keepalived(text);
                    r.complain(list, 0, diagnostic);
                }
            },
        },
        ..ROW
    },
    Keyword {
        name: "garp_group",
        help: "a limit on gratuitous ARPs that interfaces share",
        role: Role::Block {
            open: |r, _| {
                r.garp_group = GarpGroupDraft::default();
                true
            },
            close: close_garp_group,
        },
        ..ROW
    },
    Keyword {
        name: "garp_interval",
        arguments: decimal(0, 4_294_967_295, 6),
        default: "vrrp_garp_interval",
        help: "least seconds between two gratuitous ARPs",
        role: Role::Set(|r, s| {
            if let Some(interval) = interval(r, s) {
                r.garp_group.garp_interval = Some(interval);
            }
        }),
        ..IN_GARP_GROUP
    },
    Keyword {
        name: "gna_interval",
        arguments: decimal(0, 4_294_967_295, 6),
        default: "vrrp_gna_interval",
        help: "least seconds between two unsolicited neighbour advertisements",
        role: Role::Set(|r, s| {
            if let Some(interval) = interval(r, s) {
                r.garp_group.gna_interval = Some(interval);
            }
        }),
        ..IN_GARP_GROUP
    },
    Keyword {
        name: "interface",
        arguments: required("INTERFACE"),
        help: "an interface that the limits are for",
        role: Role::Set(|r, s| grouped(r, s, 1)),
        ..IN_GARP_GROUP
    },
    Keyword {
        name: "interfaces",
        arguments: noted("{ INTERFACE ... }"),
        help: "interfaces that the limits are for, all of them together",
        role: Role::NamedList {
            open: |_, _| true,
            entry: |_, _| {},
            // keepalived looks at the names when it has read them all.
            close: |r, list| {
                if list.block().is_empty() {
                    let message = "this list of interfaces is empty";
                    let diagnostic = Diagnostic::warning(Class::General, message)
                        .keepalived("Warning - empty garp_group interfaces block");
                    r.complain(list, 0, diagnostic);
                }
                for entry in list.block() {
                    for index in 0..entry.len() {
                        grouped(r, &entry, index);
                    }
                }
            },
        },
        ..IN_GARP_GROUP
    },
    Keyword {
        name: "linkbeat_interfaces",
        arguments: noted("{ INTERFACE [MII|ETHTOOL|IOCTL] ... }"),
        help: "interfaces whose link is asked for every second",
        role: Role::List(linkbeat),
        ..ROW
    },
    Keyword {
        name: "interface_up_down_delays",
        arguments: noted("{ INTERFACE DOWN [UP] ... }"),
        help: "how many seconds, 0 to 255, the state of an interface must last before it counts",
        role: Role::List(delays),
        ..ROW
    },
];

fn interval(reading: &mut Reading<'_>, statement: &Statement) -> Option<Duration> {
    let Some(micros) = reading.decimal(statement) else {
        reading.garp_group.interval_refused = true;
        return None;
    };
    let interval = Duration::from_micros(micros);
    if interval >= Duration::from_secs(1) {
        let message = format!(
            "{} of {} seconds: hosts learn late where the addresses are",
            statement.argument(0),
            statement.argument(1)
        );
        reading.complain(statement, 1, Diagnostic::warning(Class::Uncounted, message));
    }
    Some(interval)
}

/// An interface joins the group that is being read.
fn grouped(reading: &mut Reading<'_>, statement: &Statement, index: usize) {
    let Some(name) = reading.interface(statement, index) else {
        return;
    };
    if reading.names.garp_grouped.insert(name) {
        reading.garp_group.interfaces.push(name);
        return;
    }
    let message = format!("interface {name} is in a garp_group already; it is ignored here");
    let diagnostic = Diagnostic::warning(Class::General, message).keepalived(format!(
        "garp_group already specified for {name} - ignoring"
    ));
    reading.complain(statement, index, diagnostic);
}

fn close_garp_group(reading: &mut Reading<'_>, statement: &Statement) {
    let group = std::mem::take(&mut reading.garp_group);
    let no_interval = group.garp_interval.is_none() && group.gna_interval.is_none();
    if no_interval && group.interval_refused {
        return;
    }
    let (message, class) = if no_interval {
        (
            "this garp_group has no interval and is removed",
            Class::General,
        )
    } else if group.interfaces.is_empty() {
        (
            "this garp_group has no interfaces and is removed",
            Class::Uncounted,
        )
    } else {
        reading.draft.garp_groups.push(GarpGroup {
            interfaces: group.interfaces,
            garp_interval: group.garp_interval,
            gna_interval: group.gna_interval,
        });
        return;
    };
    let diagnostic = Diagnostic::error(class, message)
        .help("garp_interval SECONDS, gna_interval SECONDS, and interface NAME");
    reading.complain(statement, 0, diagnostic);
}

/// An interface that an entry begins with. One that does not exist only costs the entry.
fn entry_interface(reading: &mut Reading<'_>, entry: &Statement, purpose: &str) -> Option<IfName> {
    let text = entry.argument(0);
    let known =
        reading.draft.global.dynamic_interfaces || reading.machine.interface(text).is_some();
    match IfName::new(text) {
        Ok(name) if known => Some(name),
        _ => {
            let message = format!("interface {text} does not exist; the entry is ignored");
            let diagnostic = Diagnostic::error(Class::Fatal, message)
                .keepalived(format!("unknown interface {text} specified for {purpose}"));
            reading.complain(entry, 0, diagnostic);
            None
        }
    }
}

fn linkbeat(reading: &mut Reading<'_>, entry: &Statement) {
    let Some(interface) = entry_interface(reading, entry, "linkbeat interface") else {
        return;
    };
    let method = match entry.word(1) {
        None => None,
        Some("MII") => Some(LinkbeatMethod::Mii),
        Some("ETHTOOL") => Some(LinkbeatMethod::Ethtool),
        Some("IOCTL") => Some(LinkbeatMethod::Ioctl),
        Some(other) => {
            let message = format!("unknown way '{other}' to ask for a link is ignored");
            let diagnostic =
                Diagnostic::error(Class::General, message).help("MII, ETHTOOL or IOCTL");
            reading.complain(entry, 1, diagnostic);
            None
        }
    };
    if entry.len() > 2 {
        let message = "words behind the way to ask for a link are ignored";
        reading.complain(entry, 2, Diagnostic::warning(Class::General, message));
    }
    reading.draft.linkbeat.push(Linkbeat { interface, method });
}

fn delays(reading: &mut Reading<'_>, entry: &Statement) {
    let Some(interface) = entry_interface(reading, entry, "up/down delay") else {
        return;
    };
    if entry.word(1).is_none() {
        let message = format!("interface {interface} lacks its delay; the entry is ignored");
        let diagnostic =
            Diagnostic::error(Class::Uncounted, message).help("INTERFACE DOWN [UP], in seconds");
        reading.complain(entry, 0, diagnostic);
        return;
    }
    let mut delay = |index| {
        reading
            .decimal_at(entry, index, 0..=LONGEST, 6)
            .map(Duration::from_micros)
    };
    let Some(down) = delay(1) else { return };
    let up = match entry.word(2) {
        None => Some(Duration::ZERO),
        Some(_) => delay(2),
    };
    let Some(up) = up else { return };
    reading.draft.debounce.push(Debounce {
        interface,
        down,
        up,
    });
}
