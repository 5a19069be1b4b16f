//! The tree of statements, and what to make of braces that do not fit.
//!
//! keepalived reads on one block too high or too low after such a mistake and reports everything that follows. Here one
//! mistake is one message: an unknown block is stepped over, and a block that must stand at the root shows that the
//! blocks before it lack a `}`.

use std::collections::BTreeSet;

use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::keywords::arguments::Needs;
use crate::keywords::{Keyword, Shape, Table, blocks_of};
use crate::lexer::split_plain;
use crate::reader::{Piece, Reader, Text};
use crate::suggest::nearest;

/// A word of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A keyword with its arguments, or an entry of a list.
#[derive(Clone)]
pub(crate) struct Statement {
    /// Never empty.
    words: Vec<Word>,
    text: Text,
    /// `None`: an entry of a list.
    keyword: Option<&'static Keyword>,
    /// What stands between its braces.
    block: Vec<Self>,
    /// A quote is not closed, which was reported: words are missing.
    damaged: bool,
}

impl Statement {
    /// How many words there are, the keyword included.
    pub(crate) const fn len(&self) -> usize {
        self.words.len()
    }

    /// The n-th word; 0 is the keyword.
    pub(crate) fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(|word| word.text.as_str())
    }

    /// All words.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|word| word.text.as_str())
    }

    /// Everything as it is written, quotes included.
    pub(crate) fn raw(&self) -> &str {
        &self.text.text
    }

    /// The place of all of it.
    pub(crate) const fn whole(&self) -> Span {
        self.text.span
    }

    /// The row of its keyword; `None`: an entry of a list.
    pub(crate) const fn keyword(&self) -> Option<&'static Keyword> {
        self.keyword
    }

    /// What stands between its braces.
    pub(crate) fn block(&self) -> &[Self] {
        &self.block
    }

    /// A quote is not closed, which was reported: words are missing.
    pub(crate) const fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// The text of the n-th word, empty when there is none.
    pub(crate) fn argument(&self, index: usize) -> &str {
        self.words.get(index).map_or("", |word| word.text.as_str())
    }

    /// The place of the n-th word, else of the whole statement.
    pub(crate) fn span(&self, index: usize) -> Span {
        self.words
            .get(index)
            .map_or(self.text.span, |word| word.span)
    }

    /// The place of everything from the n-th word.
    pub(crate) fn span_from(&self, index: usize) -> Span {
        Span {
            end: self.text.span.end,
            ..self.span(index)
        }
    }
}

/// Reads everything into a tree.
pub(crate) fn build(reader: &mut Reader<'_>, report: &mut Reporter) -> Vec<Statement> {
    let mut builder = Builder {
        table: Table::get(),
        report,
        levels: Vec::new(),
        root: Vec::new(),
        last: None,
        mentioned: BTreeSet::new(),
    };
    while let Some(piece) = reader.next(builder.report) {
        match piece {
            Piece::Statement(text) => builder.statement(text),
            Piece::Open(span) => builder.open(span),
            Piece::Close(span) => builder.close(span),
        }
    }
    builder.finish()
}

/// An open block.
struct Level {
    /// The path of the block in the table; meaningless within `Inside::List` and `Inside::Unknown`.
    context: &'static str,
    inside: Inside,
    /// The statement that the block belongs to.
    owner: Option<Statement>,
    children: Vec<Statement>,
    opened: Span,
    /// `{` that were ignored: so many `}` belong to them.
    stray: usize,
    /// Within a block that is not acted on yet.
    pending: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Keywords,
    List,
    /// Stepped over.
    Unknown,
}

