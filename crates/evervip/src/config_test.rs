//! `-t`: reads the configuration as the daemon would, says what is wrong with it, and ends with keepalived's status.
//!
//! One line for each thing, in keepalived's words where it has some. The form for people is `evervip check`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use config::{LoadOptions, Severity, load};

use crate::command_line::Options;
use crate::exit::Exit;
use crate::machine::ThisMachine;

/// Refuse a link in place of the log file: it may lead anywhere.
const O_NOFOLLOW: i32 = 0o400_000;

/// Checks the configuration; messages go to `log`, or to standard error.
pub(crate) fn run(options: &Options, log: Option<&Path>) -> Exit {
    let mut out = match output(log) {
        Ok(out) => out,
        Err(problem) => {
            let path = log.unwrap_or(Path::new("")).display();
            eprintln!("cannot open {path} for the result of the test: {problem}");
            return Exit::Fatal;
        }
    };
    let load_options = LoadOptions {
        config_id: options.config_id.clone(),
        check_includes: options.all_config,
        lints: false,
    };
    let loaded = load(
        &options.use_file.to_string_lossy(),
        &ThisMachine::default(),
        &load_options,
    );
    let text: String = loaded
        .diagnostics
        .iter()
        // Where keepalived accepts something without a word, there is none.
        .filter(|diagnostic| {
            diagnostic.class.is_counted() || diagnostic.severity == Severity::Error
        })
        .map(|diagnostic| format!("{}\n", diagnostic.terse()))
        .collect();
    if let Err(problem) = out.write_all(text.as_bytes()) {
        eprintln!("cannot write the result of the test: {problem}");
        return Exit::Fatal;
    }
    let status = config::exit_status_of_test(&loaded.diagnostics);
    Exit::Status(u8::try_from(status).unwrap_or(u8::MAX))
}

/// Where the messages go. A file is appended to; it may name passwords' lines, so a new one is nobody else's to read.
fn output(log: Option<&Path>) -> io::Result<Box<dyn Write>> {
    let Some(path) = log else {
        return Ok(Box::new(io::stderr()));
    };
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(O_NOFOLLOW)
        .open(path)?;
    Ok(Box::new(file))
}
