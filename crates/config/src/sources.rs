//! The texts that were read, and places in them.
//!
//! Statements, words and diagnostics hold places, not copies of text. A line that is not in any file as it stands,
//! because parameters were replaced in it or a generator made it, is kept in a text of its own, and each such line knows
//! the place that it comes from. So a place is exact in either case: the words meant can be underlined in the file, or,
//! in what became of the line, in a note.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The number of the text of made lines; files are numbered from 0.
const MADE: u16 = u16::MAX;

/// A place: columns of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Counted from 1; of a made line its index.
    pub(crate) line: u32,
    /// The file, in the order of opening, or the text of made lines.
    pub(crate) file: u16,
    /// Bytes from the start of the line.
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Span {
    /// Where nothing is: before the first line of the first file.
    pub(crate) const NOWHERE: Self = Self {
        line: 0,
        file: 0,
        start: 0,
        end: 0,
    };

    /// Columns of a line; what does not fit is cut, for no line that is read is longer.
    pub(crate) fn new(file: u16, line: u32, start: usize, end: usize) -> Self {
        let column = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        Self {
            line,
            file,
            start: column(start),
            end: column(end),
        }
    }

    /// The line is in no file as it stands.
    pub(crate) const fn is_made(self) -> bool {
        self.file == MADE
    }
}

/// A file that was opened.
#[derive(Debug)]
pub(crate) struct Source {
    /// Spelled as it was opened.
    pub(crate) name: String,
    /// Where it was found.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// The directive that included it.
    pub(crate) included: Option<Span>,
}

/// A line that is in no file as it stands.
#[derive(Debug)]
struct Made {
    /// Where it starts in the text of made lines.
    at: u32,
    /// Who made it: an index of names; 0: only escapes were resolved.
    by: u32,
    origin: Span,
}

/// Who makes lines: 0 is nobody worth mentioning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Maker(u32);

impl Maker {
    /// Nobody worth mentioning.
    pub(crate) const NOBODY: Self = Self(0);
}

/// All texts.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<Source>,
    text: String,
    lines: Vec<Made>,
    makers: Vec<String>,
    maker_of: BTreeMap<String, u32>,
}

impl Sources {
    /// Keeps a file; `None`: it is too long, or there are too many.
    pub(crate) fn add(&mut self, source: Source) -> Option<u16> {
        let number = u16::try_from(self.files.len()).ok()?;
        u32::try_from(source.text.len()).ok()?;
        self.files.push(source);
        (number != MADE).then_some(number)
    }

    /// How many bytes of files were read.
    pub(crate) fn read(&self) -> usize {
        self.files.iter().map(|file| file.text.len()).sum()
    }

    /// How many bytes of lines were made.
    pub(crate) const fn made(&self) -> usize {
        self.text.len()
    }

    /// Keeps a line that somebody made out of `origin`; its number. `None`: there are too many of them.
    pub(crate) fn make(&mut self, line: &str, maker: Maker, origin: Span) -> Option<MadeLine> {
        let at = u32::try_from(self.text.len()).ok()?;
        let end = u32::try_from(self.text.len() + line.len()).ok()?;
        let number = u32::try_from(self.lines.len()).ok()?;
        self.text.push_str(line);
        self.lines.push(Made {
            at,
            by: maker.0,
            origin,
        });
        Some(MadeLine { number, at, end })
    }

    /// The maker of that name.
    pub(crate) fn maker(&mut self, name: &str) -> Maker {
        if let Some(known) = self.maker_of.get(name) {
            return Maker(*known);
        }
        self.makers.push(name.to_owned());
        let Ok(number) = u32::try_from(self.makers.len()) else {
            return Maker::NOBODY;
        };
        self.maker_of.insert(name.to_owned(), number);
        Maker(number)
    }

    /// All of a text.
    pub(crate) fn text(&self, file: u16) -> &str {
        if file == MADE {
            return &self.text;
        }
        self.files
            .get(usize::from(file))
            .map_or("", |source| source.text.as_str())
    }

    /// A part of a text, by bytes.
    pub(crate) fn part(&self, file: u16, start: u32, end: u32) -> &str {
        self.text(file)
            .get(offset(start)..offset(end))
            .unwrap_or_default()
    }

