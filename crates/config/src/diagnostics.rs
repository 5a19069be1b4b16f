//! What there is to say about a configuration: where, how bad, and what was probably meant.
//!
//! A diagnostic carries the source line it talks about, secrets already masked, so it can be shown long after the
//! files were read.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use crate::bytes;
use crate::sources::{Lines, Source, Sources};

pub(crate) use crate::sources::Span;

pub(crate) mod mask;
mod render;

use mask::Secrets;
pub use render::Style;

/// How many diagnostics are kept; a file that earns more of them is not helped by the rest.
const MOST: usize = 1000;
/// How many lints are kept; they must not take the place of errors.
const MOST_LINTS: usize = 200;
/// How many files on the way to a place are named.
const SHOWN_INCLUDES: usize = 4;
/// How much of a source line is shown, in bytes.
const SHOWN_LINE: usize = 400;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Legal, but probably not what was meant. Only `check` says it; no configuration test counts it.
    Lint,
    /// Something was corrected, or is probably not what was meant.
    Warning,
    /// Something that was written has no effect, or the configuration cannot be used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Lint => "lint",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What kind of thing it is; keepalived's classes with keepalived's numbers, which decide the status of `-t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Not counted: keepalived only logs it, or says nothing at all.
    Uncounted = 0,
    /// A file is not there or not usable.
    FileNotFound = 1,
    /// An interface is not usable.
    BadInterface = 2,
    /// Fatal, of no other class.
    Fatal = 3,
    /// The name of the configuration file matches several files.
    MultipleFiles = 4,
    /// No keyword of the block it stands in.
    UnknownKeyword = 5,
    /// A `{` where none can be.
    UnexpectedOpen = 6,
    /// No `{` where one must be.
    MissingOpen = 7,
    /// A `}` where none can be.
    UnexpectedClose = 8,
    /// A block is not closed.
    MissingClose = 9,
    /// A quote is not closed.
    UnmatchedQuote = 10,
    /// A keyword lacks its argument.
    MissingParameter = 11,
    /// A number is no number, or out of range.
    InvalidNumber = 12,
    /// Anything else.
    General = 13,
    /// A warning.
    Warning = 14,
    /// An old spelling.
    Deprecated = 15,
    /// A script that somebody but root could change would run as root.
    Security = 16,
    /// A keyword of keepalived that evervip does not act on yet. Not counted.
    Pending = 17,
    /// A check of included files failed (`include_check`, `includea`, `-e`): status 6 whatever else there is.
    IncludeCheck = 18,
}

impl Class {
    /// Whether it makes a configuration test fail.
    pub const fn is_counted(self) -> bool {
        !matches!(self, Self::Uncounted | Self::Pending)
    }

    /// keepalived's number for it; ours, above those, for what it does not have.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// A name for programs: lower case, words joined by `-`. It never changes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uncounted => "uncounted",
            Self::FileNotFound => "file-not-found",
            Self::BadInterface => "bad-interface",
            Self::Fatal => "fatal",
            Self::MultipleFiles => "multiple-files",
            Self::UnknownKeyword => "unknown-keyword",
            Self::UnexpectedOpen => "unexpected-open",
            Self::MissingOpen => "missing-open",
            Self::UnexpectedClose => "unexpected-close",
            Self::MissingClose => "missing-close",
            Self::UnmatchedQuote => "unmatched-quote",
            Self::MissingParameter => "missing-parameter",
            Self::InvalidNumber => "invalid-number",
            Self::General => "general",
            Self::Warning => "warning",
            Self::Deprecated => "deprecated",
            Self::Security => "security",
            Self::Pending => "pending",
            Self::IncludeCheck => "include-check",
        }
    }
}

/// Another place that a diagnostic is about: where a name was first taken, where a block was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The file, spelled as it was opened.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The columns meant, in bytes of `source`.
    pub columns: Range<usize>,
    /// The source line, as harmless as [`Diagnostic::source`].
    pub source: String,
    /// What is there: "opened here".
    pub message: String,
}

