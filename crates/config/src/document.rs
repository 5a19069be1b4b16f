//! How the tree of statements comes about, and what to make of braces that do not fit.
//!
//! keepalived reads on one block too high or too low after such a mistake and reports everything that follows. Here one
//! mistake is one message: an unknown block is stepped over, and a block that must stand at the root shows that the
//! blocks before it lack a `}`.

use std::collections::BTreeSet;

use crate::diagnostics::{Reporter, Span, mask};
use crate::foreign;
use crate::keywords::{BlockId, EntryId, Keyword, Shape, Table};
use crate::lexer::split_plain;
use crate::reader::{Piece, Reader, Text, unmatched_quote};
use crate::sources::offset;

mod braces;
mod tree;
mod unknown;

use tree::{Attempts, End, Node, What, index, unquoted};
pub(crate) use tree::{Statement, Tree};

/// Says that the words of a statement end within a quote, unless its line was found to have one.
fn say_open_quote(reader: &Reader<'_>, report: &mut Reporter, text: Text) {
    let Text { span, at, .. } = text;
    if reader.has_said_open_quote(span) {
        return;
    }
    let length = u32::from(span.end - span.start);
    let raw = reader.sources().part(span.file, at, at + length);
    // An escaped quote ends a word here, so the last one is the open one.
    let quote = raw.rfind('"').unwrap_or_default();
    let place = Span {
        start: span.start + u16::try_from(quote).unwrap_or_default(),
        ..span
    };
    let diagnostic = unmatched_quote(raw).with_note("a backslash does not protect a quote here");
    report.at(place, diagnostic);
}

/// Reads everything into a tree.
pub(crate) fn build(reader: Reader<'_>, report: &mut Reporter) -> Tree {
    let statements = reader.sources().read() / USUAL_STATEMENT;
    let statements = statements.min(MOST_RESERVED);
    let mut builder = Builder {
        table: Table::get(),
        reader,
        report,
        levels: Vec::new(),
        nodes: Vec::with_capacity(statements),
        words: Vec::with_capacity(2 * statements),
        ends: Vec::new(),
        last: None,
        mentioned: BTreeSet::new(),
        forgiven: 0,
        attempts: BTreeSet::new(),
        spread: BTreeSet::new(),
        unclosed: 0,
        first_unclosed: None,
    };
    while let Some(piece) = builder.reader.next(builder.report) {
        match piece {
            Piece::Statement(text) => builder.statement(text),
            Piece::Open(span, around) => builder.open(span, around),
            Piece::Close(span) => builder.close(span),
        }
    }
    builder.finish()
}

/// An open block.
#[derive(Clone, Copy)]
struct Level {
    /// Its keywords; meaningless within `Inside::List` and `Inside::Unknown`.
    context: BlockId,
    inside: Inside,
    /// The statement that the block belongs to.
    owner: Option<u32>,
    /// `None`: it is there for braces that were ignored.
    opened: Option<Span>,
    /// `{` that were ignored: so many `}` belong to them.
    stray: u32,
    /// Within a block that is not acted on yet.
    pending: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Keywords,
    /// Entries; true: none of them can begin with a keyword.
    List {
        addresses: bool,
    },
    /// Stepped over.
    Unknown,
}

/// The statement whose `{` may follow. All but unknown ones are the last node of the tree.
#[derive(Clone, Copy)]
enum Last {
    Known(EntryId),
    /// An entry of a list.
    Entry,
    /// Nothing to keep: unknown, or within something unknown.
    Unknown(Span),
    /// A block of the root in the midst of another block.
    Escaping(EntryId),
    /// A block of an enclosing block: so many levels are to be closed.
    Outer(EntryId, usize),
}

/// How many enclosing blocks are searched for a keyword; the table has no block as deep as that.
const DEEPEST: usize = 16;

/// Bytes of a file for each of its statements, or fewer than that: room for them is made at once. Room that is not used costs
/// nothing, room that is not enough has to be made anew, twice as large, and filled again.
const USUAL_STATEMENT: usize = 12;

/// So many at most, whatever the file is: then it is as usual.
const MOST_RESERVED: usize = 1 << 20;

