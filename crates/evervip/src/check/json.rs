//! The answer for programs. The names are documented in the verb's help; they stay.

use config::{Diagnostic, Loaded, exit_status_of_test, keywords};
use serde::Serialize;

use super::Tally;

/// The version of this form: a name that goes, or means something else, would raise it.
const VERSION: u8 = 1;

/// One run as one object, with a line end.
pub(super) fn json(file: &str, loaded: &Loaded, tally: Tally) -> String {
    let run = Run {
        version: VERSION,
        file,
        usable: loaded.settings.is_some(),
        errors: tally.errors,
        warnings: tally.warnings,
        lints: tally.lints,
        test_status: exit_status_of_test(&loaded.diagnostics),
        diagnostics: loaded.diagnostics.iter().map(Finding::from).collect(),
        pending: pending(loaded),
    };
    let mut text = serde_json::to_string_pretty(&run).unwrap_or_else(|problem| {
        // Strings, numbers and lists of them can always be written.
        format!(
            "{{\"version\": {VERSION}, \"problem\": {:?}}}",
            problem.to_string()
        )
    });
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Run<'a> {
    version: u8,
    file: &'a str,
    usable: bool,
    errors: usize,
    warnings: usize,
    lints: usize,
    test_status: i32,
    diagnostics: Vec<Finding<'a>>,
    pending: Vec<Unfinished>,
}

#[derive(Serialize)]
struct Finding<'a> {
    severity: String,
    class: &'static str,
    code: u8,
    lint: Option<&'static str>,
    keyword: Option<&'static str>,
    fatal: bool,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<usize>,
    end_column: Option<usize>,
    source: Option<&'a str>,
    message: &'a str,
    notes: &'a [String],
    help: Option<&'a str>,
    follows: bool,
    keepalived: Option<&'a str>,
    keepalived_line: Option<u32>,
    keepalived_also: Vec<Also<'a>>,
    related: Option<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    column: usize,
    end_column: usize,
    source: &'a str,
    message: &'a str,
}

/// A second thing that keepalived says.
#[derive(Serialize)]
struct Also<'a> {
    class: &'static str,
    message: &'a str,
    keepalived_line: Option<u32>,
}

#[derive(Serialize)]
struct Unfinished {
    block: &'static str,
    keyword: &'static str,
    effect: Option<&'static str>,
}

impl<'a> From<&'a Diagnostic> for Finding<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        let source = diagnostic.source.as_str();
        let placed = diagnostic.file.is_some();
        Self {
            severity: diagnostic.severity.to_string(),
            class: diagnostic.class.name(),
            code: diagnostic.class.number(),
            lint: diagnostic.lint,
            keyword: diagnostic.keyword,
            fatal: diagnostic.fatal,
            file: diagnostic.file.as_deref(),
            line: placed.then_some(diagnostic.line),
            column: placed.then(|| column(source, diagnostic.columns.start)),
            end_column: placed.then(|| column(source, diagnostic.columns.end)),
            source: placed.then_some(source),
            message: &diagnostic.message,
            notes: &diagnostic.notes,
            help: diagnostic.help.as_deref(),
            follows: diagnostic.follows,
            keepalived: diagnostic.keepalived_text.as_deref(),
            keepalived_line: diagnostic.keepalived_line,
            keepalived_also: diagnostic
                .keepalived_also
                .iter()
                .map(|also| Also {
                    class: also.class.name(),
                    message: &also.message,
                    keepalived_line: diagnostic.keepalived_line.filter(|_| !also.afterwards),
                })
                .collect(),
            related: diagnostic.related.as_ref().map(|related| Place {
                file: &related.file,
                line: related.line,
                column: column(&related.source, related.columns.start),
                end_column: column(&related.source, related.columns.end),
                source: &related.source,
                message: &related.message,
            }),
        }
    }
}

/// Where a byte of a line stands, in characters from 1.
fn column(line: &str, byte: usize) -> usize {
    line.char_indices()
        .take_while(|(at, _)| *at < byte)
        .count()
        .saturating_add(1)
}

fn pending(loaded: &Loaded) -> Vec<Unfinished> {
    let used = |block, name| loaded.pending.binary_search(&(block, name)).is_ok();
    keywords()
        .filter(|facts| used(facts.block, facts.name))
        .map(|facts| Unfinished {
            block: facts.block,
            keyword: facts.name,
            effect: facts.effect,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_1() {
        assert_eq!(column("abc", 0), 1);
        assert_eq!(column("äbc", 2), 2);
        assert_eq!(column("äbc", 99), 4);
    }
}
