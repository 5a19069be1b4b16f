//! Network interfaces, by number and by name.

use core::fmt;
use core::num::{NonZeroU8, NonZeroU32};

use serde::de::{Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

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
///
/// It stands in 16 bytes, without a heap, because every instance, address and index of the core has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfName {
    /// The text, then NULs. No name has one in it, so this alone orders names as their texts are ordered.
    bytes: [u8; Self::MAX_LENGTH],
    length: NonZeroU8,
}

impl IfName {
    /// The kernel's `IFNAMSIZ` less the closing NUL.
    pub const MAX_LENGTH: usize = 15;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or holds a character that no interface name can have.
    pub fn new(name: &str) -> Result<Self, IfNameError> {
        if name == "." || name == ".." {
            return Err(IfNameError::Empty);
        }
        let wrong = |c: &char| c.is_whitespace() || matches!(c, '/' | ':' | '\0');
        if let Some(character) = name.chars().find(wrong) {
            return Err(IfNameError::Character { character });
        }
        let too_long = IfNameError::TooLong { length: name.len() };
        let length = u8::try_from(name.len()).map_err(|_| too_long.clone())?;
        let length = NonZeroU8::new(length).ok_or(IfNameError::Empty)?;
        let mut bytes = [0; Self::MAX_LENGTH];
        let place = bytes.get_mut(..name.len()).ok_or(too_long)?;
        place.copy_from_slice(name.as_bytes());
        Ok(Self { bytes, length })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length.get()));
        // It was text when it was checked, and nothing changes it.
        core::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IfName").field(&self.as_str()).finish()
    }
}

impl Serialize for IfName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("IfName", self.as_str())
    }
}

impl<'de> Deserialize<'de> for IfName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct("IfName", Name)
    }
}

/// Reads a name, and checks it again.
struct Name;

impl<'de> Visitor<'de> for Name {
    type Value = IfName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an interface")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<IfName, D::Error> {
        inner.deserialize_str(self)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<IfName, E> {
        IfName::new(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_small_and_ordered_as_its_text() {
        assert_eq!(size_of::<Option<IfName>>(), 16);
        let names = ["a", "a.1", "ab", "b", "fifteen-letters"];
        for (left, right) in names.iter().zip(names.iter().skip(1)) {
            assert!(IfName::new(left).unwrap() < IfName::new(right).unwrap());
        }
        for name in names {
            assert_eq!(IfName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_no_interface_is_called() {
        for name in ["", ".", ".."] {
            assert_eq!(IfName::new(name), Err(IfNameError::Empty));
        }
        let length = 300;
        let long = [b'x'; 300];
        let long = core::str::from_utf8(&long).unwrap();
        assert_eq!(IfName::new(long), Err(IfNameError::TooLong { length }));
        assert_eq!(
            IfName::new("a/b"),
            Err(IfNameError::Character { character: '/' })
        );
    }
}