struct Builder<'a, 'm> {
    table: &'static Table,
    reader: Reader<'m>,
    report: &'a mut Reporter,
    levels: Vec<Level>,
    nodes: Vec<Node>,
    words: Vec<(u16, u16)>,
    ends: Vec<End>,
    last: Option<Last>,
    /// Pending keywords that were already mentioned: once is enough.
    mentioned: BTreeSet<*const Keyword>,
    /// Braces that close what a message has already declared to be closed, or never opened.
    forgiven: usize,
    attempts: Attempts,
    /// What was explained: everywhere, or in one block.
    spread: BTreeSet<(Option<u32>, &'static str)>,
    /// How many blocks were declared to be closed, and where the first one was.
    unclosed: usize,
    first_unclosed: Option<Span>,
}

impl Builder<'_, '_> {
    fn context(&self) -> (BlockId, Inside, bool) {
        self.levels
            .last()
            .map_or((BlockId::ROOT, Inside::Keywords, false), |level| {
                (level.context, level.inside, level.pending)
            })
    }

    fn statement(&mut self, text: Text) {
        self.settle(Some(text), Some(text.span));
        let Text { span, at, broken } = text;
        let raw = self
            .reader
            .sources()
            .part(span.file, at, at + u32::from(span.end - span.start));
        let first_word = self.words.len();
        let words = &mut self.words;
        let mut damaged = split_plain(raw, |start, end| {
            // Lines are shorter than 16 bits can tell.
            let column = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
            words.push((column(start), column(end)));
        })
        .is_err();
        let Some((start, end)) = words.get(first_word).copied() else {
            if damaged {
                say_open_quote(&self.reader, self.report, text);
            }
            return;
        };
        let name = unquoted(
            raw.get(usize::from(start)..usize::from(end))
                .unwrap_or_default(),
        );
        let name_span = Span {
            start: span.start + start,
            end: span.start + end,
            ..span
        };
        let (mut context, mut inside, mut in_pending) = self.context();
        let mut node = Node {
            at,
            line: span.line,
            words: index(first_word),
            next: index(self.nodes.len()) + 1,
            file: span.file,
            start: span.start,
            end: span.end,
            what: What::new(None, damaged, broken),
        };
        if inside == (Inside::List { addresses: true })
            && !self.is_stray()
            && self.belongs_outside(name)
        {
            self.push(node);
            self.close_before(1);
            (context, inside, in_pending) = self.context();
            self.nodes.pop();
            node.next = index(self.nodes.len()) + 1;
        }
        let raw = self
            .reader
            .sources()
            .part(span.file, at, at + u32::from(span.end - span.start));
        let name = unquoted(
            raw.get(usize::from(start)..usize::from(end))
                .unwrap_or_default(),
        );
        let here = if inside == Inside::Keywords {
            self.table.lookup(context, name)
        } else {
            None
        };
        let keyword = here.and_then(|entry| self.table.keyword(entry));
        if self.may_hold_secret(context, inside, name, keyword, span.is_made()) {
            let behind = raw.get(usize::from(end)..).unwrap_or_default();
            let secrets = &mut self.report.secrets;
            if let Some((name, _)) = foreign::name_in(unquoted(name)) {
                secrets.add(
                    raw.get(usize::from(start) + name.len() + 1..)
                        .unwrap_or_default(),
                );
            }
            if !mask::is_harmless(behind) {
                secrets.add(behind);
                secrets.add_place(Span {
                    start: (span.start + end + 1).min(span.end),
                    ..span
                });
            }
        }
        if damaged && inside != Inside::Unknown {
            // What is balanced for a shell is no mistake there, and its own splitter tells.
            let is_shell = keyword.is_some_and(|keyword| keyword.shell_words);
            if is_shell && !self.reader.has_said_open_quote(span) {
                damaged = false;
                node.what = What::new(None, damaged, broken);
            } else {
                say_open_quote(&self.reader, self.report, text);
            }
        }
        let with = |entry| Node {
            what: What::new(Some(entry), damaged, broken),
            ..node
        };
        if let Some(entry) = here {
            let Some(keyword) = self.table.keyword(entry) else {
                return;
            };
            self.push(with(entry));
            self.mention(keyword, name_span, in_pending);
            if damaged {
                self.report.part_of(Some(span));
            }
            let complete = self.check_needs(keyword, self.words.len() - first_word, name_span);
            self.report.part_of(None);
            if complete {
                self.last = Some(Last::Known(entry));
            } else {
                // Should a block follow, it is the argument that was meant, and not one more mistake.
                self.drop_last();
                self.last = Some(Last::Unknown(name_span));
                let owner = self.levels.last().and_then(|level| level.owner);
                self.attempts.insert((owner, keyword.name));
            }
        } else if let Some(entry) = self.root_block(name) {
            self.push(with(entry));
            self.last = Some(Last::Escaping(entry));
        } else if let Inside::List { .. } = inside {
            self.push(node);
            self.last = Some(Last::Entry);
        } else if inside == Inside::Unknown {
            self.words.truncate(first_word);
            self.last = Some(Last::Unknown(name_span));
        } else if let Some((entry, closed)) = self.outer_block(name) {
            self.push(with(entry));
            self.last = Some(Last::Outer(entry, closed));
        } else {
            let name = name.to_owned();
            if broken {
                self.report.part_of(Some(span));
            }
            self.unknown(context, &name, name_span);
            self.report.part_of(None);
            self.words.truncate(first_word);
            self.last = Some(Last::Unknown(name_span));
        }
    }

