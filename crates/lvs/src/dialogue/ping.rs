//! PING_CHECK: an echo request is answered (RFC 792; RFC 4443 4.1).
//!
//! The kernel chooses the id, computes the checksum, and lets through only what is for our socket.

use std::fmt;
use std::net::SocketAddr;

use types::Instant;

use super::{Failure, Obstacle, Trouble, Verdict, pattern};
use crate::settings::checkers::{Endpoint, Microseconds};

/// Bytes of an ICMP header of an echo request or reply.
const HEADER: usize = 8;

/// Bytes behind the header (keepalived).
const DATA: usize = 128;

/// A PING_CHECK under way.
#[derive(Debug)]
pub struct Ping {
    deadline: Instant,
    limit: Microseconds,
    sequence: u16,
    /// The type of a reply, which differs between the families.
    reply_type: u8,
    request: Option<Vec<u8>>,
    verdict: Option<Verdict>,
}

/// What came instead of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoFailure {
    /// So few bytes that it cannot be one.
    Short(usize),
    /// An ICMP packet of another type.
    Type(u8),
    /// The reply to another request.
    Sequence {
        /// The number in the reply.
        got: u16,
        /// The number of our request.
        wanted: u16,
    },
}

impl fmt::Display for EchoFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(got) => write!(f, "{got} bytes came, wanted an echo reply"),
            Self::Type(got) => write!(f, "an ICMP packet of type {got} came, wanted an echo reply"),
            Self::Sequence { got, wanted } => {
                write!(f, "an echo reply of number {got} came, wanted {wanted}")
            }
        }
    }
}

impl Ping {
    /// The socket is being opened, or still open. `sequence` is the number of the request.
    pub(super) fn begin(now: Instant, endpoint: &Endpoint, sequence: u16) -> Self {
        let limit = endpoint.connect_timeout;
        let (request_type, reply_type) = match endpoint.destination {
            SocketAddr::V4(_) => (8, 0),
            SocketAddr::V6(_) => (128, 129),
        };
        let [high, low] = sequence.to_be_bytes();
        let mut request = vec![request_type, 0, 0, 0, 0, 0, high, low];
        request.extend(pattern(DATA));
        Self {
            deadline: now + limit.as_duration(),
            limit,
            sequence,
            reply_type,
            request: Some(request),
            verdict: None,
        }
    }

    pub(super) fn handle_datagram(&mut self, bytes: &[u8]) {
        let Some([kind, _, _, _, _, _, high, low]) = bytes.first_chunk::<HEADER>() else {
            return self.fail(Failure::Ping(EchoFailure::Short(bytes.len())));
        };
        let got = u16::from_be_bytes([*high, *low]);
        let wanted = self.sequence;
        if *kind != self.reply_type {
            self.fail(Failure::Ping(EchoFailure::Type(*kind)));
        } else if got != wanted {
            self.fail(Failure::Ping(EchoFailure::Sequence { got, wanted }));
        } else {
            self.verdict.get_or_insert(Verdict::Success);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.verdict.get_or_insert(Verdict::Failure(failure));
    }

    pub(super) fn handle_obstacle(&mut self, obstacle: Obstacle) {
        self.verdict.get_or_insert(Verdict::NoResult(obstacle));
    }

    pub(super) fn handle_trouble(&mut self, trouble: Trouble) {
        self.fail(Failure::Connect(trouble));
    }

    pub(super) fn handle_send_trouble(&mut self, trouble: Trouble) {
        self.fail(Failure::Send(trouble));
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline {
            let limit = self.limit.as_duration();
            self.fail(match self.request {
                Some(_) => Failure::WriteTimeout(limit),
                None => Failure::ReadTimeout(limit),
            });
        }
    }

    pub(super) const fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.request.take()
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

#[cfg(test)]
mod tests;
