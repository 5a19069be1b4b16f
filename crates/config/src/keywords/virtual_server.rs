//! `virtual_server ADDRESS [PORT] | fwmark N | group NAME { ... }`, without its real servers.

use std::net::Ipv4Addr;

use lvs::settings::{Granularity, Protocol};
use types::Family;

use super::arguments::{integer, required, strict_integer};
use super::scripts::{command, twice};
use super::servers::{bare_switch, end_point, lacks};
use super::virtual_server_group::mark_at;
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::lvs::{ServiceDraft, SorryServerDraft, VirtualServerDraft};
use crate::draft::{At, CommandDraft};
use crate::read::{Garbage, Reading};
use crate::suggest::nearest;

use method::{METHOD, method};

pub(super) mod method;

const ROW: Keyword = Keyword {
    blocks: &["virtual_server"],
    ..super::ROW
};

/// `lvs_sched` and its old name.
const SCHEDULER: Keyword = Keyword {
    arguments: required("rr|wrr|lc|wlc|lblc|lblcr|dh|sh|mh|sed|nq|fo|ovf|twos"),
    default: "wlc, with a warning",
    help: "how a real server is chosen",
    role: Role::Set(scheduler),
    ..ROW
};

/// `lvs_method` and its old name.
const FORWARDING: Keyword = Keyword {
    arguments: METHOD,
    default: "NAT, with a warning",
    help: "how packets get to the real servers",
    role: Role::Set(|r, s| {
        if let Some(method) = method(r, s) {
            set(r, |server| server.lvs_method = Some(method));
        }
    }),
    ..ROW
};

