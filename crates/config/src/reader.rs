//! Files become a stream of pieces: statements and braces, each with its place.
//!
//! Here are the order of operations and the limits; each operation has a file below. On a line the order is
//! keepalived's: comment, condition, definition, generator, substitution, `include`, braces. What is left of a line
//! behind a brace, each round of a generator and each further line of a parameter goes through all of it again; only
//! what was substituted once is not substituted twice. What a file is included for comes before whatever is still to be
//! made of the including line.

mod cut;
mod definitions;
mod files;

use std::path::PathBuf;

use crate::bytes;
use crate::diagnostics::mask::mask;
use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::generators::Generator;
use crate::glob::Effort;
use crate::include::Checks;
use crate::lexer::{is_blank, strip};
use crate::machine::Machine;
use crate::parameters::{Further, Parameters};
use crate::sources::{MadeLine, Maker, Sources, offset};

/// A line that keepalived would tear apart: its buffer holds 1022 characters.
const KEEPALIVED_LINE: usize = 1022;
/// The longest line that is read, also after substitution. Sixteen times what keepalived can read.
const LONGEST_LINE: usize = 16 * 1024;
/// All files together, and as much again for lines that are made of theirs. A file with 100000 real servers has a tenth
/// of it.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// All files together.
const MOST_FILES: usize = 4096;
/// Files that include files. keepalived has no limit and so no end when a file includes itself.
const DEEPEST: usize = 32;
/// NUL bytes mean that this is no text.
const MOST_NULS: usize = 16;
/// Rounds of generators and further lines of parameters: a `~SEQ` may count to the end of 64 bits. It is as much as ten
/// lines for each of 25000 real servers.
const MOST_ROUNDS: usize = 250_000;
/// The longest value of a definition over several lines.
const LONGEST_VALUE: usize = 1024 * 1024;

/// An element of the configuration text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// What stands between line ends and braces.
    Statement(Text),
    /// `{`, and what stands around it.
    Open(Span, Around),
    /// `}`.
    Close(Span),
}

/// What the characters next to a `{` make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// Nothing in particular.
    Nothing,
    /// `{{` or `{%`: a mark of template languages.
    Template,
    /// `${`, but no name of a parameter and `}` behind it.
    Parameter,
}

/// A statement's text: where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) span: Span,
    /// Its first byte in the text of its file.
    pub(crate) at: u32,
    /// A parameter in it has no value, which was reported.
    pub(crate) broken: bool,
}

/// A file on the stack.
struct Frame {
    file: u16,
    /// The next line: its first byte, and its number counted from 0.
    at: u32,
    line: u32,
    /// No line of it has a NUL byte.
    clean: bool,
    directory: PathBuf,
    /// Restored for the including file when this one ends.
    checks: Checks,
    /// What is still to be made of its current line; the last one is the next.
    making: Vec<Making>,
}

/// Lines that are still to be made.
enum Making {
    /// A generator, and its text.
    Rounds { generator: Generator, text: Line },
    /// Further lines of a parameter, and the line that refers to it.
    Lines { further: Further, origin: Span },
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

/// The line being cut into pieces, by its bytes in the text of its file.
#[derive(Clone, Copy)]
struct Line {
    file: u16,
    number: u32,
    /// Where the line begins: what columns are counted from.
    base: u32,
    /// What is still to be cut.
    at: u32,
    end: u32,
    /// A generator made it.
    maker: Maker,
    expanded: bool,
    /// Conditions, definitions and generators were already looked for in front of the next piece.
    looked: bool,
}

/// A definition whose last line was not read yet.
struct Open {
    /// `None`: it is meant for another node.
    name: Option<String>,
    value: String,
    /// Nothing stands behind the equals sign, so that the value begins with the next line.
    bare: bool,
}

/// Cuts files into pieces.
pub(crate) struct Reader<'a> {
    machine: &'a dyn Machine,
    config_id: &'a str,
    everywhere: Checks,
    sources: Sources,
    jobs: Vec<Job>,
    line: Option<Line>,
    parameters: Parameters,
    open: Option<Open>,
    bytes_left: usize,
    files_left: usize,
    rounds_left: usize,
    effort: Effort,
    nuls: usize,
    /// The latest line whose open quote was reported.
    said_quote: Option<(u16, u32)>,
    /// Reading ended before its time, which was reported.
    given_up: bool,
}