    /// The files.
    pub(crate) fn file(&self, file: u16) -> Option<&Source> {
        self.files.get(usize::from(file))
    }

    /// The place in a file that a place comes from.
    pub(crate) fn physical(&self, place: Span) -> Span {
        let mut place = place;
        // A line is made of an earlier one, so this ends.
        while place.is_made() {
            let Some(made) = self.lines.get(offset(place.line)) else {
                return Span::NOWHERE;
            };
            place = made.origin;
        }
        place
    }

    /// The text of a made line, and who made it: the first one worth mentioning on the way to the file.
    pub(crate) fn making(&self, place: Span) -> Option<(&str, &str)> {
        let index = offset(place.line);
        let first = place.is_made().then(|| self.lines.get(index)).flatten()?;
        let end = self
            .lines
            .get(index + 1)
            .map_or(self.text.len(), |next| offset(next.at));
        let text = self.text.get(offset(first.at)..end)?;
        let mut made = first;
        loop {
            if let Some(name) = made
                .by
                .checked_sub(1)
                .and_then(|by| self.makers.get(offset(by)))
            {
                return Some((text, name));
            }
            if !made.origin.is_made() {
                return None;
            }
            made = self.lines.get(offset(made.origin.line))?;
        }
    }
}

/// A line that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MadeLine {
    number: u32,
    /// Its bytes in the text of made lines.
    pub(crate) at: u32,
    pub(crate) end: u32,
}

impl MadeLine {
    /// The file that it is in.
    pub(crate) const FILE: u16 = MADE;

    /// What its places have for a line.
    pub(crate) const fn number(self) -> u32 {
        self.number
    }
}

/// Finds lines of files by their numbers. Asked in the order of the files it goes through each of them only once.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    sources: &'a Sources,
    file: u16,
    line: u32,
    at: usize,
}

impl<'a> Lines<'a> {
    pub(crate) const fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            file: 0,
            line: 1,
            at: 0,
        }
    }

    /// A line, counted from 1, without its line end.
    pub(crate) fn get(&mut self, file: u16, line: u32) -> &'a str {
        if file != self.file || line < self.line {
            *self = Self::new(self.sources);
            self.file = file;
        }
        let text = self.sources.text(file);
        while self.line < line {
            let Some(length) = text.get(self.at..).and_then(|rest| rest.find('\n')) else {
                return "";
            };
            self.at += length + 1;
            self.line += 1;
        }
        let rest = text.get(self.at..).unwrap_or_default();
        let line = rest.find('\n').and_then(|end| rest.get(..end));
        line.unwrap_or(rest).trim_end_matches('\r')
    }
}

/// An offset or index; texts are no longer than 32 bits tell.
pub(crate) fn offset(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source {
            path: PathBuf::new(),
            name: "x.conf".into(),
            text: text.into(),
            included: None,
        }
    }

    #[test]
    fn a_place_is_small() {
        assert_eq!(size_of::<Span>(), 12);
    }

    #[test]
    fn lines_are_found_in_any_order() {
        let mut sources = Sources::default();
        let file = sources.add(source("a\r\n\nccc")).unwrap();
        let mut lines = Lines::new(&sources);
        for (line, expected) in [(3, "ccc"), (1, "a"), (2, ""), (3, "ccc"), (4, ""), (0, "a")] {
            assert_eq!(lines.get(file, line), expected, "{line}");
        }
        assert_eq!(lines.get(7, 1), "", "no such file");
    }

    #[test]
    fn made_lines_know_where_they_come_from() {
        let mut sources = Sources::default();
        let file = sources.add(source("~SEQ(A,1,2) x $B")).unwrap();
        let origin = Span::new(file, 1, 12, 16);
        let sequence = sources.maker("~SEQ");
        assert_eq!(sources.maker("~SEQ"), sequence);
        let first = sources.make("x $B", sequence, origin).unwrap();
        let place = Span::new(MadeLine::FILE, first.number(), 2, 4);
        let second = sources.make("x 7", Maker::NOBODY, place).unwrap();
        let place = Span::new(MadeLine::FILE, second.number(), 2, 3);
        assert_eq!(sources.physical(place), origin);
        assert_eq!(sources.making(place), Some(("x 7", "~SEQ")));
        assert_eq!(sources.making(origin), None);
    }
}
