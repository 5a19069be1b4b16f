//! How often to send, and how long to wait: RFC 5880 sections 6.8.2 to 6.8.4 and 6.8.7.

use core::time::Duration;

use types::Random;

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
}
