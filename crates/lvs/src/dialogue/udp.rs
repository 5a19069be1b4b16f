//! UDP_CHECK: a datagram is not refused, or is answered.
//!
//! Without `require_reply` the server is well unless an ICMP error says otherwise: silence until `connect_timeout` is fine.

use std::fmt;

use types::Instant;

use super::{Failure, Obstacle, Trouble, Verdict, pattern};
use crate::settings::checkers::{Microseconds, Reply, ReplyPattern, UdpCheck};

/// Bytes that are sent without `payload` (keepalived).
const USUAL_LENGTH: usize = 32;

/// As much of a reply as is shown.
const SHOWN: usize = 32;

/// A UDP_CHECK under way.
#[derive(Debug)]
pub struct Udp {
    deadline: Instant,
    limit: Microseconds,
    payload: Option<Vec<u8>>,
    reply: Reply,
    verdict: Option<Verdict>,
}

/// A reply that does not conform to `require_reply`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Its length is not within `min_reply_length` and `max_reply_length`.
    Length {
        /// Bytes that came.
        got: usize,
        /// At least so many were wanted.
        least: u16,
        /// At most so many were.
        most: u16,
    },
    /// It begins otherwise.
    Content {
        /// How it begins.
        got: Box<[u8]>,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { got, least, most } => {
                write!(f, "the reply has {got} bytes, wanted {least} to {most}")
            }
            Self::Content { got } => {
                f.write_str("the reply does not fit require_reply, it begins with")?;
                for byte in got {
                    write!(f, " {byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

impl Udp {
    /// The socket is being opened.
    pub(super) fn begin(now: Instant, check: &UdpCheck) -> Self {
        let limit = check.endpoint.connect_timeout;
        let payload = check.payload.clone();
        Self {
            deadline: now + limit.as_duration(),
            limit,
            payload: Some(payload.unwrap_or_else(|| pattern(USUAL_LENGTH).collect())),
            reply: check.reply.clone(),
            verdict: None,
        }
    }

    pub(super) fn handle_datagram(&mut self, bytes: &[u8]) {
        let verdict = match &self.reply {
            Reply::Matching(wanted) if !wanted.fits(bytes) => {
                Verdict::Failure(Failure::Udp(mismatch(wanted, bytes)))
            }
            Reply::NotNeeded | Reply::Any | Reply::Matching(_) => Verdict::Success,
        };
        self.verdict.get_or_insert(verdict);
    }

    fn fail(&mut self, failure: Failure) {
        self.verdict.get_or_insert(Verdict::Failure(failure));
    }

    /// Other than for all other checks, only the lack of a socket is no result (keepalived).
    pub(super) fn handle_obstacle(&mut self, obstacle: Obstacle) {
        self.verdict.get_or_insert(match obstacle {
            Obstacle::Socket(_) | Obstacle::Pattern(_) | Obstacle::Tls(_) => {
                Verdict::NoResult(obstacle)
            }
            Obstacle::Bind(trouble) | Obstacle::Connect(trouble) => {
                Verdict::Failure(Failure::Connect(trouble))
            }
        });
    }

    pub(super) fn handle_trouble(&mut self, trouble: Trouble) {
        self.fail(Failure::Connect(trouble));
    }

    pub(super) fn handle_send_trouble(&mut self, trouble: Trouble) {
        self.fail(Failure::Send(trouble));
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now < self.deadline {
            return;
        }
        let limit = self.limit.as_duration();
        match (&self.payload, &self.reply) {
            (Some(_), _) => self.fail(Failure::WriteTimeout(limit)),
            (None, Reply::NotNeeded) => {
                self.verdict.get_or_insert(Verdict::Success);
            }
            (None, Reply::Any | Reply::Matching(_)) => self.fail(Failure::ReadTimeout(limit)),
        }
    }

    pub(super) const fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.payload.take()
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

fn mismatch(wanted: &ReplyPattern, got: &[u8]) -> Mismatch {
    let (least, most) = (wanted.min_length, wanted.max_length);
    if (usize::from(least)..=usize::from(most)).contains(&got.len()) {
        Mismatch::Content {
            got: got.get(..SHOWN).unwrap_or(got).into(),
        }
    } else {
        Mismatch::Length {
            got: got.len(),
            least,
            most,
        }
    }
}

#[cfg(test)]
mod tests;
