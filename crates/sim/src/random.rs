//! The world's dice: a small generator of our own, so that a seed means the same world on every machine and for ever.

use core::time::Duration;

/// The generator of the cores, with what a world draws from it.
#[derive(Clone, Debug)]
pub struct Random(types::Random);

impl Random {
    /// The generator of a seed. Neighbouring seeds have nothing in common.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(types::Random::new(seed))
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`; 0 when `end` is 0. The bias of the remainder does not matter here.
    pub const fn below(&mut self, end: u64) -> u64 {
        match self.next_u64().checked_rem(end) {
            Some(number) => number,
            None => 0,
        }
    }

    /// A number within `least..=most`.
    pub const fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// A number within `least..=most` that fits a byte; both ends do.
    pub fn byte(&mut self, least: u8, most: u8) -> u8 {
        u8::try_from(self.between(least.into(), most.into())).unwrap_or(most)
    }

    /// True in `percent` of 100 cases.
    pub const fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A span of time within `least..=most`, to the microsecond.
    pub fn span(&mut self, least: Duration, most: Duration) -> Duration {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.between(micros(least), micros(most.max(least))))
    }

    /// The index of an element of a list of this length; `None` for an empty list.
    pub fn index(&mut self, length: usize) -> Option<usize> {
        let length = u64::try_from(length).ok()?;
        if length == 0 {
            return None;
        }
        usize::try_from(self.below(length)).ok()
    }

    /// One element of a list; `None` for an empty list.
    pub fn one_of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let index = self.index(list.len())?;
        list.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_their_ends_and_reach_them() {
        let mut random = Random::new(1);
        let seen: std::collections::BTreeSet<u64> =
            (0..200).map(|_| random.between(3, 6)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.one_of::<u8>(&[]), None);
        assert!(!random.percent(0));
        assert!(random.percent(100));
    }
}
