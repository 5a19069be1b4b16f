//! Files become a stream of pieces: statements and braces, each with its place.
//!
//! Here live conditions (`@id`), parameters, `include`, and the limits. The order of operations on a line is
//! keepalived's: comment, condition, definition, generator, substitution, `include`, braces; what is left of a line
//! behind a brace goes through all of it again, but is not substituted twice.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::bytes;
use crate::diagnostics::{Class, Diagnostic, Reporter, Source, Span};
use crate::glob;
use crate::include::{Checks, about_include};
use crate::lexer::{find_brace, is_blank, strip};
use crate::machine::{FileProblem, Machine};
use crate::parameters::{ParameterProblem, Parameters, Surroundings};

/// A line that keepalived would tear apart: its buffer holds 1022 characters.
const KEEPALIVED_LINE: usize = 1022;
/// The longest line that is read, also after substitution. Sixteen times what keepalived can read.
const LONGEST_LINE: usize = 16 * 1024;
/// All files together. A file with 100000 real servers has a tenth of it.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// All files together.
const MOST_FILES: usize = 4096;
/// Files that include files. keepalived has no limit and so no end when a file includes itself.
const DEEPEST: usize = 32;
/// NUL bytes mean that this is no text.
const MOST_NULS: usize = 16;

/// An element of the configuration text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// What stands between line ends and braces.
    Statement(Text),
    /// `{`.
    Open(Span),
    /// `}`.
    Close(Span),
}

/// Text and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) span: Span,
    /// The columns of `span` are the text's own: a part of the text can be pointed at.
    pub(crate) exact: bool,
}

impl Text {
    /// The place of a part of it.
    pub(crate) fn part(&self, start: usize, end: usize) -> Span {
        if self.exact {
            Span {
                start: self.span.start + start,
                end: self.span.start + end,
                ..self.span
            }
        } else {
            self.span
        }
    }
}

/// A file on the stack.
struct Frame {
    source: Rc<Source>,
    file: usize,
    /// The next line, counted from 0.
    next: usize,
    directory: PathBuf,
    /// Restored for the including file when this one ends.
    checks: Checks,
}

/// A file that waits for its turn.
struct Waiting {
    name: String,
    directory: PathBuf,
    checks: Checks,
    /// What the directive that named it checks.
    judged: Checks,
    /// The directive that named it.
    span: Option<Span>,
}

enum Job {
    Reading(Frame),
    Waiting(Waiting),
}

/// The line being cut into pieces.
struct Line {
    text: String,
    at: usize,
    file: usize,
    number: u32,
    /// Column of the text's start; `None`: the text is not what the file says any more.
    column: Option<usize>,
    whole: (usize, usize),
    expanded: bool,
    /// Conditions, definitions and generators were already looked for in front of the next piece.
    looked: bool,
}

/// Cuts files into pieces.
pub(crate) struct Reader<'a> {
    machine: &'a dyn Machine,
    config_id: &'a str,
    everywhere: Checks,
    jobs: Vec<Job>,
    line: Option<Line>,
    parameters: Parameters,
    bytes_left: usize,
    files_left: usize,
    nuls: usize,
    /// Lines of a definition over several lines are being passed over.
    skipping_definition: bool,
}

impl<'a> Reader<'a> {
    /// Reads nothing yet.
    pub(crate) fn new(machine: &'a dyn Machine, config_id: &'a str, everywhere: Checks) -> Self {
        Self {
            machine,
            config_id,
            everywhere,
            jobs: Vec::new(),
            line: None,
            parameters: Parameters::default(),
            bytes_left: MOST_BYTES,
            files_left: MOST_FILES,
            nuls: 0,
            skipping_definition: false,
        }
    }

    /// Opens the main files; false when there is none to read.
    pub(crate) fn open_main(&mut self, pattern: &str, report: &mut Reporter) -> bool {
        let base = self.machine.current_dir();
        let mut names = Vec::new();
        for alternative in glob::alternatives(pattern) {
            names.extend(glob::matches(self.machine, &base, &alternative).names);
        }
        if names.len() > 1 {
            let message = format!(
                "{} files match '{pattern}': they are read one after another",
                names.len()
            );
            report.nowhere(Diagnostic::warning(Class::MultipleFiles, message));
        }
        if names.is_empty() {
            let message = format!("no file matches '{pattern}'");
            report.nowhere(Diagnostic::error(Class::Uncounted, message).fatal());
        }
        let mut frames = Vec::new();
        for name in names {
            let waiting = Waiting {
                name,
                directory: base.clone(),
                checks: Checks::NONE,
                judged: Checks::NONE,
                span: None,
            };
            match self.open(&waiting, report) {
                Ok(frame) => frames.push(Job::Reading(frame)),
                Err(problem) => {
                    let message = format!(
                        "configuration file '{}' {}",
                        waiting.name,
                        describe(&problem)
                    );
                    report.nowhere(Diagnostic::error(class_of_main(&problem), message).fatal());
                }
            }
        }
        frames.reverse();
        self.jobs = frames;
        !self.jobs.is_empty()
    }

