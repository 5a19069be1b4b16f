//! DNS_CHECK: a name server answers a question without an error (RFC 1035 4.1).
//!
//! What it answers does not matter, only that it does: nothing behind the header is read, and no name is ever unpacked. What
//! is no answer to our question (another id, a question, fewer bytes than a header) is passed over until the time is up.

use std::fmt;

use types::Instant;

use super::{Failure, Obstacle, Trouble, Verdict};
use crate::settings::checkers::{DnsCheck, Microseconds};

/// The longest label (RFC 1035 2.3.4).
const LONGEST_LABEL: usize = 63;

/// A DNS_CHECK under way.
#[derive(Debug)]
pub struct Dns {
    id: u16,
    is_connected: bool,
    deadline: Instant,
    limit: Microseconds,
    query: Option<Vec<u8>>,
    verdict: Option<Verdict>,
}

/// What a name server answers instead of NOERROR (RFC 1035 4.1.1), 1..=15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseCode(pub u8);

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            _ => "an error",
        };
        write!(f, "it answers {name} ({}), wanted NOERROR (0)", self.0)
    }
}

impl Dns {
    /// The socket is being opened. `id` must not be guessable: with it and the port, anybody can answer.
    pub(super) fn begin(now: Instant, check: &DnsCheck, id: u16) -> Self {
        let limit = check.endpoint.connect_timeout;
        Self {
            id,
            is_connected: false,
            deadline: now + limit.as_duration(),
            limit,
            query: Some(query(check, id)),
            verdict: None,
        }
    }

    pub(super) const fn handle_connected(&mut self) {
        self.is_connected = true;
    }

    pub(super) fn handle_datagram(&mut self, bytes: &[u8]) {
        const RESPONSE: u8 = 0x80;
        let Some([high, low, flags, more_flags, ..]) = bytes.first_chunk::<12>() else {
            return;
        };
        if u16::from_be_bytes([*high, *low]) != self.id || flags & RESPONSE == 0 {
            return;
        }
        self.verdict.get_or_insert(match more_flags & 0x0f {
            0 => Verdict::Success,
            code => Verdict::Failure(Failure::Dns(ResponseCode(code))),
        });
    }

    fn fail(&mut self, failure: Failure) {
        self.verdict.get_or_insert(Verdict::Failure(failure));
    }

    pub(super) fn handle_obstacle(&mut self, obstacle: Obstacle) {
        self.verdict.get_or_insert(Verdict::NoResult(obstacle));
    }

    pub(super) fn handle_trouble(&mut self, trouble: Trouble) {
        self.fail(if self.is_connected {
            Failure::Broken(trouble)
        } else {
            Failure::Connect(trouble)
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
        self.fail(match (self.is_connected, &self.query) {
            (false, _) => Failure::ConnectTimeout(limit),
            (true, Some(_)) => Failure::WriteTimeout(limit),
            (true, None) => Failure::ReadTimeout(limit),
        });
    }

    pub(super) const fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.query.take()
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

/// One question, recursion desired (RFC 1035 4.1.1, 4.1.2).
fn query(check: &DnsCheck, id: u16) -> Vec<u8> {
    const RECURSION_DESIRED: u16 = 0x0100;
    const INTERNET: u16 = 1;
    let mut query = Vec::with_capacity(12 + check.name.len() + 6);
    for word in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        query.extend_from_slice(&word.to_be_bytes());
    }
    for label in check.name.split('.').filter(|label| !label.is_empty()) {
        // None is longer: the settings say so.
        let label = label
            .as_bytes()
            .get(..LONGEST_LABEL)
            .unwrap_or(label.as_bytes());
        query.push(u8::try_from(label.len()).unwrap_or(0));
        query.extend_from_slice(label);
    }
    query.push(0);
    for word in [check.record.number(), INTERNET] {
        query.extend_from_slice(&word.to_be_bytes());
    }
    query
}

#[cfg(test)]
mod tests;
