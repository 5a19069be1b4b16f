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

pub(crate) use virtual_server::DEFAULT_PERSISTENCE;

mod addresses;
pub(crate) mod arguments;
mod auth_hmac;
mod authentication;
mod bfd_instance;
pub(crate) mod checkers;
mod directives;
mod entry;
mod global_defs;
mod links;
mod real_server;
mod root;
mod routes;
mod rules;
mod scripts;
pub(crate) mod servers;
mod ssl;
mod statics;
mod track_file;
mod track_process;
pub(crate) mod tracked;
mod tracking;
mod unicast;
mod virtual_interface;
mod virtual_server;
mod virtual_server_group;
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
    /// Its words are split as a shell would, by its setter.
    pub(crate) shell_words: bool,
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
    shell_words: false,
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
    /// The same for a list that has a header. `open` judges it; false: the list is stepped over.
    NamedList {
        open: fn(&mut Reading<'_>, &Statement) -> bool,
        entry: fn(&mut Reading<'_>, &Statement),
        close: fn(&mut Reading<'_>, &Statement),
    },
    /// Accepted without effect, as in keepalived.
    Ignored,
}

/// A keyword that evervip does not act on yet.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    /// What happens instead, when that matters.
    pub(crate) effect: Option<&'static str>,
}

/// Not acted on, and nothing that matters happens instead.
const PENDING: Option<Pending> = Some(Pending { effect: None });

/// Not acted on, and what happens instead.
const fn pending(effect: &'static str) -> Option<Pending> {
    Some(Pending {
        effect: Some(effect),
    })
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
            Role::List(_) | Role::NamedList { .. } => Shape::List,
        }
    }
}

/// All rows, found by block and name.
pub(crate) struct Table {
    blocks: Vec<Block>,
    /// Ordered by block, then by name.
    entries: Vec<Entry>,
}

/// A block of keywords; the root is the first one.
struct Block {
    path: &'static str,
    /// Its entries.
    first: usize,
    end: usize,
}

/// A row in one of its blocks.
struct Entry {
    /// The beginning of its name, which mostly tells it from the others of its block.
    beginning: u64,
    keyword: &'static Keyword,
    inside: BlockId,
}

/// The number of a block in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlockId(u16);

impl BlockId {
    /// What stands in no block.
    pub(crate) const ROOT: Self = Self(0);
    /// A block without keywords.
    pub(crate) const NOWHERE: Self = Self(u16::MAX);
}

/// The number of a row in one of its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryId(u16);

impl EntryId {
    /// The largest there can be.
    pub(crate) const LAST: Self = Self(0x3ffe);

    pub(crate) const fn number(self) -> u16 {
        self.0
    }

    pub(crate) const fn from_number(number: u16) -> Self {
        Self(number)
    }
}

/// The tables of the blocks.
const SOURCES: &[&[Keyword]] = &[
    root::KEYWORDS,
    global_defs::KEYWORDS,
    global_defs::processes::KEYWORDS,
    global_defs::scripts::KEYWORDS,
    global_defs::mail::KEYWORDS,
    global_defs::notify::KEYWORDS,
    global_defs::snmp::KEYWORDS,
    global_defs::lvs::KEYWORDS,
    global_defs::firewall::KEYWORDS,
    global_defs::buffers::KEYWORDS,
    global_defs::files::KEYWORDS,
    global_defs::vrrp::KEYWORDS,
    global_defs::garp::KEYWORDS,
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
    virtual_server::KEYWORDS,
    real_server::KEYWORDS,
    servers::KEYWORDS,
    virtual_server_group::KEYWORDS,
    ssl::KEYWORDS,
    checkers::KEYWORDS,
    checkers::dns::KEYWORDS,
    checkers::http::KEYWORDS,
    checkers::misc::KEYWORDS,
    checkers::smtp::KEYWORDS,
    checkers::state::KEYWORDS,
    checkers::udp::KEYWORDS,
    routes::KEYWORDS,
    rules::KEYWORDS,
    statics::KEYWORDS,
];

/// Rows that no block is looked up in for: line directives, and what lists hold that explains itself by its first word.
const UNREAD: &[&[Keyword]] = &[
    directives::INCLUDES,
    directives::OTHERS,
    virtual_server_group::ENTRIES,
];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut rows: BTreeMap<(&'static str, &'static str), &'static Keyword> = BTreeMap::new();
    for row in SOURCES.iter().copied().flatten() {
        for block in row.blocks {
            rows.insert((block, row.name), row);
        }
    }
    let mut blocks: Vec<Block> = Vec::new();
    for (index, (path, _)) in rows.keys().enumerate() {
        match blocks.last_mut() {
            Some(block) if block.path == *path => block.end = index + 1,
            _ => blocks.push(Block {
                path,
                first: index,
                end: index + 1,
            }),
        }
    }
    let inside = |block: &str, name: &str| {
        let path = if block.is_empty() {
            name.to_owned()
        } else {
            format!("{block}/{name}")
        };
        let found = blocks.binary_search_by(|block| block.path.cmp(&path)).ok();
        found
            .and_then(|index| u16::try_from(index).ok())
            .map_or(BlockId::NOWHERE, BlockId)
    };
    let entries = rows
        .iter()
        .map(|((block, name), keyword)| Entry {
            beginning: beginning(name),
            keyword,
            inside: inside(block, name),
        })
        .take(usize::from(EntryId::LAST.0) + 1)
        .collect();
    Table { blocks, entries }
});

