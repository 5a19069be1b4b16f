//! What keeps a flood of adverts from being answered with a flood: answers and log lines have a rate of their own.
//!
//! Anybody on the link can send adverts without a proof, faster than any router would. keepalived answers each that is
//! worse than its own with an advert, a block of gratuitous ARPs and a run of the notify script, and logs each change of
//! the sender.
//!
//! A master answers once in a [`SHARE`] of its interval. An answer goes to everybody, so nobody misses one because
//! somebody else was answered a moment ago; and a router that sends as often as we do gets an answer each time.

use core::time::Duration;

use types::Instant;

use crate::instance::Instance;
use crate::state::State;

/// Answers in one advertisement interval of ours.
const SHARE: u32 = 10;

/// Changes of the master that are said in [`WINDOW`], each of which lets complaints about packets be said again. A
/// handover is one or two.
const CHANGES: u8 = 8;
const WINDOW: Duration = Duration::from_secs(10);

/// How many changes of the master have been said lately.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes {
    since: Option<Instant>,
    count: u8,
}

impl Changes {
    /// One more; false: there were so many that no more is said of it.
    pub(crate) fn one_more(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.since(since) >= WINDOW) {
            *self = Self {
                since: Some(now),
                count: 0,
            };
        }
        let tell = self.count < CHANGES;
        self.count = self.count.saturating_add(1);
        tell
    }
}

impl Instance {
    /// Whether a master answers an advert that it has just heard, or has only just answered another one.
    pub(crate) fn may_answer(&mut self, now: Instant) -> bool {
        let distance = self.settings.advert_int.as_duration() / SHARE;
        let State::Master(master) = &mut self.state else {
            return false;
        };
        let due = master
            .answered_at
            .is_none_or(|answered| now.since(answered) >= distance);
        if due {
            master.answered_at = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use crate::testbench::{Bench, instance};

    fn count(said: &[String], what: &str) -> usize {
        said.iter().filter(|line| line.contains(what)).count()
    }

    /// A thousand lesser adverts in a second, from ten senders, to a master that announces two addresses five times.
    #[test]
    fn a_flood_of_lesser_adverts_is_answered_ten_times_in_an_interval() {
        let mut settings = instance("VI");
        settings.garp.lower_prio_repeat = 5;
        let mut bench = Bench::master(settings);
        bench.run(5_000);
        let mut said = Vec::new();
        for number in 0..1_000 {
            let from = alloc::format!("198.18.0.{}", 10 + number % 10);
            said.extend(bench.advert(&from, 100));
            said.extend(bench.run(1));
        }
        let adverts = count(&said, "advert 150");
        assert!((10..=12).contains(&adverts), "{adverts}");
        assert_eq!(count(&said, "garp"), 50);
        assert_eq!(count(&said, "MASTER_RX_LOWER_PRI"), 10);
        assert_eq!(count(&said, "log"), 2, "lower priority, and two masters");
        assert_eq!(bench.view(0).statistics.advert_rcvd, 1_000);
    }

    /// Every router that sends at our pace, or slower, is answered each time.
    #[test]
    fn usual_routers_are_answered() {
        let mut bench = Bench::master(instance("VI"));
        for _ in 0..20 {
            bench.run(950);
            assert_eq!(count(&bench.advert("198.18.0.9", 100), "advert 150"), 1);
        }
        let mut fast = instance("VI");
        fast.advert_int = types::Centiseconds::new(1);
        let mut bench = Bench::master(fast);
        for _ in 0..20 {
            bench.run(1);
            assert_eq!(count(&bench.advert("198.18.0.9", 100), "advert 150"), 1);
        }
    }

    /// Goodbyes are answered at the same rate.
    #[test]
    fn a_flood_of_goodbyes() {
        let mut bench = Bench::master(instance("VI"));
        let mut said = Vec::new();
        for _ in 0..1_000 {
            said.extend(bench.advert("198.18.0.9", 0));
            said.extend(bench.run(1));
        }
        let adverts = count(&said, "advert 150");
        assert!((10..=12).contains(&adverts), "{adverts}");
    }

    /// A backup between two senders whose addresses differ from ours, each a change of the master.
    #[test]
    fn a_backup_that_hears_many_masters_says_little() {
        let mut bench = Bench::one(instance("VI"));
        let mut said = Vec::new();
        for number in 0..1_000 {
            let from = alloc::format!("198.18.0.{}", 10 + number % 2);
            // Without its address, the number and the sum set right.
            said.extend(bench.advert_for(0, &from, 200, |bytes| {
                bytes.truncate(8);
                bytes[3] = 0;
                let sum = u32::from(u16::from_be_bytes([bytes[6], bytes[7]]));
                // Address, number and length (part of the pseudo header) leave it.
                let sum = sum + 0xc612 + 0x0064 + 0x0001 + 0x0004;
                let sum = (sum & 0xffff) + (sum >> 16);
                let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
                bytes[6..8].copy_from_slice(&sum.to_be_bytes());
            }));
        }
        assert_eq!(bench.view(0).statistics.advert_rcvd, 1_000);
        assert_eq!(count(&said, "master is"), 8);
        assert_eq!(count(&said, "does not list our"), 8, "{said:?}");
        assert_eq!(said.len(), 16);
        // A handover later is said.
        bench.run(3_500);
        bench.run(10_000);
        bench.advert("198.18.0.10", 200);
        assert_eq!(count(&bench.advert("198.18.0.11", 201), "master is"), 1);
    }
}
