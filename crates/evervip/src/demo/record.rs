//! What was observed: who sent what, who had the address, what the client got. Facts only; the drawing and the words are
//! made from them.

use std::time::Duration;

use types::{Claim, Instant};

/// One of the two routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Router {
    /// The better one.
    Alpha,
    /// Its backup.
    Beta,
}

impl Router {
    /// Both, in the order they are shown in.
    pub(super) const BOTH: [Self; 2] = [Self::Alpha, Self::Beta];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Alpha => "alpha",
            Self::Beta => "beta",
        }
    }

    /// The router of this name.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Self::BOTH
            .into_iter()
            .find(|router| router.name().as_bytes() == name)
    }
}

/// What a router is, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// No daemon runs there.
    Off,
    /// It runs, and does not have the address.
    Waiting,
    /// The address is on its interface.
    Holding,
}

/// An answer that comes later than this is none: the client has given up. Far above any delay of a healthy LAN, and what
/// the client's kernel holds back while it does not know where the address is does not count as answered.
pub(super) const TOO_LATE: Duration = Duration::from_millis(40);

/// One question of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// When it was sent.
    pub sent: Instant,
    /// When the first answer came, and from whom.
    pub answer: Option<(Instant, Router)>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may still be answered.
    Open,
    /// Answered in time.
    Answered(Router),
    /// Not answered, or too late.
    Lost,
}

impl Probe {
    /// What is known of it at `now`.
    pub(super) fn fate(&self, now: Instant) -> Fate {
        match self.answer {
            Some((at, by)) if at.since(self.sent) <= TOO_LATE => Fate::Answered(by),
            None if now.since(self.sent) <= TOO_LATE => Fate::Open,
            Some(_) | None => Fate::Lost,
        }
    }
}

/// One advert on the LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advert {
    /// When.
    pub at: Instant,
    /// Whose.
    pub from: Router,
    /// What it claims.
    pub claim: Claim,
}

/// What the client did without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    /// Questions without an answer.
    pub probes: usize,
    /// From the first of them to the first answered one after it; the longest such gap.
    pub longest: Duration,
}

/// Everything observed since the start, each list in the order of time.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Adverts of either router.
    pub adverts: Vec<Advert>,
    /// Gratuitous ARPs for the address.
    pub announcements: Vec<(Instant, Router)>,
    /// Each change of a router's condition.
    pub conditions: Vec<(Instant, Router, Condition)>,
    /// The client's questions.
    pub probes: Vec<Probe>,
}

impl Record {
    /// Notes what a router is, if that is news.
    pub(super) fn note_condition(&mut self, at: Instant, router: Router, condition: Condition) {
        if self.condition_at(router, at) != condition {
            self.conditions.push((at, router, condition));
        }
    }

    /// What a router was at `at`, as far as is known.
    pub(super) fn condition_at(&self, router: Router, at: Instant) -> Condition {
        self.conditions
            .iter()
            .rev()
            .find(|(since, whose, _)| *whose == router && *since <= at)
            .map_or(Condition::Off, |(_, _, condition)| *condition)
    }

    /// The first advert of `router` at or after `at` by which it claims the address.
    pub(super) fn first_claim(&self, router: Router, at: Instant) -> Option<Advert> {
        self.adverts
            .iter()
            .find(|advert| {
                advert.at >= at && advert.from == router && advert.claim != Claim::Leaving
            })
            .copied()
    }

    /// The first gratuitous ARP of `router` at or after `at`.
    pub(super) fn first_announcement(&self, router: Router, at: Instant) -> Option<Instant> {
        self.announcements
            .iter()
            .find(|(sent, from)| *sent >= at && *from == router)
            .map(|(sent, _)| *sent)
    }

    /// When the client got the first answer of `router` to a question asked at or after `at`.
    pub(super) fn first_answer(&self, router: Router, at: Instant) -> Option<Instant> {
        self.probes
            .iter()
            .filter(|probe| probe.sent >= at)
            .filter_map(|probe| probe.answer)
            .filter(|(_, by)| *by == router)
            .map(|(answered, _)| answered)
            .min()
    }

    /// When adverts were due that did not come by `now`: a master that has not said goodbye is expected to send one every
    /// `interval` until another claims the address. Half an interval late is still in time.
    pub(super) fn missed_adverts(
        &self,
        interval: Duration,
        now: Instant,
    ) -> Vec<(Instant, Router)> {
        /// More than this in a row are a router that is gone, not one that is late.
        const MOST_IN_A_ROW: u32 = 5;
        let next = self.adverts.iter().skip(1).map(|advert| advert.at);
        let mut missed = Vec::new();
        for (advert, next) in self.adverts.iter().zip(next.chain([now])) {
            if advert.claim == Claim::Leaving {
                continue;
            }
            missed.extend(
                (1..=MOST_IN_A_ROW)
                    .map(|count| advert.at + interval * count)
                    .take_while(|due| *due + interval / 2 < next)
                    .map(|due| (due, advert.from)),
            );
        }
        missed
    }