/// A further thing that keepalived says of a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Also {
    /// What kind it is.
    pub class: Class,
    /// keepalived's words.
    pub message: String,
    /// keepalived says it when everything is read, and names no line.
    pub afterwards: bool,
}

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub class: Class,
    /// The configuration cannot be used because of it.
    pub fatal: bool,
    /// The file, spelled as it was opened; `None`: it concerns no place in particular.
    pub file: Option<String>,
    /// The line, counted from 1; 0 without a file.
    pub line: u32,
    /// The columns meant, in bytes of `source`.
    pub columns: Range<usize>,
    /// The source line, harmless to show: secrets masked, control characters replaced.
    pub source: String,
    /// The name of the lint; `None`: it is no lint. See [`crate::lints()`].
    pub lint: Option<&'static str>,
    /// The keyword that it is about, where that is known.
    pub keyword: Option<&'static str>,
    /// What is wrong; lower case, names the object and the value.
    pub message: String,
    /// Facts that help to decide: what is allowed, what holds without it, what made the line, from where its file was
    /// included.
    pub notes: Vec<String>,
    /// Another place that belongs to it.
    pub related: Option<Related>,
    /// What was probably meant, or what is allowed.
    pub help: Option<String>,
    /// What keepalived says, where that differs.
    pub keepalived_text: Option<String>,
    /// What keepalived says besides: it often reports a bad number first as such, then as a value of its keyword.
    pub keepalived_also: Vec<Also>,
    /// The line that keepalived names: that of the end of a block which it judges as a whole, none for what it finds when
    /// everything is read.
    pub keepalived_line: Option<u32>,
    /// It only follows from a mistake that has a message of its own: keepalived says it, and it counts, but who repairs the
    /// other one need not read it.
    pub follows: bool,
    /// When keepalived finds it; `None`: as the [`Reporter`] says.
    found: Option<Found>,
    /// What becomes `related` once the source is looked up.
    related_at: Option<(Span, String)>,
}

impl Diagnostic {
    pub(crate) fn new(severity: Severity, class: Class, message: impl Into<String>) -> Self {
        Self {
            severity,
            class,
            fatal: false,
            file: None,
            line: 0,
            columns: 0..0,
            source: String::new(),
            lint: None,
            keyword: None,
            message: bytes::shown(&message.into()),
            notes: Vec::new(),
            related: None,
            help: None,
            keepalived_text: None,
            keepalived_also: Vec::new(),
            keepalived_line: None,
            follows: false,
            found: None,
            related_at: None,
        }
    }

