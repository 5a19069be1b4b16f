//! Which port a session sends from.

use std::fmt;
use std::fs;
use std::io;

use crate::Error;

/// Where the kernel shows which ports it hands out itself, in the network namespace of whoever asks.
const LOCAL_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Fewer ports than this in common with the kernel's range: the range of the RFC counts alone (keepalived).
const ENOUGH: u16 = 1024;

/// The ports that sessions may send from: at least 1024, all between 49152 and 65535.
///
/// RFC 5881 section 4 demands that range. Within it only those are taken that the kernel hands out itself, if these are at
/// least 1024: the others may have been kept free for something else. IPv6 has the same ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePorts {
    first: u16,
    last: u16,
}

impl SourcePorts {
    /// 49152 to 65535.
    pub const RFC_5881: Self = Self {
        first: 49152,
        last: 65535,
    };

    /// Those of the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel's range cannot be read. [`Self::RFC_5881`] is what remains then.
    pub fn of_this_host() -> Result<Self, Error> {
        const WHAT: &str = "read the range of local ports from";
        let text = fs::read_to_string(LOCAL_RANGE).map_err(Error::object(WHAT, &LOCAL_RANGE))?;
        Self::in_common_with(&text).ok_or_else(|| {
            Error::object(WHAT, &LOCAL_RANGE)(io::Error::from(io::ErrorKind::InvalidData))
        })
    }

    /// Those in common with the two numbers of a text.
    fn in_common_with(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().map(str::parse::<u16>);
        let (Some(Ok(first)), Some(Ok(last)), None) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return None;
        };
        // The range of the RFC ends where the numbers end.
        let common = Self {
            first: first.max(Self::RFC_5881.first),
            last,
        };
        let enough = common.last.checked_sub(common.first) >= Some(ENOUGH - 1);
        Some(if enough { common } else { Self::RFC_5881 })
    }

    /// All of them, once each, beginning at one that the seed chooses.
    pub(super) fn beginning_at(self, seed: u64) -> impl Iterator<Item = u16> {
        let count = u64::from(self.last - self.first) + 1;
        // The remainder is below 65536.
        let start = u16::try_from(seed % count).map_or(self.first, |offset| self.first + offset);
        (start..=self.last).chain(self.first..start)
    }
}

impl fmt::Display for SourcePorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn in_common_with_the_kernels_range() {
        for (range, expected) in [
            ("32768\t60999\n", "49152 to 60999"),
            ("1024 65535", "49152 to 65535"),
            ("50000 51023", "50000 to 51023"),
            ("50000 51022", "49152 to 65535"),
            ("50000 50000", "49152 to 65535"),
            ("64512 65535", "64512 to 65535"),
            ("64513 65535", "49152 to 65535"),
            ("1 50175", "49152 to 50175"),
            ("1 50174", "49152 to 65535"),
            ("10000 20000", "49152 to 65535"),
            ("60000 50000", "49152 to 65535"),
            ("65535 65535", "49152 to 65535"),
        ] {
            let ports = SourcePorts::in_common_with(range).unwrap();
            assert_eq!(ports.to_string(), expected, "{range}");
        }
        for nonsense in ["", "1", "1 2 3", "a b", "1 65536", "-1 5"] {
            assert_eq!(SourcePorts::in_common_with(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn every_port_is_tried_once_whatever_the_seed() {
        let ports = SourcePorts::in_common_with("50000 51023").unwrap();
        for seed in [0, 1, 1023, 1024, 5000, u64::MAX] {
            let order: Vec<u16> = ports.beginning_at(seed).collect();
            assert_eq!(order.len(), 1024);
            assert_eq!(u64::from(order[0]), 50000 + seed % 1024);
            let all: BTreeSet<u16> = order.iter().copied().collect();
            assert_eq!(all, (50000..=51023).collect());
        }
        assert_eq!(
            SourcePorts::RFC_5881.beginning_at(16383).next(),
            Some(65535)
        );
        assert_eq!(
            SourcePorts::RFC_5881.beginning_at(16383).nth(1),
            Some(49152)
        );
    }
}
