//! Foreign text through the whole load: reader, tree, setters, checks. Whatever it holds, the load ends, and what it hands
//! out can be shown.
//!
//! A body, not a test: the fuzz target and `crates/config/tests/fuzz_corpus.rs` include it.

use config::{LoadOptions, Loaded, Style};

use crate::files::Files;

/// One input.
pub(crate) fn run(data: &[u8]) {
    let files = Files::new(data);
    let loaded = load(&files);
    check(&loaded);
    let again = load(&files);
    assert_eq!(
        again.settings, loaded.settings,
        "a load depends on nothing else"
    );
    assert_eq!(again.diagnostics, loaded.diagnostics);
}

fn load(files: &Files) -> Loaded {
    config::load("main.conf", files, &LoadOptions::default())
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