    /// The next piece; `None` at the end of the last file.
    pub(crate) fn next(&mut self, report: &mut Reporter) -> Option<Piece> {
        loop {
            if let Some(line) = self.line.take() {
                if let Some(piece) = self.cut(line, report) {
                    return Some(piece);
                }
            } else if !self.next_line(report) {
                return None;
            }
        }
    }

    /// Takes the next physical line that has something in it; false at the end of everything.
    fn next_line(&mut self, report: &mut Reporter) -> bool {
        let Some(job) = self.jobs.last_mut() else {
            return false;
        };
        match job {
            Job::Waiting(_) => self.start_waiting(report),
            Job::Reading(frame) => {
                if frame.next >= frame.source.lines.len() {
                    self.jobs.pop();
                    return true;
                }
                frame.next += 1;
                let (source, file) = (Rc::clone(&frame.source), frame.file);
                let number = u32::try_from(frame.next).unwrap_or(u32::MAX);
                self.begin(&source, file, number, report);
            }
        }
        true
    }

    fn begin(&mut self, source: &Source, file: usize, number: u32, report: &mut Reporter) {
        let raw = source.line(number);
        let whole = Span {
            file,
            line: number,
            start: 0,
            end: raw.len().min(LONGEST_LINE),
        };
        if raw.len() > LONGEST_LINE {
            let message = format!(
                "a line of {} bytes is ignored, {LONGEST_LINE} are the most",
                raw.len()
            );
            report.at(
                Span { end: 0, ..whole },
                Diagnostic::error(Class::General, message),
            );
            return;
        }
        if raw.contains('\0') {
            self.nuls += 1;
            if self.nuls == 1 {
                report.at(
                    Span { end: 0, ..whole },
                    Diagnostic::error(
                        Class::General,
                        "a line with NUL bytes is ignored: is this a text file?",
                    ),
                );
            } else if self.nuls == MOST_NULS {
                let message = "this is not a text file: too many lines with NUL bytes";
                report.at(
                    Span { end: 0, ..whole },
                    Diagnostic::error(Class::General, message).fatal(),
                );
                self.jobs.clear();
            }
            return;
        }
        if raw.len() > KEEPALIVED_LINE {
            let message = format!(
                "a line of {} bytes: keepalived reads at most {KEEPALIVED_LINE}",
                raw.len()
            );
            report.at(
                Span { end: 0, ..whole },
                Diagnostic::warning(Class::General, message)
                    .help("evervip reads it; keepalived would tear it apart"),
            );
        }
        let stripped = strip(raw);
        if std::mem::take(&mut self.skipping_definition) {
            self.skipping_definition = stripped.text.ends_with('\\');
            return;
        }
        if stripped.text.is_empty() {
            return;
        }
        let end = (stripped.start + stripped.text.len()).min(raw.len());
        let span = Span {
            start: stripped.start,
            end,
            ..whole
        };
        if stripped.open_quote {
            report.at(
                span,
                Diagnostic::error(Class::UnmatchedQuote, "a double quote is not closed"),
            );
        }
        self.line = Some(Line {
            column: (!stripped.shifted).then_some(stripped.start),
            whole: (span.start, span.end),
            text: stripped.text,
            at: 0,
            file,
            number,
            expanded: false,
            looked: false,
        });
    }

