//! The IP Authentication Header (RFC 2402) as VRRP version 2 has it (RFC 2338 5.3.6.3) and keepalived makes it: HMAC-MD5-96
//! over the whole IPv4 packet, with the password as the key and the sender's address as the security parameter index.

use core::net::Ipv4Addr;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use md5::Md5;

use crate::{ipv4, vrrp};

/// IP's number for a packet that begins with this header.
pub const PROTOCOL: u8 = 51;
/// Bytes of the header.
pub const LENGTH: usize = 24;
/// Bytes of the integrity check value at its end.
pub const CHECK_LENGTH: usize = 12;
/// Bytes before it.
const HEAD_LENGTH: usize = LENGTH - CHECK_LENGTH;
/// Its length in words of 32 bits, less two (RFC 2402 2.2).
const PAYLOAD_LENGTH: u8 = 4;

/// The header between IP's and VRRP's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What comes after it.
    pub next_header: u8,
    /// Its own length as it says; nobody needs it, but it is covered by the check value.
    pub payload_length: u8,
    /// Zero, if the sender is in order; covered, too.
    pub reserved: u16,
    /// The security parameter index: here the sender's address.
    pub spi: Ipv4Addr,
    /// Grows with each packet.
    pub sequence: u32,
    /// The integrity check value.
    pub check: [u8; CHECK_LENGTH],
}

impl Header {
    /// Splits what follows the IP header; `None` when it is shorter than this one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = bytes.split_first_chunk::<LENGTH>()?;
        let (
            &[
                next_header,
                payload_length,
                r0,
                r1,
                i0,
                i1,
                i2,
                i3,
                s0,
                s1,
                s2,
                s3,
            ],
            check,
        ) = header.split_first_chunk::<HEAD_LENGTH>()?;
        let header = Self {
            next_header,
            payload_length,
            reserved: u16::from_be_bytes([r0, r1]),
            spi: Ipv4Addr::new(i0, i1, i2, i3),
            sequence: u32::from_be_bytes([s0, s1, s2, s3]),
            check: *check.first_chunk()?,
        };
        Some((header, rest))
    }

    /// The header for a VRRP message in an IP packet; `ip.payload_length` counts this header, too.
    #[must_use]
    pub fn sign(sequence: u32, key: &[u8], ip: &ipv4::Header, message: &[u8]) -> Self {
        let mut header = Self {
            next_header: vrrp::PROTOCOL,
            payload_length: PAYLOAD_LENGTH,
            reserved: 0,
            spi: ip.source,
            sequence,
            check: [0; CHECK_LENGTH],
        };
        if let Some(mac) = header.digest(key, ip, message) {
            let whole = mac.finalize().into_bytes();
            if let Some(first) = whole.first_chunk() {
                header.check = *first;
            }
        }
        header
    }

    /// Whether the check value was made with this key over this packet. Takes equally long whatever is wrong.
    #[must_use]
    pub fn is_signed_with(&self, key: &[u8], ip: &ipv4::Header, message: &[u8]) -> bool {
        self.digest(key, ip, message)
            .is_some_and(|mac| mac.verify_truncated_left(&self.check).is_ok())
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let parts = self.head().into_iter().chain(self.check);
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        bytes
    }

    fn head(&self) -> [u8; HEAD_LENGTH] {
        let [r0, r1] = self.reserved.to_be_bytes();
        let [i0, i1, i2, i3] = self.spi.octets();
        let [s0, s1, s2, s3] = self.sequence.to_be_bytes();
        [
            self.next_header,
            self.payload_length,
            r0,
            r1,
            i0,
            i1,
            i2,
            i3,
            s0,
            s1,
            s2,
            s3,
        ]
    }

    /// Over the packet with what may change on its way set to zero: type of service, fragment field, header checksum, the
    /// check value (RFC 2402 3.3.3.1.1.1). `None` never comes: HMAC takes a key of any length.
    fn digest(&self, key: &[u8], ip: &ipv4::Header, message: &[u8]) -> Option<Hmac<Md5>> {
        let covered = ipv4::Header {
            // DEVIATION(RFC 2402): the TTL may change on its way, too, but keepalived covers the 255 of multicast packets,
            // which none but an unforwarded one can have.
            ttl: if ip.destination.is_multicast() {
                vrrp::HOP_LIMIT
            } else {
                0
            },
            ..*ip
        };
        let mut bytes = covered.encode();
        let [_, tos, ..] = &mut bytes;
        *tos = 0;
        let mut mac = <Hmac<Md5> as KeyInit>::new_from_slice(key).ok()?;
        mac.update(&bytes);
        mac.update(&self.head());
        mac.update(&[0; CHECK_LENGTH]);
        mac.update(message);
        Some(mac)
    }
}

#[cfg(test)]
mod tests;
