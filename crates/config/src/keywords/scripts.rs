//! Command lines and the users they run as.

use crate::diagnostics::mask::mask;
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{CommandDraft, NotifyDraft};
use crate::lexer::{Escapes, split_shell};
use crate::read::Reading;
use crate::settings::RunAs;

/// The words of the command line that is the statement's first argument, and the words behind it.
///
/// keepalived splits twice: first into command line, user and group, then the command line into its words. `empty`: how
/// bad it finds a command of no characters; mostly it only logs that there is no such script.
pub(super) fn command_line(
    reading: &mut Reading<'_>,
    statement: &Statement,
    empty: Class,
) -> Option<(Vec<String>, Vec<String>)> {
    let name = statement.argument(0);
    let outer = split_shell(statement.raw(), Escapes::Keep);
    let inner = outer.and_then(|words| {
        let mut words = words.into_iter().skip(1).map(|word| word.text);
        let line = words.next().unwrap_or_default();
        let rest: Vec<String> = words.collect();
        let argv: Vec<String> = if line.starts_with('<') {
            // "can this file be opened for reading" is a shell's redirection (bash's /dev/tcp included).
            vec!["sh".to_owned(), "-c".to_owned(), line]
        } else {
            split_shell(&line, Escapes::Resolve)?
                .into_iter()
                .map(|word| word.text)
                .collect()
        };
        Ok((argv, rest))
    });
    let Ok((argv, rest)) = inner else {
        let diagnostic = Diagnostic::error(
            Class::UnmatchedQuote,
            format!("{name}: a quote is not closed; it is ignored"),
        );
        reading.complain(statement, 1, diagnostic);
        return None;
    };
    if argv.first().is_none_or(String::is_empty) {
        let message = format!("{name}: the command is empty; it is ignored");
        reading.complain(statement, 1, Diagnostic::error(empty, message));
        return None;
    }
    let argv: Vec<String> = argv
        .into_iter()
        .map(|word| shown(reading, statement, word))
        .collect();
    Some((argv, rest))
}

fn shown(reading: &mut Reading<'_>, statement: &Statement, word: String) -> String {
    if !crate::bytes::has_raw(&word) {
        return word;
    }
    let message = format!(
        "{} has bytes that are not UTF-8; they are replaced",
        statement.argument(0)
    );
    reading.complain(statement, 1, Diagnostic::warning(Class::Uncounted, message));
    crate::bytes::shown(&word)
}

/// A notify script of the current block, put where `slot` says; the first of two is kept.
pub(super) fn notify(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut NotifyDraft) -> &mut Option<CommandDraft>,
) {
    if slot(reading.notify()).is_some() {
        twice(reading, statement);
        return;
    }
    if let Some(command) = command(reading, statement) {
        *slot(reading.notify()) = Some(command);
    }
}

/// `notify_deleted`, whose script may be missing.
pub(super) fn notify_deleted(reading: &mut Reading<'_>, statement: &Statement) {
    if reading.notify().deleted.is_some() {
        twice(reading, statement);
        return;
    }
    let script = if statement.word(1).is_some() {
        command(reading, statement)
    } else {
        None
    };
    reading.notify().deleted = Some(script);
}

/// Says that the first of two is kept.
pub(super) fn twice(reading: &mut Reading<'_>, statement: &Statement) {
    let message = format!(
        "{} is given twice; the first one is kept",
        statement.argument(0)
    );
    reading.complain(statement, 0, Diagnostic::warning(Class::General, message));
}

/// `COMMAND [USER [[:][GROUP]]]`.
pub(super) fn command(reading: &mut Reading<'_>, statement: &Statement) -> Option<CommandDraft> {
    let (argv, rest) = command_line(reading, statement, Class::Uncounted)?;
    let user = user_of(reading, statement, &rest)?;
    Some(CommandDraft {
        argv,
        user,
        span: statement.span_from(1),
    })
}

fn user_of(reading: &mut Reading<'_>, statement: &Statement, rest: &[String]) -> Option<RunAs> {
    let name = statement.argument(0);
    let Some(user) = rest.first() else {
        let default = reading.default_user();
        if default.is_none() {
            let message = format!("{name} is ignored: there is no user to run it as");
            let diagnostic = Diagnostic::error(Class::Uncounted, message)
                .help("name an existing one with script_user");
            reading.complain(statement, 0, diagnostic);
        }
        return default;
    };
    let found = reading.user(user, rest.get(1).map(String::as_str));
    match found {
        Ok(user) => Some(user),
        Err(unknown) => {
            let message = format!("{name} is ignored: there is no user or group '{unknown}'");
            let words = statement
                .raw()
                .strip_prefix(name)
                .unwrap_or_default()
                .trim();
            let help = if words.contains('"') {
                "the words behind the command are its user and group".to_owned()
            } else {
                {
                    let line = mask(&format!("{name} \"{words}\""), 0..0).0;
                    format!(
                        "quote a command with its arguments: {line}; words behind it are its user and group"
                    )
                }
            };
            let diagnostic = Diagnostic::error(Class::Uncounted, message).help(help);
            reading.complain(statement, 2, diagnostic);
            None
        }
    }
}
