//! Numbers that spread checks over time and that a name server cannot guess cheaply. Not for secrets.

/// A generator (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// One that begins here.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of 0..=`most`.
    pub(crate) const fn up_to(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(count) => self.next() % count,
            None => self.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_bounds_and_reaches_both_ends() {
        let mut random = Random::new(7);
        let drawn: Vec<u64> = (0..200).map(|_| random.up_to(3)).collect();
        for number in 0..=3 {
            assert!(drawn.contains(&number));
        }
        assert!(drawn.iter().all(|number| *number <= 3));
        assert_eq!(random.up_to(0), 0);
        let _any: u64 = random.up_to(u64::MAX);
    }
}
