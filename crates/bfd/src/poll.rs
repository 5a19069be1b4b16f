//! When our own intervals count: RFC 5880 section 6.8.3, with the Poll Sequence of section 6.5.
//!
//! The neighbour computes its detection time from what we said last. So while the session is up, sending less often, or
//! demanding more often, must wait until it has confirmed the new numbers.

use core::time::Duration;

/// What we may go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    /// For [`transmit`](crate::intervals::transmit).
    pub(crate) min_tx: Duration,
    /// For [`detection_time`](crate::intervals::detection_time).
    pub(crate) min_rx: Duration,
}

impl InForce {
    /// These were told, but not confirmed: what is safe counts at once.
    pub(crate) fn told(&mut self, min_tx: Duration, min_rx: Duration) {
        self.min_tx = self.min_tx.min(min_tx);
        self.min_rx = self.min_rx.max(min_rx);
    }

    /// The neighbour has confirmed these, or there is nobody to mislead.
    pub(crate) const fn confirmed(&mut self, min_tx: Duration, min_rx: Duration) {
        *self = Self { min_tx, min_rx };
    }
}

/// The Poll Sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Poll {
    /// None.
    #[default]
    Idle,
    /// Packets carry the poll bit until one with the final bit comes.
    Asking,
    /// The same, and the numbers changed meanwhile: the answer may be to the old ones, so it is asked once more.
    AskingAgain,
}

impl Poll {
    pub(crate) const fn is_on(self) -> bool {
        matches!(self, Self::Asking | Self::AskingAgain)
    }

    /// The numbers changed. True if a sequence begins.
    pub(crate) const fn ask(&mut self) -> bool {
        let begins = !self.is_on();
        *self = if begins {
            Self::Asking
        } else {
            Self::AskingAgain
        };
        begins
    }

    /// A packet with the final bit came. True if it confirms what we say now.
    pub(crate) const fn answered(&mut self) -> bool {
        match self {
            Self::Idle => false,
            Self::Asking => {
                *self = Self::Idle;
                true
            }
            Self::AskingAgain => {
                *self = Self::Asking;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_safe_counts_at_once() {
        let ms = Duration::from_millis;
        let mut in_force = InForce {
            min_tx: ms(100),
            min_rx: ms(100),
        };
        in_force.told(ms(50), ms(200));
        assert_eq!((in_force.min_tx, in_force.min_rx), (ms(50), ms(200)));
        in_force.told(ms(300), ms(20));
        assert_eq!((in_force.min_tx, in_force.min_rx), (ms(50), ms(200)));
        in_force.confirmed(ms(300), ms(20));
        assert_eq!((in_force.min_tx, in_force.min_rx), (ms(300), ms(20)));
    }

    #[test]
    fn an_answer_to_old_numbers_confirms_nothing() {
        let mut poll = Poll::default();
        assert!(!poll.answered() && !poll.is_on());
        assert!(poll.ask() && poll.is_on());
        assert!(!poll.ask());
        assert!(!poll.answered() && poll.is_on());
        assert!(poll.answered() && !poll.is_on());
    }
}
