//! TCP_CHECK: a connection can be opened. Nothing is sent.

use types::Instant;

use super::{Failure, Obstacle, Trouble, Verdict};
use crate::settings::checkers::{Endpoint, Microseconds};

/// A TCP_CHECK under way.
#[derive(Debug)]
pub struct Tcp {
    deadline: Instant,
    limit: Microseconds,
    verdict: Option<Verdict>,
}

impl Tcp {
    /// The connection is being opened.
    pub(super) fn begin(now: Instant, endpoint: &Endpoint) -> Self {
        let limit = endpoint.connect_timeout;
        Self {
            deadline: now + limit.as_duration(),
            limit,
            verdict: None,
        }
    }

    pub(super) fn handle_connected(&mut self, _now: Instant) {
        self.verdict.get_or_insert(Verdict::Success);
    }

    pub(super) fn handle_obstacle(&mut self, obstacle: Obstacle) {
        self.verdict.get_or_insert(Verdict::NoResult(obstacle));
    }

    pub(super) fn handle_trouble(&mut self, trouble: Trouble) {
        self.verdict
            .get_or_insert(Verdict::Failure(Failure::Connect(trouble)));
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline {
            let failure = Failure::ConnectTimeout(self.limit.as_duration());
            self.verdict.get_or_insert(Verdict::Failure(failure));
        }
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}
