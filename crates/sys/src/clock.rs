//! What time it is: the monotonic clock that everything is timed by, and the wall clock that people read.
//!
//! Only hosts ask; a protocol core is told the time with each input.

use std::mem::MaybeUninit;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use types::Instant;

/// The time on the monotonic clock (CLOCK_MONOTONIC): nanoseconds since the machine started, not counting
/// the time it was suspended. Setting the wall clock does not move it.
pub fn now() -> Instant {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// How much time of a processor the calling thread has used.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How long the machine has been up, the time it was suspended included: the first number in `/proc/uptime`.
pub fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The time on the wall clock, for logs and dumps. It can step either way: never compute a deadline from it.
pub fn wall() -> WallTime {
    let time = clock_gettime(ClockId::Realtime);
    WallTime {
        seconds: time.tv_sec,
        nanos: u32::try_from(time.tv_nsec).unwrap_or(0),
    }
}

/// The wall clock in the local time zone in the form of ctime(3): `Fri Nov 20 10:00:00 2026`.
pub fn local_time_text() -> String {
    wall().ctime()
}

/// A point in time as people count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime {
    seconds: i64,
    nanos: u32,
}

impl WallTime {
    /// `seconds` since 1970-01-01 00:00:00 UTC, plus `nanos` nanoseconds (0..=999 999 999; more is cut off).
    pub fn new(seconds: i64, nanos: u32) -> Self {
        Self {
            seconds,
            nanos: nanos.min(999_999_999),
        }
    }

    /// Whole seconds since 1970-01-01 00:00:00 UTC, negative before.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// The time since 1970-01-01 00:00:00 UTC; zero before.
    pub fn since_epoch(self) -> Duration {
        u64::try_from(self.seconds)
            .map_or(Duration::ZERO, |seconds| Duration::new(seconds, self.nanos))
    }

    /// Nanoseconds within the second, 0..=999 999 999.
    pub fn nanos(self) -> u32 {
        self.nanos
    }

    /// The time this long ago; turns an age on the monotonic clock into a time of day.
    #[must_use]
    pub fn before(self, age: Duration) -> Self {
        let age_seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        let seconds = self.seconds.saturating_sub(age_seconds);
        match self.nanos.checked_sub(age.subsec_nanos()) {
            Some(nanos) => Self { seconds, nanos },
            None => Self {
                seconds: seconds.saturating_sub(1),
                nanos: (self.nanos + 1_000_000_000).saturating_sub(age.subsec_nanos()),
            },
        }
    }

    /// In the local time zone: `Fri Nov 20 10:00:00 2026`, the form of ctime(3).
    pub fn ctime(self) -> String {
        self.local(c"%a %b %e %H:%M:%S %Y")
    }

    /// In the local time zone: `Nov 20 10:00:00`, the stamp of RFC 3164 4.1.2.
    pub fn syslog_stamp(self) -> String {
        self.local(c"%b %e %H:%M:%S")
    }

    /// Formats in the local time zone with strftime(3). The locale is always C: nothing here sets another.
    fn local(self, format: &std::ffi::CStr) -> String {
        let mut broken_down = MaybeUninit::<libc::tm>::uninit();
        // SAFETY: both pointers are valid for the call; the result is only read when it was written.
        let filled =
            unsafe { libc::localtime_r(&raw const self.seconds, broken_down.as_mut_ptr()) };
        if filled.is_null() {
            // A year that does not fit; no clock shows one.
            return format!("@{}", self.seconds);
        }
        let mut text = [0_u8; 64];
        // SAFETY: localtime_r filled the structure; the buffer is as long as said and the format is a C string.
        let length = unsafe {
            libc::strftime(
                text.as_mut_ptr().cast(),
                text.len(),
                format.as_ptr(),
                broken_down.as_ptr(),
            )
        };
        String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_does_not_go_back() {
        let first = now();
        assert!(now() >= first);
        assert!(first > Instant::ZERO);
    }

    #[test]
    fn ctime_has_its_usual_form() {
        // Noon in the middle of a month is the same day of the month in every time zone but the outermost.
        let text = WallTime::new(1_605_870_000, 0).ctime();
        assert_eq!(text.len(), 24, "{text}");
        assert!(text.starts_with("Fri Nov 20 "), "{text}");
        assert!(
            text.ends_with(":00:00 2020") || text.ends_with(":30:00 2020"),
            "{text}"
        );
        let padded = WallTime::new(1_604_487_600, 0).syslog_stamp();
        assert!(
            padded.starts_with("Nov  4 "),
            "one-digit days are padded with a blank: {padded}"
        );
        assert_eq!(local_time_text().len(), 24);
    }

    #[test]
    fn ages_are_subtracted_across_the_second() {
        let time = WallTime::new(10, 250_000_000);
        assert_eq!(
            time.before(Duration::from_millis(500)),
            WallTime::new(9, 750_000_000)
        );
        assert_eq!(
            time.before(Duration::from_millis(2_250)),
            WallTime::new(8, 0)
        );
    }
}
