//! HTTP_GET and SSL_GET: one page is asked for and judged. With TLS the bytes here are those within; the name that the
//! handshake is to send is in [`TlsWish`].
//!
//! Judged in this order, once the server has closed: a header, its status, the digest, the pattern. A `Content-Length` that
//! is not the body's is a [`Note`] only.
//!
//! DEVIATION(keepalived): whoever sends a byte now and then keeps a check busy for ever there. Here an answer must have
//! ended ten times `connect_timeout` after the request, and its body has at most a GiB.

use std::fmt;

use types::Instant;

mod answer;
mod certificate;
mod failure;
mod request;

pub use answer::{Answer, Header, MOST_HEADER};
pub use certificate::{BadCertificate, Got};
pub use failure::{HttpFailure, reason};
pub use request::request;

use super::pattern::Patterns;
use super::{Failure, Obstacle, Trouble, Verdict};
use crate::settings::checkers::{HttpCheck, Microseconds, StatusRange, Url};
use crate::settings::octets::Octets;
use crate::settings::peer::PeerName;

/// An answer may take as many times `connect_timeout`.
pub const PATIENCE: u32 = 10;
/// An answer's body may have as many bytes.
const MOST_BODY: u64 = 1 << 30;

/// How the host is to speak TLS for an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsWish {
    /// The server name to send (SNI); `None`: none.
    pub name: Option<Octets>,
    /// `tls_compliant`: the end is announced (close_notify).
    pub compliant: bool,
    /// `verify_peer`: whom the server's certificate must be for; `None`: any will do.
    pub peer: Option<PeerName>,
}

/// What is worth a line, whatever the verdict is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The body is not as long as the header says.
    Length {
        /// `Content-Length`.
        announced: u64,
        /// Bytes of body that came.
        received: u64,
    },
    /// Whether the page holds what it must not hold could not be found out; it counts as good.
    Unclear {
        /// The pattern; what cannot be printed is escaped.
        pattern: Box<str>,
        /// Why.
        why: Trouble,
    },
}

impl fmt::Display for Note {
    /// As keepalived has it, behind `http_check for RS RS VS VS url VHOSTPATH: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length {
                announced,
                received,
            } => write!(
                f,
                "content_length ({announced}) does not match received bytes ({received})"
            ),
            Self::Unclear { pattern, why } => {
                write!(f, "whether the body matches '{pattern}' is unclear: {why}")
            }
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connecting,
    Handshake,
    Reading {
        /// By then the answer has ended.
        end_by: Instant,
        /// When the request was sent.
        since: Instant,
        /// Something has come.
        heard: bool,
    },
}

/// The pattern of a page.
#[derive(Debug)]
struct Wanted {
    pattern: Box<str>,
    no_match: bool,
}

/// An HTTP_GET or SSL_GET under way.
#[derive(Debug)]
pub struct Http {
    step: Step,
    deadline: Instant,
    limit: Microseconds,
    tls: Option<TlsWish>,
    request: Option<Vec<u8>>,
    answer: Answer,
    statuses: Vec<StatusRange>,
    digest: Option<[u8; 16]>,
    pattern: Option<Wanted>,
    verdict: Option<Verdict>,
    notes: Vec<Note>,
}

impl Http {
    /// The connection is being opened for a page; one that there is not is the first one.
    pub(super) fn begin(
        now: Instant,
        check: &HttpCheck,
        url: usize,
        patterns: &dyn Patterns,
    ) -> Self {
        let page = check.urls.get(url).or_else(|| check.urls.first());
        let limit = check.endpoint.connect_timeout;
        let mut new = Self {
            step: Step::Connecting,
            deadline: now + limit.as_duration(),
            limit,
            tls: None,
            request: None,
            answer: Answer::new(false, None),
            statuses: Vec::new(),
            digest: None,
            pattern: None,
            verdict: None,
            notes: Vec::new(),
        };
        match page {
            Some(page) => new.ask_for(check, page, patterns),
            // The configuration has at least one.
            None => new.end(Verdict::Success),
        }
        new
    }

    fn ask_for(&mut self, check: &HttpCheck, page: &Url, patterns: &dyn Patterns) {
        self.tls = check.tls.as_ref().map(|tls| TlsWish {
            name: check.sni(page).cloned(),
            compliant: tls.compliant || page.tls_compliant,
            peer: check.peer(page),
        });
        self.request = Some(request(
            &page.path,
            check.version,
            check.host(page),
            check.endpoint.destination,
        ));
        self.statuses.clone_from(&page.status_codes);
        self.digest = page.digest;
        let mut matcher = None;
        if let Some(regex) = &page.regex {
            self.pattern = Some(Wanted {
                pattern: regex.pattern.escape_ascii().to_string().into(),
                no_match: regex.no_match,
            });
            match patterns.matcher(regex) {
                Ok(new) => matcher = Some(new),
                Err(trouble) => self.end(Verdict::NoResult(Obstacle::Pattern(trouble))),
            }
        }
        self.answer = Answer::new(page.digest.is_some(), matcher);
    }

    pub(super) fn handle_tls_begins(&mut self, now: Instant) {
        if self.step == Step::Connecting {
            self.step = Step::Handshake;
            self.deadline = now + self.limit.as_duration();
        }
    }

    pub(super) fn handle_connected(&mut self, now: Instant) {
        if matches!(self.step, Step::Reading { .. }) {
            return;
        }
        self.step = Step::Reading {
            end_by: now + self.limit.as_duration().saturating_mul(PATIENCE),
            since: now,
            heard: false,
        };
        self.deadline = now + self.limit.as_duration();
    }

