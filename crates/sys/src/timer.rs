//! The one timer of a process: it becomes readable when the earliest deadline of all cores is reached.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use types::Instant;

use crate::error::Error;

/// A timer on the monotonic clock, set to a point in time rather than to a duration, so that work done
/// between reading the clock and arming makes nothing late.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
    armed: Option<Instant>,
}

impl Timer {
    /// A timer that is not armed.
    ///
    /// # Errors
    /// When the kernel has no descriptor left for it.
    pub fn new() -> Result<Self, Error> {
        let fd = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )
        .map_err(Error::system("create a timer"))?;
        Ok(Self { fd, armed: None })
    }

    /// Makes the timer readable at `deadline` (at once when it has passed), or never for `None`.
    /// Costs nothing when that is what it is set to already.
    ///
    /// # Errors
    /// Only what the kernel says to a timer it does not know; not expected.
    pub fn arm(&mut self, deadline: Option<Instant>) -> Result<(), Error> {
        if deadline == self.armed {
            return Ok(());
        }
        let setting = Itimerspec {
            it_interval: timespec(0),
            it_value: timespec(deadline.map_or(0, at_least_one)),
        };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &setting)
            .map_err(Error::system("arm a timer"))?;
        self.armed = deadline;
        Ok(())
    }

    /// Takes note that the timer fired, so that it is not readable any more; it is then not armed.
    /// Harmless when it has not fired.
    ///
    /// # Errors
    /// Only what the kernel says to a timer it does not know; not expected.
    pub fn acknowledge(&mut self) -> Result<(), Error> {
        let mut expirations = [0_u8; 8];
        match rustix::io::read(&self.fd, &mut expirations) {
            Ok(_) => {
                self.armed = None;
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(errno) => Err(Error::system("read a timer")(errno)),
        }
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Zero would disarm the timer; the origin of the clock has passed anyway.
fn at_least_one(deadline: Instant) -> u64 {
    deadline.as_nanos().max(1)
}

fn timespec(nanos: u64) -> Timespec {
    let seconds = i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX);
    let rest = i64::try_from(nanos % 1_000_000_000).unwrap_or(0);
    Timespec {
        tv_sec: seconds,
        tv_nsec: rest,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;
    use crate::clock;

    fn readable_within(timer: &Timer, limit: Duration) -> bool {
        let mut fds = [PollFd::new(timer, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        poll(&mut fds, Some(&limit)).unwrap() == 1
    }

    #[test]
    fn it_fires_at_its_time_and_not_before() {
        let mut timer = Timer::new().unwrap();
        assert!(!readable_within(&timer, Duration::ZERO));
        let deadline = clock::now() + Duration::from_millis(30);
        timer.arm(Some(deadline)).unwrap();
        assert!(!readable_within(&timer, Duration::ZERO));
        assert!(readable_within(&timer, Duration::from_millis(900)));
        assert!(clock::now() >= deadline);
        timer.acknowledge().unwrap();
        assert!(!readable_within(&timer, Duration::ZERO));
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_once_and_again_after_acknowledging() {
        let mut timer = Timer::new().unwrap();
        for _ in 0..2 {
            timer.arm(Some(Instant::ZERO)).unwrap();
            assert!(readable_within(&timer, Duration::from_millis(900)));
            timer.acknowledge().unwrap();
            assert!(!readable_within(&timer, Duration::ZERO));
        }
    }

    #[test]
    fn never_is_never() {
        let mut timer = Timer::new().unwrap();
        timer
            .arm(Some(clock::now() + Duration::from_millis(10)))
            .unwrap();
        timer.arm(None).unwrap();
        assert!(!readable_within(&timer, Duration::from_millis(30)));
    }
}
