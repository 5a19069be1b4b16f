//! `evervip check`: reads a configuration as the daemon would and says, for people, everything there is to say about it.
//!
//! Nothing is changed and nothing is started. `report` is the form for people, `json` the one for programs; `explain` and
//! `pending` answer questions about the language instead of a file.

mod explain;
mod json;
mod pending;
mod report;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use config::{Class, Diagnostic, LoadOptions, Loaded, Severity, Style, canonical, load};

use crate::command_line::DEFAULT_CONFIGURATION;
use crate::exit::Exit;
use crate::machine::ThisMachine;

const ABOUT: &str = "\
Reads a configuration as the daemon would, changes nothing, and says what is
wrong with it: where, what was probably meant, what is allowed.

  error      what is written there has no effect, or the daemon would not start
  warning    something is corrected, or is probably not what was meant
  lint       legal, and yet probably not what was meant";

const STATUSES: &str = "\
Exit status:
  0  no error (and with --strict: no warning and no lint either)
  1  errors, or a file that cannot be read, or --explain of a word that is nothing
  2  a wrong command line

--canonical prints the whole configuration as it is understood, in keepalived's own language: includes and
parameters resolved, every default spelled out, one spelling for everything. On this machine it reads as
the same settings. Two files that mean the same print the same. Passwords and keys stand in it: keep it
as safe as the file. What there is to say about the file goes to standard error. The status is 1, and
nothing is printed, when the daemon could not use the file.

Whoever needs keepalived's statuses: `evervip -t -f FILE` has them.

--format json prints one object. Its names stay; new ones may be added:
  version (1), file, usable (the daemon would start), errors, warnings, lints,
  test_status (what -t exits with),
  pending: [{block, keyword, effect}]    keywords of the file that evervip does not act on yet
  diagnostics: [{severity, class, code, lint, keyword, fatal, file, line, column, end_column, source,
                 message, notes: [], help, follows, keepalived, related}]
    severity is error, warning, lint or note; class and code are keepalived's kind of message;
    lint is the name of a lint, as --explain takes it, else null; follows: it goes away with another
    one, and is neither counted above nor shown to people;
    columns count characters of source, from 1, the end excluded; source is the line as it may
    be shown (secrets masked, long lines cut); keepalived is what keepalived says, where that
    differs; related is null or {file, line, column, end_column, source, message}";

/// The command line.
pub(crate) fn command(command: Command) -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    command
        .before_help(ABOUT)
        .after_help(STATUSES)
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help(format!(
                    "The configuration, or a pattern (default {DEFAULT_CONFIGURATION})"
                )),
        )
        .arg(
            Arg::new("config-id")
                .short('i')
                .long("config-id")
                .value_name("ID")
                .help("Select lines that begin with @ID (default: the host's name)"),
        )
        .arg(switch("all-config", "Every mistake in an include line is an error").short('e'))
        .arg(switch("strict", "Warnings and lints fail, too"))
        .arg(
            Arg::new("explain")
                .long("explain")
                .value_name("KEYWORD|LINT")
                .conflicts_with_all(["file", "pending", "format", "strict", "canonical"])
                .help("Say what a keyword or a lint is about instead; BLOCK/KEYWORD narrows it down"),
        )
        .arg(
            switch(
                "pending",
                "List what evervip does not act on yet instead: all such keywords, or those of FILE",
            )
            .conflicts_with_all(["format", "strict", "canonical"]),
        )
        .arg(
            switch(
                "canonical",
                "Print the configuration in its normal form instead, secrets included",
            )
            .conflicts_with_all(["format", "strict"]),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("human|json")
                .value_parser(["human", "json"])
                .hide_possible_values(true)
                .default_value("human")
                .hide_default_value(true)
                .help("For people (default) or for programs"),
        )
        .arg(
            Arg::new("color")
                .long("color")
                .value_name("auto|always|never")
                .value_parser(["auto", "always", "never"])
                .hide_possible_values(true)
                .default_value("auto")
                .hide_default_value(true)
                .help("auto (default): on a terminal, unless NO_COLOR is set"),
        )
}

/// Carries out a command line.
pub(crate) fn run(matches: &ArgMatches) -> Exit {
    let answer = if matches.get_flag("canonical") {
        normal_form(matches)
    } else {
        let answer = answer(matches);
        write(io::stdout().lock(), answer.text.as_bytes()).map(|()| answer.failed)
    };
    match answer {
        Ok(failed) => Exit::Status(u8::from(failed)),
        Err(problem) => {
            eprintln!("evervip check: cannot write: {problem}");
            Exit::Fatal
        }
    }
}

/// Prints the configuration as it is understood, if it can be used; what there is to say about it stands aside.
fn normal_form(matches: &ArgMatches) -> io::Result<bool> {
    let (file, loaded) = read(matches);
    let tally = Tally::of(&loaded.diagnostics);
    let report = report::report(&file, &loaded, tally, style(matches, &io::stderr()));
    write(io::stderr().lock(), report.as_bytes())?;
    let page = loaded.settings.as_ref().map(canonical);
    write(io::stdout().lock(), page.as_deref().unwrap_or_default())?;
    Ok(page.is_none())
}

