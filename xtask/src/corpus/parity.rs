//! Which of keepalived's messages ours cover: the same kind of message, of the same line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::expected::{Expected, Said};
use super::follow_ups::without_follow_ups;
use super::ours::{Finding, Ours};

/// The outcome of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parity {
    /// Messages that count.
    pub(super) all: usize,
    /// Messages of several passes that keepalived makes over a file, said before.
    pub(super) repeats: usize,
    /// Messages that follow from an earlier one.
    pub(super) follow_ups: usize,
    pub(super) misses: Vec<Miss>,
}

/// A message that we do not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Miss {
    said: Said,
    /// What we say of the line instead.
    instead: Vec<String>,
}

impl Parity {
    pub(super) fn covered(&self) -> usize {
        self.all - self.misses.len()
    }
}

impl Miss {
    pub(super) fn class(&self) -> &'static str {
        self.said.kind.name()
    }

    /// Whether we say something else of the line.
    pub(super) fn has_other_class(&self) -> bool {
        !self.instead.is_empty()
    }
}

impl fmt::Display for Miss {
    /// `FILE:LINE  class  text`, then what we say of the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said {
            file, line, text, ..
        } = &self.said;
        let line = line.map_or_else(|| "-".to_owned(), |line| line.to_string());
        write!(f, "{file}:{line}  {}  {text}", self.class())?;
        for ours in &self.instead {
            write!(f, "\n    evervip: {ours}")?;
        }
        Ok(())
    }
}

/// Compares the answers about one file.
pub(super) fn compare(
    expected: &Expected,
    sources: &BTreeMap<String, String>,
    ours: &Ours,
) -> Parity {
    let mut seen = BTreeSet::new();
    let once: Vec<&Said> = expected
        .messages
        .iter()
        .filter(|said| seen.insert((&said.file, said.line, &said.text)))
        .collect();
    let repeats = expected.messages.len() - once.len();
    let (messages, follow_ups) = without_follow_ups(&once, sources);
    let lines = by_line(&ours.findings);
    let misses: Vec<Miss> = messages
        .iter()
        .filter(|said| !is_covered(said, &lines, &ours.findings, sources))
        .map(|said| Miss {
            said: (*said).clone(),
            instead: said
                .line
                .and_then(|line| lines.get(&(said.file.as_str(), line)))
                .into_iter()
                .flatten()
                .map(|one| format!("{}: {}", one.class, one.message))
                .collect(),
        })
        .collect();
    Parity {
        all: messages.len(),
        repeats,
        follow_ups,
        misses,
    }
}

type ByLine<'a> = BTreeMap<(&'a str, usize), Vec<&'a Finding>>;

fn by_line(findings: &[Finding]) -> ByLine<'_> {
    let mut lines = ByLine::new();
    for one in findings {
        if let Some(line) = one.line {
            lines
                .entry((one.file.as_str(), line))
                .or_default()
                .push(one);
        }
    }
    lines
}

fn is_covered(
    said: &Said,
    lines: &ByLine<'_>,
    findings: &[Finding],
    sources: &BTreeMap<String, String>,
) -> bool {
    let same_class = |one: &&Finding| said.kind.classes.contains(&one.class.as_str());
    let covers = |line: usize| {
        lines
            .get(&(said.file.as_str(), line))
            .is_some_and(|of_line| of_line.iter().any(same_class))
    };
    match said.line {
        Some(line) if covers(line) => true,
        // keepalived names the line that has no `{`; we name the one of the keyword, above it.
        Some(line) if said.kind.name() == "missing-open" => sources
            .get(&said.file)
            .and_then(|source| statement_above(source, line))
            .is_some_and(covers),
        Some(_) => false,
        None => {
            let name = object(&said.text);
            findings.iter().filter(same_class).any(|one| {
                name.is_none_or(|name| one.message.contains(name) || one.source.contains(name))
            })
        }
    }
}

/// The line of the last statement above a line.
fn statement_above(source: &str, line: usize) -> Option<usize> {
    let above: Vec<&str> = source.lines().take(line.checked_sub(1)?).collect();
    above
        .iter()
        .rposition(|text| !text.trim().is_empty() && !text.trim_start().starts_with(['#', '!']))
        .map(|index| index + 1)
}

/// The name of what a message without a line is about.
fn object(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('(') {
        return rest.split(')').next();
    }
    if let Some((_, rest)) = text.split_once("real server [") {
        return rest.split(']').next();
    }
    for kind in ["track script ", "Sync group ", "sync group "] {
        if let Some((_, rest)) = text.split_once(kind) {
            return rest.split([',', ' ']).next();
        }
    }
    let (_, rest) = text.split_once("irtual server ")?;
    match rest.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => rest.split([',', ' ']).next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::expected::Ending;
    use std::path::Path;

    fn ours(findings: &str) -> Ours {
        let json = format!("{{\"test_status\": 5, \"diagnostics\": [{findings}]}}");
        Ours::parse(&json, Path::new("/")).unwrap()
    }

    fn parity(messages: &str, findings: &str) -> Parity {
        let expected = Expected::parse(&format!("exit: 5\n{messages}"), "a").unwrap();
        assert_eq!(expected.ending, Ending::Status(5));
        compare(&expected, &BTreeMap::new(), &ours(findings))
    }

    #[test]
    fn class_and_line_must_be_the_same() {
        let messages = "(Line 3) invalid number 'x'\n(Line 3) x is not valid\n(a: Line 3) invalid number 'x'\n";
        let number =
            r#"{"class": "invalid-number", "file": "a", "keepalived_line": 3, "message": "x"}"#;
        let got = parity(messages, number);
        assert_eq!((got.all, got.covered(), got.repeats), (2, 1, 1));
        assert_eq!(
            got.misses[0].to_string(),
            "a:3  general  x is not valid\n    evervip: invalid-number: x"
        );
        let elsewhere =
            r#"{"class": "invalid-number", "file": "a", "keepalived_line": 4, "message": "x"}"#;
        assert_eq!(parity(messages, elsewhere).covered(), 0);
    }

    #[test]
    fn without_a_line_the_name_must_be_the_same() {
        let message = "(VI_1) No VIP specified; at least one is sensible\n";
        let of = |name: &str| {
            format!(
                r#"{{"class": "warning", "file": "a", "keepalived_line": 9, "message": "instance {name} has no address"}}"#
            )
        };
        assert_eq!(parity(message, &of("VI_1")).covered(), 1);
        assert_eq!(parity(message, &of("VI_2")).covered(), 0);
    }

    #[test]
    fn a_missing_brace_is_the_keywords() {
        assert_eq!(statement_above("a b\n\n# c\nd\n", 4), Some(1));
        assert_eq!(statement_above("a\n", 1), None);
        assert_eq!(statement_above("a\n", 0), None);
    }

    #[test]
    fn objects() {
        let removed =
            "Sync group G, no matching virtual router found in group declaration - removing";
        assert_eq!(object(removed), Some("G"));
        for (text, expected) in [
            ("(VI_1) No VIP specified", Some("VI_1")),
            ("Disabling track script chk since not found", Some("chk")),
            ("Sync group VG1 has no members", Some("VG1")),
            (
                "virtual server [1.2.3.4]:tcp:80 and real server [5.6.7.8]:tcp:8080 ports don't match",
                Some("5.6.7.8"),
            ),
            (
                "WARNING - virtual server FWM 31, sorry server has port specified",
                Some("FWM"),
            ),
            ("SECURITY VIOLATION - scripts are being executed", None),
        ] {
            assert_eq!(object(text), expected, "{text}");
        }
    }
}
