//! The tree of statements: flat, small, and its text stays where it was read.

use std::collections::BTreeSet;

use crate::diagnostics::Span;
use crate::keywords::{BlockId, EntryId, Keyword, Table};
use crate::sources::{Sources, offset};

/// A statement in the tree. There can be a million of them, so it is small, and its text stays where it was read.
#[derive(Clone, Copy)]
pub(super) struct Node {
    /// The first byte in the text of its file.
    pub(super) at: u32,
    pub(super) line: u32,
    /// Its first word; its last one is in front of the next node's first.
    pub(super) words: u32,
    /// The next statement that is not in its block.
    pub(super) next: u32,
    pub(super) file: u16,
    pub(super) start: u16,
    pub(super) end: u16,
    pub(super) what: What,
}

impl Node {
    pub(super) const fn whole(&self) -> Span {
        Span {
            line: self.line,
            file: self.file,
            start: self.start,
            end: self.end,
        }
    }
}

/// The entry of a node's keyword in the table, and two remarks.
#[derive(Clone, Copy)]
pub(super) struct What(pub(super) u16);

impl What {
    /// An entry of a list.
    pub(super) const ENTRY: Self = Self(EntryId::LAST.number() + 1);
    /// A quote is not closed.
    pub(super) const DAMAGED: u16 = 0x4000;
    /// A parameter has no value.
    pub(super) const BROKEN: u16 = 0x8000;

    pub(super) const fn new(entry: Option<EntryId>, damaged: bool, broken: bool) -> Self {
        let number = match entry {
            Some(entry) => entry.number(),
            None => Self::ENTRY.0,
        };
        let damaged = if damaged { Self::DAMAGED } else { 0 };
        let broken = if broken { Self::BROKEN } else { 0 };
        Self(number | damaged | broken)
    }

    pub(super) const fn entry(self) -> Option<EntryId> {
        let number = self.0 & !(Self::DAMAGED | Self::BROKEN);
        if number == Self::ENTRY.0 {
            None
        } else {
            Some(EntryId::from_number(number))
        }
    }
}

/// Where a block ends.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) node: u32,
    pub(super) line: u32,
    pub(super) file: u16,
}

/// Keywords that a block has in the eyes of its author, though something was wrong with them: the block's node, and the
/// keyword.
pub(super) type Attempts = BTreeSet<(Option<u32>, &'static str)>;

/// Everything that was read.
pub(crate) struct Tree {
    pub(super) sources: Sources,
    /// In the order of the text; what is in a block follows its owner.
    pub(super) nodes: Vec<Node>,
    /// First column and the one behind the last, quotes included, from the start of the statement.
    pub(super) words: Vec<(u16, u16)>,
    /// In the order of the nodes that have a block.
    pub(super) ends: Vec<End>,
    pub(super) attempts: Attempts,
}

impl Tree {
    /// The statements outside of all blocks.
    pub(crate) fn root(&self) -> Statements<'_> {
        Statements {
            tree: self,
            next: 0,
            end: index(self.nodes.len()),
        }
    }

    /// What places need to be shown.
    pub(crate) fn into_sources(self) -> Sources {
        self.sources
    }
}

/// Statements that stand side by side.
#[derive(Clone)]
pub(crate) struct Statements<'a> {
    tree: &'a Tree,
    next: u32,
    end: u32,
}

impl Statements<'_> {
    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.next >= self.end
    }
}

impl<'a> Iterator for Statements<'a> {
    type Item = Statement<'a>;

    fn next(&mut self) -> Option<Statement<'a>> {
        if self.is_empty() {
            return None;
        }
        let node = self.tree.nodes.get(offset(self.next))?;
        let statement = Statement {
            tree: self.tree,
            node,
            index: self.next,
        };
        self.next = node.next;
        Some(statement)
    }
}

/// A keyword with its arguments, or an entry of a list.
#[derive(Clone, Copy)]
pub(crate) struct Statement<'a> {
    tree: &'a Tree,
    node: &'a Node,
    index: u32,
}

impl<'a> Statement<'a> {
    /// How many words there are, the keyword included; at least one.
    pub(crate) fn len(&self) -> usize {
        self.columns().len()
    }

