//! Foreign text through the whole load: reader, tree, setters, checks. Whatever it holds, the load ends, and what it hands
//! out can be shown.
//!
//! A body, not a test: the fuzz target and `crates/config/tests/fuzz_corpus.rs` include it.

use config::{LoadOptions, Loaded, Settings, Style};

use crate::files::Files;

/// One input.
pub(crate) fn run(data: &[u8]) {
    let files = Files::new(data);
    let loaded = load(&files, true);
    check(&loaded);
    let again = load(&files, true);
    assert_eq!(
        again.settings, loaded.settings,
        "a load depends on nothing else"
    );
    assert_eq!(again.diagnostics, loaded.diagnostics);
    let without = load(&files, false);
    assert_eq!(
        (without.settings, without.status),
        (loaded.settings, loaded.status),
        "lints only look"
    );
    if let Some(settings) = &again.settings {
        normal_form(&files, settings);
    }
}

/// The normal form reads as the settings that it was made of.
fn normal_form(files: &Files, settings: &Settings) {
    let page = config::canonical(settings);
    // A quoted word that ends in a backslash is one that keepalived's own language cannot say well.
    if page.windows(2).any(|two| two == b"\\\"") {
        return;
    }
    let text = String::from_utf8_lossy(&page).into_owned();
    let again = load(&files.with_main(page), false);
    assert_eq!(again.settings.as_ref(), Some(settings), "{text}");
}

fn load(files: &Files, lints: bool) -> Loaded {
    let options = LoadOptions {
        lints,
        ..LoadOptions::default()
    };
    config::load("main.conf", files, &options)
}

fn check(loaded: &Loaded) {
    assert_eq!(loaded.settings.is_some(), loaded.status == 0);
    assert!(loaded.diagnostics.len() < 1200, "bounded");
    let fatal = loaded.diagnostics.iter().any(|diagnostic| diagnostic.fatal);
    assert!(!fatal || loaded.settings.is_none());
    for diagnostic in &loaded.diagnostics {
        assert_eq!(
            diagnostic.file.is_some(),
            diagnostic.line > 0,
            "{diagnostic:?}"
        );
        assert!(
            diagnostic.source.get(diagnostic.columns.clone()).is_some(),
            "{diagnostic:?}"
        );
        let shown = diagnostic.render(Style::Plain);
        assert!(
            !shown.contains(|c: char| c.is_control() && c != '\n' && c != '\t'),
            "{shown:?}"
        );
        assert!(!diagnostic.terse().contains('\x1b'));
    }
    if let Some(settings) = &loaded.settings {
        assert!(!config::describe(settings).is_empty());
    }
}
