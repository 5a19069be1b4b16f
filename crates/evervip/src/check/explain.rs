//! `--explain`: what a keyword is for, from the table that reads it, and what a lint is about.

use std::fmt::Write as _;

use config::{KeywordFacts, Lint, keywords, lints, similar_keyword};

use super::{Answer, wrapped};

/// Explains `KEYWORD` in all blocks that have it, or `BLOCK/KEYWORD`, or the lint of that name.
pub(super) fn explain(asked: &str) -> Answer {
    let (block, name) = match asked.rsplit_once('/') {
        Some((block, name)) => (Some(block), name),
        None => (None, asked),
    };
    let name = pattern_of(name);
    if let Some(lint) = lints().iter().find(|lint| lint.name == asked) {
        return of_lint(lint);
    }
    let everywhere: Vec<KeywordFacts> = keywords().filter(|facts| facts.name == name).collect();
    if everywhere.is_empty() {
        return unknown(name);
    }
    let chosen: Vec<&KeywordFacts> = everywhere
        .iter()
        .filter(|facts| block.is_none_or(|block| is_inside(facts.block, block)))
        .collect();
    if chosen.is_empty() {
        let blocks: Vec<&str> = everywhere.iter().map(|facts| place(facts.block)).collect();
        let text = format!(
            "'{name}' does not stand in {}, but in: {}\n",
            block.unwrap_or_default().escape_debug(),
            blocks.join(", ")
        );
        return Answer { text, failed: true };
    }
    let text = alike(&chosen)
        .iter()
        .map(|group| entry(group))
        .collect::<Vec<_>>()
        .join("\n");
    Answer {
        text,
        failed: false,
    }
}

/// What a condition or a parameter of any name is listed as; everything else is itself.
fn pattern_of(name: &str) -> &str {
    match name {
        _ if name.starts_with("@^") => "@^ID",
        _ if name.starts_with('@') => "@ID",
        _ if name.starts_with('$') => "$NAME=",
        _ => name,
    }
}

/// Whether the path of a block is, or ends in, what was asked for.
fn is_inside(path: &str, asked: &str) -> bool {
    path == asked
        || path
            .strip_suffix(asked)
            .is_some_and(|rest| !asked.is_empty() && rest.ends_with('/'))
}

fn place(block: &str) -> &str {
    match block {
        "" => "the top level",
        "*" => "any line, in all blocks and outside of them",
        block => block,
    }
}

/// The same words for several blocks are said once.
fn alike<'a>(chosen: &[&'a KeywordFacts]) -> Vec<Vec<&'a KeywordFacts>> {
    let mut groups: Vec<Vec<&KeywordFacts>> = Vec::new();
    for facts in chosen {
        let same = |group: &&mut Vec<&KeywordFacts>| {
            group.first().is_some_and(|first| {
                KeywordFacts {
                    block: facts.block,
                    ..(*first).clone()
                } == **facts
            })
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(facts),
            None => groups.push(vec![facts]),
        }
    }
    groups
}

fn entry(group: &[&KeywordFacts]) -> String {
    let Some(facts) = group.first() else {
        return String::new();
    };
    let mut lines = Lines::default();
    let gap = if facts.name.ends_with('=') { "" } else { " " };
    lines.push(0, format_args!("{}{gap}{}", facts.name, facts.arguments));
    for line in wrapped(facts.help.split(' '), " ", 4) {
        lines.push(4, format_args!("{line}"));
    }
    let blocks: Vec<&str> = group.iter().map(|facts| place(facts.block)).collect();
    for (number, line) in wrapped(blocks.into_iter(), ", ", 15).iter().enumerate() {
        let label = if number == 0 { "stands in" } else { "" };
        lines.push(4, format_args!("{label:<9}  {line}"));
    }
    if let Some(allowed) = &facts.allowed {
        lines.push(4, format_args!("allowed    {allowed}"));
    }
    if !facts.default.is_empty() {
        lines.push(4, format_args!("default    {}", facts.default));
    }
    if let Some(instead) = facts.instead {
        lines.push(
            4,
            format_args!("old spelling of '{instead}'; keepalived counts its use as a mistake"),
        );
    }
    match (facts.acted_on, facts.effect) {
        (true, _) => lines.push(4, format_args!("evervip acts on it")),
        (false, Some(effect)) => {
            lines.push(4, format_args!("evervip does not act on it yet: {effect}"));
        }
        (false, None) => lines.push(
            4,
            format_args!("evervip does not act on it yet; it is read and checked"),
        ),
    }
    lines.text
}

