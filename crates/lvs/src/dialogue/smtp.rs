//! SMTP_CHECK: a mail server greets, takes our name, and lets us go (RFC 5321 4.1.1).
//!
//! Three lines are read, each after a step of ours: `220` when we are connected, `250` to `HELO`, anything to `QUIT`. Replies
//! of several lines (`220-`) are not accepted. Lines end in LF or CRLF. Each step, of the first the connection, has
//! `connect_timeout`, however slowly bytes arrive: what a server sends never moves a deadline, only a whole line does.

use std::fmt;

use types::Instant;

use super::{Failure, Obstacle, Trouble, Verdict};
use crate::settings::checkers::{Microseconds, SmtpCheck};

/// The longest reply that is listened to, its end included (RFC 5321 4.5.3.1.5). keepalived drops the beginning of a longer
/// line and judges its end.
const LONGEST_LINE: usize = 512;

/// As much of a reply as is shown.
const SHOWN: usize = 80;

/// An SMTP_CHECK under way.
#[derive(Debug)]
pub struct Smtp {
    step: Step,
    deadline: Instant,
    limit: Microseconds,
    helo_name: Box<str>,
    /// The reply so far, without its end.
    line: Vec<u8>,
    outbox: Vec<u8>,
    verdict: Option<Verdict>,
}

/// What is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connection,
    Greeting,
    Helo,
    Quit,
}

/// A reply that is not the wanted one, or its absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmtpFailure {
    /// To the connection came this line, and not one that begins with `220`.
    Greeting(Box<str>),
    /// To HELO came this line, and not one that begins with `250`.
    Helo(Box<str>),
    /// A line that begins so has no end where it must have ended.
    TooLong(Box<str>),
    /// The connection was closed before the greeting, or before the reply to HELO or QUIT, was whole.
    Closed,
}

impl fmt::Display for SmtpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Greeting(got) => write!(f, "it greets with {got:?}, wanted 220{}", alone(got)),
            Self::Helo(got) => {
                write!(f, "it answers HELO with {got:?}, wanted 250{}", alone(got))
            }
            Self::TooLong(got) => write!(
                f,
                "a line of more than {LONGEST_LINE} bytes, it begins with {got:?}"
            ),
            Self::Closed => f.write_str("it closed the connection, wanted a reply"),
        }
    }
}

/// What a code that would do lacks, if further lines follow.
fn alone(got: &str) -> &'static str {
    match got.as_bytes() {
        [b'2', _, b'0', b'-', ..] => " in a single line",
        _ => "",
    }
}

impl Smtp {
    /// The connection is being opened.
    pub(super) fn begin(now: Instant, check: &SmtpCheck) -> Self {
        let limit = check.endpoint.connect_timeout;
        Self {
            step: Step::Connection,
            deadline: now + limit.as_duration(),
            limit,
            helo_name: check.helo_name.as_str().into(),
            line: Vec::new(),
            outbox: Vec::new(),
            verdict: None,
        }
    }

    pub(super) fn handle_connected(&mut self, now: Instant) {
        if self.step == Step::Connection {
            self.enter(now, Step::Greeting);
        }
    }

    pub(super) fn handle_bytes(&mut self, now: Instant, mut bytes: &[u8]) {
        while self.verdict.is_none() && !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (part, rest) = match end {
                Some(end) => bytes.split_at(end),
                None => (bytes, &[][..]),
            };
            bytes = rest.split_first().map_or(&[], |(_end, rest)| rest);
            if self.step == Step::Quit {
                // Whatever it says, and however long it talks: its end is enough.
                if end.is_some() {
                    self.verdict = Some(Verdict::Success);
                }
                continue;
            }
            let room = LONGEST_LINE.saturating_sub(self.line.len());
            let is_too_long = part.len() >= room;
            self.line.extend(part.iter().take(room));
            if end.is_some() || is_too_long {
                self.judge(now, is_too_long);
            }
        }
    }

    /// A line is there, or more of it than a line may have.
    fn judge(&mut self, now: Instant, is_too_long: bool) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        match self.step {
            Step::Greeting | Step::Helo if is_too_long => {
                self.fail(Failure::Smtp(SmtpFailure::TooLong(shown(line))));
            }
            Step::Greeting if has_code(line, *b"220") => {
                self.outbox.extend_from_slice(b"HELO ");
                self.outbox.extend_from_slice(self.helo_name.as_bytes());
                self.outbox.extend_from_slice(b"\r\n");
                self.enter(now, Step::Helo);
            }
            Step::Helo if has_code(line, *b"250") => {
                self.outbox.extend_from_slice(b"QUIT\r\n");
                self.enter(now, Step::Quit);
            }
            Step::Greeting => self.fail(Failure::Smtp(SmtpFailure::Greeting(shown(line)))),
            Step::Helo => self.fail(Failure::Smtp(SmtpFailure::Helo(shown(line)))),
            // Nothing arrives before the connection is there, and the last reply is not judged.
            Step::Connection | Step::Quit => {}
        }
    }

    fn enter(&mut self, now: Instant, step: Step) {
        self.step = step;
        self.deadline = now + self.limit.as_duration();
    }

    fn fail(&mut self, failure: Failure) {
        self.verdict.get_or_insert(Verdict::Failure(failure));
    }

    pub(super) fn handle_end(&mut self) {
        self.fail(Failure::Smtp(SmtpFailure::Closed));
    }

    pub(super) fn handle_obstacle(&mut self, obstacle: Obstacle) {
        self.verdict.get_or_insert(Verdict::NoResult(obstacle));
    }

    pub(super) fn handle_trouble(&mut self, trouble: Trouble) {
        self.fail(match self.step {
            Step::Connection => Failure::Connect(trouble),
            Step::Greeting | Step::Helo | Step::Quit => Failure::Broken(trouble),
        });
    }

    pub(super) fn handle_send_trouble(&mut self, trouble: Trouble) {
        self.fail(Failure::Send(trouble));
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now < self.deadline {
            return;
        }
        let limit = self.limit.as_duration();
        self.fail(match self.step {
            Step::Connection => Failure::ConnectTimeout(limit),
            _ if !self.outbox.is_empty() => Failure::WriteTimeout(limit),
            Step::Greeting | Step::Helo | Step::Quit => Failure::ReadTimeout(limit),
        });
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let bytes = std::mem::take(&mut self.outbox);
        (!bytes.is_empty()).then_some(bytes)
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

/// Whether a reply has this code and no further lines. The text may be missing (RFC 5321 4.2); keepalived wants a blank
/// at least, unless the line ends in LF alone.
fn has_code(line: &[u8], code: [u8; 3]) -> bool {
    matches!(line.strip_prefix(&code), Some([] | [b' ', ..]))
}

/// The beginning of a line, for a message.
fn shown(line: &[u8]) -> Box<str> {
    let head = line.get(..SHOWN).unwrap_or(line);
    String::from_utf8_lossy(head).into()
}

#[cfg(test)]
mod tests;
