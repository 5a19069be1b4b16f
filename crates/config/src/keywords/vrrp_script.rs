//! `vrrp_script NAME { ... }`.

use std::time::Duration;

use super::arguments::{decimal, integer, optional, required};
use super::{Keyword, Role};
use crate::diagnostics::mask::mask;
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{At, ScriptDraft};
use crate::foreign::sign_of_value;
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &["vrrp_script"],
    ..super::ROW
};

/// Milliseconds; keepalived's limit.
const LONGEST: u64 = 4_294_000;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "script",
        shell_words: true,
        arguments: optional("\"COMMAND ARGUMENTS\""),
        default: "required",
        help: "the command; status 0 is success",
        role: Role::Set(|r, s| {
            r.script.removed |= s.is_damaged();
            if r.required(s, 1).is_none() {
                return;
            }
            let Some((value, rest)) = super::scripts::command_line(r, s, Class::Uncounted) else {
                return;
            };
            if !rest.is_empty() {
                let message = format!("script: the words behind '{}' are ignored", s.argument(1));
                let words = s
                    .raw()
                    .strip_prefix(s.argument(0))
                    .unwrap_or_default()
                    .trim();
                let help = if words.contains('"') {
                    "put the command and its arguments between double quotes".to_owned()
                } else {
                    let line = mask(&format!("script \"{words}\""), 0..0).0;
                    format!("quote the command with its arguments: {line}")
                };
                let diagnostic = Diagnostic::warning(Class::Uncounted, message)
                    .help(help)
                    .following(sign_of_value(s.argument(1)).is_some());
                r.report.at(s.span_from(2), diagnostic);
            }
            r.script.argv = Some(At {
                value,
                span: s.span_from(1),
            });
        }),
        ..ROW
    },
    Keyword {
        name: "interval",
        arguments: decimal(1, LONGEST, 3),
        default: "1",
        help: "time between two runs",
        role: Role::Set(|r, s| {
            if let Some(interval) = seconds(r, s) {
                r.script.interval = Some(interval);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "timeout",
        arguments: decimal(1, LONGEST, 3),
        default: "the interval",
        help: "how long a run may take",
        role: Role::Set(|r, s| {
            if let Some(timeout) = seconds(r, s) {
                r.script.timeout = Some(timeout);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "weight",
        arguments: required("-253..253 [reverse]"),
        default: "0",
        help: "what the result adds to the priority; 0: a failure is a fault",
        role: Role::Set(|r, s| {
            // DEVIATION(keepalived): there a weight out of range is reported and used all the same.
            if let Some(weight) = super::tracking::weight_of(r, s, 1) {
                r.script.weight = weight;
            }
            match s.word(2) {
                None => {}
                Some("reverse") => r.script.reverse = true,
                Some(other) => {
                    let message = format!("unknown word '{other}' behind a weight is ignored");
                    r.complain(
                        s,
                        2,
                        Diagnostic::error(Class::General, message).help("reverse"),
                    );
                }
            }
        }),
        ..ROW
    },
    Keyword {
        name: "rise",
        arguments: integer(1, 2_147_483_647),
        default: "1",
        help: "successes in a row that make it good",
        role: Role::Set(|r, s| r.script.rise = r.fits(s).unwrap_or(1)),
        ..ROW
    },
    Keyword {
        name: "fall",
        arguments: integer(1, 2_147_483_647),
        default: "1",
        help: "failures in a row that make it bad",
        role: Role::Set(|r, s| r.script.fall = r.fits(s).unwrap_or(1)),
        ..ROW
    },
    Keyword {
        name: "user",
        arguments: required("USER [[:]GROUP]"),
        default: "script_user",
        help: "whom to run it as",
        role: Role::Set(|r, s| {
            let found = r.user(s.argument(1), s.word(2));
            match found {
                Ok(user) => r.script.user = Some(user),
                Err(unknown) => {
                    let diagnostic = Diagnostic::error(
                        Class::General,
                        format!(
                            "script {} is removed: there is no user or group '{unknown}'",
                            r.script.name
                        ),
                    )
                    .keepalived(format!(
                        "Unable to set uid/gid for vrrp script {} - removing",
                        r.script.name
                    ));
                    r.script.removed = true;
                    r.complain(s, 1, diagnostic);
                }
            }
        }),
        ..ROW
    },
    Keyword {
        name: "init_fail",
        help: "no effect, as in keepalived 2.4.3",
        role: Role::Ignored,
        ..ROW
    },
];

/// Seconds with three decimals; 0 becomes 1.
fn seconds(reading: &mut Reading<'_>, statement: &Statement) -> Option<Duration> {
    let is_zero = |text: &str| text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if statement.word(1).is_some_and(is_zero) {
        let message = format!("{} cannot be 0, 1 is used", statement.argument(0));
        reading.complain(statement, 1, Diagnostic::warning(Class::General, message));
        return Some(Duration::from_secs(1));
    }
    reading.decimal(statement).map(Duration::from_millis)
}

/// Begins a script.
pub(super) fn open(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    let Some(script) = super::root::script(reading, statement) else {
        return false;
    };
    reading.script = script;
    true
}

/// Ends it: without a command or a user it does not exist for those who track it.
pub(super) fn close(reading: &mut Reading<'_>, statement: &Statement) {
    let mut script = std::mem::replace(
        &mut reading.script,
        ScriptDraft::new(String::new(), statement.whole()),
    );
    let name = script.name.clone();
    if script.removed {
        reading.names.removed_scripts.insert(name);
        return;
    }
    if script.argv.is_none() {
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("script {name} has no command and is removed"),
        )
        .help("script \"COMMAND ARGUMENTS\"")
        .keepalived(format!("No script set for vrrp_script {name} - removing"));
        reading.complain(statement, 1, diagnostic);
        reading.names.removed_scripts.insert(name);
        return;
    }
    if script.user.is_none() {
        script.user = reading.default_user();
    }
    if script.user.is_none() {
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("script {name} is removed: there is no user to run it as"),
        )
        .help("name an existing one with script_user")
        .keepalived(format!(
            "Unable to set default user for vrrp script {name} - removing"
        ));
        reading.complain(statement, 1, diagnostic);
        reading.names.removed_scripts.insert(name);
        return;
    }
    if reading.names.scripts.contains_key(&name) {
        let message = format!("script {name} is defined twice; the first one is used");
        reading.complain(statement, 1, Diagnostic::warning(Class::Uncounted, message));
        return;
    }
    reading
        .names
        .scripts
        .insert(name, (script.weight, script.reverse));
    reading.draft.scripts.push(script);
}