    pub(super) fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        let Step::Reading { end_by, heard, .. } = &mut self.step else {
            return;
        };
        if self.verdict.is_some() || bytes.is_empty() {
            return;
        }
        *heard = true;
        if self.tls.is_none() {
            self.deadline = (now + self.limit.as_duration()).min(*end_by);
        }
        // keepalived: with TLS all reads share one connect_timeout.
        self.answer.feed(bytes);
        if self.answer.is_too_long() {
            self.fail(HttpFailure::HeaderTooLong);
        } else if self.answer.body() > MOST_BODY {
            self.fail(HttpFailure::TooLarge { limit: MOST_BODY });
        }
    }

    pub(super) fn handle_end(&mut self) {
        if self.verdict.is_none() {
            let verdict = self.judge();
            self.end(verdict);
        }
    }

    pub(super) fn handle_trouble(&mut self, trouble: Trouble) {
        let failure = match self.step {
            Step::Connecting | Step::Handshake => Failure::Connect(trouble),
            Step::Reading { .. } => Failure::Broken(trouble),
        };
        self.end(Verdict::Failure(failure));
    }

    pub(super) fn handle_bad_certificate(&mut self, bad: BadCertificate) {
        self.fail(HttpFailure::Certificate(Box::new(bad)));
    }

    pub(super) fn handle_send_trouble(&mut self, trouble: Trouble) {
        self.end(Verdict::Failure(Failure::Send(trouble)));
    }

    pub(super) fn handle_obstacle(&mut self, obstacle: Obstacle) {
        self.end(Verdict::NoResult(obstacle));
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now < self.deadline || self.verdict.is_some() {
            return;
        }
        let limit = self.limit.as_duration();
        let body = self.answer.body();
        match self.step {
            Step::Connecting => {
                self.end(Verdict::Failure(Failure::ConnectTimeout(limit)));
            }
            Step::Handshake => self.fail(HttpFailure::HandshakeTimeout(limit)),
            Step::Reading { heard: false, .. } => {
                self.end(Verdict::Failure(Failure::ReadTimeout(limit)));
            }
            Step::Reading { end_by, since, .. } if now >= end_by || self.tls.is_some() => {
                let limit = self.deadline.since(since);
                self.fail(HttpFailure::Endless { limit, body });
            }
            Step::Reading { .. } => self.fail(HttpFailure::Stalled { limit, body }),
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        match self.step {
            Step::Reading { .. } => self.request.take(),
            Step::Connecting | Step::Handshake => None,
        }
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    pub(super) const fn answer(&self) -> &Answer {
        &self.answer
    }

    pub(super) fn notes(&self) -> &[Note] {
        &self.notes
    }

    pub(super) const fn tls(&self) -> Option<&TlsWish> {
        self.tls.as_ref()
    }

    /// The first verdict counts.
    fn end(&mut self, verdict: Verdict) {
        self.verdict.get_or_insert(verdict);
    }

    fn fail(&mut self, failure: HttpFailure) {
        self.end(Verdict::Failure(failure.into()));
    }

    /// The server has closed.
    fn judge(&mut self) -> Verdict {
        let Some(header) = self.answer.header() else {
            let received = self.answer.unfinished();
            return HttpFailure::NoHeader { received }.into();
        };
        let got = header.status;
        let good = |got| self.statuses.iter().any(|range| range.contains(got));
        if !got.is_some_and(good) {
            return HttpFailure::Status {
                got,
                line: header.line.clone(),
                wanted: std::mem::take(&mut self.statuses),
            }
            .into();
        }
        let received = self.answer.body();
        if let Some(announced) = header.length.filter(|announced| *announced != received) {
            self.notes.push(Note::Length {
                announced,
                received,
            });
        }
        if let (Some(wanted), Some(got)) = (self.digest, self.answer.digest())
            && got != wanted
        {
            return HttpFailure::Digest { got, wanted }.into();
        }
        self.judge_pattern(received)
    }

    fn judge_pattern(&mut self, body: u64) -> Verdict {
        let (Some(wanted), Some(matcher)) = (self.pattern.take(), self.answer.matcher()) else {
            return Verdict::Success;
        };
        let Wanted { pattern, no_match } = wanted;
        match matcher.finish() {
            Ok(matched) if matched != no_match => Verdict::Success,
            Ok(true) => HttpFailure::Match { pattern }.into(),
            Ok(false) => HttpFailure::NoMatch { pattern, body }.into(),
            // keepalived: what is not found to match does not match.
            Err(why) if no_match => {
                self.notes.push(Note::Unclear { pattern, why });
                Verdict::Success
            }
            Err(why) => HttpFailure::Unclear { pattern, why }.into(),
        }
    }
}

impl From<HttpFailure> for Failure {
    fn from(failure: HttpFailure) -> Self {
        Self::Http(Box::new(failure))
    }
}

impl From<HttpFailure> for Verdict {
    fn from(failure: HttpFailure) -> Self {
        Self::Failure(failure.into())
    }
}

/// What keepalived calls the last criterion of a page, where it says that the page is good again:
/// `CRITERION success to RS url(PATH).`
pub fn criterion(page: &Url) -> &'static str {
    if page.regex.is_some() {
        "Regex match"
    } else if page.digest.is_some() {
        "MD5 digest"
    } else {
        "HTTP status code"
    }
}

#[cfg(test)]
mod tests;
