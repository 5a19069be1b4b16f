//! `real_server ADDRESS [PORT] { ... }`, without its checks.

use lvs::settings::Forwarding;
use types::Family;

use super::arguments::{SWITCH_WORD, integer, required};
use super::scripts::{command, twice};
use super::servers::{REAL_SERVER, end_point};
use super::virtual_server::method::{METHOD, method};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::CommandDraft;
use crate::draft::lvs::RealServerDraft;
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &[REAL_SERVER],
    ..super::ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        blocks: &["virtual_server"],
        name: "real_server",
        arguments: required("ADDRESS [PORT]"),
        default: "the virtual server's port",
        help: "a server that gets a share",
        role: Role::Block { open, close },
        ..ROW
    },
    Keyword {
        name: "weight",
        arguments: integer(0, 2_147_483_647),
        default: "the virtual server's weight",
        help: "its share; 0: no new connections",
        role: Role::Set(|r, s| {
            if let Some(weight) = r.fits(s) {
                set(r, |real| real.weight = Some(weight));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "lvs_method",
        arguments: METHOD,
        default: "the virtual server's lvs_method",
        help: "how packets get there",
        role: Role::Set(|r, s| {
            if let Some(method) = method(r, s) {
                set(r, |real| real.lvs_method = Some(method));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "uthreshold",
        arguments: integer(0, 4_294_967_295),
        default: "0",
        help: "with so many connections it gets no more; 0: no limit",
        role: Role::Set(|r, s| {
            if let Some(number) = r.fits(s) {
                set(r, |real| real.uthreshold = number);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "lthreshold",
        arguments: integer(0, 4_294_967_295),
        default: "0",
        help: "below so many connections it gets new ones again; 0: three quarters of uthreshold",
        role: Role::Set(|r, s| {
            if let Some(number) = r.fits(s) {
                set(r, |real| real.lthreshold = number);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "inhibit_on_failure",
        arguments: SWITCH_WORD,
        default: "the virtual server's",
        help: "when it fails it keeps its place, with weight 0",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                set(r, |real| real.inhibit_on_failure = Some(on));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "alpha",
        arguments: SWITCH_WORD,
        default: "the virtual server's",
        help: "it is down until its checks have succeeded",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                set(r, |real| real.alpha = Some(on));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "notify_up",
        shell_words: true,
        arguments: required("COMMAND [USER [[:]GROUP]]"),
        default: "none",
        help: "run when the server goes up",
        role: Role::Set(|r, s| notify(r, s, |real| &mut real.notify_up)),
        ..ROW
    },
    Keyword {
        name: "notify_down",
        shell_words: true,
        arguments: required("COMMAND [USER [[:]GROUP]]"),
        default: "none",
        help: "run when the server goes down",
        role: Role::Set(|r, s| notify(r, s, |real| &mut real.notify_down)),
        ..ROW
    },
];

fn set(reading: &mut Reading<'_>, set: impl FnOnce(&mut RealServerDraft)) {
    if let Some(real) = &mut reading.lvs.real {
        set(real);
    }
}

fn open(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    // The want of an argument was reported already.
    let Some(_) = statement.word(1) else {
        return false;
    };
    let Some((address, port)) = end_point(reading, statement) else {
        return false;
    };
    let method = reading
        .lvs
        .server
        .as_ref()
        .and_then(|server| server.lvs_method);
    reading.checkers.clear();
    let draft = RealServerDraft::new(address, port, method, statement.whole());
    reading.lvs.real = Some(Box::new(draft));
    true
}

/// Adds the server to its service, if it is of the same family or behind a tunnel.
fn close(reading: &mut Reading<'_>, _: &Statement) {
    let checkers = std::mem::take(&mut reading.checkers);
    let (Some(mut real), Some(server)) = (reading.lvs.real.take(), &mut reading.lvs.server) else {
        return;
    };
    let family = Family::of(real.address);
    if !matches!(real.lvs_method, Some(Forwarding::Tunnel(_))) {
        let wanted = *server.family.get_or_insert(family);
        if wanted != family {
            let address = real.address;
            let message = format!(
                "real server {address} is left out: it is {family}, the virtual server is {wanted}"
            );
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("only behind lvs_method TUN may the families differ")
                .keepalived(format!(
                    "Address family of virtual server and real server {address} don't match - skipping real server."
                ));
            reading.report.at(real.span, diagnostic);
            return;
        }
    }
    real.checkers = checkers;
    server.real_servers.push(*real);
}

/// A script; the first of two is kept.
fn notify(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut RealServerDraft) -> &mut Option<Box<CommandDraft>>,
) {
    let given = |real: &mut Box<RealServerDraft>| slot(real).is_some();
    if reading.lvs.real.as_mut().is_some_and(given) {
        twice(reading, statement);
        return;
    }
    if let Some(command) = command(reading, statement) {
        set(reading, |real| *slot(real) = Some(Box::new(command)));
    }
}

#[cfg(test)]
mod tests;
