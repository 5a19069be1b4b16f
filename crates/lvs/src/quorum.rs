//! When a virtual server has enough living servers (keepalived).

/// The numbers that decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quorum {
    /// `quorum`; 0 is never reached.
    pub(crate) quorum: u32,
    /// `hysteresis`.
    pub(crate) hysteresis: u32,
}

impl Quorum {
    /// What it takes to gain it.
    pub(crate) const fn to_gain(self) -> u64 {
        self.quorum as u64 + self.hysteresis as u64
    }

    /// Below this it is lost.
    pub(crate) const fn to_keep(self) -> u64 {
        self.quorum.saturating_sub(self.hysteresis) as u64
    }

    /// Whether it is there, after it was or was not, with this sum of the weights of the living.
    pub(crate) const fn holds(self, before: bool, sum: u64) -> bool {
        if before {
            sum > 0 && sum >= self.to_keep()
        } else {
            self.quorum > 0 && sum >= self.to_gain()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_below_and_gained_above() {
        let quorum = |quorum, hysteresis| Quorum { quorum, hysteresis };
        for (quorum, sum, kept, gained) in [
            (quorum(4, 1), 3, true, false),
            (quorum(4, 1), 2, false, false),
            (quorum(4, 1), 5, true, true),
            (quorum(4, 1), 4, true, false),
            (quorum(1, 0), 1, true, true),
            (quorum(1, 0), 0, false, false),
            (quorum(0, 0), 0, false, false),
            (quorum(0, 0), 9, true, false),
            (quorum(u32::MAX, u32::MAX - 1), 1, true, false),
        ] {
            assert_eq!(quorum.holds(true, sum), kept, "{quorum:?} {sum}");
            assert_eq!(quorum.holds(false, sum), gained, "{quorum:?} {sum}");
        }
    }
}