    /// Takes one piece off the front of a line.
    fn cut(&mut self, mut line: Line, report: &mut Reporter) -> Option<Piece> {
        line.skip_blanks();
        let first = line.rest().chars().next()?;
        if matches!(first, '{' | '}') {
            let span = line.span(line.at, line.at + 1);
            line.at += 1;
            line.looked = false;
            self.line = Some(line);
            return Some(if first == '{' {
                Piece::Open(span)
            } else {
                Piece::Close(span)
            });
        }
        if !line.looked {
            line.looked = true;
            if first == '@' && !self.condition(&mut line) {
                return None;
            }
            let rest = line.rest();
            if let Some(definition) = Parameters::definition(rest) {
                if definition.value.ends_with('\\') {
                    self.skipping_definition = true;
                    unsupported(&line, "a parameter over several lines", report);
                } else {
                    self.parameters.define(&definition);
                }
                return None;
            }
            if rest.starts_with("~SEQ") || rest.starts_with("~LST") {
                unsupported(&line, "the generator ~SEQ or ~LST", report);
                return None;
            }
        }
        if !line.expanded {
            line.expanded = true;
            self.expand(&mut line, report);
            line.skip_blanks();
            if line.rest().starts_with(['{', '}']) || line.rest().is_empty() {
                self.line = Some(line);
                return None;
            }
        }
        if self.include(&line, report) {
            return None;
        }
        let from = line.at;
        let end = find_brace(&line.text, from).unwrap_or(line.text.len());
        let text = line
            .text
            .get(from..end)
            .unwrap_or_default()
            .trim_end_matches(is_blank)
            .to_owned();
        let span = line.span(from, from + text.len());
        let exact = line.column.is_some();
        line.at = end;
        line.looked = false;
        if let Some(words) = text.strip_prefix("include_check")
            && words.chars().next().is_none_or(is_blank)
            && let Some(Job::Reading(frame)) = self.jobs.last_mut()
        {
            frame.checks.edit(words);
        }
        self.line = Some(line);
        Some(Piece::Statement(Text { text, span, exact }))
    }

    /// Judges `@id` or `@^id` and steps over it; false when the line is meant for another node.
    fn condition(&self, line: &mut Line) -> bool {
        let rest = line.rest();
        let word = rest.split(is_blank).next().unwrap_or_default();
        let id = word.strip_prefix('@').unwrap_or(word);
        let kept = match id.strip_prefix('^') {
            Some(other) => other != self.config_id,
            None => id == self.config_id,
        };
        let length = word.len();
        line.at += length;
        line.skip_blanks();
        kept && !line.rest().is_empty()
    }

    fn expand(&self, line: &mut Line, report: &mut Reporter) {
        let directory = match self.jobs.last() {
            Some(Job::Reading(frame)) => frame.directory.as_path(),
            Some(Job::Waiting(_)) | None => Path::new(""),
        };
        let around = Surroundings {
            machine: self.machine,
            config_id: self.config_id,
            directory,
        };
        let Some(expanded) = self.parameters.expand(line.rest(), LONGEST_LINE, &around) else {
            return;
        };
        for problem in expanded.problems {
            report.at(
                line.span(line.at, line.text.len()),
                about_parameter(&problem),
            );
        }
        if expanded.text != line.rest() {
            // A value may bring a comment with it.
            line.text = strip(&expanded.text).text;
            line.at = 0;
            line.column = None;
        }
    }

    /// Puts the files of an include directive on the stack; false when the line is none.
    fn include(&mut self, line: &Line, report: &mut Reporter) -> bool {
        let rest = line.rest();
        // A glance first: looking for a blank in every piece of a line would be quadratic.
        if !rest.starts_with("include") {
            return false;
        }
        let Some((word, pattern)) = rest.split_once(is_blank) else {
            return false;
        };
        let Some(directive) = Checks::of_directive(word) else {
            return false;
        };
        let Some(Job::Reading(frame)) = self.jobs.last() else {
            return false;
        };
        let (directory, inherited) = (frame.directory.clone(), frame.checks);
        let checks = directive.or(inherited).or(self.everywhere);
        let span = line.span(line.at, line.text.len());
        let depth = self
            .jobs
            .iter()
            .filter(|job| matches!(job, Job::Reading(_)))
            .count();
        if depth >= DEEPEST {
            let message = format!("files include each other more than {DEEPEST} deep");
            report.at(
                span,
                Diagnostic::error(Class::IncludeCheck, message).fatal(),
            );
            return true;
        }
        let names = self.included(
            pattern.trim_matches(is_blank),
            &directory,
            checks,
            span,
            report,
        );
        for name in names.into_iter().rev() {
            self.jobs.push(Job::Waiting(Waiting {
                name,
                directory: directory.clone(),
                checks: inherited,
                judged: checks,
                span: Some(span),
            }));
        }
        true
    }

    /// The files a pattern names, what is missing reported as the checks demand.
    fn included(
        &self,
        pattern: &str,
        base: &Path,
        checks: Checks,
        span: Span,
        report: &mut Reporter,
    ) -> Vec<String> {
        let mut names = Vec::new();
        let mut missing = Vec::new();
        let alternatives = glob::alternatives(pattern);
        let braces = alternatives.len() > 1;
        for alternative in alternatives {
            let matched = glob::matches(self.machine, base, &alternative);
            // A single plain name shows whether it exists when its turn comes.
            let absent = if matched.wildcard {
                matched.names.is_empty()
            } else {
                braces
                    && self.machine.read(&base.join(&alternative), self.bytes_left)
                        == Err(FileProblem::Missing)
            };
            if !absent {
                names.extend(matched.names);
                continue;
            }
            let counts = if braces {
                checks.brace
            } else if matched.wildcard && matched.directory {
                checks.wildcard
            } else {
                checks.matching
            };
            missing.push((
                alternative,
                counts,
                counts || !matched.wildcard || !matched.directory,
            ));
        }
        let mut failed = false;
        for (name, counts, said) in missing {
            failed |= counts && braces;
            if said {
                let message = format!("no file '{name}' to include");
                report.at(span, about_include(message, counts));
            }
        }
        if failed { Vec::new() } else { names }
    }

