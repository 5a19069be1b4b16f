//! `vrrp_instance NAME { ... }`.

use std::net::IpAddr;
use std::time::Duration;

use types::{Family, IfName, Priority, Version, Vrid};
use vrrp::settings::InitialState;

use super::arguments::{SWITCH_WORD, decimal, integer, noted, optional, required, strict_integer};
use super::scripts::{notify, notify_deleted};
use super::{Keyword, Role, addresses, tracking};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::At;
use crate::read::{Garbage, Reading};

const ROW: Keyword = Keyword {
    blocks: &["vrrp_instance"],
    ..super::ROW
};

/// A switch that means on when bare.
const SWITCH: Keyword = Keyword {
    arguments: SWITCH_WORD,
    ..ROW
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
        name: "interface",
        arguments: required("INTERFACE"),
        default: "required",
        help: "where adverts are sent and heard",
        role: Role::Set(interface),
        ..ROW
    },
    Keyword {
        name: "virtual_router_id",
        arguments: strict_integer(1, 255),
        default: "required",
        help: "the number that the routers of one group share",
        role: Role::Set(|r, s| {
            let vrid = r.fits(s).and_then(|number| Vrid::new(number).ok());
            // What a parameter without a value leads to is keepalived's affair: there the number is then missing.
            r.instance.vrid_refused = vrid.is_none() && !s.is_broken();
            r.instance.vrid = vrid.map(|value| At {
                value,
                span: s.span(1),
            });
        }),
        ..ROW
    },
    Keyword {
        name: "priority",
        arguments: strict_integer(1, 255),
        default: "100; 255 with 'state MASTER'",
        help: "who wins the election; 255 owns the addresses",
        role: Role::Set(|r, s| {
            let priority = r.fits(s).and_then(|number| Priority::new(number).ok());
            let value = priority.unwrap_or(Priority::DEFAULT);
            r.instance.priority = Some(At {
                value,
                span: s.span(1),
            });
        }),
        ..ROW
    },
    Keyword {
        name: "state",
        arguments: required("MASTER|BACKUP"),
        default: "MASTER with priority 255, else BACKUP",
        help: "the state to begin in",
        role: Role::Set(state),
        ..ROW
    },
    Keyword {
        name: "version",
        arguments: required("2|3"),
        default: "vrrp_version; 3 for IPv6",
        help: "the version of the protocol",
        role: Role::Set(version),
        ..ROW
    },
    Keyword {
        name: "native_ipv6",
        help: "IPv6 and version 3, whatever the addresses",
        role: Role::Set(|r, s| {
            if adopt_family(r, s, 0, Family::V6, ONE_FAMILY) {
                if matches!(
                    r.instance.version,
                    Some(At {
                        value: Version::V2,
                        ..
                    })
                ) {
                    let message = "native_ipv6 means version 3; 'version 2' is ignored";
                    r.complain(s, 0, Diagnostic::warning(Class::Uncounted, message));
                }
                r.instance.version = Some(At {
                    value: Version::V3,
                    span: s.whole(),
                });
            }
        }),
        ..ROW
    },
    Keyword {
        name: "advert_int",
        arguments: decimal(10_000, 255_000_000, 6),
        default: "1",
        help: "seconds between two adverts",
        role: Role::Set(|r, s| {
            if let Some(value) = r.decimal(s) {
                r.instance.advert_int = Some(At {
                    value,
                    span: s.span(1),
                });
            }
        }),
        ..ROW
    },
    Keyword {
        name: "down_timer_adverts",
        arguments: integer(1, 100),
        default: "vrrp_down_timer_adverts",
        help: "how many intervals of silence make a master dead",
        role: Role::Set(|r, s| {
            if let Some(value) = r.fits(s) {
                r.instance.down_timer_adverts = Some(At {
                    value,
                    span: s.span(1),
                });
            }
        }),
        ..ROW
    },
    Keyword {
        name: "nopreempt",
        default: "off",
        help: "let a master of lower priority stay",
        role: Role::Set(|r, s| r.instance.nopreempt = Some(s.whole())),
        ..ROW
    },
    Keyword {
        name: "preempt",
        default: "on",
        help: "cancels nopreempt",
        role: Role::Set(|r, _| r.instance.nopreempt = None),
        ..ROW
    },
    Keyword {
        name: "preempt_delay",
        arguments: decimal(0, 1_000_000_000, 6),
        default: "0",
        help: "seconds that a master of lower priority may stay",
        role: Role::Set(|r, s| {
            let micros = r.decimal(s).unwrap_or(0);
            r.instance.preempt_delay = Some(At {
                value: Duration::from_micros(micros),
                span: s.whole(),
            });
        }),
        ..ROW
    },
    Keyword {
        name: "mcast_src_ip",
        arguments: required("ADDRESS"),
        default: "the interface's first address",
        help: "the source of adverts",
        role: Role::Set(source),
        ..ROW
    },
    Keyword {
        name: "mcast_dst_ip",
        arguments: required("ADDRESS"),
        default: "vrrp_mcast_group4 or vrrp_mcast_group6",
        help: "the group that adverts are sent to",
        role: Role::Set(|r, s| {
            let Some(address) = r.address(s) else { return };
            if !is_group(address, true) {
                let message = format!("'{address}' is not a group for adverts; it is ignored");
                let help = "an IPv4 multicast address, or an IPv6 one of link scope (ff02::...)";
                r.complain(s, 1, Diagnostic::error(Class::General, message).help(help));
            } else if adopt_family(r, s, 1, Family::of(address), ONE_FAMILY) {
                r.instance.group = Some(At {
                    value: address,
                    span: s.whole(),
                });
            }
        }),
        ..ROW
    },
    Keyword {
        name: "dont_track_primary",
        default: "off",
        help: "the instance's own interface going down is no fault",
        role: Role::Set(|r, _| r.instance.dont_track_primary = true),
        ..ROW
    },
    Keyword {
        name: "track_interface",
        arguments: noted("{ INTERFACE [weight N [reverse]] ... }"),
        help: "further interfaces whose state counts",
        role: Role::List(|r, entry| {
            if let Some(track) = tracking::interface(r, entry) {
                tracking::add(r, entry, false, false, track);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "track_script",
        arguments: noted("{ SCRIPT [weight N [reverse]] ... }"),
        help: "scripts whose result counts",
        role: Role::List(|r, entry| {
            let owner = r.instance.name.clone();
            if let Some(track) = tracking::script(r, entry, &owner) {
                tracking::add(r, entry, false, true, track);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "authentication",
        arguments: noted("{ auth_type PASS|AH  auth_pass PASSWORD }"),
        default: "none",
        help: "how adverts of version 2 are authenticated",
        role: Role::Block {
            open: |_, _| true,
            close: |r, s| r.instance.attempted.password = s.misspells("auth_pass"),
        },
        ..ROW
    },
    Keyword {
        name: "virtual_ipaddress",
        arguments: noted(
            "{ ADDRESS[/PREFIX] [dev INTERFACE] [brd ADDRESS] [scope SCOPE] [label LABEL] ... }",
        ),
        help: "the addresses that the master holds and announces",
        role: Role::List(addresses::advertised),
        ..ROW
    },
    Keyword {
        name: "virtual_ipaddress_excluded",
        arguments: noted("{ ADDRESS[/PREFIX] [dev INTERFACE] ... }"),
        help: "addresses that the master holds without announcing them in adverts",
        role: Role::List(addresses::excluded),
        ..ROW
    },
    Keyword {
        name: "no_virtual_ipaddress",
        default: "off",
        help: "permit an instance without addresses",
        role: Role::Set(|r, s| r.instance.no_virtual_ipaddress = Some(s.whole())),
        ..ROW
    },
    Keyword {
        name: "garp_master_delay",
        arguments: integer(0, 4294),
        default: "vrrp_garp_master_delay",
        help: "seconds from becoming master to the second block of gratuitous ARPs",
        role: Role::Set(|r, s| {
            if let Some(n) = r.fits(s) {
                r.instance.garp.master_delay = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "garp_master_repeat",
        arguments: integer(0, 4_294_967_295),
        default: "vrrp_garp_master_repeat",
        help: "rounds in a block",
        role: Role::Set(|r, s| {
            if let Some(n) = at_least_one(r, s) {
                r.instance.garp.master_repeat = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "garp_master_refresh",
        arguments: integer(0, 4_294_967_295),
        default: "vrrp_garp_master_refresh",
        help: "seconds between later blocks",
        role: Role::Set(|r, s| {
            r.instance.garp.master_refresh = Some(r.fits(s).unwrap_or(0));
        }),
        ..ROW
    },
    Keyword {
        name: "garp_master_refresh_repeat",
        arguments: integer(0, 4_294_967_295),
        default: "vrrp_garp_master_refresh_repeat",
        help: "rounds in a later block",
        role: Role::Set(|r, s| {
            if let Some(n) = at_least_one(r, s) {
                r.instance.garp.master_refresh_repeat = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "garp_lower_prio_delay",
        arguments: integer(0, 4294),
        default: "vrrp_garp_lower_prio_delay",
        help: "seconds from a lower-priority advert to the second block",
        role: Role::Set(|r, s| {
            if let Some(n) = r.fits(s) {
                r.instance.garp.lower_prio_delay = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "garp_lower_prio_repeat",
        arguments: integer(0, 2_147_483_647),
        default: "vrrp_garp_lower_prio_repeat",
        help: "rounds in the blocks after a lower-priority advert",
        role: Role::Set(|r, s| {
            if let Some(n) = r.fits(s) {
                r.instance.garp.lower_prio_repeat = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "lower_prio_no_advert",
        default: "vrrp_lower_prio_no_advert",
        help: "do not answer adverts of lower priority",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.instance.lower_prio_no_advert = Some(on);
            }
        }),
        ..SWITCH
    },
    Keyword {
        name: "higher_prio_send_advert",
        default: "vrrp_higher_prio_send_advert",
        help: "as master, answer an advert of higher priority before giving way",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.instance.higher_prio_send_advert = Some(on);
            }
        }),
        ..SWITCH
    },
    Keyword {
        name: "owner_ignore_adverts",
        default: "vrrp_owner_ignore_adverts",
        help: "an owner pays no attention to adverts",
        role: Role::Set(|r, s| {
            if let Some(value) = r.boolean(s) {
                r.instance.owner_ignore_adverts = Some(At {
                    value,
                    span: s.whole(),
                });
            }
        }),
        ..SWITCH
    },
    Keyword {
        name: "skip_check_adv_addr",
        default: "vrrp_skip_check_adv_addr",
        help: "compare advertised addresses only when the master changes",
        // DEVIATION(keepalived): there 'skip_check_adv_addr off' switches it on.
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.instance.skip_check_adv_addr = Some(on);
            }
        }),
        ..SWITCH
    },
    Keyword {
        name: "strict_mode",
        default: "vrrp_strict",
        help: "keep to the RFC where keepalived is more lenient",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.instance.strict = Some(on);
            }
        }),
        ..SWITCH
    },
    Keyword {
        name: "notify_priority_changes",
        default: "that of the sync group, else vrrp_notify_priority_changes",
        help: "announce changes of the priority",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.instance.notify_priority_changes = Some(on);
            }
        }),
        ..SWITCH
    },
    Keyword {
        name: "debug",
        arguments: integer(0, 4),
        default: "0",
        help: "no effect, as in keepalived",
        role: Role::Set(|r, s| {
            // Only its range matters.
            r.fits::<u8>(s);
        }),
        ..ROW
    },
    Keyword {
        name: "notify_master",
        help: "run when the instance becomes master",
        role: Role::Set(|r, s| notify(r, s, |n| &mut n.master)),
        ..NOTIFY
    },
    Keyword {
        name: "notify_backup",
        help: "run when the instance becomes backup",
        role: Role::Set(|r, s| notify(r, s, |n| &mut n.backup)),
        ..NOTIFY
    },
    Keyword {
        name: "notify_fault",
        help: "run when the instance becomes faulty",
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
        name: "notify_deleted",
        arguments: optional("[COMMAND [USER [[:]GROUP]]]"),
        default: "FAULT is reported",
        help: "report DELETED when a reload removes the instance",
        role: Role::Set(notify_deleted),
        ..NOTIFY
    },
    Keyword {
        name: "notify_master_rx_lower_pri",
        help: "run when a master hears an advert of lower priority",
        role: Role::Set(|r, s| notify(r, s, |n| &mut n.master_rx_lower_pri)),
        ..NOTIFY
    },
    Keyword {
        name: "notify",
        help: "run at every change, with what happened as further arguments",
        role: Role::Set(|r, s| notify(r, s, |n| &mut n.any)),
        ..NOTIFY
    },
];

fn interface(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(value) = reading.interface(statement, 1) else {
        // What cannot be a name is none; that alone is not fatal.
        reading.instance.interface_refused = IfName::new(statement.argument(1)).is_ok();
        return;
    };
    let facts = reading.machine.interface(value.as_str());
    if facts.is_some_and(|facts| facts.loopback) {
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("{value} is a loopback interface and cannot carry VRRP"),
        )
        .help("name the interface that the other routers are on")
        .also_afterwards(
            Class::General,
            format!("({}) Unknown interface !", reading.instance.name),
        )
        .fatal();
        reading.instance.interface_refused = true;
        reading.complain(statement, 1, diagnostic);
        return;
    }
    reading.instance.interface = Some(At {
        value,
        span: statement.span(1),
    });
}

fn state(reading: &mut Reading<'_>, statement: &Statement) {
    let name = &reading.instance.name;
    let value = match statement.argument(1) {
        "MASTER" => InitialState::Master,
        "BACKUP" => InitialState::Backup,
        other => {
            let help = if other.eq_ignore_ascii_case("master") {
                "did you mean 'MASTER'? It is BACKUP now"
            } else if other.eq_ignore_ascii_case("slave") {
                "did you mean 'BACKUP'? That is used"
            } else {
                "MASTER or BACKUP, in capitals; BACKUP is used"
            };
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("instance {name} has unknown state '{other}'"),
            )
            .help(help)
            .keepalived(format!(
                "({name}) unknown state '{other}', defaulting to BACKUP"
            ));
            reading.complain(statement, 1, diagnostic);
            InitialState::Backup
        }
    };
    let is_master = matches!(
        reading.instance.state,
        Some(At {
            value: InitialState::Master,
            ..
        })
    );
    if value == InitialState::Backup && is_master {
        let message = "state was MASTER before; this one is ignored";
        reading.complain(statement, 1, Diagnostic::warning(Class::General, message));
        return;
    }
    reading.instance.state = Some(At {
        value,
        span: statement.span(1),
    });
}

fn version(reading: &mut Reading<'_>, statement: &Statement) {
    let value = match reading.number(statement, 1, 2..=3, Garbage::Tolerated) {
        Some(2) => Version::V2,
        Some(_) => Version::V3,
        None => return,
    };
    if reading
        .instance
        .version
        .as_ref()
        .is_some_and(|before| before.value != value)
    {
        let message = "the version is given twice; the first one is kept";
        reading.complain(statement, 1, Diagnostic::warning(Class::General, message));
        return;
    }
    if value == Version::V2 && reading.instance.family == Some(Family::V6) {
        let message = "version 2 has no IPv6; it is ignored";
        reading.complain(statement, 1, Diagnostic::error(Class::General, message));
        return;
    }
    reading.instance.version = Some(At {
        value,
        span: statement.span(1),
    });
}

pub(super) fn source(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(address) = reading.address(statement) else {
        return;
    };
    if adopt_family(reading, statement, 1, Family::of(address), ONE_FAMILY) {
        reading.instance.source = Some(address);
    }
}

/// What to do about an address of the other family, in general.
pub(super) const ONE_FAMILY: &str =
    "all addresses of an instance are of one family; make an instance for each";

/// The first address decides the family of an instance; false, with a report and `help`, for one of the other family.
pub(super) fn adopt_family(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    family: Family,
    help: &str,
) -> bool {
    let own = *reading.instance.family.get_or_insert(family);
    if own == family {
        return true;
    }
    let name = &reading.instance.name;
    let message = format!(
        "'{}' is {family}, but instance {name} is {own}; it is ignored",
        statement.argument(index)
    );
    reading.complain(
        statement,
        index,
        Diagnostic::error(Class::General, message).help(help),
    );
    false
}

/// Whether adverts can be sent to it. `narrow`: an IPv6 group must not leave the link.
pub(super) const fn is_group(address: IpAddr, narrow: bool) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast(),
        IpAddr::V6(address) => {
            address.is_multicast() && (!narrow || address.segments()[0] & 0xf == 2)
        }
    }
}

/// A count of messages; 0 becomes 1.
pub(super) fn at_least_one(reading: &mut Reading<'_>, statement: &Statement) -> Option<u32> {
    let number: u32 = reading.fits(statement)?;
    if number == 0 {
        let message = format!("{} cannot be 0, 1 is used", statement.argument(0));
        reading.complain(statement, 1, Diagnostic::warning(Class::General, message));
        return Some(1);
    }
    Some(number)
}
