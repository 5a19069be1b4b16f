//! `SMTP_CHECK { ... }`, and the old `host { ... }` within it.

use super::super::arguments::optional;
use super::super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::checkers::{CheckerBlock, CheckerDraft, ConnectionDraft, PaceDraft};
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &[super::SMTP],
    ..super::super::ROW
};

pub(in crate::keywords) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "helo_name",
        arguments: optional("NAME"),
        default: "smtpchecker.keepalived.org",
        help: "what the check calls itself",
        role: Role::Set(|r, s| super::text(r, s, |checker| &mut checker.smtp.helo_name)),
        ..ROW
    },
    Keyword {
        name: "host",
        help: "old: a destination; each one is a check of its own. Write one SMTP_CHECK for each",
        role: Role::Block {
            open: open_host,
            close: close_host,
        },
        ..ROW
    },
];

/// The draft of the SMTP_CHECK waits in that of its host, so that the shared keywords find the host where they find any
/// checker.
///
/// DEVIATION(keepalived): there the keywords of a host count for the SMTP_CHECK around it.
fn open_host(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    let message = "'host' is an old spelling: each one is a check of its own";
    let diagnostic =
        Diagnostic::warning(Class::Uncounted, message).help("write one SMTP_CHECK for each");
    reading.complain(statement, 0, diagnostic);
    let host = CheckerDraft::new(CheckerBlock::Smtp, statement.whole());
    let around = std::mem::replace(&mut reading.checker, host);
    reading.checker.smtp.around = Some(Box::new(around));
    true
}

fn close_host(reading: &mut Reading<'_>, _: &Statement) {
    if let Some(around) = reading.checker.smtp.around.take() {
        let host = std::mem::replace(&mut reading.checker, *around);
        reading.checker.smtp.hosts.push(host);
    }
}

/// Ends an SMTP_CHECK. Hosts take its place, unless it names a destination itself.
pub(super) fn close(reading: &mut Reading<'_>, statement: &Statement) {
    let hosts = std::mem::take(&mut reading.checker.smtp.hosts);
    let checker = &reading.checker;
    let hosts: Vec<CheckerDraft> = hosts
        .into_iter()
        .map(|mut host| {
            host.end = statement.end();
            host.pace = pace_over(host.pace, &checker.pace);
            host.connection = connection_over(host.connection, &checker.connection);
            host.smtp.helo_name = checker.smtp.helo_name.clone();
            host
        })
        .collect();
    let connection = &checker.connection;
    if hosts.is_empty() || connection.connect_ip.is_some() || connection.connect_port.is_some() {
        super::finish(reading, statement, |_, _| true);
    }
    reading.checkers.extend(hosts);
}

/// What a host does not say for itself is as the SMTP_CHECK says.
fn pace_over(host: PaceDraft, around: &PaceDraft) -> PaceDraft {
    PaceDraft {
        retry: host.retry.or(around.retry),
        delay_before_retry: host.delay_before_retry.or(around.delay_before_retry),
        warmup: host.warmup.or(around.warmup),
        delay_loop: host.delay_loop.or(around.delay_loop),
        alpha: host.alpha.or(around.alpha),
        log_all_failures: host.log_all_failures.or(around.log_all_failures),
    }
}

fn connection_over(host: ConnectionDraft, around: &ConnectionDraft) -> ConnectionDraft {
    ConnectionDraft {
        bound_first: host.bound_first && host.connect_ip.is_some(),
        connect_ip: host.connect_ip.or_else(|| around.connect_ip.clone()),
        connect_port: host.connect_port.or(around.connect_port),
        bindto: host.bindto.or_else(|| around.bindto.clone()),
        bind_port: host.bind_port.or(around.bind_port),
        bind_if: host.bind_if.or(around.bind_if),
        connect_timeout: host.connect_timeout.or(around.connect_timeout),
        fwmark: host.fwmark.or(around.fwmark),
    }
}

#[cfg(test)]
mod tests;