    /// Opens the file whose turn it is.
    fn start_waiting(&mut self, report: &mut Reporter) {
        let Some(Job::Waiting(waiting)) = self.jobs.pop() else {
            return;
        };
        match self.open(&waiting, report) {
            Ok(frame) => self.jobs.push(Job::Reading(frame)),
            Err(problem) => {
                let Some(span) = waiting.span else { return };
                let counts = if problem == FileProblem::Missing {
                    waiting.judged.matching
                } else {
                    waiting.judged.read
                };
                let fatal = matches!(problem, FileProblem::TooLarge { .. });
                let message = format!("included file '{}' {}", waiting.name, describe(&problem));
                report.at(span, about_include(message, counts || fatal));
            }
        }
    }

    fn open(&mut self, waiting: &Waiting, report: &mut Reporter) -> Result<Frame, FileProblem> {
        if self.files_left == 0 {
            return Err(FileProblem::TooLarge { limit: MOST_BYTES });
        }
        self.files_left -= 1;
        let path = waiting.directory.join(&waiting.name);
        let content = self.machine.read(&path, self.bytes_left)?;
        self.bytes_left = self
            .bytes_left
            .checked_sub(content.len())
            .ok_or(FileProblem::TooLarge { limit: MOST_BYTES })?;
        let text = bytes::decode(&content);
        let starts = text
            .match_indices('\n')
            .map(|(at, _)| at + 1)
            .filter(|start| *start < text.len());
        let lines = if text.is_empty() {
            Vec::new()
        } else {
            std::iter::once(0).chain(starts).collect()
        };
        let source = Rc::new(Source {
            name: waiting.name.clone(),
            path: path.clone(),
            text,
            lines,
        });
        let file = report.sources.len();
        report.sources.push(Rc::clone(&source));
        let directory = match path.parent() {
            Some(parent) if waiting.name.contains('/') => parent.to_owned(),
            _ => waiting.directory.clone(),
        };
        Ok(Frame {
            source,
            file,
            next: 0,
            directory,
            checks: waiting.checks,
        })
    }
}

impl Line {
    /// What is still to be cut.
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_blank).len();
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let (start, end) = match self.column {
            Some(column) => (column + start, column + end),
            None => self.whole,
        };
        Span {
            file: self.file,
            line: self.number,
            start,
            end,
        }
    }
}

fn unsupported(line: &Line, what: &str, report: &mut Reporter) {
    let message = format!("{what} is not supported yet");
    let span = line.span(line.at, line.text.len());
    report.at(
        span,
        Diagnostic::error(Class::Pending, message)
            .help("write the lines out")
            .fatal(),
    );
}

fn about_parameter(problem: &ParameterProblem) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        match problem {
            // There the name's brace is taken for the start of a block.
            ParameterProblem::Undefined { .. } => Class::UnexpectedOpen,
            ParameterProblem::Endless { .. } | ParameterProblem::Arguments { .. } => Class::General,
        },
        problem.to_string(),
    );
    match problem {
        ParameterProblem::Undefined { name, nearest } => diagnostic.help(match nearest {
            Some(nearest) => format!("did you mean '{nearest}'?"),
            None => format!("define it before its use: ${name}=VALUE"),
        }),
        ParameterProblem::Endless { .. } => diagnostic.fatal(),
        ParameterProblem::Arguments { .. } => diagnostic,
    }
}

fn describe(problem: &FileProblem) -> String {
    if *problem == FileProblem::Missing {
        return "does not exist".to_owned();
    }
    problem.to_string()
}

/// keepalived's test passes although it could not read anything: it says so, but counts only a file that it may not read.
/// Programs that check a file before they install it see that status.
fn class_of_main(problem: &FileProblem) -> Class {
    match problem {
        FileProblem::Missing
        | FileProblem::Directory
        | FileProblem::NotRegular
        | FileProblem::Executable => Class::Uncounted,
        FileProblem::Unreadable(_) => Class::FileNotFound,
        // keepalived reads it all and finds nothing but unknown keywords.
        FileProblem::TooLarge { .. } => Class::General,
    }
}