/// The statement whose `{` may follow.
enum Last {
    Known(Statement, &'static Keyword),
    /// An entry of a list.
    Entry(Statement),
    /// Nothing to keep: unknown, or within something unknown.
    Unknown(Span),
    /// A block of the root in the midst of another block.
    Escaping(Statement, &'static Keyword),
    /// A block of an enclosing block: so many levels are to be closed.
    Outer(Statement, &'static Keyword, usize),
}

struct Builder<'a> {
    table: &'static Table,
    report: &'a mut Reporter,
    levels: Vec<Level>,
    root: Vec<Statement>,
    last: Option<Last>,
    /// Pending keywords that were already mentioned: once is enough.
    mentioned: BTreeSet<*const Keyword>,
}

impl Builder<'_> {
    fn context(&self) -> (&'static str, Inside, bool) {
        self.levels
            .last()
            .map_or(("", Inside::Keywords, false), |level| {
                (level.context, level.inside, level.pending)
            })
    }

    fn statement(&mut self, text: Text) {
        self.settle(Some(&text));
        let (parts, damaged) = match split_plain(&text.text) {
            Ok(parts) => (parts, false),
            Err(before) => (before, true),
        };
        let words: Vec<_> = parts
            .into_iter()
            .map(|part| Word {
                span: text.part(part.start, part.end),
                text: part.text,
            })
            .collect();
        let Some(first) = words.first() else { return };
        let (context, inside, in_pending) = self.context();
        let name = first.text.as_str();
        let span = first.span;
        let here = if inside == Inside::Keywords {
            self.table.find(context, name)
        } else {
            None
        };
        let statement = |keyword| Statement {
            words: words.clone(),
            text: text.clone(),
            keyword,
            block: Vec::new(),
            damaged,
        };
        self.last = if let Some(keyword) = here {
            self.mention(keyword, span, in_pending);
            (damaged || self.check_needs(keyword, &words, span))
                .then(|| Last::Known(statement(Some(keyword)), keyword))
        } else if let Some(keyword) = self.root_block(context, name) {
            Some(Last::Escaping(statement(Some(keyword)), keyword))
        } else if inside == Inside::List {
            Some(Last::Entry(statement(None)))
        } else if inside == Inside::Unknown {
            Some(Last::Unknown(span))
        } else if let Some((keyword, closed)) = self.outer_block(name) {
            Some(Last::Outer(statement(Some(keyword)), keyword, closed))
        } else {
            self.unknown(context, name, span);
            Some(Last::Unknown(span))
        };
    }

    /// A keyword that opens a block at the root, met somewhere else.
    fn root_block(&self, context: &str, name: &str) -> Option<&'static Keyword> {
        let elsewhere = !context.is_empty() || !self.levels.is_empty();
        let keyword = elsewhere.then(|| self.table.find("", name)).flatten()?;
        (keyword.shape() != Shape::Value).then_some(keyword)
    }

    /// A keyword that opens a block within an enclosing block, and how many levels lie between.
    fn outer_block(&self, name: &str) -> Option<(&'static Keyword, usize)> {
        self.levels
            .iter()
            .rev()
            .enumerate()
            .skip(1)
            .find_map(|(closed, level)| {
                let keyword = (level.inside == Inside::Keywords)
                    .then(|| self.table.find(level.context, name))
                    .flatten()?;
                (keyword.shape() != Shape::Value).then_some((keyword, closed))
            })
    }

    fn open(&mut self, span: Span) {
        match self.last.take() {
            Some(Last::Known(statement, keyword)) if keyword.shape() != Shape::Value => {
                self.enter(statement, keyword, span);
            }
            Some(Last::Escaping(statement, keyword)) => {
                self.close_before(&statement, self.levels.len());
                self.mention(keyword, statement.span(0), false);
                self.enter(statement, keyword, span);
            }
            Some(Last::Outer(statement, keyword, closed)) => {
                self.close_before(&statement, closed);
                self.mention(keyword, statement.span(0), self.context().2);
                self.enter(statement, keyword, span);
            }
            Some(Last::Unknown(_)) if self.context().1 == Inside::Unknown => self.stray(),
            Some(Last::Unknown(at)) => {
                let (context, _, pending) = self.context();
                self.levels.push(Level {
                    context,
                    inside: Inside::Unknown,
                    owner: None,
                    children: Vec::new(),
                    opened: at,
                    stray: 0,
                    pending,
                });
            }
            Some(last @ (Last::Known(..) | Last::Entry(_))) => {
                self.last = Some(last);
                self.settle(None);
                self.unexpected_open(span);
            }
            None if self.context().1 == Inside::Unknown => self.stray(),
            None => self.unexpected_open(span),
        }
    }

    fn unexpected_open(&mut self, span: Span) {
        let diagnostic = Diagnostic::error(Class::UnexpectedOpen, "no block can begin here")
            .help("this '{' and the '}' that belongs to it are ignored")
            .keepalived("Unexpected '{' - ignoring");
        self.report.at(span, diagnostic);
        self.stray();
    }

