//! The language: one row per keyword, block by block.
//!
//! A row names the keyword, the block it stands in, its arguments and what it does. Reading, "did you mean", the place
//! of a misplaced keyword and the list of what is not acted on yet all come from these rows; a further keyword is a
//! further row.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::document::Statement;
use crate::read::Reading;

use arguments::{Arguments, NONE};

mod addresses;
pub(crate) mod arguments;
mod auth_hmac;
mod authentication;
mod bfd_instance;
mod global_defs;
mod links;
mod root;
mod scripts;
mod track_file;
mod track_process;
pub(crate) mod tracked;
mod tracking;
mod unfinished;
mod unicast;
mod virtual_interface;
mod vrrp_instance;
mod vrrp_options;
mod vrrp_script;
mod vrrp_sync_group;

/// A row.
pub(crate) struct Keyword {
    /// The paths of the blocks it stands in; the empty one is the root.
    pub(crate) blocks: &'static [&'static str],
    pub(crate) name: &'static str,
    pub(crate) arguments: Arguments,
    /// What holds without it.
    pub(crate) default: &'static str,
    /// What it is for.
    pub(crate) help: &'static str,
    pub(crate) role: Role,
    /// evervip does not act on it yet: its settings are read and kept, no more.
    pub(crate) pending: Option<Pending>,
    /// keepalived reports it as an old spelling; the one to use.
    pub(crate) deprecated: Option<&'static str>,
}

/// The rest of a row that says little.
const ROW: Keyword = Keyword {
    blocks: &[],
    name: "",
    arguments: NONE,
    default: "",
    help: "",
    role: Role::Ignored,
    pending: None,
    deprecated: None,
};

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
}

/// A keyword that evervip does not act on yet.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    /// What happens instead, when that matters.
    pub(crate) effect: Option<&'static str>,
    /// An instance with it is left out: it would talk to the wrong routers.
    pub(crate) refuses: bool,
}

/// Not acted on, and nothing that matters happens instead.
const PENDING: Option<Pending> = Some(Pending {
    effect: None,
    refuses: false,
});

/// Not acted on, and what happens instead.
const fn pending(effect: &'static str) -> Option<Pending> {
    Some(Pending {
        effect: Some(effect),
        refuses: false,
    })
}

/// Not acted on, so that an instance with it is left out.
const REFUSES: Option<Pending> = Some(Pending {
    effect: None,
    refuses: true,
});

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
        }
    }
}

/// All rows, found by block and name.
pub(crate) struct Table {
    rows: BTreeMap<(&'static str, &'static str), &'static Keyword>,
    /// The path of the block that a keyword opens, by block and name.
    inside: BTreeMap<(&'static str, &'static str), &'static str>,
}

/// The tables of the blocks.
const SOURCES: &[&[Keyword]] = &[
    root::KEYWORDS,
    global_defs::KEYWORDS,
    vrrp_instance::KEYWORDS,
    authentication::KEYWORDS,
    auth_hmac::KEYWORDS,
    unicast::KEYWORDS,
    virtual_interface::KEYWORDS,
    vrrp_options::KEYWORDS,
    tracked::KEYWORDS,
    track_file::KEYWORDS,
    track_process::KEYWORDS,
    links::KEYWORDS,
    bfd_instance::KEYWORDS,
    vrrp_script::KEYWORDS,
    vrrp_sync_group::KEYWORDS,
    unfinished::KEYWORDS,
];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut rows: BTreeMap<(&'static str, &'static str), &'static Keyword> = BTreeMap::new();
    for row in SOURCES.iter().copied().flatten() {
        for block in row.blocks {
            rows.insert((block, row.name), row);
        }
    }
    let paths: BTreeMap<String, &'static str> = rows
        .keys()
        .map(|(block, _)| ((*block).to_owned(), *block))
        .collect();
    let inside = rows
        .keys()
        .map(|(block, name)| {
            let path = if block.is_empty() {
                (*name).to_owned()
            } else {
                format!("{block}/{name}")
            };
            (
                (*block, *name),
                paths.get(&path).copied().unwrap_or(NOWHERE),
            )
        })
        .collect();
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

    /// The path of the block that a keyword of a block opens.
    pub(crate) fn inside(&self, block: &str, name: &str) -> &'static str {
        self.inside.get(&(block, name)).copied().unwrap_or(NOWHERE)
    }

    /// The keywords of a block.
    pub(crate) fn names_in(&self, block: &'static str) -> impl Iterator<Item = &'static str> {
        self.rows
            .range((block, "")..)
            .take_while(move |((of, _), _)| *of == block)
            .map(|((_, name), _)| *name)
    }

    /// All rows, once for each block that they stand in.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, &'static Keyword)> {
        self.rows.iter().map(|((block, _), row)| (*block, *row))
    }
}

/// What there is to know of a keyword, for a manual page or a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeywordFacts {
    /// The path of the block it stands in; empty at the top level.
    pub block: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What stands behind it, with the range of numbers; empty: nothing.
    pub arguments: String,
    /// What holds without it; empty: nothing in particular.
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// It opens a block of keywords or a list of entries.
    pub opens_block: bool,
    /// evervip acts on it; otherwise it is read, kept and reported.
    pub acted_on: bool,
    /// What happens instead of what it asks for.
    pub effect: Option<&'static str>,
    /// The spelling to use instead of this old one.
    pub instead: Option<&'static str>,
}

/// All keywords of keepalived, by block and name.
pub fn keywords() -> impl Iterator<Item = KeywordFacts> {
    Table::get().rows().map(|(block, row)| KeywordFacts {
        block,
        name: row.name,
        arguments: row.arguments.to_string(),
        default: row.default,
        help: row.help,
        opens_block: row.shape() != Shape::Value,
        acted_on: row.pending.is_none(),
        effect: row.pending.and_then(|pending| pending.effect),
        instead: row.deprecated,
    })
}

/// The blocks that have a keyword of this name, three at most, for a message.
pub(crate) fn blocks_of(table: &Table, name: &str) -> Vec<&'static str> {
    table
        .rows()
        .filter(|(_, row)| row.name == name)
        .map(|(block, _)| {
            if block.is_empty() {
                "the top level"
            } else {
                block
            }
        })
        .take(3)
        .collect()
}

#[cfg(test)]
mod tests;
