//! evervip's own verbs: `evervip demo`, `evervip check`. keepalived has none, so called as keepalived there are none.
//!
//! Each verb's file has its command line and carries it out. This file finds the verb, reads its words and answers those
//! who ask for help. keepalived's own options are another matter: see `command_line`.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::{ArgMatches, Command};

use crate::exit::Exit;
use crate::{check, demo};

/// One verb.
struct Verb {
    name: &'static str,
    /// What it is for, in a line.
    about: &'static str,
    command: fn(Command) -> Command,
    run: fn(&ArgMatches) -> Exit,
}

const VERBS: [Verb; 2] = [
    Verb {
        name: "check",
        about: "says what is wrong with a configuration, and what was probably meant",
        command: check::command,
        run: check::run,
    },
    Verb {
        name: "demo",
        about: "shows two routers on this machine taking over from each other",
        command: demo::command,
        run: demo::run,
    },
];

/// Usage first: it is what most people look for.
const TEMPLATE: &str = "{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}";

/// Carries out the verb that the words behind the program's name begin with; `None`: they begin with none.
pub(crate) fn run(words: &[OsString]) -> Option<Exit> {
    let first = words.first()?;
    let verb = VERBS.iter().find(|verb| first == verb.name)?;
    Some(match verb.command().try_get_matches_from(words) {
        Ok(matches) => (verb.run)(&matches),
        // Somebody asks for help, or needs it.
        Err(answer) => {
            let status = u8::try_from(answer.exit_code()).unwrap_or(u8::MAX);
            match answer.print() {
                Ok(()) => Exit::Status(status),
                Err(problem) if problem.kind() == std::io::ErrorKind::BrokenPipe => {
                    Exit::Status(status)
                }
                Err(_) => Exit::Fatal,
            }
        }
    })
}

/// What `--help` says of the verbs.
pub(crate) fn help() -> String {
    let mut text = String::from("\nVerbs (evervip VERB --help says more):\n");
    for verb in &VERBS {
        // Writing to a string cannot fail.
        if writeln!(text, "  {:<28} {}", verb.name, verb.about).is_err() {
            break;
        }
    }
    // It has a command line of its own.
    text + "  genhash                      prints the digest of a page, as keepalived's genhash\n"
}

impl Verb {
    fn command(&self) -> Command {
        let command = Command::new(self.name)
            .bin_name(format!("evervip {}", self.name))
            .help_template(TEMPLATE);
        (self.command)(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_lines_are_sound() {
        for verb in &VERBS {
            verb.command().debug_assert();
            assert!(help().contains(verb.about));
        }
    }

    #[test]
    fn what_begins_with_no_verb_is_for_keepalived() {
        for words in [&[][..], &["-t".into()], &["-f".into(), "check".into()]] {
            assert_eq!(run(words), None);
        }
    }
}