    /// Whether what stands behind a word must not be shown, though the look of its line may not tell.
    fn may_hold_secret(
        &self,
        context: BlockId,
        inside: Inside,
        name: &str,
        keyword: Option<&Keyword>,
        made: bool,
    ) -> bool {
        let path = self.table.path(context);
        let within = !matches!(inside, Inside::List { .. }) && mask::keeps_secrets(path);
        match keyword {
            None => within || mask::resembles_secret(name),
            Some(keyword) if keyword.shape() != Shape::Value => mask::keeps_secrets(keyword.name),
            // The files of SSL are named in messages.
            Some(keyword) if within && path == "SSL" => made && keyword.name == "password",
            // A message about the number of a key would show what stands there instead.
            Some(keyword) if within => made || keyword.name != "auth_pass",
            Some(_) => false,
        }
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
    }

    /// Takes the last node away again.
    fn drop_last(&mut self) {
        if let Some(node) = self.nodes.pop() {
            self.words.truncate(offset(node.words));
        }
    }

    /// What is written at a place of the last node.
    fn text_of(&self, span: Span) -> &str {
        let Some(node) = self.nodes.last() else {
            return "";
        };
        let at = |column: u16| node.at + u32::from(column.saturating_sub(node.start));
        let sources = self.reader.sources();
        sources.part(node.file, at(span.start), at(span.end))
    }

    /// The first word of the last node, and its place.
    fn last_name(&self) -> (String, Span) {
        let Some(node) = self.nodes.last() else {
            return (String::new(), Span::NOWHERE);
        };
        let Some((start, end)) = self.words.get(offset(node.words)).copied() else {
            return (String::new(), Span::NOWHERE);
        };
        let part = self.reader.sources().part(
            node.file,
            node.at + u32::from(start),
            node.at + u32::from(end),
        );
        let span = Span {
            line: node.line,
            file: node.file,
            start: node.start + start,
            end: node.start + end,
        };
        (unquoted(part).to_owned(), span)
    }

    /// Whether a word in a list of addresses is a keyword of the enclosing block.
    fn belongs_outside(&self, name: &str) -> bool {
        let enclosing = self.levels.iter().rev().nth(1);
        enclosing.is_some_and(|level| {
            level.inside == Inside::Keywords && self.table.lookup(level.context, name).is_some()
        })
    }

    fn opens_block(&self, entry: EntryId) -> bool {
        self.table
            .keyword(entry)
            .is_some_and(|keyword| keyword.shape() != Shape::Value)
    }

    /// A keyword that opens a block at the root, met somewhere else.
    fn root_block(&self, name: &str) -> Option<EntryId> {
        if self.levels.is_empty() {
            return None;
        }
        let entry = self.table.lookup(BlockId::ROOT, name)?;
        self.opens_block(entry).then_some(entry)
    }

    /// A keyword that opens a block within an enclosing block, and how many levels lie between.
    fn outer_block(&self, name: &str) -> Option<(EntryId, usize)> {
        // Blocks nest no deeper than the table does, but for stray braces.
        let enclosing = self.levels.iter().rev().enumerate().skip(1).take(DEEPEST);
        for (closed, level) in enclosing {
            if level.inside == Inside::Keywords
                && let Some(entry) = self.table.lookup(level.context, name)
                && self.opens_block(entry)
            {
                return Some((entry, closed));
            }
        }
        None
    }
}
