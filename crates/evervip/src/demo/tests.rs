//! The command line, and what becomes of signals.

use clap::error::ErrorKind;

use super::*;

fn words(words: &[&str]) -> Result<Options, ErrorKind> {
    command(Command::new("demo").no_binary_name(true))
        .try_get_matches_from(words)
        .map(|matches| Options::from(&matches))
        .map_err(|error| error.kind())
}

#[test]
fn the_command_line() {
    let options = |fast, plain| Ok(Options { fast, plain });
    assert_eq!(words(&[]), options(false, false));
    assert_eq!(words(&["--fast"]), options(true, false));
    assert_eq!(words(&["--plain", "--fast"]), options(true, true));
    assert_eq!(words(&["--fast", "-h"]), Err(ErrorKind::DisplayHelp));
    assert_eq!(words(&["--slow"]), Err(ErrorKind::UnknownArgument));
    assert_eq!(words(&["now"]), Err(ErrorKind::UnknownArgument));
}

#[test]
fn a_signal_becomes_the_status_a_shell_would_show() {
    assert_eq!(Interrupted { signal: SIGINT }.status(), 130);
    assert_eq!(Interrupted { signal: SIGTERM }.status(), 143);
}
