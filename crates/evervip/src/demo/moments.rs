//! What happened in one step, in words and figures.

use std::time::Duration;

use types::{Claim, Instant};

use super::configuration::ADVERT_INTERVAL;
use super::prober;
use super::record::{Loss, Record, Router};

/// One step of the story, as far as its facts are concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transition {
    /// When what we did was done.
    pub zero: Instant,
    /// What we did.
    pub cause: &'static str,
    /// Who had the address before.
    pub before: Option<Router>,
    /// Who is to have it after.
    pub after: Option<Router>,
    /// When the story stopped looking.
    pub until: Instant,
}

/// What it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// From what we did to the first advert of the new master.
    pub took_over_after: Option<Duration>,
    /// What the client did without.
    pub loss: Loss,
}

impl Transition {
    /// The figures.
    pub(super) fn outcome(&self, record: &Record) -> Outcome {
        let took_over_after = self
            .after
            .and_then(|router| record.first_claim(router, self.zero))
            .map(|advert| advert.at.since(self.zero));
        Outcome {
            took_over_after,
            // What was asked just before can be hit, too: its answer was on the way.
            loss: record.loss(
                self.zero.before(prober::PACE * 2),
                self.until,
                self.until,
            ),
        }
    }

    /// What is worth telling, in the order of time.
    pub(super) fn moments(&self, record: &Record) -> Vec<(Instant, String)> {
        let mut moments = vec![(self.zero, self.cause.to_owned())];
        let last = self.before.and_then(|router| self.last_claim(record, router));
        if let (Some(router), Some(at)) = (self.before, last) {
            moments.push((at, format!("{}: last advert", router.name())));
        }
        let missed = record.missed_adverts(ADVERT_INTERVAL.as_duration(), self.until);
        let missed = missed.iter().filter(|(at, _)| *at >= self.zero);
        for (number, (at, router)) in missed.enumerate() {
            let text = format!("{}: advert due and not sent ({})", router.name(), number + 1);
            moments.push((*at, text));
        }
        let goodbye = record
            .adverts
            .iter()
            .find(|advert| advert.at >= self.zero && advert.claim == Claim::Leaving);
        if let Some(advert) = goodbye {
            let text = format!("{}: advert with priority 0, \"I am leaving\"", advert.from.name());
            moments.push((advert.at, text));
        }
        if let Some(router) = self.after {
            self.tell_of_new_master(record, router, last, goodbye.map(|advert| advert.at), &mut moments);
        }
        moments.retain(|(at, _)| *at <= self.until);
        moments.sort_by_key(|(at, _)| *at);
        moments
    }

    /// The last advert that claims the address before the new master's first.
    fn last_claim(&self, record: &Record, router: Router) -> Option<Instant> {
        let successor = self
            .after
            .and_then(|after| record.first_claim(after, self.zero))
            .map_or(self.until, |advert| advert.at);
        record
            .adverts
            .iter()
            .rfind(|advert| {
                advert.from == router && advert.claim != Claim::Leaving && advert.at < successor
            })
            .map(|advert| advert.at)
    }

    fn tell_of_new_master(
        &self,
        record: &Record,
        router: Router,
        last: Option<Instant>,
        goodbye: Option<Instant>,
        moments: &mut Vec<(Instant, String)>,
    ) {
        let name = router.name();
        if let Some(advert) = record.first_claim(router, self.zero) {
            let since = match (goodbye, last, advert.claim) {
                (Some(at), _, _) => format!(
                    ", {} ms after the goodbye",
                    millis(advert.at.since(at))
                ),
                (None, Some(at), _) => format!(
                    ", {} ms after the last of {}",
                    millis(advert.at.since(at)),
                    self.before.map_or("nobody", Router::name)
                ),
                (None, None, _) => String::new(),
            };
            moments.push((advert.at, format!("{name}: first advert{since}")));
        }
        if let Some(at) = record.first_announcement(router, self.zero) {
            let count = record
                .announcements
                .iter()
                .filter(|(sent, from)| *from == router && (at..self.until).contains(sent))
                .count();
            let text = format!("{name}: gratuitous ARP, \"the address is here now\" (x{count})");
            moments.push((at, text));
        }
        if let Some(at) = record.first_answer(router, self.zero) {
            moments.push((at, format!("client: first answer from {name}")));
        }
    }
}

/// A duration in milliseconds, as people read it.
pub(super) fn millis(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1_000.0)
}

/// A point in time as milliseconds from another, with its sign.
pub(super) fn offset(at: Instant, zero: Instant) -> String {
    if at < zero {
        format!("-{}", millis(zero.since(at)))
    } else {
        format!("+{}", millis(at.since(zero)))
    }
}