    /// The n-th word; 0 is the keyword.
    pub(crate) fn word(&self, index: usize) -> Option<&'a str> {
        self.columns().get(index).map(|word| self.cut(*word))
    }

    /// All words.
    pub(crate) fn words(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let statement = *self;
        self.columns().iter().map(move |word| statement.cut(*word))
    }

    /// Everything as it is written, quotes included.
    pub(crate) fn raw(&self) -> &'a str {
        let from = offset(self.node.at);
        let length = usize::from(self.node.end.saturating_sub(self.node.start));
        let text = self.tree.sources.text(self.node.file);
        text.get(from..from + length).unwrap_or_default()
    }

    /// The place of all of it.
    pub(crate) const fn whole(&self) -> Span {
        self.node.whole()
    }

    /// The row of its keyword; `None`: an entry of a list.
    pub(crate) fn keyword(&self) -> Option<&'static Keyword> {
        Table::get().keyword(self.node.what.entry()?)
    }

    /// The path of the block that its keyword opens.
    pub(crate) fn inside(&self) -> &'static str {
        let table = Table::get();
        let entry = self.node.what.entry();
        table.path(entry.map_or(BlockId::NOWHERE, |entry| table.opens(entry)))
    }

    /// The place of the `}` of its block; `None`: it has none.
    pub(crate) fn end(&self) -> Option<Span> {
        let ends = &self.tree.ends;
        let at = ends
            .binary_search_by_key(&self.index, |end| end.node)
            .ok()?;
        ends.get(at).map(|end| Span {
            line: end.line,
            file: end.file,
            ..Span::NOWHERE
        })
    }

    /// What stands between its braces.
    pub(crate) const fn block(&self) -> Statements<'a> {
        Statements {
            tree: self.tree,
            next: self.index + 1,
            end: self.node.next,
        }
    }

    /// Whether something in its block was reported as misspelt or incomplete that was meant as that keyword.
    pub(crate) fn misspells(&self, keyword: &'static str) -> bool {
        self.tree.attempts.contains(&(Some(self.index), keyword))
    }

    /// Whether its block has a statement of that keyword, be it misspelt.
    pub(crate) fn attempts(&self, keyword: &'static str) -> bool {
        self.misspells(keyword) || self.block().any(|inner| inner.argument(0) == keyword)
    }

    /// Whether its block has a list of that keyword with something in it, be it misspelt.
    pub(crate) fn attempts_entries(&self, keyword: &'static str) -> bool {
        let mut lists = self.block().filter(|inner| inner.argument(0) == keyword);
        self.misspells(keyword) || lists.any(|list| !list.block().is_empty())
    }

    /// A quote is not closed, which was reported: words are missing.
    pub(crate) const fn is_damaged(&self) -> bool {
        self.node.what.0 & What::DAMAGED != 0
    }

    /// A parameter in it has no value, which was reported: whatever else may be said about it follows from that.
    pub(crate) const fn is_broken(&self) -> bool {
        self.node.what.0 & What::BROKEN != 0
    }

    /// The text of the n-th word, empty when there is none.
    pub(crate) fn argument(&self, index: usize) -> &'a str {
        self.word(index).unwrap_or_default()
    }

    /// The place of the n-th word, else of the whole statement.
    pub(crate) fn span(&self, index: usize) -> Span {
        let whole = self.whole();
        match self.columns().get(index) {
            Some((start, end)) => Span {
                start: whole.start + start,
                end: whole.start + end,
                ..whole
            },
            None => whole,
        }
    }

    /// The place of everything from the n-th word.
    pub(crate) fn span_from(&self, index: usize) -> Span {
        Span {
            end: self.node.end,
            ..self.span(index)
        }
    }

    fn columns(&self) -> &'a [(u16, u16)] {
        let following = self.tree.nodes.get(offset(self.index) + 1);
        let end = following.map_or(self.tree.words.len(), |next| offset(next.words));
        let words = self.tree.words.get(offset(self.node.words)..end);
        words.unwrap_or_default()
    }

    fn cut(&self, (start, end): (u16, u16)) -> &'a str {
        let word = self.raw().get(usize::from(start)..usize::from(end));
        unquoted(word.unwrap_or_default())
    }
}

/// A word without the quotes around it.
pub(super) fn unquoted(word: &str) -> &str {
    match word.strip_prefix('"') {
        Some(inner) => inner.strip_suffix('"').unwrap_or(inner),
        None => word,
    }
}

/// The number of a node or word; there are fewer of either than bytes of text.
pub(super) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
