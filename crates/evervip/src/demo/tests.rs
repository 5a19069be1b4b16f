//! The command line, and what becomes of signals.

use super::*;

fn words(words: &[&str]) -> Result<Request, String> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    read(&words).map_err(|error| error.to_string())
}

#[test]
fn the_command_line() {
    let options = |fast, plain| Ok(Request::Run(Options { fast, plain }));
    assert_eq!(words(&[]), options(false, false));
    assert_eq!(words(&["--fast"]), options(true, false));
    assert_eq!(words(&["--plain", "--fast"]), options(true, true));
    assert_eq!(words(&["--fast", "-h"]), Ok(Request::Help));
    assert_eq!(
        words(&["--slow"]),
        Err("invalid option '--slow'".to_owned())
    );
    assert_eq!(
        words(&["now"]),
        Err("unexpected argument \"now\"".to_owned())
    );
}

#[test]
fn a_signal_becomes_the_status_a_shell_would_show() {
    assert_eq!(Interrupted { signal: SIGINT }.status(), 130);
    assert_eq!(Interrupted { signal: SIGTERM }.status(), 143);
}
