//! Random numbers for cores: what they are follows from the seed alone.

/// A generator: `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). It spreads timers and
/// draws numbers that nobody guesses by chance. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of a seed. Neighbouring seeds have nothing in common.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of 0..=`most`.
    pub const fn up_to(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(count) => self.next_u64() % count,
            None => self.next_u64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for seed 1234567, as published with the algorithm.
    #[test]
    fn reference_output() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
        assert_eq!(random.next_u64(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn it_stays_within_bounds_and_reaches_both_ends() {
        let mut random = Random::new(7);
        let drawn: alloc::vec::Vec<u64> = (0..200).map(|_| random.up_to(3)).collect();
        for number in 0..=3 {
            assert!(drawn.contains(&number));
        }
        assert!(drawn.iter().all(|number| *number <= 3));
        assert_eq!(random.up_to(0), 0);
        let _any: u64 = random.up_to(u64::MAX);
    }
}
