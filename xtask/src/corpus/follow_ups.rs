//! What keepalived says only because it lost its place.
//!
//! keepalived does not step over an unknown block: it reads what stands between the braces with the keywords around them,
//! takes the `}` for the end of the enclosing block, and is one level too high until the file is back at its top level.
//! Everything it says of misplaced words and braces until then follows from the first mistake. So does what it says behind a
//! `{` that is not there: some of its passes read on inside of the block, the others beside it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::expected::Said;

/// Blocks of the top level. Met inside of another block they tell that a `}` is missing above.
const TOP_LEVEL: [&str; 10] = [
    "global_defs",
    "vrrp_instance",
    "vrrp_script",
    "vrrp_sync_group",
    "vrrp_track_process",
    "virtual_server",
    "virtual_server_group",
    "static_ipaddress",
    "static_routes",
    "static_rules",
];

/// The messages without those that follow from an earlier one, and how many those were.
pub(super) fn without_follow_ups<'a>(
    messages: &[&'a Said],
    sources: &BTreeMap<String, String>,
) -> (Vec<&'a Said>, usize) {
    let unbalanced = messages
        .iter()
        .any(|said| said.text.starts_with("There are "));
    let shapes: BTreeMap<&str, Shape> = sources
        .iter()
        .map(|(name, text)| (name.as_str(), Shape::of(text)))
        .collect();
    // Each pass begins at the top again, and the one that sees the mistake need not be the first.
    let mut messages = messages.to_vec();
    messages.sort_by_key(|said| {
        let line = said.line.unwrap_or(usize::MAX);
        (said.file.as_str(), line, !misses_brace(said))
    });
    let number = messages.len();
    let mut lost: BTreeMap<&str, Vec<RangeInclusive<usize>>> = BTreeMap::new();
    let mut kept = Vec::with_capacity(number);
    for said in messages {
        let Some(line) = said.line.filter(|_| said.kind.is_structural) else {
            kept.push(said);
            continue;
        };
        let ranges = lost.entry(said.file.as_str()).or_default();
        if ranges.iter().any(|range| range.contains(&line)) {
            continue;
        }
        // One brace too few is one message, with or without a line.
        if !(unbalanced && is_top_level_block(&said.text)) {
            kept.push(said);
        }
        let Some(shape) = shapes.get(said.file.as_str()) else {
            continue;
        };
        if misses_brace(said) {
            ranges.push(line..=shape.surplus_close(line));
        } else if !said.text.starts_with("Unknown keyword") || shape.opens_block(line) {
            ranges.push(line..=shape.end_of_block(line));
        }
    }
    let dropped = number - kept.len();
    (kept, dropped)
}

fn misses_brace(said: &Said) -> bool {
    said.text.starts_with("Missing '{'")
}

fn is_top_level_block(text: &str) -> bool {
    text.strip_prefix("Unknown keyword '")
        .and_then(|rest| rest.strip_suffix('\''))
        .is_some_and(|keyword| TOP_LEVEL.contains(&keyword))
}

/// The braces of a file, line by line.
struct Shape {
    lines: Vec<Line>,
}

struct Line {
    /// How many blocks are open behind it.
    depth: usize,
    /// Its first brace opens a block.
    opens: bool,
    /// The first thing in it is a `{`.
    begins_with_open: bool,
    is_blank: bool,
    /// It has a `}` that no block is open for.
    has_surplus_close: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut depth = 0_usize;
        let lines = text
            .split('\n')
            .map(|line| {
                let code = without_comment(line);
                let mut opens = None;
                let mut has_surplus_close = false;
                for brace in braces(code) {
                    opens.get_or_insert(brace == '{');
                    has_surplus_close |= brace == '}' && depth == 0;
                    depth = if brace == '{' {
                        depth + 1
                    } else {
                        depth.saturating_sub(1)
                    };
                }
                Line {
                    depth,
                    opens: opens.unwrap_or(false),
                    begins_with_open: code.trim_start().starts_with('{'),
                    is_blank: code.trim().is_empty(),
                    has_surplus_close,
                }
            })
            .collect();
        Self { lines }
    }

    /// Whether the statement of a line (from 1) has a block.
    fn opens_block(&self, line: usize) -> bool {
        let mut rest = self.lines.iter().skip(line.saturating_sub(1));
        rest.next().is_some_and(|line| line.opens)
            || rest
                .find(|line| !line.is_blank)
                .is_some_and(|line| line.begins_with_open)
    }

    /// The line with the `}` that belongs to a missing `{`; the last one if there is none.
    fn surplus_close(&self, line: usize) -> usize {
        self.lines
            .iter()
            .enumerate()
            .skip(line.saturating_sub(1))
            .find(|(_, line)| line.has_surplus_close)
            .map_or(self.lines.len(), |(index, _)| index + 1)
    }

    /// The line on which the file is back at its top level; the last one if it never is.
    fn end_of_block(&self, line: usize) -> usize {
        let mut rest = self.lines.iter().enumerate().skip(line.saturating_sub(1));
        // A keyword whose `{` stands on a later line is at the top level itself.
        let opened = rest.find(|(_, line)| line.depth > 0);
        let Some((start, _)) = opened else {
            return line;
        };
        self.lines
            .iter()
            .enumerate()
            .skip(start)
            .find(|(_, line)| line.depth == 0)
            .map_or(self.lines.len(), |(index, _)| index + 1)
    }
}

