//! Keywords of `vrrp_instance` about adverts to single routers.

use std::net::IpAddr;
use std::str::FromStr;

use types::Family;
use vrrp::settings::{OldChecksum, UnicastPeer};

use super::arguments::{noted, required, strict_integer};
use super::vrrp_instance::source;
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::At;
use crate::read::{Garbage, Reading};

const ROW: Keyword = Keyword {
    blocks: &["vrrp_instance"],
    ..super::ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "unicast_src_ip",
        arguments: required("ADDRESS"),
        default: "the interface's first address",
        help: "the source of adverts to unicast peers",
        role: Role::Set(|r, s| {
            wanted(r, s);
            source(r, s);
        }),
        ..ROW
    },
    Keyword {
        name: "unicast_peer",
        arguments: noted("{ ADDRESS [min_ttl N] [max_ttl N] ... }"),
        default: "adverts go to the multicast group",
        help: "the other routers, if adverts go to each of them",
        role: Role::List(peer),
        ..ROW
    },
    Keyword {
        name: "unicast_fault_no_peer",
        default: "off",
        help: "without a peer, stay in FAULT instead of using multicast",
        role: Role::Set(|r, s| {
            wanted(r, s);
            r.instance.unicast.fault_no_peer = true;
        }),
        ..ROW
    },
    Keyword {
        name: "check_unicast_src",
        default: "vrrp_check_unicast_src",
        help: "refuse adverts that are not from a peer",
        role: Role::Set(|r, s| {
            wanted(r, s);
            r.instance.unicast.check_source = true;
        }),
        ..ROW
    },
    Keyword {
        name: "unicast_ttl",
        arguments: strict_integer(0, 255),
        default: "255 over IPv4, the kernel's over IPv6",
        help: "TTL or hop limit of adverts to peers",
        role: Role::Set(|r, s| {
            if let Some(value) = r.fits(s) {
                r.instance.unicast.ttl = Some(At {
                    value,
                    span: s.whole(),
                });
            }
        }),
        ..ROW
    },
    Keyword {
        name: "old_unicast_checksum",
        arguments: noted("[never]"),
        default: "a peer's is found out",
        help: "the VRRPv3 checksum of keepalived before 1.3.7; 'never' refuses it",
        role: Role::Set(|r, s| {
            wanted(r, s);
            r.instance.unicast.old_checksum = match s.word(1) {
                None => OldChecksum::Always,
                Some("never") => OldChecksum::Never,
                Some(other) => {
                    let name = &r.instance.name;
                    let message = format!("old_unicast_checksum: '{other}' is ignored");
                    let diagnostic = Diagnostic::error(Class::General, message)
                        .help("never, or nothing")
                        .keepalived(format!(
                            "({name}) Unknown old_unicast_chksum mode {other} - ignoring"
                        ));
                    r.complain(s, 1, diagnostic);
                    return;
                }
            };
        }),
        ..ROW
    },
    Keyword {
        name: "vrf",
        arguments: required("INTERFACE"),
        default: "none",
        help: "the VRF of an instance without an interface",
        role: Role::Set(vrf),
        ..ROW
    },
];

/// Notes where the peers of an instance are listed: also an empty list, or one without a good entry, asks for unicast.
pub(super) fn note_list(reading: &mut Reading<'_>, instance: &Statement) {
    let list = instance
        .block()
        .find(|inner| inner.argument(0) == "unicast_peer");
    let Some(span) = list.map(|list| list.span(0)) else {
        return;
    };
    let unicast = &mut reading.instance.unicast;
    unicast.listed = Some(span);
    unicast.wanted.get_or_insert(span);
}

/// Notes the first keyword that asks for unicast.
fn wanted(reading: &mut Reading<'_>, statement: &Statement) {
    reading
        .instance
        .unicast
        .wanted
        .get_or_insert(statement.whole());
}

fn vrf(reading: &mut Reading<'_>, statement: &Statement) {
    let name = &reading.instance.name;
    let problem = if reading.instance.interface.is_some() {
        Some(format!(
            "instance {name} has an interface; 'vrf' is ignored"
        ))
    } else if reading.instance.vrf.is_some() {
        Some(format!(
            "instance {name} has a vrf already; this one is ignored"
        ))
    } else {
        None
    };
    if let Some(message) = problem {
        let text = format!("({name}) Cannot specify VRF interface and interface - ignoring");
        let diagnostic = Diagnostic::warning(Class::General, message).keepalived(text);
        reading.complain(statement, 0, diagnostic);
        return;
    }
    if let Some(value) = reading.interface(statement, 1) {
        reading.instance.vrf = Some(At {
            value,
            span: statement.whole(),
        });
    }
}

/// An entry of `unicast_peer`.
fn peer(reading: &mut Reading<'_>, entry: &Statement) {
    let text = entry.argument(0);
    let name = reading.instance.name.clone();
    let bare = text.split(['-', '/']).next().unwrap_or_default();
    let Ok(address) = IpAddr::from_str(bare) else {
        let message = format!("instance {name}: peer '{text}' is not an IP address; it is ignored");
        let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
            "Configuration error: VRRP instance[{name}] malformed unicast peer address[{text}]. Skipping..."
        ));
        reading.complain(entry, 0, diagnostic);
        return;
    };
    if !super::vrrp_instance::adopt_family(
        reading,
        entry,
        0,
        Family::of(address),
        super::vrrp_instance::ONE_FAMILY,
    ) {
        return;
    }
    if !reading.names.peers.insert(address) {
        let message = format!("instance {name} has peer {address} already");
        reading.complain(entry, 0, Diagnostic::warning(Class::General, message));
        return;
    }
    let mut peer = UnicastPeer {
        address,
        min_ttl: 0,
        max_ttl: u8::MAX,
    };
    limits(reading, entry, &mut peer);
    reading.instance.unicast.peers.push(peer);
}

/// The options of a peer; an unknown one ends them.
fn limits(reading: &mut Reading<'_>, entry: &Statement, peer: &mut UnicastPeer) {
    let name = reading.instance.name.clone();
    let mut index = 1;
    while let Some(option) = entry.word(index) {
        let limit = match option {
            "min_ttl" => &mut peer.min_ttl,
            "max_ttl" => &mut peer.max_ttl,
            other => {
                let message = format!("unknown option '{other}' of a peer; the rest is ignored");
                let diagnostic = Diagnostic::error(Class::General, message)
                    .help("ADDRESS [min_ttl N] [max_ttl N]")
                    .keepalived(format!("({name}) unknown unicast_peer option {other}"));
                reading.complain(entry, index, diagnostic);
                return;
            }
        };
        if entry.word(index + 1).is_none() {
            let message = format!("'{option}' lacks its number and is ignored");
            let diagnostic = Diagnostic::error(Class::General, message)
                .keepalived(format!("({name}) {option} is missing a value"));
            reading.complain(entry, index, diagnostic);
            return;
        }
        let number = reading.number(entry, index + 1, 0..=255, Garbage::Refused);
        if let Some(number) = number.and_then(|number| u8::try_from(number).ok()) {
            *limit = number;
            reading.instance.unicast.limited = true;
        }
        index += 2;
    }
    if peer.min_ttl > peer.max_ttl {
        let (least, most) = (peer.min_ttl, peer.max_ttl);
        let message = format!(
            "peer {}: min_ttl {least} is above max_ttl {most}, so all its adverts are refused",
            peer.address
        );
        let diagnostic = Diagnostic::warning(Class::General, message).keepalived(format!(
            "({name}) min_ttl {least} > max_ttl {most} - all packets will be discarded"
        ));
        reading.complain(entry, 0, diagnostic);
    }
}
