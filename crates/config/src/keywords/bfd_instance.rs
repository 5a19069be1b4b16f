//! `bfd_instance NAME { ... }`: a session of Bidirectional Forwarding Detection (RFC 5880).

use std::net::IpAddr;
use std::num::NonZeroU8;

use bfd::settings::{MaxHops, Session};

use super::arguments::{SWITCH_WORD, decimal, optional, required, strict_integer};
use super::tracked::{What, reverse, weight_of};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{At, BfdDraft, Inherited};
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &["bfd_instance"],
    ..super::ROW
};

/// The neighbour, in either spelling.
const NEIGHBOR: Keyword = Keyword {
    arguments: optional("ADDRESS"),
    default: "required",
    help: "the address of the other end",
    role: Role::Set(|r, s| match address(r, s) {
        Some(neighbor) => r.bfd.neighbor = Some(neighbor),
        None => r.bfd.refused = true,
    }),
    ..ROW
};

/// A time in milliseconds with three decimals.
const TIME: Keyword = Keyword {
    arguments: decimal(1_000, 4_294_967_000, 3).milliseconds(),
    default: "10",
    ..ROW
};

/// The TTL, in either spelling.
const TTL: Keyword = Keyword {
    arguments: strict_integer(1, 255),
    default: "255 over IPv4, 64 over IPv6",
    help: "TTL or hop limit of what is sent",
    role: Role::Set(|r, s| {
        if let Some(ttl) = r.fits(s).and_then(NonZeroU8::new) {
            r.bfd.ttl = Some(ttl);
        }
    }),
    ..ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        blocks: &[""],
        name: "bfd_instance",
        arguments: optional("NAME"),
        help: "a session that watches a neighbour; track_bfd and BFD_CHECK use it",
        role: Role::Block { open, close },
        ..ROW
    },
    Keyword {
        name: "neighbor_ip",
        ..NEIGHBOR
    },
    Keyword {
        name: "neighbour_ip",
        ..NEIGHBOR
    },
    Keyword {
        name: "source_ip",
        arguments: required("ADDRESS"),
        default: "the kernel chooses",
        help: "the own address, of the neighbour's family",
        role: Role::Set(|r, s| {
            if let Some(source) = address(r, s) {
                r.bfd.source = Some(source);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "min_rx",
        help: "least milliseconds between packets that we can take",
        role: Role::Set(|r, s| {
            if let Some(time) = time(r, s) {
                r.bfd.min_rx = time;
            }
        }),
        ..TIME
    },
    Keyword {
        name: "min_tx",
        help: "least milliseconds between packets that we send while up",
        role: Role::Set(|r, s| {
            if let Some(time) = time(r, s) {
                r.bfd.min_tx = time;
            }
        }),
        ..TIME
    },
    Keyword {
        name: "idle_tx",
        arguments: decimal(1_000_000, 4_294_967_000, 3).milliseconds(),
        default: "1000",
        help: "least milliseconds between packets that we send while not up",
        role: Role::Set(|r, s| {
            if let Some(time) = time(r, s) {
                r.bfd.idle_tx = time;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "multiplier",
        arguments: strict_integer(1, 255),
        default: "5",
        help: "so many missing packets make the session down",
        role: Role::Set(|r, s| {
            if let Some(multiplier) = r.fits(s).and_then(NonZeroU8::new) {
                r.bfd.multiplier = multiplier;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "passive",
        default: "off",
        help: "wait for the neighbour to begin",
        role: Role::Set(|r, _| r.bfd.passive = true),
        ..ROW
    },
    Keyword { name: "ttl", ..TTL },
    Keyword {
        name: "hoplimit",
        ..TTL
    },
    Keyword {
        name: "max_hops",
        arguments: strict_integer(-1, 255),
        default: "0",
        help: "how many routers may lie between; -1 or 255: any number",
        role: Role::Set(|r, s| {
            if let Some(hops) = r.fits::<i16>(s) {
                r.bfd.max_hops = At {
                    value: match u8::try_from(hops) {
                        Ok(255) | Err(_) => MaxHops::Unlimited,
                        Ok(hops) => MaxHops::AtMost(hops),
                    },
                    span: s.span(1),
                };
            }
        }),
        ..ROW
    },
    Keyword {
        name: "multihop",
        arguments: SWITCH_WORD,
        default: "off",
        help: "the port for neighbours behind routers (RFC 5883)",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.bfd.multihop = on;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "weight",
        arguments: required("-253..253 [reverse]"),
        default: "0",
        help: "what the state adds to the priority of those who track it; 0: down is a fault",
        role: Role::Set(|r, s| {
            if let Some(weight) = weight_of(r, s, 1, What::Bfd) {
                r.bfd.weight = weight;
            }
            r.bfd.reverse = reverse(r, s);
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp",
        default: "on, unless 'checker' is there",
        help: "tell the VRRP process",
        role: Role::Set(|r, _| r.bfd.vrrp = true),
        ..ROW
    },
    Keyword {
        name: "checker",
        default: "on, unless 'vrrp' is there",
        help: "tell the checkers",
        role: Role::Set(|r, _| r.bfd.checker = true),
        ..ROW
    },
];

/// Microseconds; a time so long that the session notices nothing is remarked upon.
fn time(reading: &mut Reading<'_>, statement: &Statement) -> Option<u64> {
    /// keepalived remarks upon more than this, in microseconds.
    const LONG: u64 = 10_000_000;
    let time = reading.decimal(statement)?;
    if time > LONG {
        let message = format!(
            "{}: {} milliseconds are more than 10 seconds",
            statement.argument(0),
            statement.argument(1)
        );
        let diagnostic =
            Diagnostic::warning(Class::Uncounted, message).help("the unit is the millisecond");
        reading.complain(statement, 1, diagnostic);
    }
    Some(time)
}

fn address(reading: &mut Reading<'_>, statement: &Statement) -> Option<At<IpAddr>> {
    if statement.word(1).is_none() {
        let message = format!(
            "bfd_instance {}: '{}' lacks its address",
            reading.bfd.name,
            statement.argument(0)
        );
        reading.complain(statement, 0, Diagnostic::error(Class::General, message));
        return None;
    }
    let value = reading.address(statement)?;
    Some(At {
        value,
        span: statement.span(1),
    })
}

fn open(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    let taken = |r: &mut Reading<'_>, name: &str| !r.names.bfd_instances.insert(name.to_owned());
    let long = statement.argument(1).len() > Session::LONGEST_NAME;
    if long {
        let message = format!(
            "the name of a bfd_instance has {} bytes at most; the block is ignored",
            Session::LONGEST_NAME
        );
        let diagnostic = Diagnostic::error(Class::General, message)
            .keepalived(format!("BFD name {} too long", statement.argument(1)));
        reading.complain(statement, 1, diagnostic);
        return false;
    }
    let Some(name) = super::root::name(reading, statement, taken) else {
        return false;
    };
    reading.bfd = BfdDraft::new(name, statement.whole());
    true
}

/// Whoever is not told of it does not know it.
fn close(reading: &mut Reading<'_>, statement: &Statement) {
    let empty = BfdDraft::new(String::new(), statement.whole());
    let mut bfd = std::mem::replace(&mut reading.bfd, empty);
    if !bfd.vrrp && !bfd.checker {
        (bfd.vrrp, bfd.checker) = (true, true);
    }
    if bfd.vrrp {
        let inherited = Inherited {
            weight: bfd.weight,
            reverse: bfd.reverse,
        };
        reading
            .names
            .weights
            .bfd
            .insert(bfd.name.clone(), inherited);
    }
    if bfd.checker {
        reading.names.checked_sessions.insert(bfd.name.clone());
    }
    bfd.end = statement.end();
    reading.draft.bfd.push(bfd);
}
