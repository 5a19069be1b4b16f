//! Typical mistakes, as they are shown to whoever made them.
//!
//! Each `mistakes/NNN-SLUG.conf` says on top what was meant; the snapshot next to it is what we answer. Whoever changes a
//! message reads the answers as somebody would who was woken by it: what is wrong, where, and what is to be done?

use std::fs;
use std::path::{Path, PathBuf};

use crate::machine::{FileProblem, ScriptProblem};
use crate::testing::Fake;
use crate::{Class, Diagnostic, LoadOptions, Severity, Style, load};

/// The machine that all of them are read on.
fn machine() -> Fake {
    Fake::default()
        .problem("/etc/keepalived/executable.conf", FileProblem::Executable)
        .file("/etc/keepalived/loop.conf", "include loop.conf\n")
        .insecure_script("/home/bob/check_nginx.sh", "/home/bob is writable by bob")
        .unusable_script(
            "/usr/local/bin/not_executable.sh",
            ScriptProblem::NotExecutable,
        )
}

/// Everything said about a file to a person: not what only follows from something else, and not which keywords do not act
/// yet, for which `check` has one message of its own.
fn shown(file: &Path) -> String {
    let machine = machine().file("/etc/keepalived/x.conf", fs::read(file).unwrap());
    let loaded = load("x.conf", &machine, &LoadOptions::default());
    let pending =
        |one: &Diagnostic| one.class == Class::Pending && one.severity == Severity::Warning;
    let said: Vec<String> = loaded
        .diagnostics
        .iter()
        .filter(|one| !one.follows && !pending(one))
        .map(|one| one.render(Style::Plain))
        .collect();
    said.join("\n\n")
}

/// All files, in order.
fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/mistakes");
    let entries = fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn mistakes() {
    let files = files();
    assert!(files.len() >= 60, "{} files", files.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("mistakes");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut silent: Vec<String> = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let shown = shown(&file);
        silent.extend(shown.is_empty().then(|| name.to_owned()));
        settings.bind(|| insta::assert_snapshot!(name, shown));
    }
    assert!(silent.is_empty(), "nothing is said about {silent:?}");
}
