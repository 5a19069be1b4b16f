//! The answer for people: every finding with its source line, then one line that sums up.

use std::collections::BTreeMap;

use config::{Diagnostic, Loaded, Style};

use super::{Tally, count, is_pending, is_told};

/// How many keywords that do not act are named; the list itself is another question.
const NAMED: usize = 8;

/// What the blocks of the top level are called.
const NOUNS: [(&str, &str); 4] = [
    ("vrrp_instance", "instance"),
    ("vrrp_sync_group", "sync group"),
    ("virtual_server", "virtual server"),
    ("bfd_instance", "BFD instance"),
];

/// Everything there is to say about a file.
pub(super) fn report(file: &str, loaded: &Loaded, tally: Tally, style: Style) -> String {
    let mut text = String::new();
    let shown: Vec<&Diagnostic> = loaded
        .diagnostics
        .iter()
        .filter(|one| is_told(one))
        .collect();
    for diagnostic in merged(&shown) {
        text.push_str(diagnostic.render(style).trim_end());
        text.push_str("\n\n");
    }
    if let Some(note) = pending(file, loaded) {
        text.push_str(note.render(style).trim_end());
        text.push_str("\n\n");
    }
    let file = Diagnostic::note(file).message;
    text.push_str(&summary(&file, loaded, tally));
    text
}

/// What is said in the same words of several places is said once, at the first of them.
fn merged(diagnostics: &[&Diagnostic]) -> Vec<Diagnostic> {
    let mut first: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    let mut merged: Vec<(Diagnostic, Vec<String>)> = Vec::new();
    for diagnostic in diagnostics {
        let words = (diagnostic.message.as_str(), diagnostic.help.as_deref());
        let Some(file) = &diagnostic.file else {
            merged.push(((*diagnostic).clone(), Vec::new()));
            continue;
        };
        let before = first.get(&words).and_then(|index| merged.get_mut(*index));
        match before {
            Some((before, places)) if before.related.is_none() && diagnostic.related.is_none() => {
                let line = diagnostic.line;
                places.push(if before.file.as_ref() == Some(file) {
                    line.to_string()
                } else {
                    format!("{file}:{line}")
                });
            }
            _ => {
                first.insert(words, merged.len());
                merged.push(((*diagnostic).clone(), Vec::new()));
            }
        }
    }
    merged
        .into_iter()
        .map(|(mut diagnostic, places)| {
            if let Some(note) = also(&places) {
                diagnostic.notes.push(note);
            }
            diagnostic
        })
        .collect()
}

/// Names further places, the first few of many.
fn also(places: &[String]) -> Option<String> {
    let named = places.get(..NAMED.min(places.len())).unwrap_or_default();
    let first = places.first()?;
    let lines = match (first.contains(':'), places.len()) {
        (true, _) => "",
        (false, 1) => "line ",
        (false, _) => "lines ",
    };
    let named_text = named.join(", ");
    Some(match places.len() - named.len() {
        0 => format!("the same in {lines}{named_text}"),
        more => format!("the same in {lines}{named_text} and {more} more places"),
    })
}

fn summary(file: &str, loaded: &Loaded, tally: Tally) -> String {
    let Tally {
        errors,
        warnings,
        lints,
    } = tally;
    let found = format!(
        "{}, {}, {}",
        count(errors, "error"),
        count(warnings, "warning"),
        count(lints, "lint")
    );
    if loaded.settings.is_none() {
        format!("{file}: {found}: the daemon would not start with it\n")
    } else if errors > 0 {
        format!("{file}: {found}: the daemon would start, without what is in error\n")
    } else if warnings > 0 || lints > 0 {
        format!("{file}: {found}: usable: {}\n", contents(&loaded.blocks))
    } else {
        format!("{file}: fine: {}\n", contents(&loaded.blocks))
    }
}

/// What a configuration consists of: "3 instances, 1 sync group".
fn contents(blocks: &BTreeMap<&'static str, usize>) -> String {
    let parts: Vec<String> = NOUNS
        .iter()
        .filter_map(|(keyword, noun)| Some(count(*blocks.get(keyword)?, noun)))
        .collect();
    if parts.is_empty() {
        "no instance and no virtual server".to_owned()
    } else {
        parts.join(", ")
    }
}

/// One message for all keywords that do not act yet, with what happens instead where that matters: then it is a warning.
fn pending(file: &str, loaded: &Loaded) -> Option<Diagnostic> {
    let mut effects: Vec<String> = Vec::new();
    let mut silent: Vec<&str> = Vec::new();
    for one in loaded.diagnostics.iter().filter(|one| is_pending(one)) {
        let name = one.keyword.unwrap_or("an option");
        match one.notes.first() {
            Some(effect) => {
                let place = match &one.file {
                    Some(of) if of == file => format!("line {}", one.line),
                    Some(of) => format!("{of}:{}", one.line),
                    None => String::new(),
                };
                effects.push(format!("{place}: {name}: {effect}"));
            }
            None => silent.push(name),
        }
    }
    silent.sort_unstable();
    silent.dedup();
    let (mut diagnostic, more) = match (effects.len(), silent.as_slice()) {
        (0, []) => return None,
        (0, names) => {
            let named = listed(names);
            let message = format!("evervip reads and checks, but does not act on yet: {named}");
            (Diagnostic::note(message), None)
        }
        (count_of, names) => {
            let message = format!(
                "{} of this configuration {} without effect yet",
                count(count_of, "keyword"),
                if count_of == 1 { "is" } else { "are" }
            );
            let more = (!names.is_empty()).then(|| format!("and without harm: {}", listed(names)));
            (Diagnostic::of_tool(message), more)
        }
    };
    diagnostic.notes.extend(effects);
    diagnostic.notes.extend(more);
    Some(diagnostic.help(format!("all of them: evervip check --pending {file}")))
}

/// Some names, the first few of many.
fn listed(names: &[&str]) -> String {
    if names.len() <= NAMED + 1 {
        return names.join(", ");
    }
    let first = names.get(..NAMED).unwrap_or_default().join(", ");
    format!("{first} and {} more", names.len() - NAMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, message: &str) -> Diagnostic {
        let mut diagnostic = Diagnostic::lint(message);
        diagnostic.file = Some("x.conf".to_owned());
        diagnostic.line = line;
        diagnostic
    }

    #[test]
    fn the_same_words_are_said_once() {
        let all = [at(1, "a"), at(2, "b"), at(3, "a"), at(4, "a")];
        let merged = merged(&all.iter().collect::<Vec<_>>());
        let said: Vec<(u32, &[String])> = merged
            .iter()
            .map(|one| (one.line, one.notes.as_slice()))
            .collect();
        assert_eq!(
            said,
            [
                (1, &["the same in lines 3, 4".to_owned()][..]),
                (2, &[][..])
            ]
        );
    }

    #[test]
    fn of_many_places_the_first_are_named() {
        let places: Vec<String> = (0..20).map(|line| line.to_string()).collect();
        let note = also(&places).unwrap();
        assert!(note.ends_with(" 7 and 12 more places"), "{note}");
    }
}
