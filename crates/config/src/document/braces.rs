//! Braces: which block a `{` opens and a `}` closes, and what to make of those that do not fit.

use super::tree::{End, Node, Tree, What, index};
use super::{Builder, Inside, Last, Level};
use crate::diagnostics::{Class, Diagnostic, Found, Span};
use crate::keywords::arguments::Needs;
use crate::keywords::{BlockId, EntryId, Keyword, Shape};
use crate::reader::{Around, Text};
use crate::sources::offset;

/// Lists of addresses: what begins with a keyword of the enclosing block cannot be meant as an entry.
const ADDRESSES: [&str; 4] = [
    "virtual_ipaddress",
    "virtual_ipaddress_excluded",
    "unicast_peer",
    "static_ipaddress",
];

/// What `{{` and `{%` mean.
const TEMPLATE: &str = "'{{' and '{%' are marks of a template: let its program fill it in, and check what that makes of it";

/// What `${NAME:-VALUE}` and the like mean.
const SHELL_PARAMETER: &str =
    "'${NAME:-VALUE}' is for shells: write $NAME=VALUE above, and ${NAME} here";

/// Whether words may stand between the keyword of a list and its `{`.
fn named(list: &Keyword) -> bool {
    list.arguments.needs != Needs::Nothing
}

impl Builder<'_, '_> {
    pub(super) fn open(&mut self, span: Span, around: Around) {
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
    pub(super) fn is_stray(&self) -> bool {
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

    pub(super) fn close(&mut self, span: Span) {
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
    pub(super) fn close_before(&mut self, count: usize) {
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
    pub(super) fn settle(&mut self, next: Option<Text>, at: Option<Span>) {
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

    pub(super) fn finish(mut self) -> Tree {
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
}
