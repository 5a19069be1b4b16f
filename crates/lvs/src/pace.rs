//! When a check is made again, and when its failures count.
//!
//! One success brings a server back; it takes `retry` failures more than one to lose it. The first failure after the start
//! of the daemon counts at once (keepalived: it begins with all retries used up).

use std::time::Duration;

use crate::settings::checkers::{Checker, CheckerKind};

/// What is known of a server through one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last result that counted; assumed before there is one.
    pub(crate) up: bool,
    /// There was a result that counted; of an HTTP_GET: all pages.
    pub(crate) has_run: bool,
    /// Failures in a row that did not count yet.
    pub(crate) failures: u32,
    /// The page that comes next.
    pub(crate) url: u16,
    /// The page that took the server down, as long as it has not been good since.
    pub(crate) failed_url: Option<u16>,
}

impl Progress {
    /// Before the first result.
    pub(crate) const fn new(up: bool, failures: u32) -> Self {
        Self {
            up,
            has_run: false,
            failures,
            url: 0,
            failed_url: None,
        }
    }
}

/// What a result does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// How long until the next attempt.
    pub(crate) wait: Duration,
    /// What it changes.
    pub(crate) turn: Turn,
}

/// What a result changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing that anybody hears of.
    Nothing,
    /// A page is good, but not all of them are known to be.
    PageIsGood,
    /// A failure that does not count yet, and its number in the row.
    Retry(u32),
    /// The server is well, and it was not, or it was not known.
    Up,
    /// The server is not well. `retried`: it was given further chances.
    Down {
        /// Further attempts were made before this counted.
        retried: bool,
    },
}

/// So many failures before the first one, and that one counts at once. An SMTP_CHECK always makes its whole series of attempts
/// (keepalived).
pub(crate) const fn no_chance(checker: &Checker) -> u32 {
    if matches!(checker.kind, CheckerKind::Smtp(_)) {
        0
    } else {
        checker.retry
    }
}

/// Takes a result in.
pub(crate) fn judge(progress: &mut Progress, checker: &Checker, success: bool) -> Step {
    match &checker.kind {
        CheckerKind::Http(check) => {
            let pages = u16::try_from(check.urls.len()).unwrap_or(u16::MAX);
            http(progress, checker, (pages, check.fast_recovery), success)
        }
        CheckerKind::Smtp(_) => smtp(progress, checker, success),
        CheckerKind::Tcp(_)
        | CheckerKind::Ping(_)
        | CheckerKind::Udp(_)
        | CheckerKind::Dns(_)
        | CheckerKind::Misc(_)
        | CheckerKind::File(_)
        | CheckerKind::Bfd(_) => plain(progress, checker, success),
    }
}

fn plain(progress: &mut Progress, checker: &Checker, success: bool) -> Step {
    let turn = if success {
        good(progress)
    } else {
        bad(progress, checker.retry)
    };
    Step {
        wait: pause(checker, turn),
        turn,
    }
}

fn good(progress: &mut Progress) -> Turn {
    let known = progress.up && progress.has_run;
    progress.failures = 0;
    progress.up = true;
    progress.has_run = true;
    if known { Turn::Nothing } else { Turn::Up }
}

fn bad(progress: &mut Progress, retry: u32) -> Turn {
    let first = !progress.has_run;
    if (progress.up || first) && progress.failures >= retry {
        progress.failures = 0;
        progress.up = false;
        progress.has_run = true;
        return Turn::Down {
            retried: !first && retry > 0,
        };
    }
    if progress.up {
        progress.failures = progress.failures.saturating_add(1);
        return Turn::Retry(progress.failures);
    }
    // One that a reload brought and that begins down: nobody is told that it still is (keepalived).
    progress.has_run = true;
    progress.failures = 0;
    Turn::Nothing
}

const fn pause(checker: &Checker, turn: Turn) -> Duration {
    match turn {
        Turn::Retry(_) => checker.delay_before_retry.as_duration(),
        Turn::Nothing | Turn::PageIsGood | Turn::Up | Turn::Down { .. } => {
            checker.delay_loop.as_duration()
        }
    }
}

/// SMTP_CHECK makes a whole series of attempts each time, at the start and while the server is down, too (keepalived).
fn smtp(progress: &mut Progress, checker: &Checker, success: bool) -> Step {
    if success {
        return plain(progress, checker, true);
    }
    let turn = if progress.failures < checker.retry {
        progress.failures += 1;
        Turn::Retry(progress.failures)
    } else {
        let news = progress.up || !progress.has_run;
        progress.failures = 0;
        progress.up = false;
        progress.has_run = true;
        if news {
            Turn::Down {
                retried: checker.retry > 0,
            }
        } else {
            Turn::Nothing
        }
    };
    Step {
        wait: pause(checker, turn),
        turn,
    }
}

/// HTTP_GET and SSL_GET ask for one page at a time; only all of them in a row are a success (keepalived).
fn http(
    progress: &mut Progress,
    checker: &Checker,
    (pages, fast_recovery): (u16, bool),
    success: bool,
) -> Step {
    let delay_loop = checker.delay_loop.as_duration();
    let retry_delay = checker.delay_before_retry.as_duration();
    if success {
        let was_failed = progress.failed_url.take() == Some(progress.url);
        // At the start every page has a single chance until all were good once.
        if progress.has_run || progress.failures < checker.retry {
            progress.failures = 0;
        }
        if was_failed {
            progress.url = 0;
        } else {
            progress.url += 1;
        }
        if progress.url >= pages {
            progress.url = 0;
            let turn = good(progress);
            return Step {
                wait: delay_loop,
                turn,
            };
        }
        let hurry = fast_recovery && !(progress.up && progress.has_run);
        return Step {
            wait: if hurry { Duration::ZERO } else { delay_loop },
            turn: if progress.up {
                Turn::Nothing
            } else {
                Turn::PageIsGood
            },
        };
    }
    let turn = if !progress.up && progress.has_run {
        Turn::Nothing
    } else {
        bad(progress, checker.retry)
    };
    let wait = match turn {
        Turn::Retry(_) => retry_delay,
        Turn::Down { .. } => {
            progress.failed_url = Some(progress.url);
            retry_delay.max(delay_loop)
        }
        // In the pass that is to bring it back another page is tried again soon.
        Turn::Nothing | Turn::PageIsGood | Turn::Up => {
            if progress.failed_url.is_some() {
                retry_delay.max(delay_loop)
            } else {
                retry_delay
            }
        }
    };
    Step { wait, turn }
}

#[cfg(test)]
mod tests;
