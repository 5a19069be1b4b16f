//! The checkers of a real server: their blocks, and the keywords that several of them share.
//!
//! What only one kind of checker has is in the file of that kind.

use std::num::NonZeroU16;

use lvs::settings::Octets;
use lvs::settings::checkers::Microseconds;
use types::IfName;

use super::arguments::{Arguments, NONE, SWITCH_WORD, decimal, integer, required};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::At;
use crate::draft::checkers::{CheckerBlock, CheckerDraft};
use crate::read::Reading;

pub(super) mod dns;
pub(super) mod http;
pub(super) mod misc;
pub(super) mod smtp;
pub(super) mod state;
pub(super) mod udp;

const MISC: &str = "virtual_server/real_server/MISC_CHECK";
const SMTP: &str = "virtual_server/real_server/SMTP_CHECK";
const HOST: &str = "virtual_server/real_server/SMTP_CHECK/host";
const TCP: &str = "virtual_server/real_server/TCP_CHECK";
const PING: &str = "virtual_server/real_server/PING_CHECK";
const UDP: &str = "virtual_server/real_server/UDP_CHECK";
const HTTP: &str = "virtual_server/real_server/HTTP_GET";
const SSL: &str = "virtual_server/real_server/SSL_GET";
const DNS: &str = "virtual_server/real_server/DNS_CHECK";
const FILE: &str = "virtual_server/real_server/FILE_CHECK";
const BFD: &str = "virtual_server/real_server/BFD_CHECK";

/// A block in a real server.
const BLOCK: Keyword = Keyword {
    blocks: &["virtual_server/real_server"],
    arguments: NONE,
    ..super::ROW
};

/// A keyword of the checkers that have a socket.
const CONNECTION: Keyword = Keyword {
    blocks: &[SMTP, HOST, TCP, PING, UDP, HTTP, SSL, DNS],
    ..super::ROW
};

/// A keyword of the checkers that act by themselves.
const PACE: Keyword = Keyword {
    blocks: &[SMTP, HOST, TCP, PING, UDP, HTTP, SSL, DNS, MISC],
    ..super::ROW
};