    fn stray(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.stray += 1;
        } else {
            // At the root the matching brace is found through a level of its own, read with the root's keywords.
            self.levels.push(Level {
                context: "",
                inside: Inside::Keywords,
                owner: None,
                children: Vec::new(),
                opened: Span {
                    file: usize::MAX,
                    line: 0,
                    start: 0,
                    end: 0,
                },
                stray: 0,
                pending: false,
            });
        }
    }

    fn enter(&mut self, statement: Statement, keyword: &'static Keyword, opened: Span) {
        let (_, _, pending) = self.context();
        let shape = keyword.shape();
        if shape == Shape::List
            && keyword.arguments.needs == Needs::Nothing
            && statement.words.len() > 1
        {
            let message = format!("words between '{}' and its '{{' are ignored", keyword.name);
            self.report.at(
                statement.span_from(1),
                Diagnostic::warning(Class::General, message),
            );
        }
        self.levels.push(Level {
            context: self.table.inside(self.context().0, keyword.name),
            inside: if shape == Shape::List {
                Inside::List
            } else {
                Inside::Keywords
            },
            owner: Some(statement),
            children: Vec::new(),
            opened,
            stray: 0,
            pending: pending || keyword.pending.is_some(),
        });
    }

    fn close(&mut self, span: Span) {
        self.settle(None);
        match self.levels.last_mut() {
            Some(level) if level.stray > 0 => level.stray -= 1,
            Some(_) => self.leave(),
            None => {
                let diagnostic = Diagnostic::error(Class::UnexpectedClose, "no block is open here")
                    .help("remove this '}', or look for a '}' too many above")
                    .keepalived("Unknown keyword '}'");
                self.report.at(span, diagnostic);
            }
        }
    }

    /// Ends the innermost block.
    fn leave(&mut self) {
        let Some(level) = self.levels.pop() else {
            return;
        };
        let siblings = self.siblings();
        match level.owner {
            Some(mut owner) => {
                owner.block = level.children;
                siblings.push(owner);
            }
            None => siblings.extend(level.children),
        }
    }

    fn siblings(&mut self) -> &mut Vec<Statement> {
        match self.levels.last_mut() {
            Some(level) => &mut level.children,
            None => &mut self.root,
        }
    }

    /// Closes the blocks in front of a statement that cannot stand in them.
    fn close_before(&mut self, statement: &Statement, count: usize) {
        let owner = self.levels.last().and_then(|level| level.owner.as_ref());
        let inner = owner.map(|owner| owner.argument(0).to_owned());
        let opened = owner.map(Statement::whole);
        let message = match inner {
            Some(inner) => format!(
                "a '}}' is missing: '{}' cannot stand inside '{inner}'",
                statement.argument(0)
            ),
            None => format!("a '}}' is missing before '{}'", statement.argument(0)),
        };
        let mut diagnostic = Diagnostic::error(Class::MissingClose, message)
            .help("close the blocks above this line");
        if let Some(opened) = opened {
            diagnostic = diagnostic.related(opened, "this block is still open");
        }
        self.report.at(statement.span(0), diagnostic);
        for _ in 0..count {
            self.leave();
        }
    }

    /// Decides what the statement before `next` was, now that no `{` can follow it.
    fn settle(&mut self, next: Option<&Text>) {
        match self.last.take() {
            None | Some(Last::Unknown(_)) => {}
            Some(Last::Known(statement, keyword)) => match keyword.shape() {
                Shape::Value => self.siblings().push(statement),
                Shape::Block | Shape::List => self.without_brace(statement, keyword, next),
            },
            Some(Last::Entry(statement)) => self.siblings().push(statement),
            Some(Last::Escaping(mut statement, _) | Last::Outer(mut statement, ..)) => {
                let (context, inside, _) = self.context();
                match inside {
                    Inside::List => {
                        statement.keyword = None;
                        self.siblings().push(statement);
                    }
                    Inside::Unknown => {}
                    Inside::Keywords => {
                        self.unknown(context, statement.argument(0), statement.span(0))
                    }
                }
            }
        }
    }

    /// A block without its `{`. When what follows belongs into it, it is read as if the brace were there.
    fn without_brace(
        &mut self,
        statement: Statement,
        keyword: &'static Keyword,
        next: Option<&Text>,
    ) {
        let span = statement.text.span;
        let diagnostic = Diagnostic::error(
            Class::MissingOpen,
            format!("'{}' needs a block", keyword.name),
        )
        .keepalived("Missing '{' at beginning of configuration block");
        let follows = next.and_then(|text| text.text.split_ascii_whitespace().next());
        let inside = self.table.inside(self.context().0, keyword.name);
        let belongs = keyword.shape() == Shape::Block
            && follows.is_some_and(|word| {
                self.table.find(inside, word).is_some()
                    && self.table.find(self.context().0, word).is_none()
            });
        if belongs {
            self.report
                .at(span, diagnostic.help("add '{' at the end of this line"));
            self.enter(statement, keyword, span);
        } else {
            self.report.at(
                span,
                diagnostic.help(format!(
                    "write {} {{ ... }}; this one is ignored",
                    keyword.name
                )),
            );
        }
    }

    fn finish(mut self) -> Vec<Statement> {
        self.settle(None);
        if let Some(level) = self.levels.first() {
            let count = self
                .levels
                .iter()
                .map(|level| level.stray + 1)
                .sum::<usize>();
            let diagnostic = Diagnostic::error(Class::MissingClose, "this block is never closed")
                .help("add the missing '}'")
                .keepalived(format!("There are {count} missing '}}'s or extra '{{'s"));
            if level.opened.line == 0 {
                self.report.nowhere(diagnostic);
            } else {
                self.report.at(level.opened, diagnostic);
            }
        }
        while !self.levels.is_empty() {
            self.leave();
        }
        self.root
    }

    fn unknown(&mut self, context: &'static str, name: &str, span: Span) {
        let place = if context.is_empty() {
            "outside of all blocks".to_owned()
        } else {
            format!("in {context}")
        };
        let near = if self.report.is_full() {
            None
        } else {
            nearest(name, self.table.names_in(context))
        };
        let help = match near {
            Some(near) => Some(format!("did you mean '{near}'?")),
            None => match blocks_of(self.table, name) {
                blocks if blocks.is_empty() => None,
                blocks => Some(format!("'{name}' belongs into {}", blocks.join(" or "))),
            },
        };
        let diagnostic = Diagnostic::error(
            Class::UnknownKeyword,
            format!("unknown keyword '{name}' {place}"),
        )
        .maybe_help(help)
        .keepalived(format!("Unknown keyword '{name}'"));
        self.report.at(span, diagnostic);
    }

    /// Says once that a keyword is not acted on yet.
    fn mention(&mut self, keyword: &'static Keyword, span: Span, in_pending: bool) {
        if let Some(instead) = keyword.deprecated {
            let message = format!("'{}' is an old spelling", keyword.name);
            self.report.at(
                span,
                Diagnostic::warning(Class::Deprecated, message).help(format!("use '{instead}'")),
            );
        }
        let Some(pending) = keyword.pending else {
            return;
        };
        self.report.uses_pending(self.context().0, keyword.name);
        if in_pending || pending.refuses || !self.mentioned.insert(std::ptr::from_ref(keyword)) {
            return;
        }
        let message = format!(
            "'{}' is a keyword of keepalived that evervip does not act on yet",
            keyword.name
        );
        let mut diagnostic = Diagnostic::warning(Class::Pending, message).about(keyword.name);
        if let Some(effect) = pending.effect {
            diagnostic = diagnostic.with_note(effect);
        }
        self.report.at(span, diagnostic);
    }

    /// Whether a keyword has the argument without which keepalived ends at once.
    fn check_needs(&mut self, keyword: &'static Keyword, words: &[Word], span: Span) -> bool {
        if keyword.arguments.needs != Needs::Argument || words.len() > 1 {
            return true;
        }
        let name = keyword.name;
        let diagnostic = Diagnostic::error(Class::MissingParameter, format!("'{name}' lacks its argument"))
            .help(format!("{name} {}", keyword.arguments))
            .keepalived(format!(
                "*** Configuration line starting `{name}` is missing a parameter after keyword `{name}` at word \
                 position 2"
            ))
            .fatal();
        self.report.at(span, diagnostic);
        // A block is read on all the same, so that its contents are not reported as well.
        keyword.shape() != Shape::Value
    }
}