/// The line up to its comment.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, character) in line.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '#' | '!' if !quoted => return line.get(..at).unwrap_or(line),
            _ => {}
        }
    }
    line
}

/// The braces of a line that are not quoted.
fn braces(line: &str) -> impl Iterator<Item = char> {
    let mut quoted = false;
    line.chars().filter(move |character| {
        if *character == '"' {
            quoted = !quoted;
        }
        !quoted && matches!(character, '{' | '}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::expected::{Ending, Expected};

    fn kept(source: &str, messages: &str) -> (Vec<String>, usize) {
        let text = format!("exit: 5\n{messages}");
        let expected = Expected::parse(&text, "a").unwrap();
        assert_eq!(expected.ending, Ending::Status(5));
        let all: Vec<&Said> = expected.messages.iter().collect();
        let sources = BTreeMap::from([("a".to_owned(), source.to_owned())]);
        let (kept, dropped) = without_follow_ups(&all, &sources);
        (kept.iter().map(|said| said.text.clone()).collect(), dropped)
    }

    #[test]
    fn an_unknown_block_is_one_mistake() {
        let source =
            "virtual_server 1 80 {\n wrong {\n  a b\n }\n real_server 2 80 {\n }\n}\nodd 1\n";
        let messages = "(Line 2) Unknown keyword 'wrong'\n(Line 2) Unexpected '{' - ignoring\n\
                        (Line 3) Unknown keyword 'a'\n(Line 5) Unknown keyword 'real_server'\n\
                        (Line 7) Unknown keyword '}'\n(Line 8) Unknown keyword 'odd'\n";
        let (kept, dropped) = kept(source, messages);
        assert_eq!(kept, ["Unknown keyword 'wrong'", "Unknown keyword 'odd'"]);
        assert_eq!(dropped, 4);
    }

    #[test]
    fn an_unknown_value_is_no_excuse_for_the_next() {
        let source = "vrrp_instance a {\n odd 1\n even 2\n}\n";
        let messages = "(Line 2) Unknown keyword 'odd'\n(Line 3) Unknown keyword 'even'\n";
        assert_eq!(kept(source, messages).1, 0);
    }

    #[test]
    fn a_missing_brace_is_one_mistake() {
        let source = "vrrp_instance a {\n\nvrrp_instance b {\n}\n";
        let messages = "(Line 3) Unknown keyword 'vrrp_instance'\n(Line 3) Unexpected '{' - ignoring\n\
                        There are 1 missing '}'s or extra '{'s\n";
        let (kept, _) = kept(source, messages);
        assert_eq!(kept, ["There are 1 missing '}'s or extra '{'s"]);
    }

    #[test]
    fn a_missing_open_is_one_mistake_of_all_passes() {
        let source = "virtual_server 1 80\n protocol TCP\n real_server 2 80 {\n }\n}\nodd 1\n";
        let messages = "(Line 2) Unknown keyword 'protocol'\n(Line 3) Unknown keyword 'real_server'\n\
                        (Line 5) Extra '}' found\n(Line 6) Unknown keyword 'odd'\n\
                        (a: Line 2) Missing '{' at beginning of configuration block\n";
        let (kept, dropped) = kept(source, messages);
        assert_eq!(
            kept,
            [
                "Missing '{' at beginning of configuration block",
                "Unknown keyword 'odd'"
            ]
        );
        assert_eq!(dropped, 3);
    }

    #[test]
    fn braces_in_quotes_and_comments_are_none() {
        let shape = Shape::of("a \"{\" { # }\nb\n\n{\n}\n}");
        assert_eq!(
            shape
                .lines
                .iter()
                .map(|line| line.depth)
                .collect::<Vec<_>>(),
            [1, 1, 1, 2, 1, 0]
        );
        assert!(shape.opens_block(1) && shape.opens_block(2));
        assert_eq!(shape.end_of_block(1), 6);
    }
}
