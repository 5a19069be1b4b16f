//! How often to send, and how long to wait: RFC 5880 sections 6.8.2 to 6.8.4 and 6.8.7.

use core::time::Duration;

use types::{Instant, Random};

/// Sessions share the moments that they send in, so that the process wakes up for many packets at once; and so does the
/// neighbour's, for they come together. A thousand sessions that send every 100 ms cost half the CPU time for it.
const COARSEST: Duration = Duration::from_millis(1);

/// Time between the packets that we send: as much as we want, and as much as the neighbour can take.
pub(crate) fn transmit(desired_min_tx: Duration, remote_min_rx: Duration) -> Duration {
    desired_min_tx.max(remote_min_rx)
}

/// So long without a packet, and the session is down (section 6.8.4): the neighbour's multiplier, times what it waits between
/// packets, which is no less than what we asked for.
pub(crate) fn detection_time(
    remote_multiplier: u8,
    required_min_rx: Duration,
    remote_min_tx: Duration,
) -> Duration {
    required_min_rx.max(remote_min_tx) * u32::from(remote_multiplier)
}

/// When the packet after one that leaves `now` is due: a jittered interval later, give or take a fortieth of the interval, so that
/// it falls into a moment of many sessions. Never outside of what jitter may be.
pub(crate) fn next_packet(now: Instant, interval: Duration, random: &mut Random) -> Instant {
    let drawn = now + jittered(interval, random);
    let grid = grid(interval);
    let shared = drawn.as_nanos() / grid * grid;
    let earliest = (now + interval * 3 / 4).as_nanos();
    let at = if shared < earliest {
        shared.saturating_add(grid)
    } else {
        shared
    };
    Instant::from_nanos(at)
}

/// Nanoseconds between two moments: [`COARSEST`], halved until it is a fortieth of the interval or less. So the moments of slow
/// sessions are moments of fast ones, too.
fn grid(interval: Duration) -> u64 {
    let fine = interval.as_nanos() / 40;
    let mut grid = COARSEST.as_nanos();
    while grid > fine.max(1) {
        grid /= 2;
    }
    u64::try_from(grid).unwrap_or(u64::MAX).max(1)
}

/// An interval less a random tenth to quarter of it. Section 6.8.7 wants up to a quarter, and at least a tenth if the multiplier
/// is 1; keepalived takes a tenth whatever the multiplier.
pub(crate) fn jittered(interval: Duration, random: &mut Random) -> Duration {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    let least = nanos / 10 + u64::from(nanos % 10 != 0);
    let less = least + random.up_to((nanos / 4).saturating_sub(least));
    Duration::from_nanos(nanos.saturating_sub(less))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn the_slower_one_decides() {
        assert_eq!(transmit(ms(10), ms(50)), ms(50));
        assert_eq!(transmit(ms(1000), ms(50)), ms(1000));
        assert_eq!(detection_time(3, ms(10), ms(50)), ms(150));
        assert_eq!(detection_time(255, ms(70), Duration::ZERO), ms(17_850));
        let longest = wire::bfd::LONGEST_INTERVAL;
        assert_eq!(detection_time(255, ms(1), longest), longest * 255);
    }

    #[test]
    fn jitter_is_a_tenth_to_a_quarter() {
        let mut random = Random::new(1);
        let drawn = |interval: Duration, random: &mut Random| -> (Duration, Duration) {
            let all = (0..2000).map(|_| jittered(interval, random));
            let (mut least, mut most) = (Duration::MAX, Duration::ZERO);
            for one in all {
                least = least.min(one);
                most = most.max(one);
            }
            (least, most)
        };
        let (least, most) = drawn(ms(100), &mut random);
        assert!(ms(75) <= least && least < ms(76), "{least:?}");
        assert!(ms(89) < most && most <= ms(90), "{most:?}");
        let longest = wire::bfd::LONGEST_INTERVAL;
        let (least, most) = drawn(longest, &mut random);
        assert!(longest * 3 / 4 <= least && most <= longest * 9 / 10);
        assert_eq!(jittered(Duration::ZERO, &mut random), Duration::ZERO);
    }

    #[test]
    fn packets_leave_in_shared_moments_that_differ_each_time() {
        let mut random = Random::new(1);
        for (micros, grid_micros) in [
            (1_000_000, 1000),
            (100_000, 1000),
            (10_000, 250),
            (1000, 15),
        ] {
            let interval = Duration::from_micros(micros);
            assert_eq!(grid(interval) / 1000, grid_micros);
            let mut seen = alloc::collections::BTreeSet::new();
            let mut now = Instant::from_nanos(123_456_789);
            for _ in 0..2000 {
                let next = next_packet(now, interval, &mut random);
                let gap = next.since(now);
                assert!(gap >= interval * 3 / 4, "{gap:?}");
                assert!(gap <= interval * 9 / 10, "{gap:?}");
                assert_eq!(next.as_nanos() % grid(interval), 0);
                seen.insert(gap);
                // The next one is sent a little later than it was due.
                now = next + Duration::from_micros(7);
            }
            assert!(seen.len() >= 6, "{interval:?}: {seen:?}");
        }
        // Whatever is asked for.
        for interval in [
            Duration::ZERO,
            Duration::from_nanos(3),
            wire::bfd::LONGEST_INTERVAL,
        ] {
            let now = Instant::from_nanos(5);
            let gap = next_packet(now, interval, &mut random).since(now);
            assert!(gap >= interval * 3 / 4 && gap <= interval, "{gap:?}");
        }
    }
}