/// The first eight bytes of a name, as a number that orders as the names do.
fn beginning(name: &str) -> u64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    u64::from_be_bytes(bytes)
}

/// The path of a block without keywords.
const NOWHERE: &str = "(list)";

impl Table {
    /// The one table.
    pub(crate) fn get() -> &'static Self {
        &TABLE
    }

    /// A keyword of a block.
    pub(crate) fn lookup(&self, block: BlockId, name: &str) -> Option<EntryId> {
        let block = self.blocks.get(usize::from(block.0))?;
        let entries = self.entries.get(block.first..block.end)?;
        let sought = beginning(name);
        let order = |entry: &Entry| {
            let order = entry.beginning.cmp(&sought);
            order.then_with(|| entry.keyword.name.cmp(name))
        };
        let index = entries.binary_search_by(order).ok()?;
        u16::try_from(block.first + index).ok().map(EntryId)
    }

    /// The row of an entry.
    pub(crate) fn keyword(&self, entry: EntryId) -> Option<&'static Keyword> {
        self.entries
            .get(usize::from(entry.0))
            .map(|entry| entry.keyword)
    }

    /// The block that an entry's keyword opens.
    pub(crate) fn opens(&self, entry: EntryId) -> BlockId {
        self.entries
            .get(usize::from(entry.0))
            .map_or(BlockId::NOWHERE, |entry| entry.inside)
    }

    /// The path of a block.
    pub(crate) fn path(&self, block: BlockId) -> &'static str {
        self.blocks
            .get(usize::from(block.0))
            .map_or(NOWHERE, |block| block.path)
    }

    /// A keyword of the block with that path.
    #[cfg(test)]
    pub(crate) fn find(&self, path: &str, name: &str) -> Option<&'static Keyword> {
        self.keyword(self.lookup(self.block(path)?, name)?)
    }

    /// The path of the block that a keyword opens.
    #[cfg(test)]
    pub(crate) fn inside(&self, path: &str, name: &str) -> &'static str {
        let entry = self.block(path).and_then(|block| self.lookup(block, name));
        entry.map_or(NOWHERE, |entry| self.path(self.opens(entry)))
    }

    /// The block with that path.
    #[cfg(test)]
    fn block(&self, path: &str) -> Option<BlockId> {
        let index = self.blocks.binary_search_by(|block| block.path.cmp(path));
        u16::try_from(index.ok()?).ok().map(BlockId)
    }

    /// The keywords of a block.
    pub(crate) fn names_in(&self, block: BlockId) -> impl Iterator<Item = &'static str> {
        let block = self.blocks.get(usize::from(block.0));
        let entries = block.and_then(|block| self.entries.get(block.first..block.end));
        entries
            .unwrap_or_default()
            .iter()
            .map(|entry| entry.keyword.name)
    }

    /// All rows, once for each block that they stand in.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, &'static Keyword)> {
        self.blocks.iter().flat_map(|block| {
            let entries = self.entries.get(block.first..block.end);
            entries
                .unwrap_or_default()
                .iter()
                .map(|entry| (block.path, entry.keyword))
        })
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
    /// The arguments are a number of this range, or a switch, in words; `None`: something else.
    pub allowed: Option<String>,
}

/// All keywords of keepalived, by block and name; behind them the directives, whose block is `*`, and entries of lists.
pub fn keywords() -> impl Iterator<Item = KeywordFacts> {
    all_rows().map(|(block, row)| KeywordFacts {
        block,
        name: row.name,
        arguments: row.arguments.to_string(),
        default: row.default,
        help: row.help,
        opens_block: row.shape() != Shape::Value,
        acted_on: row.pending.is_none(),
        effect: row.pending.and_then(|pending| pending.effect),
        instead: row.deprecated,
        allowed: row.arguments.allowed(),
    })
}

/// The rows of the table, and those that blocks are not read by.
fn all_rows() -> impl Iterator<Item = (&'static str, &'static Keyword)> {
    let unread = UNREAD.iter().copied().flatten();
    let unread = unread.flat_map(|row| row.blocks.iter().map(move |block| (*block, row)));
    Table::get().rows().chain(unread)
}

/// All names, for suggestions.
pub(crate) fn all_names() -> impl Iterator<Item = &'static str> {
    all_rows().map(|(_, row)| row.name)
}

/// The names of the directives that include files; a line anywhere may begin with one.
pub(crate) fn includes() -> impl Iterator<Item = &'static str> {
    directives::INCLUDES.iter().map(|row| row.name)
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

/// The name that has replaced an old one, in whatever block.
pub(crate) fn modern_name(table: &Table, name: &str) -> Option<&'static str> {
    table
        .rows()
        .find(|(_, row)| row.name == name)
        .and_then(|(_, row)| row.deprecated)
}

#[cfg(test)]
mod tests;