    pub(crate) fn error(class: Class, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, class, message)
    }

    pub(crate) fn warning(class: Class, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, class, message)
    }

    /// A warning of a tool that sums up other diagnostics; never counted.
    pub fn of_tool(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Class::Pending, message)
    }

    /// Something worth knowing.
    pub fn note(message: impl Into<String>) -> Self {
        Self::new(Severity::Note, Class::Uncounted, message)
    }

    /// Something legal that is probably not what was meant.
    pub fn lint(message: impl Into<String>) -> Self {
        Self::new(Severity::Lint, Class::Uncounted, message)
    }

    /// Adds a fact: what is allowed, what holds otherwise.
    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(bytes::shown(&note.into()));
        self
    }

    /// Names the keyword that it is about.
    pub(crate) const fn about(mut self, keyword: &'static str) -> Self {
        self.keyword = Some(keyword);
        self
    }

    /// Shows another place, with a few words for what is there.
    pub(crate) fn related(mut self, span: Span, message: impl Into<String>) -> Self {
        self.related_at = Some((span, bytes::shown(&message.into())));
        self
    }

    /// Shows another place, if it is known.
    pub(crate) fn maybe_related(self, span: Option<Span>, message: &str) -> Self {
        match span {
            Some(span) => self.related(span, message),
            None => self,
        }
    }

    /// Adds what was probably meant, or what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(bytes::shown(&help.into()));
        self
    }

    pub(crate) fn maybe_help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(|help| bytes::shown(&help.into()));
        self
    }

    /// Puts a help that fits better in the place of the one there is, which stays as a note.
    pub(crate) fn or_rather(mut self, help: &str) -> Self {
        let before = self.help.replace(help.to_owned());
        self.notes.extend(before);
        self
    }

    pub(crate) fn keepalived(mut self, text: impl Into<String>) -> Self {
        self.keepalived_text = Some(bytes::shown(&text.into()));
        self
    }

    /// Adds a second thing that keepalived says about the same mistake.
    pub(crate) fn also(mut self, class: Class, text: impl Into<String>) -> Self {
        self.keepalived_also.push(Also {
            class,
            message: bytes::shown(&text.into()),
            afterwards: false,
        });
        self
    }

    /// Adds something that keepalived says of it when everything is read.
    pub(crate) fn also_afterwards(mut self, class: Class, text: impl Into<String>) -> Self {
        self.keepalived_also.push(Also {
            class,
            message: bytes::shown(&text.into()),
            afterwards: true,
        });
        self
    }

    /// It only follows from another mistake, if `follows`.
    pub(crate) const fn following(mut self, follows: bool) -> Self {
        self.follows = follows;
        self
    }

    /// Says when keepalived finds it, where that is not when its line is read.
    pub(crate) const fn found(mut self, found: Found) -> Self {
        self.found = Some(found);
        self
    }

    pub(crate) fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// The form of keepalived's log: `(FILE: Line N) message`, one line for each thing that it says.
    pub fn terse(&self) -> String {
        let place = match (&self.file, self.keepalived_line) {
            (Some(file), Some(line)) => format!("({file}: Line {line}) "),
            _ => String::new(),
        };
        let first = self.keepalived_text.as_ref().unwrap_or(&self.message);
        let mut said = format!("{place}{first}");
        for also in &self.keepalived_also {
            said.push('\n');
            if !also.afterwards {
                said.push_str(&place);
            }
            said.push_str(&also.message);
        }
        said
    }

    /// The classes of what keepalived says.
    pub fn classes(&self) -> impl Iterator<Item = Class> {
        let also = self.keepalived_also.iter().map(|also| also.class);
        std::iter::once(self.class).chain(also)
    }
}

/// When keepalived finds a mistake, and so which line it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Found {
    /// When the line is read.
    #[default]
    There,
    /// At the end of the block that is being read.
    AtBlockEnd,
    /// When everything is read: there is no line any more.
    Afterwards,
    /// At another place.
    At(Span),
}

/// The status of `-t`: 0 when nothing is counted, else as the numerically largest class says.
pub fn exit_status_of_test(diagnostics: &[Diagnostic]) -> i32 {
    let counted = || diagnostics.iter().filter(|d| d.class.is_counted());
    // keepalived leaves on the spot when a mandatory argument is missing, before it could count anything else.
    let lacks = |d: &Diagnostic| d.classes().any(|class| class == Class::MissingParameter);
    if counted().any(|d| d.fatal && lacks(d)) {
        return 2;
    }
    match counted().flat_map(Diagnostic::classes).max() {
        None => 0,
        Some(Class::Security | Class::IncludeCheck) => 6,
        Some(class) if class < Class::MultipleFiles => 4,
        Some(_) => 5,
    }
}

/// What diagnostics are sorted by: file, line, column, and the line that was made of it.
type Order = (u16, u32, u16, u32);

/// A diagnostic and its places.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    place: Option<Span>,
    /// Where keepalived says it is; `None`: nowhere.
    keepalived: Option<Span>,
    diagnostic: Diagnostic,
}

