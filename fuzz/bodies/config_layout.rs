//! The parser: how a text is laid out must not matter. Line ends of another system, blanks in front of lines, comments behind
//! them and a last line without its end leave settings and the classes of all messages as they are.
//!
//! A body, not a test: the fuzz target and `crates/config/tests/fuzz_corpus.rs` include it.

use config::{Class, LoadOptions};

use crate::files::Files;

/// One input.
pub(crate) fn run(data: &[u8]) {
    // Lines near the limits change their meaning when something is added; and these bytes would mix with what is added.
    let plain = |line: &[u8]| line.len() < 900 && !line.contains(&b'\r') && !line.contains(&0);
    if !data.split(|byte| *byte == b'\n').all(plain) {
        return;
    }
    let before = load(data);
    let lines = || data.split(|byte| *byte == b'\n');
    let dos: Vec<&[u8]> = lines().collect();
    assert_eq!(load(&dos.join(&b"\r\n"[..])), before, "CRLF");
    let indented: Vec<Vec<u8>> = lines()
        .map(|line| match line.starts_with(b"%% ") {
            true => line.to_vec(),
            false => [b" \t", line].concat(),
        })
        .collect();
    assert_eq!(load(&indented.join(&b'\n')), before, "indented");
    assert_eq!(load(&[data, b"\n\n# end"].concat()), before, "longer");
}

/// The settings in words, and the classes and lines of messages.
fn load(data: &[u8]) -> (Option<String>, Vec<(Class, u32)>) {
    let files = Files::new(data);
    let loaded = config::load("main.conf", &files, &LoadOptions::default());
    let said = loaded.diagnostics.iter().map(|d| (d.class, d.line));
    (
        loaded.settings.as_ref().map(config::describe),
        said.collect(),
    )
}
