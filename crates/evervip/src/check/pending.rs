//! `--pending`: the keywords of keepalived that evervip reads and checks, but does not act on yet.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use config::{KeywordFacts, Loaded, keywords};

use super::{Answer, count, wrapped};

/// All of them.
pub(super) fn of_the_language() -> Answer {
    let (all, pending) = keywords().fold((0, Vec::new()), |(all, mut pending), facts| {
        if !facts.acted_on {
            pending.push(facts);
        }
        (all + 1, pending)
    });
    let mut text = list(&pending);
    let sum = format!(
        "evervip acts on {} of {all} keywords\n",
        all - pending.len()
    );
    text.push_str(&sum);
    Answer {
        text,
        failed: false,
    }
}

/// Those that a file uses.
pub(super) fn of_a_file(file: &str, loaded: &Loaded) -> Answer {
    let used: Vec<KeywordFacts> = keywords()
        .filter(|facts| {
            loaded
                .pending
                .binary_search(&(facts.block, facts.name))
                .is_ok()
        })
        .collect();
    let file = config::Diagnostic::note(file).message;
    let mut text = list(&used);
    let sum = match used.len() {
        0 => format!("{file}: evervip acts on all of its keywords\n"),
        number => format!(
            "{file}: evervip does not act on {} yet\n",
            count(number, "keyword")
        ),
    };
    text.push_str(&sum);
    Answer {
        text,
        failed: false,
    }
}

/// Block by block: what has consequences on lines of its own, the rest side by side.
fn list(pending: &[KeywordFacts]) -> String {
    let mut blocks: BTreeMap<&str, Vec<&KeywordFacts>> = BTreeMap::new();
    for facts in pending {
        blocks.entry(facts.block).or_default().push(facts);
    }
    let mut text = String::new();
    for (block, keywords) in blocks {
        let heading = if block.is_empty() { "top level" } else { block };
        // Writing to a string cannot fail.
        if writeln!(text, "{heading} ({})", keywords.len()).is_err() {
            break;
        }
        let plain = keywords
            .iter()
            .filter(|facts| facts.effect.is_none())
            .map(|facts| facts.name);
        for line in wrapped(plain, " ", 4) {
            text.push_str("    ");
            text.push_str(&line);
            text.push('\n');
        }
        for facts in &keywords {
            if let Some(consequence) = facts.effect {
                text.push_str("    ");
                text.push_str(facts.name);
                text.push_str(": ");
                text.push_str(consequence);
                text.push('\n');
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pending_keyword_is_listed_under_its_block() {
        let Answer { text, failed } = of_the_language();
        assert!(!failed);
        for facts in keywords().filter(|facts| !facts.acted_on) {
            let heading = if facts.block.is_empty() {
                "top level"
            } else {
                facts.block
            };
            let section = text
                .split("\n\n")
                .find(|section| section.starts_with(&format!("{heading} (")))
                .unwrap_or_else(|| panic!("no section {heading}"));
            let words = || {
                section
                    .split_whitespace()
                    .map(|word| word.trim_end_matches(':'))
            };
            assert!(
                words().any(|word| word == facts.name),
                "{heading}/{}",
                facts.name
            );
        }
        assert!(text.lines().last().unwrap().ends_with("keywords"));
    }
}
