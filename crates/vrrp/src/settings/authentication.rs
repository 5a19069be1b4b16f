//! How adverts prove where they come from.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU8;

use serde::{Deserialize, Serialize};

/// How adverts are authenticated. An instance has one way at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authentication {
    /// Not at all (RFC 3768 and RFC 9568 have nothing else).
    None,
    /// Type 1 of RFC 2338: a password in clear text. Version 2 only.
    Pass(AuthPass),
    /// Type 2 of RFC 2338: an IP authentication header, RFC 2402, with HMAC-MD5. Version 2 over IPv4 only.
    Ah(AuthPass),
    /// keepalived's trailer with HMAC-SHA-256 (`auth_hmac`); any version, any family.
    Hmac(Box<AuthHmac>),
}

/// A simple text password: eight bytes on the wire, padded with zeroes.
///
/// It protects against misconfiguration, not against anybody who can see the link.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthPass([u8; 8]);

impl AuthPass {
    /// The first eight bytes of `text`; keepalived cuts longer passwords.
    pub fn new(text: &[u8]) -> Self {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The bytes as they go on the wire.
    pub const fn bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for AuthPass {
    /// Never shows the password: secrets do not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthPass(********)")
    }
}

/// The keys of an instance and what is done with them (`auth_hmac`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthHmac {
    /// All keys, in the order of the file. Ids are unique.
    pub keys: Vec<HmacKey>,
    /// Id of the key that signs; one of `keys` has it.
    pub active_key: NonZeroU8,
    /// Who signs, and what becomes of adverts that nobody signed.
    pub mode: HmacMode,
    /// How a recording is told from the real thing.
    pub anti_replay: AntiReplay,
}

/// A shared secret and its number (`key`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacKey {
    /// Its number in the trailer.
    pub id: NonZeroU8,
    /// The secret.
    pub secret: Secret,
}

/// The bytes of a key: [`Secret::LEAST`] to [`Secret::MOST`] of them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// As long as the digest (RFC 2104 section 3 advises against less), in bytes.
    pub const LEAST: usize = 32;
    /// The block of SHA-256: longer keys would be hashed first, in bytes.
    pub const MOST: usize = 64;

    /// The bytes, if their number is right.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (Self::LEAST..=Self::MOST)
            .contains(&bytes.len())
            .then(|| Self(bytes.into()))
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    /// Whoever finds the memory later finds no key in it.
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from leaving out a write that nobody reads.
        core::hint::black_box(&self.0);
    }
}

impl fmt::Debug for Secret {
    /// Never shows a byte: secrets do not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(********)")
    }
}

/// What an instance with keys demands of others (`mode`).
///
/// Routers move from one mode to the next together: first all understand signatures, then all sign, then all insist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HmacMode {
    /// Sign, and refuse what is not signed.
    #[default]
    Enforce,
    /// Sign, but take unsigned adverts too.
    Permissive,
    /// Do not sign; take unsigned adverts too.
    ReceiveOnly,
}

/// How a recorded advert is recognised (`anti_replay`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AntiReplay {
    /// Its time stamp must also be within so many seconds of our clock, 1 to 300 (`time_window`).
    Time {
        /// Seconds to either side.
        window: u16,
    },
    /// Its sequence must only grow.
    Monotonic,
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn secrets_have_a_length_and_are_not_shown() {
        assert_eq!(Secret::new(&[7; 31]), None);
        assert_eq!(Secret::new(&[7; 65]), None);
        assert_eq!(Secret::new(&[7; 64]).unwrap().bytes(), [7; 64]);
        let key = HmacKey {
            id: NonZeroU8::MIN,
            secret: Secret::new(b"an-ascii-passphrase-of-forty-two-bytes-ok!").unwrap(),
        };
        assert_eq!(
            format!("{key:?}"),
            "HmacKey { id: 1, secret: Secret(********) }"
        );
        assert_eq!(
            format!("{:?}", Authentication::Ah(AuthPass::new(b"secret"))),
            "Ah(AuthPass(********))"
        );
    }
}
