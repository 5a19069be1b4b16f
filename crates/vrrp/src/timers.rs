//! Skew_Time and Master_Down_Interval (RFC 9568 6.1; RFC 3768 6.1).

use core::time::Duration;

use types::{Centiseconds, Priority, Version};

/// Skew_Time: how much sooner the better backup gives up on a silent master.
///
/// Version 2: `(256 - priority) / 256` seconds. Version 3: that share of the master's advertisement interval. Both in
/// whole microseconds, as keepalived computes them.
///
/// ```
/// use core::time::Duration;
/// use evervip_vrrp::timers::skew;
/// use types::{Centiseconds, Priority, Version};
///
/// let priority = Priority::new(150).unwrap();
/// assert_eq!(skew(Version::V2, priority, Centiseconds::from_seconds(1)), Duration::from_micros(414_062));
/// assert_eq!(skew(Version::V3, priority, Centiseconds::new(50)), Duration::from_micros(207_031));
/// ```
#[must_use]
pub const fn skew(
    version: Version,
    priority: Priority,
    master_advert_int: Centiseconds,
) -> Duration {
    let share = 256 - priority.get() as u64;
    Duration::from_micros(match version {
        Version::V2 => share * 1_000_000 / 256,
        // A centisecond is 10 000 us, and 10 000 / 256 = 625 / 16.
        Version::V3 => share * master_advert_int.get() as u64 * 625 / 16,
    })
}

/// Master_Down_Interval: how long a backup hears nothing before it takes over.
///
/// `adverts` is the RFC's 3 unless configured otherwise (keepalived: `down_timer_adverts`).
#[must_use]
pub fn master_down(
    version: Version,
    priority: Priority,
    master_advert_int: Centiseconds,
    adverts: u8,
) -> Duration {
    master_advert_int.as_duration() * u32::from(adverts)
        + skew(version, priority, master_advert_int)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures observed on a running keepalived 2.4.3.
    #[test]
    fn master_down_is_keepaliveds_to_the_microsecond() {
        let cases = [
            (Version::V3, 150, 50, 1_707_031),
            (Version::V2, 106, 100, 3_585_937),
            (Version::V2, 100, 100, 3_609_375),
        ];
        for (version, priority, centiseconds, micros) in cases {
            let priority = Priority::new(priority).unwrap();
            let down = master_down(version, priority, Centiseconds::new(centiseconds), 3);
            assert_eq!(down, Duration::from_micros(micros));
        }
    }

    #[test]
    fn a_better_priority_never_waits_longer() {
        for version in [Version::V2, Version::V3] {
            for interval in [1, 10, 100, 4095] {
                let waits: alloc::vec::Vec<Duration> = (1..=255)
                    .map(|priority| {
                        master_down(
                            version,
                            Priority::new(priority).unwrap(),
                            Centiseconds::new(interval),
                            3,
                        )
                    })
                    .collect();
                assert!(
                    waits.is_sorted_by(|worse, better| worse >= better),
                    "{version:?} {interval}"
                );
            }
        }
    }
}
