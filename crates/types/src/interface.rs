//! Network interfaces, by number and by name.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// The kernel's number of an interface. A re-created interface gets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IfIndex(NonZeroU32);

impl IfIndex {
    /// `None` for 0, which the kernel uses for "no interface".
    pub const fn new(index: u32) -> Option<Self> {
        match NonZeroU32::new(index) {
            Some(index) => Some(Self(index)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for IfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an interface: 1 to 15 bytes without white space or `/`, as the kernel demands.
///
/// ```
/// use evervip_types::IfName;
///
/// assert_eq!(IfName::new("eth0").unwrap().as_str(), "eth0");
/// assert!(IfName::new("a-name-of-16-by.").is_err());
/// assert!(IfName::new("").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IfName(String);

impl IfName {
    /// The kernel's `IFNAMSIZ` less the closing NUL.
    pub const MAX_LENGTH: usize = 15;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or holds a character that no interface name can have.
    pub fn new(name: &str) -> Result<Self, IfNameError> {
        if name.is_empty() || name == "." || name == ".." {
            return Err(IfNameError::Empty);
        }
        if name.len() > Self::MAX_LENGTH {
            return Err(IfNameError::TooLong { length: name.len() });
        }
        match name
            .chars()
            .find(|c| c.is_whitespace() || matches!(c, '/' | ':' | '\0'))
        {
            Some(character) => Err(IfNameError::Character { character }),
            None => Ok(Self(name.to_owned())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text is not the name of an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IfNameError {
    /// Nothing there, or a name reserved by the file system.
    #[error("an interface name cannot be empty, '.' or '..'")]
    Empty,
    /// More than 15 bytes.
    #[error("an interface name has at most 15 characters, this one has {length}")]
    TooLong {
        /// Bytes in the offered name.
        length: usize,
    },
    /// White space, `/`, `:` or NUL.
    #[error("an interface name cannot contain {character:?}")]
    Character {
        /// The first character that is not allowed.
        character: char,
    },
}
