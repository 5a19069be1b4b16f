//! The signed trailer of keepalived's `auth_hmac`: 28 bytes behind a VRRP message.
//!
//! ```text
//!  0      type (1)    key id      reserved (0)
//!  4      seconds since the Unix epoch, modulo 2^32
//!  8      1/65536 s               tie-breaker
//! 12..28  the first half of an HMAC-SHA-256
//! ```
//! The signature covers the sender's address and the message without its checksum (the kernel fills that in over IPv6, and
//! over IPv4 it differs between the unicast copies of one advert), the trailer itself, and nothing else of the packet.

use core::net::IpAddr;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use types::{Family, Version, Vrid};

use crate::vrrp::CHECKSUM_OFFSET;

/// Bytes of a trailer.
pub const LENGTH: usize = 28;
/// Bytes of the signature at its end.
pub const SIGNATURE_LENGTH: usize = 16;
/// Bytes before the signature.
const HEAD_LENGTH: usize = LENGTH - SIGNATURE_LENGTH;
/// The type of the only signature there is: HMAC-SHA-256, cut to its first half.
const HMAC_SHA_256: u8 = 1;

/// What a message says of its sender, and where it stands in the sender's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Which key signed; no sender has key 0.
    pub key_id: u8,
    /// Seconds, fraction and tie-breaker as one number that grows from advert to advert.
    pub sequence: u64,
    /// The signature.
    pub signature: [u8; SIGNATURE_LENGTH],
}

impl Trailer {
    /// Reads a trailer; `None` when its type is unknown or its reserved bytes are not zero.
    #[must_use]
    pub fn parse(bytes: &[u8; LENGTH]) -> Option<Self> {
        let (&[kind, key_id, r0, r1, s0, s1, s2, s3, s4, s5, s6, s7], signature) =
            bytes.split_first_chunk::<HEAD_LENGTH>()?;
        if kind != HMAC_SHA_256 || [r0, r1] != [0, 0] {
            return None;
        }
        Some(Self {
            key_id,
            sequence: u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            signature: *signature.first_chunk()?,
        })
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(key_id: u8, sequence: u64, key: &[u8], signed: &Signed<'_>) -> Self {
        let mut trailer = Self {
            key_id,
            sequence,
            signature: [0; SIGNATURE_LENGTH],
        };
        if let Some(mac) = trailer.digest(key, signed) {
            let whole = mac.finalize().into_bytes();
            if let Some(half) = whole.first_chunk() {
                trailer.signature = *half;
            }
        }
        trailer
    }

    /// Whether its signature was made with this key over this message. Takes equally long whatever is wrong.
    #[must_use]
    pub fn is_signed_with(&self, key: &[u8], signed: &Signed<'_>) -> bool {
        self.digest(key, signed)
            .is_some_and(|mac| mac.verify_truncated_left(&self.signature).is_ok())
    }

    /// Its bytes, as they follow the message.
    #[must_use]
    pub fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let parts = self.head().into_iter().chain(self.signature);
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        bytes
    }

    fn head(&self) -> [u8; HEAD_LENGTH] {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.sequence.to_be_bytes();
        let kind = HMAC_SHA_256;
        [kind, self.key_id, 0, 0, s0, s1, s2, s3, s4, s5, s6, s7]
    }

    /// `None` never comes: HMAC takes a key of any length.
    fn digest(&self, key: &[u8], signed: &Signed<'_>) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).ok()?;
        mac.update(&signed.preamble());
        let (before, rest) = signed.message.split_at_checked(CHECKSUM_OFFSET)?;
        mac.update(before);
        mac.update(&[0, 0]);
        mac.update(rest.get(2..)?);
        mac.update(&self.head());
        mac.update(&[0; SIGNATURE_LENGTH]);
        Some(mac)
    }
}

/// What a signature covers besides the trailer itself.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The version that the virtual router is configured to speak, on either side.
    pub version: Version,
    /// Its number.
    pub vrid: Vrid,
    /// The sender, as the IP header tells.
    pub source: IpAddr,
    /// The message from its first byte to its last, the eight bytes of version 2's authentication data included, the trailer
    /// not. Its checksum may be anything. At least eight bytes, or nothing is ever signed with any key.
    pub message: &'a [u8],
}

impl Signed<'_> {
    fn preamble(&self) -> [u8; 20] {
        let family = match Family::of(self.source) {
            Family::V4 => 4,
            Family::V6 => 6,
        };
        let mut bytes = [0; 20];
        let head = [family, self.version.number(), self.vrid.get(), 0];
        let mut fill = |source: &[u8]| {
            for (to, from) in bytes.iter_mut().zip(head.iter().chain(source)) {
                *to = *from;
            }
        };
        match self.source {
            IpAddr::V4(address) => fill(&address.octets()),
            IpAddr::V6(address) => fill(&address.octets()),
        }
        bytes
    }
}

#[cfg(test)]
mod tests;
