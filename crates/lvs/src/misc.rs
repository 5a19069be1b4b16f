//! MISC_CHECK: the life of its command, and what its end means (keepalived).

use std::time::Duration;

use types::Instant;

use crate::settings::checkers::MiscCheck;

/// After SIGTERM the command has so long to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// SIGKILL is repeated then, in case a process of the group was being born.
const AGAIN: Duration = Duration::from_secs(10);

/// A signal for the process group of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    /// With this exit status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// Its program could not be executed.
    NotStarted,
    /// There was no process for it, for a reason on our side: nothing was found out.
    NoProcess,
}

/// A command that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// What is done next to end it, and when.
    next: (Instant, Signal),
    /// It was told to end.
    overdue: bool,
}

impl Run {
    pub(crate) fn begin(now: Instant, check: &MiscCheck) -> Self {
        Self {
            next: (now + check.timeout.as_duration(), Signal::Terminate),
            overdue: false,
        }
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.next.0
    }

    /// It took too long, and that was said to it.
    pub(crate) const fn is_overdue(&self) -> bool {
        self.overdue
    }

    /// The signal that is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Signal> {
        let (at, signal) = self.next;
        if now < at {
            return None;
        }
        let wait = if self.overdue { AGAIN } else { PATIENCE };
        self.overdue = true;
        self.next = (now + wait, Signal::Kill);
        Some(signal)
    }
}

/// What an exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// All is well; it adds this to the weight.
    Good(i64),
    /// It is not.
    Bad,
    /// What was known stays known.
    Nothing,
}

/// What the end of a command means for a server with this configured weight. With `misc_dynamic` an exit status of 2 to 255
/// is the weight and two more.
pub(crate) fn meaning(end: CommandEnd, dynamic: bool, weight: u32) -> Meaning {
    match end {
        CommandEnd::Exited(0) => Meaning::Good(0),
        CommandEnd::Exited(status @ 2..=255) if dynamic => {
            Meaning::Good(i64::from(status) - 2 - i64::from(weight))
        }
        CommandEnd::Exited(_) | CommandEnd::Signalled(_) | CommandEnd::NotStarted => Meaning::Bad,
        CommandEnd::NoProcess => Meaning::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::checkers::{CommandId, Microseconds};

    #[test]
    fn statuses() {
        use CommandEnd::{Exited, NoProcess, NotStarted, Signalled};
        for (end, plain, dynamic) in [
            (Exited(0), Meaning::Good(0), Meaning::Good(0)),
            (Exited(1), Meaning::Bad, Meaning::Bad),
            (Exited(2), Meaning::Bad, Meaning::Good(-10)),
            (Exited(255), Meaning::Bad, Meaning::Good(243)),
            (Signalled(9), Meaning::Bad, Meaning::Bad),
            (NotStarted, Meaning::Bad, Meaning::Bad),
            (NoProcess, Meaning::Nothing, Meaning::Nothing),
        ] {
            assert_eq!(meaning(end, false, 10), plain, "{end:?}");
            assert_eq!(meaning(end, true, 10), dynamic, "{end:?}");
        }
    }

    #[test]
    fn one_that_does_not_end_is_asked_and_then_killed_again_and_again() {
        let check = MiscCheck {
            command: CommandId(0),
            timeout: Microseconds::from_secs(5),
            dynamic: false,
        };
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        let mut run = Run::begin(Instant::ZERO, &check);
        assert_eq!(run.handle_timeout(at(4)), None);
        for (second, signal) in [
            (5, Signal::Terminate),
            (7, Signal::Kill),
            (17, Signal::Kill),
            (27, Signal::Kill),
        ] {
            assert_eq!(run.deadline(), at(second));
            assert_eq!(run.handle_timeout(at(second)), Some(signal));
            assert!(run.is_overdue());
        }
    }
}