    /// What the client did without among the questions asked from `from` to `until`, as known at `now`.
    pub(super) fn loss(&self, from: Instant, until: Instant, now: Instant) -> Loss {
        let mut loss = Loss::default();
        let mut gap_since = None;
        let asked = self.probes.iter().filter(|probe| probe.sent >= from);
        for probe in asked {
            if probe.sent > until && gap_since.is_none() {
                break;
            }
            match (probe.fate(now), gap_since) {
                (Fate::Lost, since) => {
                    loss.probes += 1;
                    gap_since = Some(since.unwrap_or(probe.sent));
                }
                (Fate::Answered(_), Some(since)) => {
                    loss.longest = loss.longest.max(probe.sent.since(since));
                    gap_since = None;
                }
                (Fate::Answered(_), None) | (Fate::Open, _) => {}
            }
        }
        if let Some(since) = gap_since {
            loss.longest = loss.longest.max(now.since(since));
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use types::Priority;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn advert(millis: u64, from: Router, priority: u8) -> Advert {
        Advert {
            at: at(millis),
            from,
            claim: Claim::from_wire(priority),
        }
    }

    #[test]
    fn adverts_that_do_not_come_are_missed_until_another_claims_the_address() {
        let record = Record {
            adverts: vec![
                advert(0, Router::Alpha, 150),
                advert(101, Router::Alpha, 150),
                advert(462, Router::Beta, 100),
                advert(562, Router::Beta, 100),
            ],
            ..Record::default()
        };
        let interval = Duration::from_millis(100);
        let expected = [201, 301, 401].map(|millis| (at(millis), Router::Alpha));
        assert_eq!(record.missed_adverts(interval, at(600)), expected);
        assert_eq!(
            record.missed_adverts(interval, at(712)),
            expected,
            "late is in time"
        );
        assert_eq!(
            record.missed_adverts(interval, at(713)).last(),
            Some(&(at(662), Router::Beta))
        );
    }

    #[test]
    fn who_said_goodbye_is_not_missed() {
        let record = Record {
            adverts: vec![advert(0, Router::Alpha, 150), advert(50, Router::Alpha, 0)],
            ..Record::default()
        };
        assert_eq!(
            record.missed_adverts(Duration::from_millis(100), at(1000)),
            []
        );
        assert_eq!(record.first_claim(Router::Alpha, at(1)), None);
        assert_eq!(
            record
                .first_claim(Router::Alpha, at(0))
                .map(|advert| advert.claim),
            Some(Claim::At(Priority::new(150).unwrap()))
        );
    }

    #[test]
    fn a_gap_lasts_from_the_first_lost_question_to_the_next_answered_one() {
        let answered = |sent: u64, after: u64| Probe {
            sent: at(sent),
            answer: Some((at(sent + after), Router::Alpha)),
        };
        let lost = |sent: u64| Probe {
            sent: at(sent),
            answer: None,
        };
        let record = Record {
            probes: vec![
                answered(0, 1),
                lost(10),
                answered(20, 50),
                answered(30, 1),
                lost(40),
                answered(50, 1),
                lost(60),
            ],
            ..Record::default()
        };
        let longest = |from, until, now| {
            let loss = record.loss(at(from), at(until), at(now));
            (loss.probes, loss.longest.as_millis())
        };
        assert_eq!(
            longest(0, 55, 1000),
            (3, 20),
            "an answer after 50 ms is too late"
        );
        assert_eq!(longest(35, 55, 1000), (1, 10));
        assert_eq!(longest(45, 100, 90), (0, 0), "the last one is open");
        assert_eq!(longest(45, 100, 300), (1, 240), "and then lost until now");
        assert_eq!(record.first_answer(Router::Alpha, at(15)), Some(at(31)));
        assert_eq!(record.first_answer(Router::Beta, at(0)), None);
    }

    #[test]
    fn only_changes_of_condition_are_kept() {
        let mut record = Record::default();
        for (millis, condition) in [
            (1, Condition::Off),
            (2, Condition::Waiting),
            (3, Condition::Waiting),
            (4, Condition::Holding),
        ] {
            record.note_condition(at(millis), Router::Beta, condition);
        }
        assert_eq!(record.conditions.len(), 2);
        assert_eq!(record.condition_at(Router::Beta, at(3)), Condition::Waiting);
        assert_eq!(record.condition_at(Router::Beta, at(9)), Condition::Holding);
        assert_eq!(record.condition_at(Router::Alpha, at(9)), Condition::Off);
    }
}
