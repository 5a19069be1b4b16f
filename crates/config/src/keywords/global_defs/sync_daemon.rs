//! `lvs_sync_daemon`: options by name, and the old form with instance and id by place.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ::lvs::settings::global::SyncDaemon;
use types::IfName;

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{At, SyncDaemonDraft};
use crate::read::{Garbage, Reading};

/// The words that begin an option.
const OPTIONS: [&str; 6] = ["inst", "id", "maxlen", "port", "ttl", "group"];

pub(super) fn set(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(interface) = reading.required(statement, 1) else {
        return;
    };
    if reading.draft.globals.sync_daemon.is_some() {
        super::twice(reading, statement);
        return;
    }
    let interface = match IfName::new(interface) {
        Ok(name) => name,
        Err(error) => {
            let diagnostic = Diagnostic::error(Class::General, format!("lvs_sync_daemon: {error}"))
                .keepalived(format!(
                    "lvs_sync_daemon interface name '{interface}' too long - ignoring"
                ));
            reading.complain(statement, 1, diagnostic);
            return;
        }
    };
    let mut draft = SyncDaemonDraft {
        settings: SyncDaemon {
            interface,
            instance: None,
            id: 0,
            maxlen: None,
            port: None,
            ttl: None,
            group: None,
        },
        id: None,
    };
    let mut index = by_place(reading, statement, &mut draft);
    while index < statement.len() {
        index += option(reading, statement, index, &mut draft);
    }
    reading.draft.globals.sync_daemon = Some(At {
        value: draft,
        span: statement.whole(),
    });
}

/// The old form: the instance, and its id behind it. Hands back where the options begin.
fn by_place(
    reading: &mut Reading<'_>,
    statement: &Statement,
    draft: &mut SyncDaemonDraft,
) -> usize {
    let plain = |index| {
        statement
            .word(index)
            .is_some_and(|word| !OPTIONS.contains(&word))
    };
    if !plain(2) {
        return 2;
    }
    draft.settings.instance = reading.text(statement, 2);
    if !plain(3) {
        return 3;
    }
    draft.id = number(reading, statement, 3, 0..=255);
    if draft.id.is_some() {
        let diagnostic =
            Diagnostic::warning(Class::General, "lvs_sync_daemon: the id stands behind 'id'")
                .help(format!("id {}", statement.argument(3)))
                .keepalived("Please use keyword \"id\" before lvs_sync_daemon SYNCID");
        reading.complain(statement, 3, diagnostic);
    }
    4
}

/// One option; hands back how many words it takes.
fn option(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    draft: &mut SyncDaemonDraft,
) -> usize {
    let name = statement.argument(index);
    if !OPTIONS.contains(&name) {
        let near = crate::suggest::nearest(name, OPTIONS.into_iter());
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("lvs_sync_daemon: unknown option '{name}' is ignored"),
        )
        .maybe_help(near.map(|near| format!("did you mean '{near}'?")))
        .keepalived(format!(
            "Unknown option {name} specified for lvs_sync_daemon"
        ));
        reading.complain(statement, index, diagnostic);
        return 1;
    }
    let at = index + 1;
    if statement.word(at).is_none() {
        missing(reading, statement, index);
        return 1;
    }
    let settings = &mut draft.settings;
    match name {
        "inst" if settings.instance.is_some() => {
            let message = "lvs_sync_daemon: the instance is given twice; the first one is kept";
            reading.complain(statement, at, Diagnostic::error(Class::General, message));
        }
        "inst" => settings.instance = reading.text(statement, at),
        "id" => draft.id = number(reading, statement, at, 0..=255).or(draft.id),
        "maxlen" => {
            settings.maxlen = number(reading, statement, at, 1..=65507).or(settings.maxlen);
        }
        "port" => settings.port = number(reading, statement, at, 1..=65535).or(settings.port),
        "ttl" => settings.ttl = number(reading, statement, at, 1..=255).or(settings.ttl),
        _ => settings.group = group(reading, statement, at).or(settings.group),
    }
    2
}

/// keepalived ends at once where an instance is missing.
fn missing(reading: &mut Reading<'_>, statement: &Statement, index: usize) {
    let name = statement.argument(index);
    if statement.is_damaged() {
        return;
    }
    if name == "inst" {
        let message = "lvs_sync_daemon: inst lacks the name of an instance";
        let diagnostic = Diagnostic::error(Class::MissingParameter, message)
            .keepalived(format!(
                "*** Configuration line starting `lvs_sync_daemon` is missing a parameter after keyword `inst` at word \
                 position {}",
                index + 2
            ))
            .fatal();
        reading.complain(statement, index, diagnostic);
        return;
    }
    let message = format!("lvs_sync_daemon: {name} lacks its value and is ignored");
    let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
        "No value specified for lvs_sync_daemon {name} - ignoring"
    ));
    reading.complain(statement, index, diagnostic);
}

fn number<T: TryFrom<i64>>(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    range: RangeInclusive<i64>,
) -> Option<T> {
    let number = reading.number(statement, index, range, Garbage::Refused)?;
    T::try_from(number).ok()
}

fn group(reading: &mut Reading<'_>, statement: &Statement, index: usize) -> Option<IpAddr> {
    let text = statement.argument(index);
    let bare = text.split(['-', '/']).next().unwrap_or_default();
    let problem = match bare.parse::<IpAddr>() {
        Ok(address) if address.is_multicast() => return Some(address),
        Ok(address) => format!("lvs_sync_daemon: {address} is not a multicast address"),
        Err(_) => format!("lvs_sync_daemon: '{text}' is not an IP address"),
    };
    let diagnostic = Diagnostic::error(Class::General, problem)
        .keepalived(format!("Invalid lvs_sync_daemon group ({text}) - ignoring"));
    reading.complain(statement, index, diagnostic);
    None
}