/// The largest number of 32 bits.
const U32: i64 = 4_294_967_295;
/// A timer that may be zero, in seconds.
const TIME: Arguments = decimal(0, u64::MAX - 1, 6);

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "MISC_CHECK",
        help: "the exit status of a command decides; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::Misc),
            close: |r, s| finish(r, s, misc::judge),
        },
        ..BLOCK
    },
    Keyword {
        name: "SMTP_CHECK",
        help: "a mail server must greet; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::Smtp),
            close: smtp::close,
        },
        ..BLOCK
    },
    Keyword {
        name: "TCP_CHECK",
        help: "a TCP connection must open; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::Tcp),
            close: |r, s| finish(r, s, |_, _| true),
        },
        ..BLOCK
    },
    Keyword {
        name: "PING_CHECK",
        help: "an ICMP echo request must be answered; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::Ping),
            close: |r, s| finish(r, s, |_, _| true),
        },
        ..BLOCK
    },
    Keyword {
        name: "UDP_CHECK",
        help: "a datagram must not be refused, or must be answered; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::Udp),
            close: |r, s| finish(r, s, udp::judge),
        },
        ..BLOCK
    },
    Keyword {
        name: "HTTP_GET",
        help: "pages must have the right status and content; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::Http),
            close: |r, s| finish(r, s, http::judge),
        },
        ..BLOCK
    },
    Keyword {
        name: "SSL_GET",
        help: "HTTP_GET over TLS; the server's certificate is not verified; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::Ssl),
            close: |r, s| finish(r, s, http::judge),
        },
        ..BLOCK
    },
    Keyword {
        name: "DNS_CHECK",
        help: "a name server must answer; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::Dns),
            close: |r, s| finish(r, s, |_, _| true),
        },
        ..BLOCK
    },
    Keyword {
        name: "FILE_CHECK",
        help: "the number in a track_file decides, or adds to the weight; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::File),
            close: |r, s| finish(r, s, state::judge_file),
        },
        ..BLOCK
    },
    Keyword {
        name: "BFD_CHECK",
        help: "the session of a bfd_instance must be up; repeatable",
        role: Role::Block {
            open: |r, s| open(r, s, CheckerBlock::Bfd),
            close: |r, s| finish(r, s, state::judge_bfd),
        },
        ..BLOCK
    },
    Keyword {
        name: "connect_ip",
        arguments: required("ADDRESS"),
        default: "the real server's address",
        help: "where to connect to",
        role: Role::Set(|r, s| {
            r.checker.connection.connect_ip = r.address(s).map(|value| At {
                value,
                span: s.span(1),
            });
        }),
        ..CONNECTION
    },
    Keyword {
        name: "connect_port",
        arguments: integer(1, 65535),
        default: "the real server's port",
        help: "the port to connect to",
        role: Role::Set(|r, s| {
            if let Some(port) = port(r, s) {
                r.checker.connection.connect_port = Some(port);
            }
        }),
        ..CONNECTION
    },
    Keyword {
        name: "bindto",
        arguments: required("ADDRESS"),
        help: "the address to connect from; of the family of connect_ip, which stands before it",
        role: Role::Set(|r, s| {
            let address = r.address(s);
            let connection = &mut r.checker.connection;
            connection.bound_first = connection.connect_ip.is_none();
            connection.bindto = address.map(|value| At {
                value,
                span: s.span(1),
            });
        }),
        ..CONNECTION
    },
    Keyword {
        name: "bind_port",
        arguments: integer(1, 65535),
        help: "the port to connect from",
        role: Role::Set(|r, s| {
            if let Some(port) = port(r, s) {
                r.checker.connection.bind_port = Some(port);
            }
        }),
        ..CONNECTION
    },
    Keyword {
        name: "bind_if",
        arguments: required("INTERFACE"),
        help: "the interface to connect through; a link-local destination needs it",
        role: Role::Set(|r, s| match IfName::new(s.argument(1)) {
            Ok(name) => r.checker.connection.bind_if = Some(name),
            Err(error) => {
                // keepalived only looks at the length.
                let text = s.argument(1);
                let class = if text.len() > IfName::MAX_LENGTH {
                    Class::General
                } else {
                    Class::Uncounted
                };
                let diagnostic = Diagnostic::error(class, format!("bind_if: {error}"))
                    .keepalived(format!("Interface name {text} is too long - ignoring"));
                r.complain(s, 1, diagnostic);
            }
        }),
        ..CONNECTION
    },
    Keyword {
        name: "connect_timeout",
        arguments: decimal(1, 4_294_967_295, 6),
        default: "5",
        help: "how long each step may take; else as the servers say",
        role: Role::Set(|r, s| {
            if let Some(time) = time(r, s) {
                r.checker.connection.connect_timeout = Some(time);
            }
        }),
        ..CONNECTION
    },
    Keyword {
        name: "fwmark",
        arguments: integer(0, U32),
        default: "0",
        help: "the mark on packets of the check",
        role: Role::Set(|r, s| {
            if let Some(mark) = r.fits(s) {
                r.checker.connection.fwmark = Some(mark);
            }
        }),
        ..CONNECTION
    },
    Keyword {
        name: "retry",
        arguments: integer(0, U32),
        default: "1; MISC_CHECK 0, DNS_CHECK 3",
        help: "further attempts before a failure counts; else as the servers say",
        role: Role::Set(retry),
        ..PACE
    },
    Keyword {
        name: "delay_before_retry",
        arguments: TIME,
        default: "1; HTTP_GET and SSL_GET 3, DNS_CHECK its delay_loop",
        help: "from a failed attempt to the next one; else as the servers say",
        role: Role::Set(|r, s| {
            if let Some(time) = time(r, s) {
                r.checker.pace.delay_before_retry = Some(time);
            }
        }),
        ..PACE
    },
    Keyword {
        name: "warmup",
        arguments: TIME,
        default: "the delay_loop",
        help: "the first check begins a random part of this later; else as the servers say",
        role: Role::Set(|r, s| {
            if let Some(time) = time(r, s) {
                r.checker.pace.warmup = Some(time);
            }
        }),
        ..PACE
    },
    Keyword {
        name: "delay_loop",
        arguments: decimal(1, u64::MAX - 1, 6),
        default: "60",
        help: "from one check to the next one; else as the servers say",
        role: Role::Set(|r, s| {
            if let Some(time) = time(r, s) {
                r.checker.pace.delay_loop = Some(time);
            }
        }),
        ..PACE
    },
    Keyword {
        blocks: &[SMTP, HOST, TCP, PING, UDP, HTTP, SSL, DNS, MISC, BFD],
        name: "alpha",
        arguments: SWITCH_WORD,
        default: "as the servers say",
        help: "the real server is down until this check has succeeded",
        role: Role::Set(|r, s| {
            if let Some(alpha) = r.boolean(s) {
                r.checker.pace.alpha = Some(alpha);
            }
        }),
        ..PACE
    },
    Keyword {
        name: "log_all_failures",
        arguments: SWITCH_WORD,
        default: "off",
        help: "attempts that are retried are logged too",
        role: Role::Set(|r, s| {
            if let Some(all) = r.boolean(s) {
                r.checker.pace.log_all_failures = Some(all);
            }
        }),
        ..PACE
    },
];

