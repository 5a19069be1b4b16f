//! The configuration: text of `keepalived.conf` in, checked settings and diagnostics out.
//!
//! ```text
//! files --reader--> pieces --document--> tree --read--> draft --resolve--> Settings
//! ```
//!
//! - `lexer` knows one line: comments, quotes, words, braces.
//! - `reader` knows files: `include`, conditions, parameters, generators, limits.
//! - `sources` keeps the texts, and finds lines in them when something is to be said about one.
//! - `document` knows blocks, and what to make of braces that do not fit.
//! - `keywords` is the language: one row per keyword.
//! - `foreign` knows signs of text from elsewhere, to explain a mistake.
//! - `read` walks the tree and lets each row's setter fill a draft; nothing else is touched.
//! - `resolve` applies defaults, corrections and cross-checks.
//! - `lints` finds what is legal and yet probably not meant, for those who ask.
//!
//! The crate does no system call: what it must know of the machine it asks a [`Machine`]. Reading is linear in the size
//! of the text, and bounded: in bytes, in files, in depth, in diagnostics.

#![forbid(unsafe_code)]

mod bytes;
mod canonical;
mod describe;
pub mod diagnostics;
mod document;
mod draft;
mod foreign;
mod generators;
mod glob;
mod include;
mod keywords;
mod lexer;
mod lints;
mod machine;
mod names;
mod parameters;
mod read;
mod reader;
mod resolve;
pub mod settings;
mod sources;
mod suggest;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use canonical::canonical;
pub use describe::describe;
pub use diagnostics::{Also, Class, Diagnostic, Related, Severity, Style, exit_status_of_test};
pub use keywords::{KeywordFacts, keywords};
pub use lints::{Lint, lints};
pub use machine::{
    DeviceFacts, FileProblem, InterfaceFacts, Machine, PatternProblem, ResolvedScript,
    ScriptProblem,
};
pub use settings::Settings;
pub use suggest::similar_keyword;

use diagnostics::Reporter;
use include::Checks;
use reader::Reader;

/// What the command line says about reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// `-i`: the id that `@id` lines are for; `None`: the host name up to the first dot.
    pub config_id: Option<String>,
    /// `-e`: every mistake in an include line stops the daemon.
    pub check_includes: bool,
    /// Look for lints, too: [`Severity::Lint`].
    pub lints: bool,
}

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings; `None`: the configuration cannot be used.
    pub settings: Option<Settings>,
    /// Everything there is to say, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The keywords of the files that evervip does not act on yet, by block and name; see [`keywords()`].
    pub pending: Vec<(&'static str, &'static str)>,
    /// How many blocks of each kind stand at the top level, by keyword.
    pub blocks: BTreeMap<&'static str, usize>,
    /// The status a daemon ends with when there are no settings: 2 for a mistake in the configuration, 6 when there is
    /// no usable file or an include check failed. 0 with settings.
    pub status: i32,
}

/// Reads a configuration.
///
/// `main` is the name of the file, or a pattern (`*`, `?`, `[...]`, `{a,b}`) that stands for several files, read one
/// after another. It never panics, whatever the files hold.
pub fn load(main: &str, machine: &dyn Machine, options: &LoadOptions) -> Loaded {
    let mut report = Reporter::default();
    if options.lints {
        report.want_lints();
    }
    let config_id = options.config_id.clone().unwrap_or_else(|| {
        let name = machine.host_name();
        name.split('.').next().unwrap_or_default().to_owned()
    });
    let checks = if options.check_includes {
        Checks::ALL
    } else {
        Checks::default()
    };
    let mut reader = Reader::new(machine, &config_id, checks);
    let opened = reader.open_main(main, &mut report);
    let tree = document::build(reader, &mut report);
    let mut blocks = BTreeMap::new();
    for keyword in tree.root().filter_map(|statement| statement.keyword()) {
        *blocks.entry(keyword.name).or_default() += 1;
    }
    let draft = read::read(&tree, machine, &mut report);
    // The places in the draft need the texts, but the tree is not needed any more.
    let sources = tree.into_sources();
    lints::secrets::check(&draft.secrets, &sources, machine, &mut report);
    let settings = resolve::resolve(draft, machine, &mut report);
    let usable = report.is_usable();
    let pending = report.take_pending();
    let diagnostics = report.finish(&sources);
    let checked = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.class == Class::IncludeCheck && diagnostic.fatal);
    let status = match (usable, opened && !checked) {
        (true, _) => 0,
        (false, true) => 2,
        (false, false) => 6,
    };
    Loaded {
        settings: usable.then_some(settings),
        diagnostics,
        pending,
        blocks,
        status,
    }
}
