//! The language: one row per keyword, block by block.
//!
//! A row names the keyword, the block it stands in, its arguments and what it does. Reading, "did you mean", the place
//! of a misplaced keyword and the list of what is not acted on yet all come from these rows; a further keyword is a
//! further row.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::document::Statement;
use crate::read::Reading;

mod addresses;
mod authentication;
mod global_defs;
mod pending;
mod root;
mod scripts;
mod tracking;
mod vrrp_instance;
mod vrrp_script;
mod vrrp_sync_group;

/// A row.
pub(crate) struct Keyword {
    /// The path of the block it stands in; empty at the root.
    pub(crate) block: &'static str,
    pub(crate) name: &'static str,
    /// What stands behind it, as a person would note it.
    pub(crate) arguments: &'static str,
    pub(crate) needs: Needs,
    /// What holds without it.
    pub(crate) default: &'static str,
    /// What it is for.
    pub(crate) help: &'static str,
    pub(crate) role: Role,
}

/// Whether something must stand behind a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// It may be missing, or the setter says what its absence means.
    Optional,
    /// Without it keepalived ends at once.
    Argument,
}

/// What a keyword does.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// Takes its words.
    Set(fn(&mut Reading<'_>, &Statement)),
    /// Opens a block of keywords. `open` judges the header; false: the block is stepped over.
    Block {
        open: fn(&mut Reading<'_>, &Statement) -> bool,
        close: fn(&mut Reading<'_>, &Statement),
    },
    /// Opens a list and takes its entries one by one.
    List(fn(&mut Reading<'_>, &Statement)),
    /// Accepted without effect, as in keepalived.
    Ignored,
    /// Accepted, not acted on yet.
    Pending(Pending),
}

/// A keyword that evervip does not act on yet.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) shape: Shape,
    /// What happens instead, when that matters.
    pub(crate) effect: Option<&'static str>,
    /// An instance with it is left out: it would talk to the wrong routers.
    pub(crate) refuses: bool,
    /// keepalived reports it as deprecated; the spelling to use.
    pub(crate) deprecated: Option<&'static str>,
}

/// What follows a keyword and its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing.
    Value,
    /// Keywords between braces.
    Block,
    /// Entries between braces.
    List,
}

impl Keyword {
    pub(crate) const fn shape(&self) -> Shape {
        match self.role {
            Role::Set(_) | Role::Ignored => Shape::Value,
            Role::Block { .. } => Shape::Block,
            Role::List(_) => Shape::List,
            Role::Pending(pending) => pending.shape,
        }
    }
}

/// All rows, found by block and name.
pub(crate) struct Table {
    rows: BTreeMap<(&'static str, &'static str), &'static Keyword>,
    /// The path of the block that a keyword opens, by block and name.
    inside: BTreeMap<(&'static str, &'static str), &'static str>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let sources = [
        root::KEYWORDS,
        global_defs::KEYWORDS,
        vrrp_instance::KEYWORDS,
        authentication::KEYWORDS,
        vrrp_script::KEYWORDS,
        vrrp_sync_group::KEYWORDS,
        pending::KEYWORDS,
    ];
    let mut rows = BTreeMap::new();
    for row in sources.into_iter().flatten() {
        // An acting row comes first and wins over a pending one.
        rows.entry((row.block, row.name)).or_insert(row);
    }
    let mut inside = BTreeMap::new();
    let paths: BTreeMap<String, &'static str> = rows
        .keys()
        .map(|(block, _)| ((*block).to_owned(), *block))
        .collect();
    for (block, name) in rows.keys() {
        let path = if block.is_empty() {
            (*name).to_owned()
        } else {
            format!("{block}/{name}")
        };
        inside.insert(
            (*block, *name),
            paths.get(&path).copied().unwrap_or(NOWHERE),
        );
    }
    Table { rows, inside }
});

/// The path of a block without keywords.
const NOWHERE: &str = "(list)";

impl Table {
    /// The one table.
    pub(crate) fn get() -> &'static Self {
        &TABLE
    }

    /// A keyword of a block.
    pub(crate) fn find(&self, block: &str, name: &str) -> Option<&'static Keyword> {
        self.rows.get(&(block, name)).copied()
    }

    /// The path of the block that a keyword opens.
    pub(crate) fn inside(&self, keyword: &Keyword) -> &'static str {
        self.inside
            .get(&(keyword.block, keyword.name))
            .copied()
            .unwrap_or(NOWHERE)
    }

    /// The keywords of a block.
    pub(crate) fn names_in(&self, block: &'static str) -> impl Iterator<Item = &'static str> {
        self.rows
            .range((block, "")..)
            .take_while(move |((of, _), _)| *of == block)
            .map(|((_, name), _)| *name)
    }

    /// All rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'static Keyword> {
        self.rows.values().copied()
    }
}

/// What there is to know of a keyword, for a manual page or a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeywordFacts {
    /// The path of the block it stands in; empty at the top level.
    pub block: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What stands behind it; empty: nothing.
    pub arguments: &'static str,
    /// What holds without it; empty: nothing in particular.
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// evervip acts on it; otherwise it is accepted and reported.
    pub acted_on: bool,
}

/// All keywords of keepalived, by block and name.
pub fn keywords() -> impl Iterator<Item = KeywordFacts> {
    Table::get().rows().map(|row| KeywordFacts {
        block: row.block,
        name: row.name,
        arguments: row.arguments,
        default: row.default,
        help: row.help,
        acted_on: !matches!(row.role, Role::Pending(_)),
    })
}

/// The blocks that have a keyword of this name, three at most, for a message.
pub(crate) fn blocks_of(table: &Table, name: &str) -> Vec<&'static str> {
    table
        .rows()
        .filter(|row| row.name == name)
        .map(|row| {
            if row.block.is_empty() {
                "the top level"
            } else {
                row.block
            }
        })
        .take(3)
        .collect()
}

#[cfg(test)]
mod tests;