/// What to print, and whether it is a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    text: String,
    failed: bool,
}

fn answer(matches: &ArgMatches) -> Answer {
    if let Some(keyword) = matches.get_one::<String>("explain") {
        return explain::explain(keyword);
    }
    let file = matches.get_one::<PathBuf>("file");
    let pending = matches.get_flag("pending");
    if pending && file.is_none() {
        return pending::of_the_language();
    }
    let (file, loaded) = read(matches);
    let tally = Tally::of(&loaded.diagnostics);
    let failed = tally.fails(&loaded, matches.get_flag("strict"));
    let style = style(matches, &io::stdout());
    if matches
        .get_one::<String>("format")
        .is_some_and(|format| format == "json")
    {
        let text = json::json(&file, &loaded, tally);
        return Answer { text, failed };
    }
    if pending && loaded.status != NO_FILE {
        return pending::of_a_file(&file, &loaded);
    }
    let text = report::report(&file, &loaded, tally, style);
    Answer { text, failed }
}

/// Reads the file that a command line names.
fn read(matches: &ArgMatches) -> (String, Loaded) {
    let file = matches.get_one::<PathBuf>("file").map_or_else(
        || DEFAULT_CONFIGURATION.to_owned(),
        |file| file.to_string_lossy().into_owned(),
    );
    let options = LoadOptions {
        config_id: matches.get_one("config-id").cloned(),
        check_includes: matches.get_flag("all-config"),
        lints: true,
    };
    let loaded = load(&file, &ThisMachine::default(), &options);
    (file, loaded)
}

/// The status of a configuration that could not even be read.
const NO_FILE: i32 = 6;

/// Colours, when they are wanted and can be shown.
fn style(matches: &ArgMatches, to: &impl IsTerminal) -> Style {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let colour = match matches.get_one::<String>("color").map(String::as_str) {
        Some("always") => true,
        Some("never") => false,
        _ => to.is_terminal() && !set("NO_COLOR"),
    };
    if colour { Style::Colour } else { Style::Plain }
}

/// Writes all of it, or as much as somebody reads.
fn write(mut to: impl io::Write, text: &[u8]) -> io::Result<()> {
    match to.write_all(text).and_then(|()| to.flush()) {
        // Whoever reads has seen enough.
        Err(problem) if problem.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// How much of what was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    errors: usize,
    warnings: usize,
    lints: usize,
}

impl Tally {
    fn of(diagnostics: &[Diagnostic]) -> Self {
        let mut tally = Self::default();
        // All keywords that do not act are one warning, if one of them matters.
        let matters = |one: &Diagnostic| is_pending(one) && !one.notes.is_empty();
        tally.warnings += usize::from(diagnostics.iter().any(matters));
        for diagnostic in diagnostics.iter().filter(|one| is_told(one)) {
            match diagnostic.severity {
                Severity::Error => tally.errors += 1,
                Severity::Warning => tally.warnings += 1,
                Severity::Lint => tally.lints += 1,
                Severity::Note => {}
            }
        }
        tally
    }

    fn fails(self, loaded: &Loaded, strict: bool) -> bool {
        self.errors > 0
            || loaded.settings.is_none()
            || strict && (self.warnings > 0 || self.lints > 0)
    }
}

/// It has a message of its own: it does not merely follow from something that has one.
fn is_told(diagnostic: &Diagnostic) -> bool {
    !diagnostic.follows && !is_pending(diagnostic)
}

/// It says that a keyword does not act yet; all of them are told together.
fn is_pending(diagnostic: &Diagnostic) -> bool {
    diagnostic.class == Class::Pending && diagnostic.severity == Severity::Warning
}

/// Words in lines of a page's width, behind an indent of so many columns.
fn wrapped<'a>(words: impl Iterator<Item = &'a str>, between: &str, indent: usize) -> Vec<String> {
    /// How wide a page is.
    const WIDTH: usize = 100;
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if indent + line.len() + between.len() + word.len() < WIDTH => {
                line.push_str(between);
                line.push_str(word);
            }
            Some(line) => {
                line.push_str(between.trim_end());
                lines.push(word.to_owned());
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A number with its noun: "1 error", "2 errors".
fn count(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_not_wider_than_a_page() {
        let lines = wrapped(std::iter::repeat_n("connect_timeout", 30), ", ", 15);
        assert!(lines.len() > 1 && lines.iter().all(|line| 15 + line.len() <= 100));
        assert_eq!(lines.join(" ").split(", ").count(), 30);
    }

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!(count(0, "error"), "0 errors");
        assert_eq!(count(1, "error"), "1 error");
    }

    #[test]
    fn lints_are_tallied_apart() {
        let mut follows = Diagnostic::lint("c");
        follows.follows = true;
        let tally = Tally::of(&[Diagnostic::lint("a"), Diagnostic::note("b"), follows]);
        let expected = Tally {
            lints: 1,
            ..Tally::default()
        };
        assert_eq!(tally, expected);
    }
}
