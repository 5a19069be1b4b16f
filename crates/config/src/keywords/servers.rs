//! What virtual and real servers have in common, and the arguments they are written with.

use std::net::IpAddr;

use lvs::settings::checkers::Microseconds;

use super::arguments::{SWITCH_WORD, decimal, optional, strict_integer};
use super::{Keyword, PENDING, Role, pending};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::lvs::TimingDraft;
use crate::read::{Garbage, Reading};

#[cfg(test)]
pub(crate) mod testing;

const ROW: Keyword = Keyword {
    blocks: &["virtual_server", REAL_SERVER],
    ..super::ROW
};

/// The path of a real server's block.
pub(super) const REAL_SERVER: &str = "virtual_server/real_server";

/// Microseconds; the most that keepalived's timers hold.
const FOREVER: u64 = u64::MAX - 1;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "retry",
        arguments: strict_integer(1, 4_294_967_295),
        default: "1; MISC_CHECK 0, DNS_CHECK 3",
        help: "further attempts of a check before its failure counts",
        role: Role::Set(|r, s| {
            if let Some(retry) = r.fits(s) {
                set_timing(r, |timing| timing.retry = Some(retry));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "delay_before_retry",
        arguments: decimal(0, FOREVER, 6),
        default: "1; HTTP_GET and SSL_GET 3, DNS_CHECK its delay_loop",
        help: "seconds from a failed attempt to the next one",
        role: Role::Set(|r, s| {
            if let Some(time) = r.decimal(s).map(Microseconds) {
                set_timing(r, |timing| timing.delay_before_retry = Some(time));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "warmup",
        arguments: decimal(0, FOREVER, 6),
        default: "delay_loop",
        help: "first checks are spread over so many seconds; 0: all begin at once",
        role: Role::Set(|r, s| {
            if let Some(time) = r.decimal(s).map(Microseconds) {
                set_timing(r, |timing| timing.warmup = Some(time));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "connect_timeout",
        arguments: decimal(1, 4_294_967_295, 6),
        default: "5",
        help: "seconds that a check may take to connect",
        role: Role::Set(|r, s| {
            if let Some(time) = r.decimal(s).map(Microseconds) {
                set_timing(r, |timing| timing.connect_timeout = Some(time));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "delay_loop",
        arguments: decimal(1, FOREVER, 6),
        default: "60",
        help: "seconds from one check to the next",
        role: Role::Set(|r, s| {
            if let Some(time) = r.decimal(s).map(Microseconds) {
                set_timing(r, |timing| timing.delay_loop = Some(time));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "smtp_alert",
        arguments: SWITCH_WORD,
        default: "smtp_alert_checker, else the global smtp_alert, else off for a virtual and on for a real server",
        help: "mail about changes of state",
        role: Role::Set(|r, s| {
            let Some(on) = r.boolean(s) else { return };
            let (server, real) = (r.lvs.server.as_mut(), r.lvs.real.as_mut());
            let slot = if r.block == REAL_SERVER {
                real.map(|real| &mut real.smtp_alert)
            } else {
                server.map(|server| &mut server.smtp_alert)
            };
            if let Some(slot) = slot {
                *slot = Some(on);
            }
        }),
        pending: pending("no mail is sent"),
        ..ROW
    },
    Keyword {
        name: "virtualhost",
        arguments: optional("NAME"),
        default: "none; a real server: its virtual server's",
        help: "Host header of HTTP_GET and SSL_GET",
        role: Role::Set(|r, s| {
            let Some(host) = r.octets(s, 1) else { return };
            let (server, real) = (r.lvs.server.as_mut(), r.lvs.real.as_mut());
            let slot = if r.block == REAL_SERVER {
                real.map(|real| &mut real.virtualhost)
            } else {
                server.map(|server| &mut server.virtualhost)
            };
            if slot.is_some_and(|slot| slot.replace(host).is_some()) {
                last_counts(r, s);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "snmp_name",
        arguments: optional("NAME"),
        default: "none",
        help: "a label for SNMP; one word",
        role: Role::Set(|r, s| {
            if s.is_damaged() {
                return;
            }
            if s.len() != 2 {
                let message = "snmp_name needs exactly one word and is ignored";
                let diagnostic = Diagnostic::error(Class::General, message)
                    .help("a name with blanks stands between double quotes");
                r.report.at(s.whole(), diagnostic);
                return;
            }
            let Some(text) = r.text(s, 1) else { return };
            let (server, real) = (r.lvs.server.as_mut(), r.lvs.real.as_mut());
            let slot = if r.block == REAL_SERVER {
                real.map(|real| &mut real.snmp_name)
            } else {
                server.map(|server| &mut server.snmp_name)
            };
            if slot.is_some_and(|slot| slot.replace(text).is_some()) {
                last_counts(r, s);
            }
        }),
        pending: PENDING,
        ..ROW
    },
];

/// Sets a time of the server whose block is read.
fn set_timing(reading: &mut Reading<'_>, set: impl FnOnce(&mut TimingDraft)) {
    let (server, real) = (reading.lvs.server.as_mut(), reading.lvs.real.as_mut());
    let timing = if reading.block == REAL_SERVER {
        real.map(|real| &mut real.timing)
    } else {
        server.map(|server| &mut server.timing)
    };
    if let Some(timing) = timing {
        set(timing);
    }
}

/// Says that the last of two is used.
pub(super) fn last_counts(reading: &mut Reading<'_>, statement: &Statement) {
    let message = format!(
        "{} is given twice; the last one is used",
        statement.argument(0)
    );
    reading.complain(statement, 0, Diagnostic::warning(Class::General, message));
}

/// The port that may stand as the n-th word; 0: none does, or it is all zeros. Anything else is reported and `None`.
pub(super) fn port(reading: &mut Reading<'_>, statement: &Statement, index: usize) -> Option<u16> {
    let Some(text) = statement.word(index) else {
        return Some(0);
    };
    if !text.is_empty() && text.bytes().all(|byte| byte == b'0') {
        return Some(0);
    }
    let port = reading.number_called("port", statement, index, 1..=65535, Garbage::Tolerated)?;
    u16::try_from(port).ok()
}

/// Says that a word is missing without which keepalived ends at once.
pub(super) fn lacks(reading: &mut Reading<'_>, statement: &Statement, what: &str, help: &str) {
    let message = format!("{} lacks {what}", statement.argument(0));
    let diagnostic = Diagnostic::error(Class::MissingParameter, message)
        .help(help)
        .fatal();
    reading.report.at(statement.whole(), diagnostic);
}

/// `ADDRESS [PORT]`; `None`: either is bad, which was reported. As in keepalived, a bad port is not passed over for a bad
/// address.
pub(super) fn end_point(reading: &mut Reading<'_>, statement: &Statement) -> Option<(IpAddr, u16)> {
    let port = port(reading, statement, 2);
    Some((reading.address(statement)?, port?))
}

/// Whether a switch is on that takes no argument.
///
/// DEVIATION(keepalived): there `alpha off` switches on, for the word is passed over; here it means what it says, and
/// that is said.
pub(super) fn bare_switch(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    let name = statement.argument(0);
    let (on, message) = match statement.word(1) {
        None | Some("on" | "true" | "yes") => return true,
        Some(word @ ("off" | "false" | "no")) => {
            (false, format!("'{name} {word}' switches {name} off"))
        }
        Some(word) => (
            true,
            format!("{name} takes no argument; '{word}' is passed over"),
        ),
    };
    let diagnostic = Diagnostic::warning(Class::Uncounted, message).help(if on {
        format!("write '{name}'")
    } else {
        format!(
            "keepalived passes the word over and switches {name} on; leave the line out for both"
        )
    });
    reading.complain(statement, 1, diagnostic);
    on
}