#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn push(&mut self, indent: usize, line: std::fmt::Arguments<'_>) {
        let line = line.to_string();
        // Writing to a string cannot fail.
        if writeln!(self.text, "{:indent$}{}", "", line.trim_end()).is_err() {
            self.text.push('\n');
        }
    }
}

fn of_lint(lint: &Lint) -> Answer {
    let mut lines = Lines::default();
    lines.push(0, format_args!("lint {}", lint.name));
    for (label, text) in [("finds", lint.what), ("why", lint.why), ("fix", lint.fix)] {
        for (number, line) in wrapped(text.split(' '), " ", 11).iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            lines.push(4, format_args!("{label:<5}  {line}"));
        }
    }
    Answer {
        text: lines.text,
        failed: false,
    }
}

fn unknown(name: &str) -> Answer {
    let help = similar_keyword(name)
        .map(|near| format!("; did you mean '{near}'?"))
        .unwrap_or_default();
    Answer {
        text: format!("'{}' is no keyword{help}\n", name.escape_debug()),
        failed: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_narrows_it_down() {
        let all = explain("interface");
        assert!(
            !all.failed && all.text.contains("vrrp_instance"),
            "{}",
            all.text
        );
        let one = explain("vrrp_instance/priority");
        assert!(
            one.text.contains("allowed    1 to 255\n") && one.text.contains("default    100"),
            "{}",
            one.text
        );
        assert_eq!(
            explain("authentication/auth_pass"),
            explain("vrrp_instance/authentication/auth_pass")
        );
        let wrong = explain("virtual_server/priority");
        assert!(
            wrong.failed && wrong.text.contains("but in: vrrp_instance"),
            "{}",
            wrong.text
        );
    }

    #[test]
    fn the_top_level_is_the_empty_block() {
        let answer = explain("/vrrp_instance");
        assert!(
            !answer.failed && answer.text.contains("stands in  the top level"),
            "{}",
            answer.text
        );
    }

    #[test]
    fn directives_and_entries_are_explained() {
        for (asked, beginning) in [
            ("include", "include PATTERN\n"),
            ("*/includea", "includea PATTERN\n"),
            ("~SEQ", "~SEQ (NAME, FIRST, STEP, LAST) TEXT\n"),
            ("$NAME=", "$NAME=VALUE\n"),
            ("@ID", "@ID TEXT\n"),
            ("@node1", "@ID TEXT\n"),
            ("@^node1", "@^ID TEXT\n"),
            ("$IF", "$NAME=VALUE\n"),
        ] {
            let Answer { text, failed } = explain(asked);
            assert!(!failed && text.starts_with(beginning), "{text}");
            assert!(text.contains("stands in  any line"), "{text}");
        }
        assert!(
            explain("inculde")
                .text
                .ends_with("did you mean 'include'?\n")
        );
        for asked in [
            "virtual_server_group/fwmark",
            "virtual_server_group/<address>",
        ] {
            let Answer { text, failed } = explain(asked);
            assert!(
                !failed && text.contains("stands in  virtual_server_group\n"),
                "{text}"
            );
        }
    }

    #[test]
    fn every_lint_is_explained() {
        for lint in lints() {
            let Answer { text, failed } = explain(lint.name);
            assert!(!failed && text.starts_with(&format!("lint {}\n", lint.name)));
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            for part in [lint.what, lint.why, lint.fix] {
                assert!(words(&text).contains(&words(part)), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_keyword_is_said() {
        let answer = explain("prority");
        assert!(answer.failed);
        assert_eq!(
            answer.text,
            "'prority' is no keyword; did you mean 'priority'?\n"
        );
        assert_eq!(explain("\u{1b}[31m").text, "'\\u{1b}[31m' is no keyword\n");
    }

    #[test]
    fn every_keyword_can_be_explained() {
        for facts in keywords() {
            let asked = format!("{}/{}", facts.block, facts.name);
            let answer = explain(&asked);
            assert!(
                !answer.failed && answer.text.starts_with(facts.name),
                "{asked}"
            );
        }
    }
}
