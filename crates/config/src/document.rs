//! How the tree of statements comes about, and what to make of braces that do not fit.
//!
//! keepalived reads on one block too high or too low after such a mistake and reports everything that follows. Here one
//! mistake is one message: an unknown block is stepped over, and a block that must stand at the root shows that the
//! blocks before it lack a `}`.

use std::collections::BTreeSet;

use crate::diagnostics::mask::{self, mask};
use crate::diagnostics::{Class, Diagnostic, Found, Reporter, Span};
use crate::foreign::{self, Sign};
use crate::keywords::arguments::Needs;
use crate::keywords::{BlockId, EntryId, Keyword, Shape, Table, blocks_of, includes, modern_name};
use crate::lexer::split_plain;
use crate::reader::{Around, Piece, Reader, Text, unmatched_quote};
use crate::sources::offset;
use crate::suggest::nearest;

mod tree;

use tree::{Attempts, End, Node, What, index, unquoted};
pub(crate) use tree::{Statement, Tree};

/// Whether words may stand between the keyword of a list and its `{`.
fn named(list: &Keyword) -> bool {
    list.arguments.needs != Needs::Nothing
}

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

/// Lists of addresses: what begins with a keyword of the enclosing block cannot be meant as an entry.
const ADDRESSES: [&str; 4] = [
    "virtual_ipaddress",
    "virtual_ipaddress_excluded",
    "unicast_peer",
    "static_ipaddress",
];

/// Bytes of a file for each of its statements, or fewer than that: room for them is made at once. Room that is not used costs
/// nothing, room that is not enough has to be made anew, twice as large, and filled again.
const USUAL_STATEMENT: usize = 12;

/// So many at most, whatever the file is: then it is as usual.
const MOST_RESERVED: usize = 1 << 20;

/// What `{{` and `{%` mean.
const TEMPLATE: &str = "'{{' and '{%' are marks of a template: let its program fill it in, and check what that makes of it";