/// Collects diagnostics; the sources they talk about are asked only at the end.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    found: Vec<Report>,
    /// A bit for each class that was reported.
    classes: u32,
    suppressed: usize,
    /// How many lints may still be reported; 0 from the start when nobody asked for them.
    lints_left: usize,
    /// Some included file could not be read.
    incomplete: bool,
    fatal: bool,
    /// The keywords that are not acted on, block and name, by where these texts are: this is asked for every statement of
    /// a large file, and comparing texts would show.
    pending: BTreeMap<(usize, usize), (&'static str, &'static str)>,
    /// What is reported follows from a mistake of this line, which is reported already.
    part_of: Option<Span>,
    /// keepalived gave up before what is reported now.
    unsaid: bool,
    /// When keepalived would find what is reported now.
    finds: Found,
    /// The `}` of the block that is being judged.
    block_end: Option<Span>,
    /// What must not be shown.
    pub(crate) secrets: Secrets,
}

impl Reporter {
    /// From now on what is reported is what keepalived finds at the end of a block, whose `}` stands there.
    pub(crate) const fn at_block_end(&mut self, end: Option<Span>) {
        self.finds = Found::AtBlockEnd;
        self.block_end = end;
    }

    /// Notes the end of the block that is judged, for those diagnostics that keepalived makes there.
    pub(crate) const fn block_ends(&mut self, end: Option<Span>) {
        self.block_end = end;
    }

    /// From now on what is reported is what keepalived finds when it reads the lines, or afterwards.
    pub(crate) const fn finds(&mut self, finds: Found) {
        self.finds = finds;
    }

    /// Reports about a place.
    pub(crate) fn at(&mut self, span: Span, diagnostic: Diagnostic) {
        self.push(Some(span), diagnostic);
    }

    /// Remembers that the configuration uses a keyword that is not acted on.
    pub(crate) fn uses_pending(&mut self, block: &'static str, name: &'static str) {
        let key = (block.as_ptr().addr(), name.as_ptr().addr());
        self.pending.entry(key).or_insert((block, name));
    }

