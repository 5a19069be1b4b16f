//! VRRP's own numbers.

use core::fmt;
use core::num::NonZeroU8;

use serde::{Deserialize, Serialize};

/// A number outside the range of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value} is not within {least} to {most}")]
pub struct OutOfRange {
    value: i64,
    least: i64,
    most: i64,
}

/// Virtual router identifier, 1 to 255 (RFC 9568 5.2.3).
///
/// ```
/// use evervip_types::Vrid;
///
/// assert_eq!(Vrid::new(51).unwrap().get(), 51);
/// assert!(Vrid::new(0).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// Checks an identifier.
    ///
    /// # Errors
    /// For 0.
    pub const fn new(vrid: u8) -> Result<Self, OutOfRange> {
        match NonZeroU8::new(vrid) {
            Some(vrid) => Ok(Self(vrid)),
            None => Err(OutOfRange {
                value: 0,
                least: 1,
                most: 255,
            }),
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Priority of a router in the election, 1 to 255; 255 is the address owner (RFC 9568 5.2.4).
///
/// Zero on the wire is not a priority, it is a message: see [`Claim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Priority(NonZeroU8);

impl Priority {
    /// The address owner's priority, 255.
    pub const OWNER: Self = Self(NonZeroU8::MAX);
    /// The default of a router that is not the owner, 100.
    pub const DEFAULT: Self = Self(NonZeroU8::new(100).unwrap());
    /// The highest priority that a router can have without being the owner, 254.
    pub const MAX_BACKUP: Self = Self(NonZeroU8::new(254).unwrap());
    /// The lowest priority, 1.
    pub const MIN: Self = Self(NonZeroU8::MIN);

    /// Checks a priority.
    ///
    /// # Errors
    /// For 0.
    pub const fn new(priority: u8) -> Result<Self, OutOfRange> {
        match NonZeroU8::new(priority) {
            Some(priority) => Ok(Self(priority)),
            None => Err(OutOfRange {
                value: 0,
                least: 1,
                most: 255,
            }),
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// Whether this is the address owner's priority.
    pub const fn is_owner(self) -> bool {
        self.get() == 255
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the priority field of an advertisement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// 0: the sender stops being master (RFC 9568 5.2.4).
    Leaving,
    /// The sender is master with this priority.
    At(Priority),
}

impl Claim {
    /// Reads the field.
    pub const fn from_wire(priority: u8) -> Self {
        match NonZeroU8::new(priority) {
            Some(priority) => Self::At(Priority(priority)),
            None => Self::Leaving,
        }
    }

    /// The field's value.
    pub const fn to_wire(self) -> u8 {
        match self {
            Self::Leaving => 0,
            Self::At(priority) => priority.get(),
        }
    }
}

/// The versions of the protocol that are still spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Version {
    /// RFC 3768 (and keepalived's use of it over IPv6).
    V2,
    /// RFC 9568, formerly RFC 5798.
    V3,
}

impl Version {
    /// The number in the version field.
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// What a tracked object adds to a priority, -253 to 253; 0 means "a failure is a fault"
/// (keepalived: `track_interface`, `track_script`).
///
/// ```
/// use evervip_types::Weight;
///
/// assert_eq!(Weight::new(-253).unwrap().get(), -253);
/// assert!(Weight::new(254).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Weight(i16);

impl Weight {
    /// A failure is a fault.
    pub const FAULT: Self = Self(0);

    /// Checks a weight.
    ///
    /// # Errors
    /// Outside -253..=253.
    pub const fn new(weight: i16) -> Result<Self, OutOfRange> {
        if weight < -253 || weight > 253 {
            return Err(OutOfRange {
                value: weight as i64,
                least: -253,
                most: 253,
            });
        }
        Ok(Self(weight))
    }

    /// The number.
    pub const fn get(self) -> i16 {
        self.0
    }
}
