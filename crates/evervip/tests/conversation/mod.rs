//! What the daemon has between attempts and dialogues, but without TLS: these servers speak none.

use lvs::dialogue::http::Note;
use lvs::dialogue::{Attempt, Dialogue, NoPatterns, Obstacle, Transport, Trouble, Verdict};
use lvs::settings::checkers::CheckerKind;
use types::Instant;

/// A dialogue.
#[derive(Debug)]
pub(crate) struct Conversation(Dialogue);

impl Conversation {
    pub(crate) fn begin(now: Instant, kind: &CheckerKind, attempt: Attempt) -> Option<Self> {
        Dialogue::begin(now, kind, attempt, &NoPatterns).map(Self)
    }

    pub(crate) const fn transport(&self) -> Transport {
        self.0.transport()
    }

    pub(crate) fn handle_connected(&mut self, now: Instant) {
        self.0.handle_connected(now);
    }

    pub(crate) fn handle_obstacle(&mut self, obstacle: Obstacle) {
        self.0.handle_obstacle(obstacle);
    }

    pub(crate) fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.0.handle_bytes(now, bytes);
    }

    pub(crate) fn handle_end(&mut self, now: Instant) {
        self.0.handle_end(now);
    }

    pub(crate) fn handle_trouble(&mut self, now: Instant, trouble: Trouble) {
        self.0.handle_trouble(now, trouble);
    }

    pub(crate) fn handle_send_trouble(&mut self, now: Instant, trouble: Trouble) {
        self.0.handle_send_trouble(now, trouble);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    pub(crate) fn poll_transmit(&mut self, _now: Instant) -> Option<Vec<u8>> {
        self.0.poll_transmit()
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.0.deadline()
    }

    pub(crate) const fn verdict(&self) -> Option<&Verdict> {
        self.0.verdict()
    }

    pub(crate) fn notes(&self) -> &[Note] {
        self.0.notes()
    }
}
