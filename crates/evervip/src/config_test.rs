//! `-t`: reads the configuration as the daemon would, says what is wrong with it, and ends with keepalived's status.
//!
//! Called as keepalived it says it as keepalived does, one line each. Called as evervip, and not into a file, it shows the
//! source line and what was probably meant.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use config::{LoadOptions, Severity, load};

use crate::command_line::Options;
use crate::diagnostics;
use crate::exit::Exit;
use crate::identity::Identity;
use crate::machine::ThisMachine;

/// Refuse a link in place of the log file: it may lead anywhere.
const O_NOFOLLOW: i32 = 0o400_000;

/// Checks the configuration; messages go to `log`, or to standard error.
pub(crate) fn run(options: &Options, log: Option<&Path>, identity: &Identity) -> Exit {
    let load_options = LoadOptions {
        config_id: options.config_id.clone(),
        check_includes: false,
    };
    let loaded = load(
        &options.use_file.to_string_lossy(),
        &ThisMachine::default(),
        &load_options,
    );
    let terse = identity.is_keepalived || log.is_some();
    let text: String = loaded
        .diagnostics
        .iter()
        // What keepalived accepts without a word must not make its name say anything.
        .filter(|diagnostic| {
            !terse || diagnostic.class.is_counted() || diagnostic.severity == Severity::Error
        })
        .map(|diagnostic| match terse {
            true => format!("{}\n", diagnostic.terse()),
            false => format!("{}\n", diagnostics::rendered(diagnostic)),
        })
        .collect();
    if let Err(problem) = write(&text, log) {
        eprintln!("cannot write the result of the test: {problem}");
        return Exit::Fatal;
    }
    let status = config::exit_status_of_test(&loaded.diagnostics);
    Exit::Status(u8::try_from(status).unwrap_or(u8::MAX))
}

fn write(text: &str, log: Option<&Path>) -> std::io::Result<()> {
    let Some(path) = log else {
        return std::io::stderr().write_all(text.as_bytes());
    };
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .custom_flags(O_NOFOLLOW)
        .open(path)?;
    file.write_all(text.as_bytes())
}
