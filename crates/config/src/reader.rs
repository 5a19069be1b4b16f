//! Files become a stream of pieces: statements and braces, each with its place.
//!
//! Here live conditions (`@id`), parameters, generators, `include`, and the limits. The order of operations on a line is
//! keepalived's: comment, condition, definition, generator, substitution, `include`, braces. What is left of a line
//! behind a brace, each round of a generator and each further line of a parameter goes through all of it again; only
//! what was substituted once is not substituted twice. What a file is included for comes before whatever is still to be
//! made of the including line.

use std::path::{Path, PathBuf};

use crate::bytes;
use crate::diagnostics::mask::{mask, secret};
use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::generators::{self, Generator};
use crate::glob::{self, Effort};
use crate::include::{Checks, about_include};
use crate::lexer::{find_brace, is_blank, strip};
use crate::machine::{FileProblem, Machine};
use crate::parameters::{Further, ParameterProblem, Parameters, Surroundings, references};
use crate::sources::{MadeLine, Maker, Source, Sources, offset};

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

    /// Opens the main files; false when there is none to read.
    pub(crate) fn open_main(&mut self, pattern: &str, report: &mut Reporter) -> bool {
        let base = self.machine.current_dir();
        let mut names = Vec::new();
        for alternative in glob::alternatives(pattern) {
            names.extend(glob::matches(self.machine, &base, &alternative, &mut self.effort).names);
        }
        if names.len() > MOST_FILES {
            let message = format!("more than {MOST_FILES} files match '{pattern}'");
            report.nowhere(Diagnostic::error(Class::General, message).fatal());
            return false;
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
            let class = class_of_main(&FileProblem::Missing, self.everywhere);
            report.nowhere(Diagnostic::error(class, message).fatal());
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
            match self.open(&waiting) {
                Ok(frame) => frames.push(Job::Reading(frame)),
                Err(problem) => {
                    let message = format!(
                        "configuration file '{}' {}",
                        waiting.name,
                        describe(&problem)
                    );
                    let class = class_of_main(&problem, self.everywhere);
                    report.nowhere(Diagnostic::error(class, message).fatal());
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

    /// What is still to be cut of a line.
    fn rest(&self, line: &Line) -> &str {
        self.sources.part(line.file, line.at, line.end)
    }

    /// What stands around the `{` that was just taken off a line.
    fn around(&self, line: &Line) -> Around {
        let text = self.sources.part(line.file, line.base, line.end);
        let at = offset(line.at.saturating_sub(line.base));
        let bytes = text.as_bytes();
        let before = at.checked_sub(2).and_then(|at| bytes.get(at));
        match (before, bytes.get(at)) {
            (Some(b'$'), _) => Around::Parameter,
            (_, Some(b'{' | b'%')) => Around::Template,
            _ => Around::Nothing,
        }
    }

    /// Takes one piece off the front of a line.
    fn cut(&mut self, mut line: Line, report: &mut Reporter) -> Option<Piece> {
        line.skip_blanks(&self.sources);
        let mut first = *self.rest(&line).as_bytes().first()?;
        if matches!(first, b'{' | b'}') {
            let span = line.span(line.at, line.at + 1);
            line.at += 1;
            line.looked = false;
            self.line = Some(line);
            return Some(if first == b'{' {
                Piece::Open(span, self.around(&line))
            } else {
                Piece::Close(span)
            });
        }
        if !line.looked {
            line.looked = true;
            if first == b'@' {
                let kept = self.condition(&mut line);
                if !kept {
                    self.pass_over_definition(&line);
                    return None;
                }
                first = *self.rest(&line).as_bytes().first()?;
            }
            if first == b'$' && self.definition(&line) {
                return None;
            }
            if first == b'~' && self.generator(&line, report) {
                return None;
            }
        }
        if !line.expanded {
            line.expanded = true;
            if self.rest(&line).contains('$')
                && let Some(expanded) = self.expand(&line, report)
            {
                // What follows is cut from the new text; it may begin with a brace, or be nothing.
                self.line = expanded;
                return None;
            }
        }
        if first == b'i' && self.include(&line, report) {
            return None;
        }
        let rest = self.rest(&line);
        let ending = find_brace(rest, 0);
        let text = rest.get(..ending.at).unwrap_or_default();
        let text = text.trim_end_matches(is_blank);
        let (at, length) = (line.at, narrow(text.len()));
        let span = line.span(at, at + length);
        let broken = ending.reference && self.undefined(text, span, report);
        if let Some(words) = text.strip_prefix("include_check")
            && words.chars().next().is_none_or(is_blank)
        {
            let words = words.to_owned();
            if let Some(Job::Reading(frame)) = self.jobs.last_mut() {
                frame.checks.edit(&words);
            }
        }
        line.at += narrow(ending.at);
        line.looked = false;
        self.line = Some(line);
        Some(Piece::Statement(Text { span, at, broken }))
    }

    /// Reports the first parameter of a statement that is not defined; true when there is one without a value, whatever
    /// the reason.
    fn undefined(&self, text: &str, span: Span, report: &mut Reporter) -> bool {
        let Some(name) = references(text).next() else {
            return false;
        };
        if let Some(name) = references(text).find(|name| !self.parameters.is_known(name)) {
            let help = match self.parameters.nearest(name) {
                Some(nearest) => format!("did you mean '{nearest}'?"),
                None => format!("define it before its use: ${name}=VALUE"),
            };
            let start = text.find(&format!("${{{name}")).unwrap_or(0);
            let place = Span::new(
                span.file,
                span.line,
                usize::from(span.start) + start,
                usize::from(span.end),
            );
            // There the name's brace is taken for the start of a block.
            let diagnostic = Diagnostic::error(
                Class::UnexpectedOpen,
                format!("parameter '{name}' is not defined"),
            );
            report.at(place, diagnostic.help(help));
        }
        !name.is_empty()
    }

    /// Judges `@id` or `@^id` and steps over it; false when the line is meant for another node.
    fn condition(&self, line: &mut Line) -> bool {
        let rest = self.rest(line);
        let word = rest.split(is_blank).next().unwrap_or_default();
        let id = word.strip_prefix('@').unwrap_or(word);
        let kept = match id.strip_prefix('^') {
            Some(other) => other != self.config_id,
            None => id == self.config_id,
        };
        line.at += narrow(word.len());
        line.skip_blanks(&self.sources);
        kept
    }

    /// Steps over a definition over several lines that a condition keeps away.
    ///
    /// DEVIATION(keepalived): there only its first line goes away, and the others are taken for statements.
    fn pass_over_definition(&mut self, line: &Line) {
        let is_open = Parameters::definition(self.rest(line))
            .is_some_and(|definition| definition.value.ends_with('\\'));
        if is_open {
            self.open = Some(Open {
                name: None,
                value: String::new(),
                bare: true,
            });
        }
    }

    /// Stores a definition; false when the line is none.
    fn definition(&mut self, line: &Line) -> bool {
        let rest = self.sources.part(line.file, line.at, line.end);
        let Some(definition) = Parameters::definition(rest) else {
            return false;
        };
        if let Some(value) = definition.value.strip_suffix('\\') {
            let value = value.trim_end_matches(is_blank).to_owned();
            self.open = Some(Open {
                name: Some(definition.name.to_owned()),
                bare: value.is_empty(),
                value,
            });
        } else {
            self.parameters.define(definition.name, definition.value);
        }
        true
    }

    /// Adds a line to the definition that is open.
    fn continue_definition(&mut self, text: &str, span: Span, report: &mut Reporter) {
        let Some(open) = &mut self.open else { return };
        if text.is_empty() {
            self.end_definition();
            return;
        }
        let (text, last) = match text.strip_suffix('\\') {
            Some(text) => (text.trim_end_matches(is_blank), false),
            None => (text, true),
        };
        if open.name.is_some() {
            if open.value.len() + text.len() > LONGEST_VALUE {
                let message = format!("a definition has more than {LONGEST_VALUE} bytes");
                self.give_up(span, Diagnostic::error(Class::General, message), report);
                return;
            }
            if !std::mem::take(&mut open.bare) {
                open.value.push('\n');
            }
            open.value.push_str(text);
        }
        if last {
            self.end_definition();
        }
    }

    fn end_definition(&mut self) {
        if let Some(Open {
            name: Some(name),
            value,
            ..
        }) = self.open.take()
        {
            self.parameters.define(&name, &value);
        }
    }

    /// Puts a generator to work; false when the line is none.
    fn generator(&mut self, line: &Line, report: &mut Reporter) -> bool {
        let rest = self.rest(line);
        if !generators::is_generator(rest) {
            return false;
        }
        let expand = |numbers: &str| {
            self.parameters
                .expand(numbers, LONGEST_LINE, &self.surroundings())
                .map_or_else(|| numbers.to_owned(), |expanded| expanded.text)
        };
        let name = if rest.starts_with("~S") {
            "~SEQ"
        } else {
            "~LST"
        };
        match generators::parse(rest, expand) {
            Ok(generators::Line { generator, text }) => {
                let text = Line {
                    at: line.at + narrow(text),
                    looked: false,
                    expanded: false,
                    ..*line
                };
                if let Some(Job::Reading(frame)) = self.jobs.last_mut() {
                    frame.making.push(Making::Rounds { generator, text });
                }
            }
            Err(mistake) => {
                let help = match name {
                    "~SEQ" => "~SEQ(NAME, FIRST, STEP, LAST) TEXT; FIRST and STEP may be left out",
                    _ => {
                        "~LST(NAME, VALUE, VALUE ...) TEXT, or ~LST({NAME, NAME}, {VALUE, VALUE} ...) TEXT"
                    }
                };
                let (rest, _) = mask(rest, 0..0);
                let message = format!("{name} {mistake}; the line is ignored");
                let diagnostic = Diagnostic::error(Class::General, message)
                    .help(help)
                    .keepalived(format!("Invalid {name} specification '{rest}'"));
                report.at(line.place(), diagnostic);
            }
        }
        true
    }

    fn surroundings(&self) -> Surroundings<'_> {
        let directory = match self.jobs.last() {
            Some(Job::Reading(frame)) => frame.directory.as_path(),
            Some(Job::Waiting(_)) | None => Path::new(""),
        };
        Surroundings {
            machine: self.machine,
            config_id: self.config_id,
            directory,
        }
    }

    /// Replaces the parameters of a line; `None`: nothing changes. `Some(None)`: nothing is left of it.
    fn expand(&mut self, line: &Line, report: &mut Reporter) -> Option<Option<Line>> {
        let text = self.rest(line);
        let was_open = strip(text).open_quote;
        if let Some(secret) = secret(text) {
            let uses = text.get(secret).unwrap_or_default();
            for value in self.parameters.values_in(uses) {
                report.secrets.add(value);
            }
        }
        let expanded = self
            .parameters
            .expand(text, LONGEST_LINE, &self.surroundings())?;
        for problem in &expanded.problems {
            report.at(line.place(), about_parameter(problem));
        }
        let by = expanded.by?;
        let maker = if line.maker == Maker::NOBODY {
            self.sources.maker(&format!("${by}"))
        } else {
            line.maker
        };
        // A value may bring a comment with it.
        let stripped = strip(&expanded.text);
        let made = self.made(stripped.text(&expanded.text), maker, line.place(), report);
        let Some(made) = made else { return Some(None) };
        let made = Line {
            expanded: true,
            looked: true,
            ..made
        };
        if stripped.open_quote && !was_open {
            self.said_quote = Some((made.file, made.number));
            report.at(made.place(), open_quote(stripped.text(&expanded.text)));
        }
        if let Some(Job::Reading(frame)) = self.jobs.last_mut() {
            let origin = line.place();
            frame.making.extend(
                expanded
                    .further
                    .into_iter()
                    .map(|further| Making::Lines { further, origin }),
            );
        }
        Some(Some(made))
    }

    /// Puts the files of an include directive on the stack; false when the line is none.
    fn include(&mut self, line: &Line, report: &mut Reporter) -> bool {
        let rest = self.rest(line);
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
        let pattern = pattern.trim_matches(is_blank).to_owned();
        let Some(Job::Reading(frame)) = self.jobs.last() else {
            return false;
        };
        let (directory, inherited) = (frame.directory.clone(), frame.checks);
        let checks = directive.or(inherited).or(self.everywhere);
        let span = line.place();
        let depth = self
            .jobs
            .iter()
            .filter(|job| matches!(job, Job::Reading(_)))
            .count();
        if depth >= DEEPEST {
            let message = format!("files include each other more than {DEEPEST} deep");
            let diagnostic = Diagnostic::error(Class::IncludeCheck, message)
                .help("a file that includes itself, or one above it, never ends: remove this line");
            self.give_up(span, diagnostic, report);
            return true;
        }
        let names = self.included(&pattern, &directory, checks, span, report);
        if names.len() > self.files_left || self.effort.is_spent() {
            let message = if self.effort.is_spent() {
                "include patterns make too many names to look at".to_owned()
            } else {
                format!("more than {MOST_FILES} files are included")
            };
            let diagnostic = Diagnostic::error(Class::IncludeCheck, message);
            self.give_up(span, diagnostic, report);
            return true;
        }
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
        &mut self,
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
            let matched = glob::matches(self.machine, base, &alternative, &mut self.effort);
            // A single plain name shows whether it exists when its turn comes.
            let absent = if matched.wildcard {
                matched.names.is_empty()
            } else {
                braces && !self.effort.exists(self.machine, &base.join(&alternative))
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
            let said = counts || !matched.wildcard || !matched.directory;
            missing.push((alternative, counts, said));
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
        match self.open(&waiting) {
            Ok(frame) => self.jobs.push(Job::Reading(frame)),
            Err(problem) => {
                let Some(span) = waiting.span else { return };
                let counts = if problem == FileProblem::Missing {
                    waiting.judged.matching
                } else {
                    waiting.judged.read
                };
                let message = format!("included file '{}' {}", waiting.name, describe(&problem));
                let hopeless = matches!(
                    problem,
                    FileProblem::TooLarge { .. } | FileProblem::Changing
                );
                let help = match &problem {
                    FileProblem::Missing => Some("correct the path, or make the file".to_owned()),
                    FileProblem::Executable => {
                        Some(format!("if it is one: chmod a-x {}", waiting.name))
                    }
                    FileProblem::Directory => {
                        Some(format!("the files in it: include {}/*.conf", waiting.name))
                    }
                    FileProblem::NotRegular
                    | FileProblem::Unreadable(_)
                    | FileProblem::Changing
                    | FileProblem::TooLarge { .. } => None,
                };
                let diagnostic = about_include(message, counts || hopeless).maybe_help(help);
                if hopeless {
                    self.give_up(span, diagnostic, report);
                } else {
                    report.lacks_text();
                    report.at(span, diagnostic);
                }
            }
        }
    }

    fn open(&mut self, waiting: &Waiting) -> Result<Frame, FileProblem> {
        const FULL: FileProblem = FileProblem::TooLarge { limit: MOST_BYTES };
        self.files_left = self.files_left.checked_sub(1).ok_or(FULL)?;
        let path = waiting.directory.join(&waiting.name);
        let content = self.machine.read(&path, self.bytes_left);
        let content = content.map_err(|problem| {
            // What is left of the limit says nothing to anybody.
            if matches!(problem, FileProblem::TooLarge { .. }) {
                FULL
            } else {
                problem
            }
        })?;
        self.bytes_left = self.bytes_left.checked_sub(content.len()).ok_or(FULL)?;
        let clean = !content.contains(&0);
        let source = Source {
            name: waiting.name.clone(),
            path: path.clone(),
            text: bytes::decode(content),
            included: waiting.span,
        };
        let file = self.sources.add(source).ok_or(FULL)?;
        let directory = match path.parent() {
            Some(parent) if waiting.name.contains('/') => parent.to_owned(),
            _ => waiting.directory.clone(),
        };
        Ok(Frame {
            file,
            at: 0,
            line: 0,
            clean,
            directory,
            checks: waiting.checks,
            making: Vec::new(),
        })
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

fn about_parameter(problem: &ParameterProblem) -> Diagnostic {
    let message = problem.to_string();
    match problem {
        ParameterProblem::Endless { .. } => Diagnostic::error(Class::General, message).fatal(),
        ParameterProblem::Arguments { .. } => Diagnostic::error(Class::General, message),
        // There the name's brace is taken for the start of a block.
        ParameterProblem::SeveralLines { braces: true, .. } => {
            Diagnostic::error(Class::UnexpectedOpen, message)
        }
        ParameterProblem::SeveralLines { .. } => Diagnostic::error(Class::Uncounted, message),
        ParameterProblem::Range { .. } => {
            Diagnostic::warning(Class::General, message).help("its first number is used")
        }
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
/// With `-e` all of it counts.
fn class_of_main(problem: &FileProblem, everywhere: Checks) -> Class {
    match problem {
        FileProblem::Missing
        | FileProblem::Directory
        | FileProblem::NotRegular
        | FileProblem::Executable
            if everywhere == Checks::ALL =>
        {
            Class::FileNotFound
        }
        FileProblem::Missing
        | FileProblem::Directory
        | FileProblem::NotRegular
        | FileProblem::Executable => Class::Uncounted,
        FileProblem::Unreadable(_) | FileProblem::Changing => Class::FileNotFound,
        // keepalived reads it all and finds nothing but unknown keywords.
        FileProblem::TooLarge { .. } => Class::General,
    }
}