/// Flags that a scheduler gives a meaning to.
const FLAG: Keyword = Keyword {
    default: "off",
    ..ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        blocks: &[""],
        name: "virtual_server",
        arguments: required("ADDRESS [PORT] | fwmark N | group NAME"),
        help: "a service that is spread over real servers",
        role: Role::Block { open, close },
        ..ROW
    },
    Keyword {
        name: "ip_family",
        arguments: required("inet|inet6"),
        default: "that of the address, else of the servers, else inet",
        help: "the family of a service with a mark or a group",
        role: Role::Set(ip_family),
        ..ROW
    },
    Keyword {
        name: "protocol",
        arguments: required("TCP|UDP|SCTP"),
        default: "UDP, with a warning",
        help: "what is balanced; not for marks",
        role: Role::Set(protocol),
        ..ROW
    },
    Keyword {
        name: "lvs_sched",
        ..SCHEDULER
    },
    Keyword {
        name: "lb_algo",
        ..SCHEDULER
    },
    Keyword {
        name: "hashed",
        help: "no effect, as in keepalived",
        role: Role::Set(|r, s| {
            if !matches!(given_scheduler(r), Some("sh" | "mh")) {
                for_scheduler(r, s, "sh or mh");
            }
        }),
        ..FLAG
    },
    Keyword {
        name: "ops",
        help: "every packet is scheduled by itself; UDP only",
        role: Role::Set(|r, _| set(r, |server| server.one_packet = true)),
        ..FLAG
    },
    Keyword {
        name: "flag-1",
        help: "flag 1 of the scheduler",
        role: Role::Set(|r, _| set(r, |server| server.scheduler_flags[0] = true)),
        ..FLAG
    },
    Keyword {
        name: "flag-2",
        help: "flag 2 of the scheduler",
        role: Role::Set(|r, _| set(r, |server| server.scheduler_flags[1] = true)),
        ..FLAG
    },
    Keyword {
        name: "flag-3",
        help: "flag 3 of the scheduler",
        role: Role::Set(|r, _| set(r, |server| server.scheduler_flags[2] = true)),
        ..FLAG
    },
    Keyword {
        name: "sh-fallback",
        help: "sh: when the server is down, another one is chosen",
        role: Role::Set(|r, s| scheduler_flag(r, s, "sh", |flags| flags[0] = true)),
        ..FLAG
    },
    Keyword {
        name: "sh-port",
        help: "sh: the client's port counts too",
        role: Role::Set(|r, s| scheduler_flag(r, s, "sh", |flags| flags[1] = true)),
        ..FLAG
    },
    Keyword {
        name: "mh-fallback",
        help: "mh: when the server is down, another one is chosen",
        role: Role::Set(|r, s| scheduler_flag(r, s, "mh", |flags| flags[0] = true)),
        ..FLAG
    },
    Keyword {
        name: "mh-port",
        help: "mh: the client's port counts too",
        role: Role::Set(|r, s| scheduler_flag(r, s, "mh", |flags| flags[1] = true)),
        ..FLAG
    },
    Keyword {
        name: "lvs_method",
        ..FORWARDING
    },
    Keyword {
        name: "lb_kind",
        ..FORWARDING
    },
    Keyword {
        name: "persistence_engine",
        arguments: required("NAME"),
        default: "none",
        help: "IPVS module that tells clients apart, e.g. sip; 16 characters at most",
        role: Role::Set(persistence_engine),
        ..ROW
    },
    Keyword {
        name: "persistence_timeout",
        arguments: strict_integer(1, 2_678_400).optional(),
        default: "off; 360 without a number",
        help: "seconds that a client stays with its server",
        role: Role::Set(|r, s| {
            let timeout = if s.word(1).is_none() && !s.is_damaged() {
                Some(DEFAULT_PERSISTENCE)
            } else {
                r.fits(s)
            };
            if timeout.is_some() {
                set(r, |server| server.persistence_timeout = timeout);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "persistence_granularity",
        arguments: required("NETMASK | PREFIXLENGTH"),
        default: "each address by itself",
        help: "which clients count as one: an IPv4 mask or an IPv6 prefix length",
        role: Role::Set(granularity),
        ..ROW
    },
    Keyword {
        name: "ha_suspend",
        default: "off",
        help: "no checks while the address is on no interface",
        role: Role::Set(|r, s| {
            let on = bare_switch(r, s);
            set(r, |server| server.ha_suspend = on);
        }),
        ..ROW
    },
    Keyword {
        name: "inhibit_on_failure",
        default: "off",
        help: "real servers that fail keep their place, with weight 0",
        role: Role::Set(|r, s| {
            let on = bare_switch(r, s);
            set(r, |server| server.inhibit_on_failure = on);
        }),
        ..ROW
    },
    Keyword {
        name: "alpha",
        default: "off",
        help: "real servers are down until their checks have succeeded",
        role: Role::Set(|r, s| {
            let on = bare_switch(r, s);
            set(r, |server| server.alpha = on);
        }),
        ..ROW
    },
    Keyword {
        name: "omega",
        default: "off",
        help: "the down scripts run at shutdown too",
        role: Role::Set(|r, s| {
            let on = bare_switch(r, s);
            set(r, |server| server.omega = on);
        }),
        ..ROW
    },
    Keyword {
        name: "quorum_up",
        shell_words: true,
        arguments: required("COMMAND [USER [[:]GROUP]]"),
        default: "none",
        help: "run when the quorum is gained",
        role: Role::Set(|r, s| quorum_script(r, s, |server| &mut server.quorum_up)),
        ..ROW
    },
    Keyword {
        name: "quorum_down",
        shell_words: true,
        arguments: required("COMMAND [USER [[:]GROUP]]"),
        default: "none",
        help: "run when the quorum is lost",
        role: Role::Set(|r, s| quorum_script(r, s, |server| &mut server.quorum_down)),
        ..ROW
    },
    Keyword {
        name: "quorum",
        arguments: integer(1, 4_294_967_295),
        default: "1",
        help: "sum of weights that it takes to be up",
        role: Role::Set(|r, s| {
            let quorum = r.fits(s).unwrap_or(1);
            set(r, |server| server.quorum = quorum);
        }),
        ..ROW
    },
    Keyword {
        name: "hysteresis",
        arguments: integer(0, 4_294_967_295),
        default: "0",
        help: "so much above the quorum is up, so much below it is down",
        role: Role::Set(|r, s| {
            if let Some(hysteresis) = r.fits(s) {
                set(r, |server| server.hysteresis = hysteresis);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "weight",
        arguments: integer(1, 2_147_483_647),
        default: "1",
        help: "the weight of real servers that have none",
        role: Role::Set(|r, s| {
            if let Some(weight) = r.fits(s) {
                set(r, |server| server.weight = weight);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "sorry_server",
        arguments: required("ADDRESS [PORT]"),
        default: "none",
        help: "serves while the quorum is lost",
        role: Role::Set(sorry_server),
        ..ROW
    },
    Keyword {
        name: "sorry_server_inhibit",
        default: "off",
        help: "the sorry server is always there, with weight 0 while it is not needed",
        role: Role::Set(|r, s| with_sorry_server(r, s, |sorry| sorry.inhibit = true)),
        ..ROW
    },
    Keyword {
        name: "sorry_server_lvs_method",
        arguments: METHOD.optional(),
        default: "lvs_method",
        help: "how packets get to the sorry server",
        role: Role::Set(|r, s| {
            let there = r
                .lvs
                .server
                .as_ref()
                .is_some_and(|server| server.sorry_server.is_some());
            if there && s.word(1).is_none() {
                lacks(r, s, "its argument", "NAT, DR or TUN");
                return;
            }
            let method = if there { method(r, s) } else { None };
            with_sorry_server(r, s, |sorry| sorry.lvs_method = method.or(sorry.lvs_method));
        }),
        ..ROW
    },
];

/// keepalived's, in seconds.
pub(crate) const DEFAULT_PERSISTENCE: u32 = 360;

/// What keepalived knows. The kernel may know others, but keepalived refuses them.
const SCHEDULERS: [&str; 14] = [
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos",
];

fn set(reading: &mut Reading<'_>, set: impl FnOnce(&mut VirtualServerDraft)) {
    if let Some(server) = &mut reading.lvs.server {
        set(server);
    }
}

fn open(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    // The want of an argument was reported already.
    let Some(service) = statement.word(1).and_then(|_| service(reading, statement)) else {
        return false;
    };
    let draft = VirtualServerDraft::new(service, statement.whole());
    reading.lvs.server = Some(Box::new(draft));
    true
}

/// What the line names; anything wrong is reported and the service left out.
fn service(reading: &mut Reading<'_>, statement: &Statement) -> Option<ServiceDraft> {
    match statement.argument(1) {
        "fwmark" => mark_at(reading, statement, 2).map(ServiceDraft::Mark),
        "group" => {
            if statement.word(2).is_none() {
                // DEVIATION(keepalived): it crashes.
                lacks(
                    reading,
                    statement,
                    "the name of its group",
                    "virtual_server group NAME",
                );
                return None;
            }
            reading.text(statement, 2).map(ServiceDraft::Group)
        }
        _ => {
            let (address, port) = end_point(reading, statement)?;
            Some(ServiceDraft::Address(address, port))
        }
    }
}

fn close(reading: &mut Reading<'_>, statement: &Statement) {
    if let Some(mut draft) = reading.lvs.server.take() {
        let given =
            |names: [&'static str; 2]| names.into_iter().any(|name| statement.attempts(name));
        draft.scheduler_refused = draft.scheduler.is_none() && given(["lvs_sched", "lb_algo"]);
        draft.method_refused = draft.lvs_method.is_none() && given(["lvs_method", "lb_kind"]);
        // global_defs is always read before.
        let mail = &reading.draft.global.mail;
        let alert = mail.alert_checker.or(mail.alert);
        let all = &mut reading.draft.lvs;
        crate::resolve::lvs::virtual_server(*draft, all, alert, reading.report);
    }
}

fn ip_family(reading: &mut Reading<'_>, statement: &Statement) {
    let family = match statement.argument(1) {
        "inet" => Family::V4,
        "inet6" => Family::V6,
        other => {
            let message = format!("ip_family: there is no address family '{other}'");
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("inet or inet6")
                .keepalived(format!("unknown address family {other}"));
            reading.complain(statement, 1, diagnostic);
            return;
        }
    };
    let Some(server) = &mut reading.lvs.server else {
        return;
    };
    let given = *server.family.get_or_insert(family);
    if given != family {
        let message = format!("ip_family is ignored: the service is {given} already");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("it follows from the address, an earlier line or the real servers");
        reading.complain(statement, 1, diagnostic);
    }
}

fn protocol(reading: &mut Reading<'_>, statement: &Statement) {
    let word = statement.argument(1);
    let named = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|protocol| protocol.name().eq_ignore_ascii_case(word));
    if named.is_none() {
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("there is no protocol '{word}'; it is ignored"),
        )
        .help("TCP, UDP or SCTP")
        .keepalived(format!("Unknown protocol {word} - ignoring"));
        reading.complain(statement, 1, diagnostic);
        return;
    }
    set(reading, |server| server.protocol = named);
}

fn scheduler(reading: &mut Reading<'_>, statement: &Statement) {
    let word = statement.argument(1);
    if SCHEDULERS.contains(&word) {
        set(reading, |server| server.scheduler = Some(word.to_owned()));
        return;
    }
    let lower = word.to_ascii_lowercase();
    let near = SCHEDULERS
        .into_iter()
        .find(|known| *known == lower)
        .or_else(|| nearest(word, SCHEDULERS.into_iter()));
    let help = match near {
        Some(near) => format!("did you mean '{near}'? wlc is used"),
        None => format!("{}; wlc is used", SCHEDULERS.join(", ")),
    };
    let diagnostic = Diagnostic::error(
        Class::General,
        format!("there is no scheduler '{word}'; it is ignored"),
    )
    .help(help)
    .keepalived(format!("Invalid lvs_scheduler '{word}' - ignoring"));
    reading.complain(statement, 1, diagnostic);
}

fn given_scheduler<'r>(reading: &'r Reading<'_>) -> Option<&'r str> {
    reading.lvs.server.as_ref()?.scheduler.as_deref()
}

/// A flag under the name that one scheduler has for it. keepalived passes over those of mh with sh and the reverse.
fn scheduler_flag(
    reading: &mut Reading<'_>,
    statement: &Statement,
    of: &str,
    flag: fn(&mut [bool; 3]),
) {
    match given_scheduler(reading) {
        Some(scheduler) if scheduler == of => {
            set(reading, |server| flag(&mut server.scheduler_flags));
        }
        Some("sh" | "mh") => {
            let message = format!("{} has no effect: it is for {of}", statement.argument(0));
            let diagnostic = Diagnostic::warning(Class::Uncounted, message);
            reading.complain(statement, 0, diagnostic);
        }
        _ => for_scheduler(reading, statement, of),
    }
}

fn for_scheduler(reading: &mut Reading<'_>, statement: &Statement, of: &str) {
    let name = statement.argument(0);
    let message = format!("{name} is ignored: it is for the scheduler {of}");
    let diagnostic = Diagnostic::error(Class::General, message)
        .help("lvs_sched stands before it")
        .keepalived(format!("{name} only applies to sh scheduler - ignoring"));
    reading.complain(statement, 0, diagnostic);
}

/// The longest name that the kernel takes.
const ENGINE_NAME: usize = 16;

fn persistence_engine(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(mut value) = reading.text(statement, 1) else {
        return;
    };
    if value.len() > ENGINE_NAME {
        value.truncate(crate::bytes::boundary(&value, ENGINE_NAME));
        let message = format!("persistence_engine is too long: '{value}' is used");
        let diagnostic = Diagnostic::warning(Class::General, message)
            .help("16 characters at most")
            .keepalived("persistence_name too long, truncating");
        reading.complain(statement, 1, diagnostic);
    }
    let span = statement.span(1);
    set(reading, |server| {
        server.persistence_engine = Some(At { value, span });
    });
}

/// The family of a service without one follows from what is written.
fn granularity(reading: &mut Reading<'_>, statement: &Statement) {
    let text = statement.argument(1);
    let known = reading.lvs.server.as_ref().and_then(|server| server.family);
    let granularity = match known {
        Some(Family::V4) => netmask(reading, statement),
        None if text.contains('.') => netmask(reading, statement),
        Some(Family::V6) | None => reading
            .number(statement, 1, 1..=128, Garbage::Refused)
            .and_then(|length| u8::try_from(length).ok())
            .map(Granularity::Prefix),
    };
    let Some(granularity) = granularity else {
        return;
    };
    set(reading, |server| {
        server.family.get_or_insert(granularity.family());
        server.persistence_granularity = Some(granularity);
        server
            .persistence_timeout
            .get_or_insert(DEFAULT_PERSISTENCE);
    });
}

/// An IPv4 mask.
///
/// DEVIATION(keepalived): a bare `24` is the mask 0.0.0.24 there, which puts nearly all clients together; here it is the
/// prefix length that was meant.
fn netmask(reading: &mut Reading<'_>, statement: &Statement) -> Option<Granularity> {
    let text = statement.argument(1);
    if let Ok(mask) = text.parse() {
        return Some(Granularity::Mask(mask));
    }
    if let Ok(length @ 1..=32) = text.parse::<u32>() {
        let mask = Ipv4Addr::from_bits(u32::MAX << (32 - length));
        let message = format!("'{text}' is no netmask; {mask} is used");
        let diagnostic = Diagnostic::warning(Class::Uncounted, message).help(format!(
            "write {mask}; keepalived takes '{text}' for the mask 0.0.0.{text}"
        ));
        reading.complain(statement, 1, diagnostic);
        return Some(Granularity::Mask(mask));
    }
    let diagnostic = Diagnostic::error(
        Class::General,
        format!("persistence_granularity: '{text}' is no netmask; it is ignored"),
    )
    .help("such as 255.255.255.0")
    .keepalived(format!(
        "Invalid IPv4 persistence_granularity specified - {text}"
    ));
    reading.complain(statement, 1, diagnostic);
    None
}

/// A script; the first of two is kept.
fn quorum_script(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut VirtualServerDraft) -> &mut Option<CommandDraft>,
) {
    let given = |server: &mut Box<VirtualServerDraft>| slot(server).is_some();
    if reading.lvs.server.as_mut().is_some_and(given) {
        twice(reading, statement);
        return;
    }
    if let Some(command) = command(reading, statement) {
        set(reading, |server| *slot(server) = Some(command));
    }
}

/// The last of two counts.
fn sorry_server(reading: &mut Reading<'_>, statement: &Statement) {
    let Some((address, port)) = end_point(reading, statement) else {
        return;
    };
    let span = statement.whole();
    set(reading, |server| {
        server.sorry_server = Some(SorryServerDraft {
            address,
            port,
            span,
            lvs_method: server.lvs_method,
            inhibit: false,
        });
    });
}

/// Changes the sorry server, which must stand before the keyword.
fn with_sorry_server(
    reading: &mut Reading<'_>,
    statement: &Statement,
    change: impl FnOnce(&mut SorryServerDraft),
) {
    let server = reading.lvs.server.as_mut();
    if let Some(sorry) = server.and_then(|server| server.sorry_server.as_mut()) {
        change(sorry);
        return;
    }
    let name = statement.argument(0);
    let diagnostic = Diagnostic::error(
        Class::General,
        format!("{name} is ignored: there is no sorry server before it"),
    )
    .help("sorry_server stands above it");
    reading.complain(statement, 0, diagnostic);
}

#[cfg(test)]
mod tests;
