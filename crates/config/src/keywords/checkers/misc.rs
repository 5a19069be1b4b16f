//! `MISC_CHECK { ... }`.

use lvs::settings::checkers::Microseconds;

use super::super::arguments::{NONE, integer, optional};
use super::super::{Keyword, Role, scripts};
use crate::diagnostics::{Class, Diagnostic};
use crate::draft::At;
use crate::draft::checkers::CheckerDraft;
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &[super::MISC],
    ..super::super::ROW
};

pub(in crate::keywords) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "misc_path",
        shell_words: true,
        arguments: optional("\"COMMAND ARGUMENTS\""),
        default: "required",
        help: "the command; status 0 is success",
        role: Role::Set(|r, s| {
            if s.word(1).is_none() {
                return;
            }
            let Some((value, rest)) = scripts::command_line(r, s, Class::Uncounted) else {
                return;
            };
            if !rest.is_empty() {
                let message = format!(
                    "misc_path: the words behind '{}' are ignored",
                    s.argument(1)
                );
                let help = "put the command and its arguments between double quotes";
                r.report.at(
                    s.span_from(2),
                    Diagnostic::warning(Class::Uncounted, message).help(help),
                );
            }
            r.checker.misc.argv = Some(At {
                value,
                span: s.span_from(1),
            });
        }),
        ..ROW
    },
    Keyword {
        name: "misc_timeout",
        arguments: integer(0, 4294),
        default: "the virtual server's delay_loop",
        help: "seconds until the command is killed; 0: the default",
        role: Role::Set(|r, s| {
            if let Some(seconds) = r.fits::<u32>(s) {
                r.checker.misc.timeout = (seconds > 0).then(|| Microseconds::from_secs(seconds));
            }
        }),
        ..ROW
    },
    Keyword {
        name: "misc_dynamic",
        arguments: NONE,
        default: "off",
        help: "an exit status from 2 to 255 is success, and a weight",
        role: Role::Set(|r, s| {
            r.checker.misc.dynamic = true;
            if matches!(s.argument(1), "off" | "false" | "no") {
                let message = "misc_dynamic takes no argument: it is on";
                let diagnostic = Diagnostic::warning(Class::Uncounted, message)
                    .help("remove the line to have it off");
                r.complain(s, 1, diagnostic);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "user",
        arguments: optional("USER [[:]GROUP]"),
        default: "script_user",
        help: "whom to run the command as",
        role: Role::Set(|r, s| {
            if r.checker.removed || r.required(s, 1).is_none() {
                return;
            }
            let found = r.user(s.argument(1), s.word(2));
            match found {
                Ok(user) => r.checker.misc.user = Some(user),
                Err(unknown) => {
                    let message = format!(
                        "this MISC_CHECK is dropped: there is no user or group '{unknown}'"
                    );
                    let diagnostic =
                        Diagnostic::error(Class::General, message).keepalived(format!(
                            "Failed to set uid/gid for misc checker script {} - removing",
                            command(&r.checker)
                        ));
                    r.checker.removed = true;
                    r.complain(s, 1, diagnostic);
                }
            }
        }),
        ..ROW
    },
];

/// Ends a MISC_CHECK: it needs a command and somebody to run it as.
pub(super) fn judge(reading: &mut Reading<'_>, checker: &mut CheckerDraft) -> bool {
    if checker.misc.argv.is_none() {
        super::lacks(
            reading,
            checker,
            "misc_path",
            "add 'misc_path \"COMMAND ARGUMENTS\"'",
            "No script path has been specified for MISC_CHECKER - skipping",
        );
        return false;
    }
    if checker.misc.user.is_none() {
        checker.misc.user = reading.default_user();
    }
    if checker.misc.user.is_none() {
        let message = "this MISC_CHECK is dropped: there is no user to run its command as";
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("name an existing one with script_user in global_defs, or with user here")
            .keepalived(format!(
                "Unable to set default user for misc script '{}' - removing",
                command(checker)
            ));
        reading.report.at(checker.span, diagnostic);
        return false;
    }
    true
}

/// The command's name, for a message.
fn command(checker: &CheckerDraft) -> &str {
    let argv = checker.misc.argv.as_ref().map(|at| &at.value);
    argv.and_then(|argv| argv.first())
        .map_or("", String::as_str)
}

#[cfg(test)]
mod tests;
