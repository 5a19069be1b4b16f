//! Scripts: whom they run as, whether they are trusted, and those around the life of the daemon.

use std::time::Duration;

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{CommandDraft, GlobalDraft, ScriptUser, TimedDraft};
use crate::read::Reading;

use super::super::arguments::{integer, optional};
use super::super::scripts::command_line;
use super::{Keyword, PENDING, ROW, Role, SWITCH, pending, switch, twice};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "enable_script_security",
        default: "off",
        help: "a script that somebody but root could change does not run as root",
        role: Role::Set(|r, _| r.draft.global.enable_script_security = true),
        ..ROW
    },
    Keyword {
        name: "script_user",
        arguments: optional("USER [[:]GROUP]"),
        default: "keepalived_script if that user exists, else the daemon's own",
        help: "whom scripts run as that name no user",
        role: Role::Set(script_user),
        ..ROW
    },
    Keyword {
        name: "set_supplementary_groups",
        help: "scripts get the supplementary groups of their user",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.set_supplementary_groups)),
        ..SWITCH
    },
    Keyword {
        name: "use_symlink_paths",
        help: "run scripts by the path as written, without following links",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.use_symlink_paths)),
        ..SWITCH
    },
    Keyword {
        name: "startup_script",
        shell_words: true,
        arguments: optional("COMMAND [USER [[:]GROUP]]"),
        help: "run once, before the children start",
        role: Role::Set(|r, s| around(r, s, |d| &mut d.startup)),
        pending: pending("the script does not run"),
        ..ROW
    },
    Keyword {
        name: "startup_script_timeout",
        help: "seconds until startup_script is killed",
        role: Role::Set(|r, s| timeout(r, s, |d| &mut d.startup)),
        ..TIMEOUT
    },
    Keyword {
        name: "shutdown_script",
        shell_words: true,
        arguments: optional("COMMAND [USER [[:]GROUP]]"),
        help: "run once, when the children have ended",
        role: Role::Set(|r, s| around(r, s, |d| &mut d.shutdown)),
        pending: pending("the script does not run"),
        ..ROW
    },
    Keyword {
        name: "shutdown_script_timeout",
        help: "seconds until shutdown_script is killed",
        role: Role::Set(|r, s| timeout(r, s, |d| &mut d.shutdown)),
        ..TIMEOUT
    },
];

const TIMEOUT: Keyword = Keyword {
    arguments: integer(1, 1000).optional(),
    default: "10",
    pending: PENDING,
    ..ROW
};

fn script_user(reading: &mut Reading<'_>, statement: &Statement) {
    if reading.required(statement, 1).is_none() {
        return;
    }
    let found = reading.user(statement.argument(1), statement.word(2));
    reading.draft.script_user = match found {
        Ok(user) => ScriptUser::Named(user),
        Err(unknown) => {
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("script_user: there is no user or group '{unknown}'"),
            )
            .with_note("scripts that name no user of their own are removed")
            .help("make that user, or name one that exists")
            .keepalived("Error setting global script uid/gid");
            reading.complain(statement, 1, diagnostic);
            ScriptUser::Unknown
        }
    };
}

fn around(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut GlobalDraft) -> &mut TimedDraft,
) {
    if slot(&mut reading.draft.globals).command.is_some() {
        twice(reading, statement);
    } else if let Some(command) = command(reading, statement, Class::General) {
        slot(&mut reading.draft.globals).command = Some(command);
    }
}

fn timeout(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut GlobalDraft) -> &mut TimedDraft,
) {
    if let Some(seconds) = reading.fits(statement) {
        slot(&mut reading.draft.globals).timeout = Duration::from_secs(seconds);
    }
}

/// `COMMAND [USER [[:]GROUP]]`; `class` is that of an empty command and of a user that is not there.
pub(super) fn command(
    reading: &mut Reading<'_>,
    statement: &Statement,
    class: Class,
) -> Option<CommandDraft> {
    reading.required(statement, 1)?;
    let (argv, rest) = command_line(reading, statement, class)?;
    let name = statement.argument(0);
    let user = match rest.first() {
        None => reading.default_user().ok_or_else(|| {
            Diagnostic::error(
                class,
                format!("{name} is ignored: there is no user to run it as"),
            )
            .help("name an existing one with script_user, above this line")
        }),
        Some(user) => reading
            .user(user, rest.get(1).map(String::as_str))
            .map_err(|unknown| {
                Diagnostic::error(
                    class,
                    format!("{name} is ignored: there is no user or group '{unknown}'"),
                )
                .help("a command with arguments stands between double quotes; what follows it is a user")
            }),
    };
    match user {
        Ok(user) => Some(CommandDraft {
            argv,
            user,
            span: statement.span_from(1),
        }),
        Err(diagnostic) => {
            let text = format!("Invalid {}", name.replace('_', " "));
            reading.complain(statement, 1, diagnostic.keepalived(text));
            None
        }
    }
}
