//! Points in time and the wire's own unit of duration.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on a monotonic clock, in nanoseconds since an origin that only the host knows.
///
/// Our own type, not `std`'s, so that a core cannot ask for the time, a recorded run replays, and a
/// simulated world counts from zero.
///
/// ```
/// use core::time::Duration;
/// use evervip_types::Instant;
///
/// let start = Instant::from_nanos(1_000);
/// let later = start + Duration::from_nanos(500);
/// assert_eq!(later.since(start), Duration::from_nanos(500));
/// assert_eq!(start.since(later), Duration::ZERO, "never negative");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);

    /// A point `nanos` nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The point `duration` before this one, not before the origin.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of the clock (584 years after its origin).
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Hundredths of a second: the unit of the advertisement interval on the wire of VRRPv3
/// (RFC 9568 5.2.7, Max Advertise Interval). VRRPv2's whole seconds are multiples of 100 of it.
///
/// ```
/// use core::time::Duration;
/// use evervip_types::Centiseconds;
///
/// assert_eq!(Centiseconds::new(150).as_duration(), Duration::from_millis(1500));
/// assert_eq!(Centiseconds::from_seconds(255).get(), 25_500);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Centiseconds(u16);

impl Centiseconds {
    /// The largest interval that the 12-bit field of a VRRPv3 advertisement can carry: 40.95 s.
    pub const MAX_V3: Self = Self(4095);

    /// `count` hundredths of a second.
    pub const fn new(count: u16) -> Self {
        Self(count)
    }

    /// Whole seconds, as VRRPv2 counts them.
    pub const fn from_seconds(seconds: u8) -> Self {
        Self(seconds as u16 * 100)
    }

    /// The count of hundredths.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The same span as a duration; the only way to compute with it.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0 as u64 * 10)
    }
}

impl fmt::Display for Centiseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (seconds, 0) => write!(f, "{seconds} s"),
            (seconds, rest) => write!(f, "{seconds}.{rest:02} s"),
        }
    }
}
