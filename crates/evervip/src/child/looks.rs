//! When tables of nftables are looked at, which somebody may flush who tells nobody, and how much is said of what is found.

use std::time::Duration;

use types::Instant;

/// How often tables are looked at: as often as the table of IPVS.
const ROUND: Duration = Duration::from_secs(60);
/// After so many looks in a row that found something else the next ones come later, and without a word: whoever it is, or
/// a kernel that tells it in other words, would have them made anew for ever.
const IN_VAIN: u32 = 3;
/// How much later.
const LATER: u32 = 10;

/// The looks at the tables of one kind.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// The next one; `None`: there are no tables.
    at: Option<Instant>,
    /// Looks in a row that found something else.
    in_vain: u32,
}

/// What there is to say of tables that were changed by somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// That they were.
    Changed,
    /// That they were again, for the last time, and that they are looked at so often from now on.
    ChangedAgain(Duration),
    /// Nothing any more.
    Enough,
}

impl Looks {
    /// Whether there are tables now. The first look comes a round later; one that is planned stays so.
    pub(crate) fn there_are(&mut self, now: Instant, any: bool) {
        self.at = any.then(|| self.at.unwrap_or(now + ROUND));
    }

    /// When the next look is due.
    pub(crate) const fn next_wake(&self) -> Option<Instant> {
        self.at
    }

    /// Whether a look is due. The next one is planned then.
    pub(crate) fn begin(&mut self, now: Instant) -> bool {
        let due = self.at.is_some_and(|at| at <= now);
        if due {
            self.at = Some(now + ROUND);
        }
        due
    }

    /// The tables were as they were made.
    pub(crate) const fn was_right(&mut self) {
        self.in_vain = 0;
    }

    /// They were not.
    pub(crate) fn was_wrong(&mut self, now: Instant) -> Word {
        self.in_vain = self.in_vain.saturating_add(1);
        if self.in_vain < IN_VAIN {
            return Word::Changed;
        }
        let later = ROUND.saturating_mul(LATER);
        self.at = Some(now + later);
        match self.in_vain {
            IN_VAIN => Word::ChangedAgain(later),
            _ => Word::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::ZERO;

    fn minutes(count: u64) -> Instant {
        START + Duration::from_secs(60 * count)
    }

    #[test]
    fn they_are_looked_at_every_minute() {
        let mut looks = Looks::default();
        assert_eq!(looks.next_wake(), None);
        assert!(!looks.begin(minutes(5)), "there are none");
        looks.there_are(START, true);
        // Whatever is done with them meanwhile.
        looks.there_are(START + Duration::from_secs(59), true);
        assert_eq!(looks.next_wake(), Some(minutes(1)));
        assert!(!looks.begin(START + Duration::from_secs(59)));
        for minute in 1..10 {
            assert!(looks.begin(minutes(minute)));
            assert!(!looks.begin(minutes(minute)), "once");
            looks.was_right();
            looks.there_are(minutes(minute), true);
        }
        looks.there_are(minutes(9), false);
        assert_eq!(looks.next_wake(), None);
    }

    #[test]
    fn who_changes_them_every_time_makes_us_slow_and_silent() {
        let mut looks = Looks::default();
        looks.there_are(START, true);
        let ten = Duration::from_secs(600);
        let mut story = Vec::new();
        for _look in 0..6 {
            let now = looks.next_wake().unwrap();
            assert!(looks.begin(now));
            let word = looks.was_wrong(now);
            // They are made anew.
            looks.there_are(now, true);
            story.push((now, word));
        }
        assert_eq!(
            story,
            [
                (minutes(1), Word::Changed),
                (minutes(2), Word::Changed),
                (minutes(3), Word::ChangedAgain(ten)),
                (minutes(13), Word::Enough),
                (minutes(23), Word::Enough),
                (minutes(33), Word::Enough),
            ]
        );
        // Peace: as in the beginning.
        assert!(looks.begin(minutes(43)));
        looks.was_right();
        looks.there_are(minutes(43), true);
        assert!(looks.begin(minutes(44)));
        assert_eq!(looks.was_wrong(minutes(44)), Word::Changed);
        assert_eq!(looks.next_wake(), Some(minutes(45)));
    }

    #[test]
    fn two_that_were_wrong_are_forgotten_by_one_that_was_right() {
        let mut looks = Looks::default();
        looks.there_are(START, true);
        for minute in 1..20 {
            assert!(looks.begin(minutes(minute)));
            if minute % 3 == 0 {
                looks.was_right();
            } else {
                assert_eq!(looks.was_wrong(minutes(minute)), Word::Changed);
            }
        }
    }
}