    /// The keywords of the configuration that are not acted on, by block and name.
    pub(crate) fn take_pending(&mut self) -> Vec<(&'static str, &'static str)> {
        let mut all: Vec<_> = std::mem::take(&mut self.pending).into_values().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Reports about no place in particular.
    pub(crate) fn nowhere(&mut self, diagnostic: Diagnostic) {
        self.push(None, diagnostic);
    }

    /// From now on keepalived would not come as far as what is reported, or does again: such things are worth knowing, but
    /// `-t` does not say them, and its status does not depend on them.
    pub(crate) const fn leaves_unsaid(&mut self, unsaid: bool) {
        self.unsaid = unsaid;
    }

    fn push(&mut self, place: Option<Span>, mut diagnostic: Diagnostic) {
        self.fatal |= diagnostic.fatal;
        if let Some(mistake) = self.part_of {
            self.add_to(mistake, diagnostic);
            return;
        }
        if self.unsaid {
            diagnostic.keepalived_also.clear();
            if diagnostic.class.is_counted() {
                diagnostic.class = Class::Uncounted;
            }
        }
        let keepalived = match diagnostic.found.unwrap_or(self.finds) {
            Found::There => place,
            Found::AtBlockEnd => self.block_end.or(place),
            Found::Afterwards => None,
            Found::At(place) => Some(place),
        };
        let class = 1_u32 << (diagnostic.class as u8);
        let fatal = diagnostic.fatal;
        let report = Report {
            place,
            keepalived,
            diagnostic,
        };
        // Each round of a generator may say the same.
        if self.found.last() == Some(&report) {
            return;
        }
        // What decides the status is kept however late it comes.
        let first = self.classes & class == 0;
        self.classes |= class;
        let room = if fatal { MOST + MOST / 10 } else { MOST };
        if first || self.found.len() < room {
            self.found.push(report);
        } else {
            self.suppressed += 1;
        }
    }

    /// Whether something of a class was reported.
    pub(crate) fn has_said(&self, class: Class) -> bool {
        self.classes & 1_u32 << (class as u8) != 0
    }

    /// A file that should have been included is not there: what is missing may stand in it.
    pub(crate) const fn lacks_text(&mut self) {
        self.incomplete = true;
    }

    /// Whether everything was read that should have been.
    pub(crate) const fn is_complete(&self) -> bool {
        !self.incomplete
    }

    /// Lints are wanted from now on; without this, [`Self::wants_lints`] says no.
    pub(crate) const fn want_lints(&mut self) {
        self.lints_left = MOST_LINTS;
    }

    /// Whether it is worth looking for lints.
    pub(crate) const fn wants_lints(&self) -> bool {
        self.lints_left > 0
    }

    /// Reports a lint, if lints are wanted.
    pub(crate) fn lint(&mut self, span: Span, lint: Diagnostic) {
        if self.wants_lints() && !self.is_full() {
            self.lints_left -= 1;
            self.at(span, lint);
            if self.lints_left == 0 {
                let message = format!("only the first {MOST_LINTS} lints are shown");
                self.nowhere(Diagnostic::note(message));
            }
        }
    }

    /// What is reported from now on follows from a mistake of that line, which is reported already; or does not any more.
    /// It becomes part of what keepalived says of that mistake, or nothing at all when there is no such line. Whether the
    /// configuration can be used is noted all the same.
    pub(crate) const fn part_of(&mut self, mistake: Option<Span>) {
        self.part_of = mistake;
    }

    /// Adds to the latest diagnostic of a line what keepalived says besides.
    fn add_to(&mut self, mistake: Span, diagnostic: Diagnostic) {
        if !diagnostic.class.is_counted() || self.is_full() {
            return;
        }
        let of_line = |report: &&mut Report| {
            report
                .place
                .is_some_and(|place| (place.file, place.line) == (mistake.file, mistake.line))
        };
        let Some(first) = self.found.iter_mut().rev().find(of_line) else {
            return;
        };
        self.classes |= 1_u32 << (diagnostic.class as u8);
        first.diagnostic.fatal |= diagnostic.fatal;
        let also = &mut first.diagnostic.keepalived_also;
        also.push(Also {
            class: diagnostic.class,
            message: diagnostic.keepalived_text.unwrap_or(diagnostic.message),
            afterwards: diagnostic.found.unwrap_or(self.finds) == Found::Afterwards,
        });
        also.extend(diagnostic.keepalived_also);
    }

    /// Whether further diagnostics are only counted: there is no use in working hard for them.
    pub(crate) const fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    /// Notes that the configuration cannot be used, for a reason that was reported.
    pub(crate) const fn fails(&mut self) {
        self.fatal = true;
    }

    /// Whether the configuration can be used so far.
    pub(crate) const fn is_usable(&self) -> bool {
        !self.fatal
    }

    /// Everything said, with the lines it is about, in the order of the files; what has no place comes last.
    pub(crate) fn finish(self, sources: &Sources) -> Vec<Diagnostic> {
        let mut found: Vec<(Option<Order>, Report)> = self
            .found
            .into_iter()
            .map(|report| (report.place.map(|span| order(span, sources)), report))
            .collect();
        found.sort_by_key(|(order, _)| (order.is_none(), *order));
        let mut lines = Lines::new(sources);
        let mut all: Vec<_> = found
            .into_iter()
            .map(|(_, report)| {
                let mut diagnostic = match report.place {
                    Some(span) => {
                        located(report.diagnostic, span, sources, &mut lines, &self.secrets)
                    }
                    None => report.diagnostic,
                };
                let line = report.keepalived.map(|span| sources.physical(span).line);
                diagnostic.keepalived_line = line.filter(|line| *line > 0);
                hide(&mut diagnostic, &self.secrets);
                diagnostic
            })
            .collect();
        all.dedup();
        if self.suppressed > 0 {
            let message = format!("{} more problems are not shown", self.suppressed);
            all.push(Diagnostic::note(message));
        }
        all
    }
}

fn order(span: Span, sources: &Sources) -> Order {
    let place = sources.physical(span);
    let made = if span.is_made() { span.line } else { 0 };
    (place.file, place.line, place.start, made)
}

/// Takes the secrets out of everything that is said.
fn hide(diagnostic: &mut Diagnostic, secrets: &Secrets) {
    let Diagnostic {
        message,
        notes,
        related,
        help,
        keepalived_text,
        keepalived_also,
        ..
    } = diagnostic;
    let also = keepalived_also.iter_mut().map(|also| &mut also.message);
    let related = related.iter_mut().map(|related| &mut related.message);
    for text in std::iter::once(message)
        .chain(notes)
        .chain(related)
        .chain(help)
        .chain(keepalived_text)
        .chain(also)
    {
        secrets.hide(text);
    }
}

/// The diagnostic with its place: the line of the file, what became of it, and how the file was reached.
fn located(
    mut diagnostic: Diagnostic,
    span: Span,
    sources: &Sources,
    lines: &mut Lines<'_>,
    secrets: &Secrets,
) -> Diagnostic {
    let place = sources.physical(span);
    let Some(source) = sources.file(place.file) else {
        return diagnostic;
    };
    let shown = shown_line(place, source, lines, secrets);
    diagnostic.file = Some(shown.file);
    diagnostic.line = shown.line;
    diagnostic.source = shown.source;
    diagnostic.columns = shown.columns;
    if let Some((span, message)) = diagnostic.related_at.take() {
        let place = sources.physical(span);
        diagnostic.related = sources.file(place.file).map(|source| Related {
            message,
            ..shown_line(place, source, &mut Lines::new(sources), secrets)
        });
    }
    if let Some((text, maker)) = sources.making(span) {
        let text = secrets.hide_line(span, text, 0..0).0;
        let text = cut(text, usize::from(span.start)..usize::from(span.end)).0;
        let note = bytes::shown(&format!("in what {maker} made of it: {text}"));
        diagnostic.notes.push(note);
    }
    let mut directive = source.included;
    let mut shown = 0;
    while let Some(place) = directive.map(|span| sources.physical(span)) {
        let Some(including) = sources.file(place.file) else {
            break;
        };
        let name = bytes::shown(&including.name);
        let note = format!("included from {name}:{}", place.line);
        directive = including.included;
        // A file that includes itself is named once, and then who began it.
        if diagnostic.notes.last() == Some(&note) {
            continue;
        }
        shown += 1;
        if shown > SHOWN_INCLUDES {
            diagnostic.notes.push("and so on".to_owned());
            break;
        }
        diagnostic.notes.push(note);
    }
    diagnostic
}

/// A line of a file as it may be shown.
fn shown_line(place: Span, source: &Source, lines: &mut Lines<'_>, secrets: &Secrets) -> Related {
    let line = lines.get(place.file, place.line);
    let columns = usize::from(place.start)..usize::from(place.end);
    let (line, columns) = secrets.hide_line(place, line, columns);
    let (line, columns) = cut(line, columns);
    Related {
        file: bytes::shown(&source.name),
        line: place.line,
        columns,
        source: line,
        message: String::new(),
    }
}

/// Keeps the part of an overlong line that is talked about.
fn cut(line: String, columns: Range<usize>) -> (String, Range<usize>) {
    if line.len() <= SHOWN_LINE {
        return (line, columns);
    }
    let start = bytes::boundary(&line, columns.start.saturating_sub(SHOWN_LINE / 4));
    let end = bytes::boundary(&line, start.saturating_add(SHOWN_LINE));
    let shift = |at: usize| at.clamp(start, end) - start;
    let kept = line.get(start..end).unwrap_or_default().to_owned();
    (kept, shift(columns.start)..shift(columns.end))
}

#[cfg(test)]
mod tests;