/// What `${NAME:-VALUE}` and the like mean.
const SHELL_PARAMETER: &str =
    "'${NAME:-VALUE}' is for shells: write $NAME=VALUE above, and ${NAME} here";

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

    fn open(&mut self, span: Span, around: Around) {
        match self.last.take() {
            Some(Last::Known(entry)) if self.opens_block(entry) => self.enter(entry, Some(span)),
            Some(Last::Escaping(entry)) => {
                self.close_before(self.levels.len());
                self.mention_last(entry);
                self.enter(entry, Some(span));
            }
            Some(Last::Outer(entry, closed)) => {
                self.close_before(closed);
                self.mention_last(entry);
                self.enter(entry, Some(span));
            }
            Some(Last::Unknown(_)) if self.context().1 == Inside::Unknown => self.stray(),
            Some(Last::Unknown(at)) => {
                let (context, _, pending) = self.context();
                self.levels.push(Level {
                    context,
                    inside: Inside::Unknown,
                    owner: None,
                    opened: Some(at),
                    stray: 0,
                    pending,
                });
            }
            Some(last @ (Last::Known(_) | Last::Entry)) => {
                let (name, _) = self.last_name();
                self.last = Some(last);
                self.settle(None, None);
                self.unexpected_open(span, Some(&name), around);
            }
            None if self.context().1 == Inside::Unknown => self.stray(),
            None => self.unexpected_open(span, None, around),
        }
    }

    fn mention_last(&mut self, entry: EntryId) {
        if let Some(keyword) = self.table.keyword(entry) {
            let (_, span) = self.last_name();
            self.mention(keyword, span, self.context().2);
        }
    }

    fn unexpected_open(&mut self, span: Span, owner: Option<&str>, around: Around) {
        // In a list keepalived takes it for an entry, and a bad one.
        let class = match self.context().1 {
            Inside::List { .. } => Class::General,
            Inside::Keywords | Inside::Unknown => Class::UnexpectedOpen,
        };
        let message = match owner {
            Some(owner) => format!("'{owner}' takes no block"),
            None => "no keyword stands in front of this block".to_owned(),
        };
        let foreign = match around {
            Around::Nothing => None,
            Around::Template => Some(TEMPLATE),
            Around::Parameter => Some(SHELL_PARAMETER),
        };
        let help = if let Some(foreign) = foreign {
            foreign
        } else if owner.is_none() && self.nodes.is_empty() {
            "a block begins with its keyword: 'vrrp_instance NAME {'; is this a file of another program, JSON perhaps?"
        } else {
            "remove this '{' and the '}' that belongs to it"
        };
        let diagnostic = Diagnostic::error(class, message)
            .with_note("both braces are ignored")
            .help(help)
            // Where there is one there are many, and whatever stands in such braces is no mistake of its own.
            .following(
                self.is_stray() || foreign.is_some_and(|help| !self.spread.insert((None, help))),
            )
            .keepalived("Unexpected '{' - ignoring");
        self.report.at(span, diagnostic);
        self.stray();
    }

    /// Whether what is read stands in braces that are ignored.
    fn is_stray(&self) -> bool {
        self.levels
            .last()
            .is_some_and(|level| level.stray > 0 || level.owner.is_none())
    }

    fn stray(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.stray = level.stray.saturating_add(1);
        } else {
            // At the root the matching brace is found through a level of its own, read with the root's keywords.
            self.levels.push(Level {
                context: BlockId::ROOT,
                inside: Inside::Keywords,
                owner: None,
                opened: None,
                stray: 0,
                pending: false,
            });
        }
    }

    /// Begins the block of the last node, behind its `{`.
    fn enter(&mut self, entry: EntryId, opened: Option<Span>) {
        if let Some(keyword) = self.table.keyword(entry)
            && keyword.shape() == Shape::List
            && !named(keyword)
            && let Some(node) = self.nodes.last().copied()
            && let Some(words) = self.words_behind_name(node)
        {
            let message = format!("words between '{}' and its '{{' are ignored", keyword.name);
            self.report
                .at(words, Diagnostic::warning(Class::General, message));
        }
        self.begin(entry, opened);
    }

    /// Begins the block of the last node.
    fn begin(&mut self, entry: EntryId, opened: Option<Span>) {
        let Some(keyword) = self.table.keyword(entry) else {
            return;
        };
        let (_, _, pending) = self.context();
        let owner = index(self.nodes.len()).saturating_sub(1);
        self.levels.push(Level {
            context: self.table.opens(entry),
            inside: if keyword.shape() == Shape::List {
                Inside::List {
                    addresses: ADDRESSES.contains(&keyword.name),
                }
            } else {
                Inside::Keywords
            },
            owner: Some(owner),
            opened,
            stray: 0,
            pending: pending || keyword.pending.is_some(),
        });
    }

    /// The place of what stands behind the first word of the last node.
    fn words_behind_name(&self, node: Node) -> Option<Span> {
        let (start, _) = self.words.get(offset(node.words) + 1).copied()?;
        Some(Span {
            start: node.start + start,
            ..node.whole()
        })
    }

    fn close(&mut self, span: Span) {
        self.settle(None, Some(span));
        match self.levels.last_mut() {
            Some(level) if level.stray > 0 => level.stray -= 1,
            Some(level) => {
                if let Some(node) = level.owner {
                    self.ends.push(End {
                        node,
                        line: span.line,
                        file: span.file,
                    });
                }
                self.leave(index(self.nodes.len()));
            }
            None if self.forgiven > 0 => self.forgiven -= 1,
            None => {
                let diagnostic = Diagnostic::error(Class::UnexpectedClose, "no block is open here")
                    .help("remove this '}', or look for a '}' too many above")
                    .keepalived("Unknown keyword '}'");
                self.report.at(span, diagnostic);
            }
        }
    }

    /// Ends the innermost block in front of a node.
    fn leave(&mut self, end: u32) {
        let owner = self.levels.pop().and_then(|level| level.owner);
        if let Some(node) = owner.and_then(|owner| self.nodes.get_mut(offset(owner))) {
            node.next = end;
        }
    }

    /// Closes the blocks in front of the last node, which cannot stand in them.
    fn close_before(&mut self, count: usize) {
        let (name, span) = self.last_name();
        let level = self.levels.last().copied();
        let owner = level.and_then(|level| level.owner);
        let owner = owner.and_then(|owner| self.nodes.get(offset(owner)));
        let inner = owner
            .and_then(|node| node.what.entry())
            .and_then(|entry| self.table.keyword(entry));
        let opened = owner.map(Node::whole);
        let message = match inner {
            Some(inner) => {
                let inner = inner.name;
                format!("a '}}' is missing: '{name}' cannot stand inside '{inner}'")
            }
            None => format!("a '}}' is missing before '{name}'"),
        };
        let help = match inner {
            Some(inner) => format!("close '{}' above this line", inner.name),
            None => "close the blocks above this line".to_owned(),
        };
        // Inside of the block keepalived takes it for one more keyword, or entry, of it; the want of a '}' shows at the end
        // of all.
        let (class, keepalived) = match level.map(|level| level.inside) {
            Some(Inside::List { .. }) => (Class::General, format!("invalid entry '{name}'")),
            _ => (Class::UnknownKeyword, format!("Unknown keyword '{name}'")),
        };
        let mut diagnostic = Diagnostic::error(class, message)
            .help(help)
            .keepalived(keepalived);
        if let Some(opened) = opened {
            diagnostic = diagnostic.related(opened, "this block is still open");
        }
        self.report.at(span, diagnostic);
        let end = index(self.nodes.len()).saturating_sub(1);
        for _ in 0..count {
            self.leave(end);
        }
        self.forgiven += count;
        self.unclosed += count;
        self.first_unclosed.get_or_insert(span);
    }

    /// Decides what the statement before `next` was, now that no `{` can follow it. `at`: where that became clear.
    fn settle(&mut self, next: Option<Text>, at: Option<Span>) {
        match self.last.take() {
            None | Some(Last::Unknown(_) | Last::Entry) => {}
            Some(Last::Known(entry)) => {
                if self.opens_block(entry) {
                    self.without_brace(entry, next, at);
                }
            }
            Some(Last::Escaping(_) | Last::Outer(..)) => {
                let (context, inside, _) = self.context();
                match inside {
                    Inside::List { .. } => {
                        if let Some(node) = self.nodes.last_mut() {
                            let remarks = node.what.0 & (What::DAMAGED | What::BROKEN);
                            node.what = What(What::ENTRY.0 | remarks);
                        }
                    }
                    Inside::Unknown => self.drop_last(),
                    Inside::Keywords => {
                        let (name, span) = self.last_name();
                        self.drop_last();
                        self.unknown(context, &name, span);
                    }
                }
            }
        }
    }

    /// A block without its `{`. When what follows belongs into it, it is read as if the brace were there.
    fn without_brace(&mut self, entry: EntryId, next: Option<Text>, at: Option<Span>) {
        let (Some(keyword), Some(node)) = (self.table.keyword(entry), self.nodes.last().copied())
        else {
            return;
        };
        let span = node.whole();
        let is_list = keyword.shape() == Shape::List;
        let follows = next.and_then(|text| {
            let length = u32::from(text.span.end - text.span.start);
            let text = self
                .reader
                .sources()
                .part(text.span.file, text.at, text.at + length);
            text.split_ascii_whitespace().next()
        });
        let inside = self.table.opens(entry);
        let belongs = follows.is_some_and(|word| {
            (is_list || self.table.lookup(inside, word).is_some())
                && self.table.lookup(self.context().0, word).is_none()
                && (!is_list || self.root_block(word).is_none())
        });
        let message = format!("'{}' needs a block", keyword.name);
        let diagnostic = if !is_list {
            let found = at.map_or(Found::Afterwards, Found::At);
            Diagnostic::error(Class::MissingOpen, message)
                .keepalived("Missing '{' at beginning of configuration block")
                .found(found)
        } else if let Some(words) = self.words_behind_name(node).filter(|_| !named(keyword)) {
            let extra = self.text_of(words);
            Diagnostic::error(Class::General, message).keepalived(format!(
                "Block {} has extra parameters {extra} ...",
                keyword.name
            ))
        } else if belongs {
            // keepalived only logs it.
            Diagnostic::warning(Class::Uncounted, message)
        } else {
            // There the lines that follow become entries, which are hardly good ones.
            Diagnostic::error(Class::General, message)
        };
        if belongs {
            self.report
                .at(span, diagnostic.help("add '{' at the end of this line"));
            self.begin(entry, Some(span));
        } else {
            let owner = self.levels.last().and_then(|level| level.owner);
            self.attempts.insert((owner, keyword.name));
            let words = self.reader.sources().part(
                node.file,
                node.at,
                node.at + u32::from(node.end - node.start),
            );
            let words = words.strip_prefix(keyword.name).unwrap_or_default().trim();
            let inside = match keyword.shape() {
                Shape::List if !words.is_empty() && keyword.arguments.needs == Needs::Nothing => {
                    words
                }
                Shape::List | Shape::Block | Shape::Value => "...",
            };
            let help = format!("write {} {{ {inside} }}; this one is ignored", keyword.name);
            self.drop_last();
            self.forgiven += 1;
            self.report.at(span, diagnostic.help(help));
        }
    }

    fn finish(mut self) -> Tree {
        self.settle(None, None);
        if !self.reader.has_given_up() {
            self.report_unclosed();
        }
        while !self.levels.is_empty() {
            self.leave(index(self.nodes.len()));
        }
        if self.reader.has_given_up() {
            // Nobody can use it, so nobody has to judge what a quarter of a million lines mean.
            self.nodes.clear();
            self.words.clear();
            self.ends.clear();
        }
        // Inner blocks end before outer ones.
        self.ends.sort_unstable_by_key(|end| end.node);
        Tree {
            sources: self.reader.into_sources(),
            nodes: self.nodes,
            words: self.words,
            ends: self.ends,
            attempts: self.attempts,
        }
    }

    /// Says that blocks are still open at the end of all.
    fn report_unclosed(&mut self) {
        let open: u64 = self
            .levels
            .iter()
            .map(|level| u64::from(level.stray) + 1)
            .sum();
        let declared = u64::try_from(self.unclosed.min(self.forgiven)).unwrap_or(u64::MAX);
        let count = open.saturating_add(declared);
        let owner = self.levels.first().and_then(|level| level.owner);
        let keyword = owner
            .and_then(|owner| self.nodes.get(offset(owner)))
            .and_then(|node| node.what.entry())
            .and_then(|entry| self.table.keyword(entry));
        let message = match keyword {
            Some(keyword) => format!("the block of '{}' is never closed", keyword.name),
            None => "this block is never closed".to_owned(),
        };
        let diagnostic = Diagnostic::error(Class::MissingClose, message)
            .help("add the missing '}'")
            .keepalived(format!("There are {count} missing '}}'s or extra '{{'s"))
            .found(Found::Afterwards);
        match (self.levels.first(), self.first_unclosed) {
            (Some(level), _) => match level.opened {
                Some(opened) => self.report.at(opened, diagnostic),
                None => self.report.nowhere(diagnostic),
            },
            // Where the first `}` is missing was said.
            (None, Some(first)) if declared > 0 => {
                self.report.part_of(Some(first));
                self.report.at(first, diagnostic);
                self.report.part_of(None);
            }
            (None, _) => {}
        }
    }

    fn unknown(&mut self, context: BlockId, name: &str, span: Span) {
        let path = self.table.path(context);
        let place = if context == BlockId::ROOT {
            "outside of all blocks".to_owned()
        } else {
            format!("in {path}")
        };
        let (shown, _) = mask(name, 0..0);
        let diagnostic = Diagnostic::error(
            Class::UnknownKeyword,
            format!("unknown keyword '{shown}' {place}"),
        )
        .keepalived(format!("Unknown keyword '{shown}'"));
        if self.report.is_full() {
            self.report.at(span, diagnostic);
            return;
        }
        let sign = foreign::sign_of_keyword(name);
        let cut = foreign::name_in(name);
        let trimmed = cut.map_or(name, |(name, _)| name);
        let trimmed = trimmed.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let near = nearest(trimmed, self.table.names_in(context).chain(includes()));
        let owner = self.levels.last().and_then(|level| level.owner);
        if let Some(near) = near {
            self.attempts.insert((owner, near));
        }
        let blocks = blocks_of(self.table, name);
        // Of a word between ignored braces enough is said, unless it is clear what was meant.
        let follows = self.is_stray() && (near.is_none() || cut.is_some() || !blocks.is_empty());
        let renamed =
            modern_name(self.table, name).filter(|new| self.table.lookup(context, new).is_some());
        let diagnostic = match (sign, near) {
            // Here only the new name of it is known.
            (None, _) if let Some(new) = renamed => diagnostic.help(format!("write '{new}'")),
            (Some(Sign { help, spreads }), _) => diagnostic
                .help(help)
                .following(spreads && !self.spread.insert((None, help))),
            (None, Some(near)) if near == name => {
                diagnostic.help(format!("behind it stands what to read: {name} PATTERN"))
            }
            (None, Some(near)) if blocks.is_empty() => match cut {
                Some((_, mark)) => {
                    diagnostic.help(format!("write '{near}' and a blank instead of '{mark}'"))
                }
                None => diagnostic.help(format!("did you mean '{near}'?")),
            },
            (None, _) => {
                let inner = blocks.iter().find_map(|block| {
                    let inner = block.strip_prefix(path)?.trim_start_matches('/');
                    (context != BlockId::ROOT && !inner.contains('/')).then_some(inner)
                });
                if let Some(inner) = inner {
                    self.attempts.insert((owner, inner));
                    diagnostic.help(format!(
                        "put it between the braces of '{inner}' in this block"
                    ))
                } else if !blocks.is_empty() {
                    let help = format!("'{name}' belongs in {}", blocks.join(" or "));
                    if context == BlockId::ROOT && !self.nodes.is_empty() {
                        diagnostic.help(format!("{help}; does a '}}' above close it too early?"))
                    } else {
                        diagnostic.help(help)
                    }
                } else if path == "vrrp_sync_group" {
                    self.attempts.insert((owner, "group"));
                    let help = "the members of a group stand in 'group { }'";
                    diagnostic
                        .help(help)
                        .following(!self.spread.insert((owner, help)))
                } else {
                    diagnostic
                        .help("correct it or remove it; it is ignored, with all that belongs to it")
                }
            }
        };
        let follows = follows || diagnostic.follows;
        self.report.at(span, diagnostic.following(follows));
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
        self.report
            .uses_pending(self.table.path(self.context().0), keyword.name);
        if in_pending || !self.mentioned.insert(std::ptr::from_ref(keyword)) {
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
    fn check_needs(&mut self, keyword: &'static Keyword, words: usize, span: Span) -> bool {
        if keyword.arguments.needs != Needs::Argument || words > 1 {
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
