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
            loss: record.loss(self.zero.before(prober::PACE * 2), self.until, self.until),
        }
    }

    /// What is worth telling, in the order of time.
    pub(super) fn moments(&self, record: &Record) -> Vec<(Instant, String)> {
        let mut moments = vec![(self.zero, self.cause.to_owned())];
        let last = self
            .before
            .and_then(|router| self.last_claim(record, router));
        if let (Some(router), Some(at)) = (self.before, last) {
            moments.push((at, format!("{}: last advert", router.name())));
        }
        let missed = self.missed(record);
        for (number, at) in missed.iter().enumerate() {
            let name = self.before.map_or("nobody", Router::name);
            let text = format!("{name}: advert due and not sent ({})", number + 1);
            moments.push((*at, text));
        }
        let goodbye = record
            .adverts
            .iter()
            .find(|advert| advert.at >= self.zero && advert.claim == Claim::Leaving);
        if let Some(advert) = goodbye {
            let text = format!(
                "{}: advert with priority 0, \"I am leaving\"",
                advert.from.name()
            );
            moments.push((advert.at, text));
        }
        if let Some(router) = self.after {
            let how = match (goodbye, last) {
                (Some(goodbye), _) => HowItCame::AfterGoodbye(goodbye.at),
                (None, Some(at)) if !missed.is_empty() => HowItCame::AfterSilence(at),
                (None, Some(_)) => HowItCame::ByPriority,
                (None, None) => HowItCame::FirstOfAll,
            };
            self.tell_of_new_master(record, router, how, &mut moments);
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

    /// Adverts that the old master should have sent after what we did.
    fn missed(&self, record: &Record) -> Vec<Instant> {
        record
            .missed_adverts(ADVERT_INTERVAL.as_duration(), self.until)
            .into_iter()
            .filter(|(at, whose)| *at >= self.zero && Some(*whose) == self.before)
            .map(|(at, _)| at)
            .collect()
    }

    fn tell_of_new_master(
        &self,
        record: &Record,
        router: Router,
        how: HowItCame,
        moments: &mut Vec<(Instant, String)>,
    ) {
        let name = router.name();
        let before = self.before.map_or("nobody", Router::name);
        if let Some(advert) = record.first_claim(router, self.zero) {
            let how = match how {
                HowItCame::AfterGoodbye(at) => {
                    format!(", {} ms after the goodbye", millis(advert.at.since(at)))
                }
                HowItCame::AfterSilence(at) => {
                    format!(
                        ", {} ms after the last of {before}",
                        millis(advert.at.since(at))
                    )
                }
                HowItCame::ByPriority => format!(", its priority beats that of {before}"),
                HowItCame::FirstOfAll => String::new(),
            };
            moments.push((advert.at, format!("{name}: first advert{how}")));
        }
        if let Some(at) = record.first_announcement(router, self.zero) {
            let count = record
                .announcements
                .iter()
                .filter(|(sent, from)| *from == router && (at..self.until).contains(sent))
                .count();
            let text = format!("{name}: gratuitous ARP, \"the address is here\" ({count} times)");
            moments.push((at, text));
        }
        if let Some(at) = record.first_answer(router, self.zero) {
            moments.push((at, format!("client: first answer from {name}")));
        }
    }
}

/// How there came to be a new master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HowItCame {
    /// There was none before.
    FirstOfAll,
    /// The old one fell silent after this advert.
    AfterSilence(Instant),
    /// The old one said goodbye.
    AfterGoodbye(Instant),
    /// The old one was alive, and the new one is better.
    ByPriority,
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

#[cfg(test)]
mod tests {
    use super::super::record::{Advert, Probe};
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn adverts(adverts: &[(u64, Router, u8)]) -> Vec<Advert> {
        let advert = |(millis, from, priority): &(u64, Router, u8)| Advert {
            at: at(*millis),
            from: *from,
            claim: Claim::from_wire(*priority),
        };
        adverts.iter().map(advert).collect()
    }

    fn told(transition: &Transition, record: &Record) -> Vec<String> {
        let moments = transition.moments(record);
        let told = moments
            .into_iter()
            .map(|(at, what)| format!("{} {what}", offset(at, transition.zero)));
        told.collect()
    }

    #[test]
    fn a_crash_is_told_in_order() {
        let (alpha, beta) = (Router::Alpha, Router::Beta);
        let record = Record {
            adverts: adverts(&[
                (900, alpha, 150),
                (960, alpha, 150),
                (1_321, beta, 100),
                (1_421, beta, 100),
            ]),
            announcements: vec![(at(1_322), beta), (at(1_323), beta)],
            probes: vec![
                Probe {
                    sent: at(1_000),
                    answer: None,
                },
                Probe {
                    sent: at(1_325),
                    answer: Some((at(1_326), beta)),
                },
            ],
            ..Record::default()
        };
        let transition = Transition {
            zero: at(1_000),
            cause: "crash",
            before: Some(alpha),
            after: Some(beta),
            until: at(1_500),
        };
        let expected = [
            "-40.0 alpha: last advert",
            "+0.0 crash",
            "+60.0 alpha: advert due and not sent (1)",
            "+160.0 alpha: advert due and not sent (2)",
            "+260.0 alpha: advert due and not sent (3)",
            "+321.0 beta: first advert, 361.0 ms after the last of alpha",
            "+322.0 beta: gratuitous ARP, \"the address is here\" (2 times)",
            "+326.0 client: first answer from beta",
        ];
        assert_eq!(told(&transition, &record), expected);
        let outcome = Outcome {
            took_over_after: Some(Duration::from_millis(321)),
            loss: Loss {
                probes: 1,
                longest: Duration::from_millis(325),
            },
        };
        assert_eq!(transition.outcome(&record), outcome);
    }

    #[test]
    fn a_goodbye_and_a_better_priority_are_reasons() {
        let (alpha, beta) = (Router::Alpha, Router::Beta);
        let record = Record {
            adverts: adverts(&[
                (950, alpha, 150),
                (1_001, alpha, 0),
                (1_062, beta, 100),
                (1_162, beta, 100),
                (1_200, alpha, 150),
            ]),
            ..Record::default()
        };
        let leaving = Transition {
            zero: at(1_000),
            cause: "stop",
            before: Some(alpha),
            after: Some(beta),
            until: at(1_199),
        };
        let expected = [
            "-50.0 alpha: last advert",
            "+0.0 stop",
            "+1.0 alpha: advert with priority 0, \"I am leaving\"",
            "+62.0 beta: first advert, 61.0 ms after the goodbye",
        ];
        assert_eq!(told(&leaving, &record), expected);
        let coming = Transition {
            zero: at(1_100),
            cause: "start",
            before: Some(beta),
            after: Some(alpha),
            until: at(1_250),
        };
        let expected = [
            "+0.0 start",
            "+62.0 beta: last advert",
            "+100.0 alpha: first advert, its priority beats that of beta",
        ];
        assert_eq!(told(&coming, &record), expected);
    }
}
