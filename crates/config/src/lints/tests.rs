//! What the tests of lints share, and the list as a whole.

use std::collections::BTreeSet;

use super::*;
use crate::testing::Fake;
use crate::{Class, LoadOptions, Severity, exit_status_of_test, load};

/// The lints about a text, on some machine.
pub(crate) fn lints_of(machine: Fake, text: &str) -> Vec<Diagnostic> {
    let machine = machine.file("/etc/keepalived/x.conf", text);
    let options = LoadOptions {
        lints: true,
        ..LoadOptions::default()
    };
    let loaded = load("x.conf", &machine, &options);
    assert!(loaded.settings.is_some(), "{:?}", loaded.diagnostics);
    let lints = loaded.diagnostics.into_iter();
    lints
        .filter(|diagnostic| diagnostic.severity == Severity::Lint)
        .collect()
}

/// Those of one name, on a machine of which little is known.
pub(crate) fn found(text: &str, name: &str) -> Vec<Diagnostic> {
    lints_of(Fake::default(), text)
        .into_iter()
        .filter(|lint| lint.lint == Some(name))
        .collect()
}

/// An instance on eth0 with an address, priority 100 and something more.
pub(crate) fn instance(name: &str, vrid: u8, body: &str) -> String {
    with_body(name, vrid, &format!("priority 100\n{body}"))
}

/// An instance on eth0 with an address and something more.
pub(crate) fn with_body(name: &str, vrid: u8, body: &str) -> String {
    format!(
        "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\nvirtual_ipaddress {{\n10.0.0.{vrid}\n}}\n{body}\n}}\n"
    )
}

#[test]
fn names_are_sorted_and_told_from_keywords() {
    let names: Vec<&str> = lints().iter().map(|lint| lint.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let keywords: BTreeSet<&str> = crate::keywords().map(|facts| facts.name).collect();
    assert!(names.iter().all(|name| !keywords.contains(name)));
}

/// A `|` would end a cell of the table.
#[test]
fn the_page_lists_them_all() {
    let page = include_str!("../../../../docs/lints.md");
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let expected: Vec<String> = lints()
        .iter()
        .map(|lint| {
            format!(
                "| `{}` | {} | {} | {} |",
                lint.name, lint.what, lint.why, lint.fix
            )
        })
        .collect();
    assert!(expected.iter().all(|row| row.matches('|').count() == 5));
    assert_eq!(rows, expected, "write these rows:\n{}", expected.join("\n"));
}

#[test]
fn a_lint_says_why_and_what_to_do_and_counts_for_nothing() {
    let machine = Fake::default().file("/etc/keepalived/x.conf", with_body("A", 1, "state MASTER"));
    let asked = LoadOptions {
        lints: true,
        ..LoadOptions::default()
    };
    let loaded = load("x.conf", &machine, &asked);
    let [lint] = loaded.diagnostics.as_slice() else {
        panic!("{:?}", loaded.diagnostics);
    };
    assert_eq!(lint.class, Class::Uncounted);
    assert_eq!(exit_status_of_test(&loaded.diagnostics), 0);
    assert_eq!(lint.lint, Some("master_without_priority"));
    assert_eq!(lint.notes, [priorities::MASTER_WITHOUT_PRIORITY.why]);
    assert_eq!(
        lint.help.as_deref(),
        Some(priorities::MASTER_WITHOUT_PRIORITY.fix)
    );
    let drawn = lint.render(crate::Style::Plain);
    assert!(
        drawn.starts_with("lint[master_without_priority]: instance A "),
        "{drawn}"
    );
    let silent = load("x.conf", &machine, &LoadOptions::default());
    assert_eq!(silent.diagnostics, [], "nobody asked");
}

#[test]
fn too_many_lints_are_cut_off_with_a_word() {
    let text: String = (1..=250)
        .map(|vrid| with_body(&format!("I{vrid}"), vrid, "state MASTER"))
        .collect();
    let machine = Fake::default().file("/etc/keepalived/x.conf", text);
    let options = LoadOptions {
        lints: true,
        ..LoadOptions::default()
    };
    let diagnostics = load("x.conf", &machine, &options).diagnostics;
    assert_eq!(diagnostics.len(), 201);
    assert!(diagnostics[200].message.contains("first 200 lints"));
}

/// What is said of 122 configurations from the wild, when they are at hand, on machines where all they name exists. Each was
/// looked at; another one is a false alarm until somebody has looked at it.
#[test]
fn the_corpus_raises_no_false_alarm() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let Ok(index) = std::fs::read_to_string(root.join("INDEX.tsv")) else {
        eprintln!("no corpus at {}: nothing to look at", root.display());
        return;
    };
    let mut said = String::new();
    for line in index.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let text = std::fs::read(root.join(columns[0])).unwrap();
        let mut machine = Fake::default().file("/etc/keepalived/x.conf", &text);
        for name in columns[5].split(',').filter(|name| *name != "lo") {
            machine = machine.interface(name);
        }
        let text = String::from_utf8_lossy(&text);
        for word in text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')) {
            machine = machine.script(word);
        }
        let options = LoadOptions {
            lints: true,
            ..LoadOptions::default()
        };
        for lint in load("x.conf", &machine, &options).diagnostics {
            // A password protects nothing wherever it stands.
            if let Some(name) = lint.lint.filter(|name| *name != passwords::PASS.name) {
                let number = columns[0].split('-').next().unwrap_or_default();
                said.push_str(&format!("{number}:{} {name}\n", lint.line));
            }
        }
    }
    insta::assert_snapshot!(said);
}