/// `retry` and its old spelling.
fn retry(reading: &mut Reading<'_>, statement: &Statement) {
    if let Some(retry) = reading.fits(statement) {
        reading.checker.pace.retry = Some(retry);
    }
}

fn port(reading: &mut Reading<'_>, statement: &Statement) -> Option<NonZeroU16> {
    reading.fits(statement).and_then(NonZeroU16::new)
}

fn time(reading: &mut Reading<'_>, statement: &Statement) -> Option<Microseconds> {
    reading.decimal(statement).map(Microseconds)
}

/// A text of which the last one counts; a second one is reported.
fn text(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut CheckerDraft) -> &mut Option<String>,
) {
    if let Some(text) = reading.text(statement, 1) {
        keep(reading, statement, slot, text);
    }
}

/// The same with bytes that need not be text.
fn octets(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut CheckerDraft) -> &mut Option<Octets>,
) {
    if let Some(octets) = reading.octets(statement, 1) {
        keep(reading, statement, slot, octets);
    }
}

fn keep<T>(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut CheckerDraft) -> &mut Option<T>,
    value: T,
) {
    if slot(&mut reading.checker).replace(value).is_some() {
        let message = format!(
            "{} is given twice; the last one is used",
            statement.argument(0)
        );
        reading.complain(statement, 0, Diagnostic::warning(Class::General, message));
    }
}

/// Begins a checker.
fn open(reading: &mut Reading<'_>, statement: &Statement, block: CheckerBlock) -> bool {
    reading.checker = CheckerDraft::new(block, statement.whole());
    true
}

/// What checkers cannot do without.
const LACKING: [&str; 4] = ["url", "misc_path", "track_file", "name"];

/// Ends a checker; one that `judge` says false to is left out.
fn finish(
    reading: &mut Reading<'_>,
    statement: &Statement,
    judge: fn(&mut Reading<'_>, &mut CheckerDraft) -> bool,
) {
    let mut checker = std::mem::replace(
        &mut reading.checker,
        CheckerDraft::new(CheckerBlock::Tcp, statement.whole()),
    );
    checker.misspelt = LACKING
        .into_iter()
        .any(|keyword| statement.misspells(keyword));
    checker.end = statement.end();
    if !checker.removed && judge(reading, &mut checker) {
        reading.checkers.push(checker);
    }
}

/// Says that a checker is left out, for it lacks something.
fn lacks(
    reading: &mut Reading<'_>,
    checker: &CheckerDraft,
    what: &str,
    help: &str,
    keepalived: &str,
) {
    let message = format!("this {} has no {what} and is dropped", checker.block.name());
    let diagnostic = Diagnostic::error(Class::General, message)
        .help(help)
        .keepalived(keepalived)
        .following(checker.misspelt);
    reading.report.at(checker.span, diagnostic);
}

#[cfg(test)]
pub(crate) mod tests;