impl<'a> Reader<'a> {
    /// Reads nothing yet.
    pub(crate) fn new(machine: &'a dyn Machine, config_id: &'a str, everywhere: Checks) -> Self {
        Self {
            machine,
            config_id,
            everywhere,
            sources: Sources::default(),
            jobs: Vec::new(),
            line: None,
            parameters: Parameters::default(),
            open: None,
            bytes_left: MOST_BYTES,
            files_left: MOST_FILES,
            rounds_left: MOST_ROUNDS,
            effort: Effort::default(),
            nuls: 0,
            said_quote: None,
            given_up: false,
        }
    }

    /// The texts read so far.
    pub(crate) const fn sources(&self) -> &Sources {
        &self.sources
    }

    /// All texts.
    pub(crate) fn into_sources(self) -> Sources {
        self.sources
    }

    /// Whether reading ended before its time, which was reported.
    pub(crate) const fn has_given_up(&self) -> bool {
        self.given_up
    }

    /// Whether it was said that a quote is open in a line, or in the line of a file that it was made of.
    pub(crate) fn has_said_open_quote(&self, span: Span) -> bool {
        self.said_quote.is_some_and(|said| {
            let physical = self.sources.physical(span);
            said == (span.file, span.line) || said == (physical.file, physical.line)
        })
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

    /// Takes the next line, be it made or in a file; false at the end of everything.
    fn next_line(&mut self, report: &mut Reporter) -> bool {
        let Some(job) = self.jobs.last_mut() else {
            return false;
        };
        match job {
            Job::Waiting(_) => self.start_waiting(report),
            Job::Reading(frame) if !frame.making.is_empty() => self.make(report),
            Job::Reading(frame) => {
                let text = self.sources.text(frame.file);
                let rest = text.get(offset(frame.at)..).unwrap_or_default();
                if rest.is_empty() {
                    self.end_definition();
                    self.jobs.pop();
                    return true;
                }
                let (length, next) = match rest.find('\n') {
                    Some(end) => (end, end + 1),
                    None => (rest.len(), rest.len()),
                };
                let line = Line {
                    file: frame.file,
                    number: frame.line.saturating_add(1),
                    base: frame.at,
                    at: frame.at,
                    end: frame.at.saturating_add(narrow(length)),
                    maker: Maker::NOBODY,
                    expanded: false,
                    looked: false,
                };
                frame.at = frame.at.saturating_add(narrow(next));
                frame.line = line.number;
                let clean = frame.clean;
                self.begin(line, clean, report);
            }
        }
        true
    }

    /// Takes up a line of a file.
    fn begin(&mut self, mut line: Line, clean: bool, report: &mut Reporter) {
        let raw = self.sources.part(line.file, line.base, line.end);
        let raw = raw.trim_end_matches('\r');
        let place = |start, end| Span::new(line.file, line.number, start, end);
        if raw.len() > KEEPALIVED_LINE {
            if raw.len() > LONGEST_LINE {
                let message = format!(
                    "a line of {} bytes is ignored, {LONGEST_LINE} are the most",
                    raw.len()
                );
                report.at(place(0, 0), Diagnostic::error(Class::General, message));
                return;
            }
            let length = bytes::length(raw);
            if length > KEEPALIVED_LINE {
                let message =
                    format!("a line of {length} bytes: keepalived reads at most {KEEPALIVED_LINE}");
                report.at(
                    place(0, raw.len()),
                    Diagnostic::warning(Class::General, message)
                        .help("evervip reads it; keepalived would tear it apart"),
                );
            }
        }
        if !clean && raw.contains('\0') {
            self.nuls += 1;
            if self.nuls == 1 {
                let message = "a line with NUL bytes is ignored: is this a text file?";
                report.at(place(0, 0), Diagnostic::error(Class::General, message));
            } else if self.nuls == MOST_NULS {
                let message = "this is not a text file: too many lines with NUL bytes";
                let diagnostic = Diagnostic::error(Class::General, message);
                self.give_up(place(0, 0), diagnostic, report);
            }
            return;
        }
        let stripped = strip(raw);
        let text = stripped.text(raw);
        if self.open.is_some() {
            let text = text.to_owned();
            self.continue_definition(&text, place(stripped.start, stripped.end), report);
            return;
        }
        if text.is_empty() {
            return;
        }
        let span = place(stripped.start, stripped.end);
        if stripped.open_quote {
            let quote = raw.get(..stripped.end).and_then(|text| text.rfind('"'));
            let from = quote.unwrap_or(stripped.start);
            self.said_quote = Some((line.file, line.number));
            report.at(place(from, stripped.end), open_quote(text));
        }
        line.at = line.base.saturating_add(narrow(stripped.start));
        line.end = line.base.saturating_add(narrow(stripped.end));
        self.line = match stripped.rewritten {
            None => Some(line),
            Some(text) => self.made(&text, Maker::NOBODY, span, report),
        };
    }

    /// Makes a line out of a place; `None`: there is no more room for it, which ends reading.
    fn made(
        &mut self,
        text: &str,
        maker: Maker,
        origin: Span,
        report: &mut Reporter,
    ) -> Option<Line> {
        let room = self.sources.made() + text.len() <= MOST_BYTES;
        let made = room
            .then(|| self.sources.make(text, maker, origin))
            .flatten();
        let Some(made) = made else {
            let message = format!(
                "parameters and generators make more than {} MiB of text",
                MOST_BYTES >> 20
            );
            self.give_up(origin, Diagnostic::error(Class::General, message), report);
            return None;
        };
        Some(Line {
            file: MadeLine::FILE,
            number: made.number(),
            base: made.at,
            at: made.at,
            end: made.end,
            maker: Maker::NOBODY,
            expanded: false,
            looked: false,
        })
    }

    /// Takes the next line of what is being made of the current line of a file.
    fn make(&mut self, report: &mut Reporter) {
        let Some(Job::Reading(frame)) = self.jobs.last_mut() else {
            return;
        };
        let Some(making) = frame.making.last_mut() else {
            return;
        };
        let (line, origin) = match making {
            Making::Rounds { generator, text } => {
                let parameters = &mut self.parameters;
                if !generator.advance(|name, value| parameters.define(name, value)) {
                    frame.making.pop();
                    return;
                }
                let mut line = *text;
                line.maker = self.sources.maker(generator.name());
                (Ok(line), text.place())
            }
            Making::Lines { further, origin } => {
                let origin = *origin;
                let Some((line, last)) = further.next() else {
                    frame.making.pop();
                    return;
                };
                let line = line.to_owned();
                let maker = self.sources.maker(&format!("${}", further.name));
                if last {
                    frame.making.pop();
                }
                (Err((line, maker)), origin)
            }
        };
        if self.rounds_left == 0 {
            let message = format!("parameters and generators make more than {MOST_ROUNDS} lines");
            self.give_up(origin, Diagnostic::error(Class::General, message), report);
            return;
        }
        self.rounds_left -= 1;
        let line = match line {
            Ok(line) => Some(line),
            Err((text, maker)) => self.made(&text, maker, origin, report),
        };
        if self.open.is_some() {
            let Some(line) = line else { return };
            let text = self.rest(&line).to_owned();
            self.continue_definition(&text, origin, report);
            return;
        }
        self.line = line;
    }

    /// Ends reading before its time.
    fn give_up(&mut self, span: Span, diagnostic: Diagnostic, report: &mut Reporter) {
        report.at(span, diagnostic.fatal());
        self.jobs.clear();
        self.line = None;
        self.open = None;
        self.given_up = true;
    }
}

impl Line {
    fn skip_blanks(&mut self, sources: &Sources) {
        let rest = sources.part(self.file, self.at, self.end);
        self.at += narrow(rest.len() - rest.trim_start_matches(is_blank).len());
    }

    /// The place of a part of it, by bytes in the text of its file.
    fn span(&self, start: u32, end: u32) -> Span {
        Span::new(
            self.file,
            self.number,
            offset(start.saturating_sub(self.base)),
            offset(end.saturating_sub(self.base)),
        )
    }

    /// The place of what is still to be cut.
    fn place(&self) -> Span {
        self.span(self.at, self.end)
    }
}

/// A length within a text; texts are no longer than 32 bits tell.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// keepalived says it of the line, and of the words that it finds in it.
fn open_quote(text: &str) -> Diagnostic {
    let (shown, _) = mask(text, 0..0);
    unmatched_quote(text).also(Class::General, format!("Unterminated quote '{shown}'"))
}

/// What is said when only the words end within a quote.
pub(crate) fn unmatched_quote(text: &str) -> Diagnostic {
    let (text, _) = mask(text, 0..0);
    Diagnostic::error(Class::UnmatchedQuote, "a double quote is not closed")
        .help("close it on the same line")
        .keepalived(format!("Unmatched quote: '{text}'"))
}
