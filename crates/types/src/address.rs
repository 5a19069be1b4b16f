//! Addresses: families, prefixes, Ethernet.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bytes in an address of this family: 4 or 16.
    pub const fn address_length(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }

    /// The prefix length of a single host: 32 or 128.
    pub const fn host_prefix_length(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The group that VRRP routers of this family talk to: 224.0.0.18 or ff02::12 (RFC 9568 5.1.1.2, 5.1.2.2).
    pub const fn vrrp_group(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// An address with the length of its network prefix; the host bits are kept (`192.0.2.7/24`).
///
/// ```
/// use evervip_types::Prefix;
///
/// let prefix = Prefix::new("192.0.2.7".parse().unwrap(), 24).unwrap();
/// assert_eq!(prefix.to_string(), "192.0.2.7/24");
/// assert!(Prefix::new("192.0.2.7".parse().unwrap(), 33).is_err());
/// assert_eq!(Prefix::host("fd00::1".parse().unwrap()).length(), 128);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// Joins an address and a prefix length.
    ///
    /// # Errors
    /// When the length exceeds 32 for IPv4, 128 for IPv6.
    pub const fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let most = Family::of(address).host_prefix_length();
        if length > most {
            return Err(PrefixError { length, most });
        }
        Ok(Self { address, length })
    }

    /// The address alone, as a /32 or /128.
    pub const fn host(address: IpAddr) -> Self {
        Self {
            address,
            length: Family::of(address).host_prefix_length(),
        }
    }

    /// The address with a prefix length of 0: in the order of prefixes, the first of all with this address.
    pub const fn shortest(address: IpAddr) -> Self {
        Self { address, length: 0 }
    }

    /// The address, host bits included.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// The prefix length, 0..=32 or 0..=128.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// The family of the address.
    pub const fn family(self) -> Family {
        Family::of(self.address)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A prefix length that the family does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("prefix length {length} is above {most}")]
pub struct PrefixError {
    length: u8,
    most: u8,
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
