//! The Internet checksum (RFC 1071) and the pseudo headers that it covers.

use core::net::IpAddr;

/// A running one's-complement sum of 16-bit words.
///
/// ```
/// use evervip_wire::checksum::Checksum;
///
/// // RFC 1071, section 3: the sum of these bytes is ddf2, so the checksum is its complement.
/// let sum = Checksum::new().with(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
/// assert_eq!(sum.finish(), !0xddf2);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Checksum(u32);

impl Checksum {
    /// The empty sum.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds bytes; an odd last byte counts as the upper half of a word, so only the last piece may be odd.
    pub fn with(self, bytes: &[u8]) -> Self {
        // A packet has at most 64 KiB: 32768 words of 16 bits cannot overflow 32 bits.
        let (words, rest) = bytes.as_chunks::<2>();
        let sum = words.iter().fold(self.0, |sum, word| {
            sum.wrapping_add(u32::from(u16::from_be_bytes(*word)))
        });
        let odd = rest.first().map_or(0, |last| u32::from(*last) << 8);
        Self(fold(sum.wrapping_add(odd)))
    }

    /// Adds the pseudo header of IPv4 or IPv6: addresses, protocol and length of the message.
    pub fn with_pseudo_header(
        self,
        source: IpAddr,
        destination: IpAddr,
        protocol: u8,
        length: usize,
    ) -> Self {
        let sum = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.with(&source.octets()).with(&destination.octets())
            }
            (source, destination) => self.with(&v6(source)).with(&v6(destination)),
        };
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        sum.with(&length.to_be_bytes()).with(&[0, protocol])
    }

    /// The checksum: the complement of the sum. Over a message that holds its own checksum it is 0.
    #[must_use]
    pub fn finish(self) -> u16 {
        // `fold` leaves at most 16 bits.
        #[expect(clippy::cast_possible_truncation, reason = "folded to 16 bits")]
        let sum = fold(self.0) as u16;
        !sum
    }
}

const fn fold(sum: u32) -> u32 {
    let once = (sum & 0xffff) + (sum >> 16);
    (once & 0xffff) + (once >> 16)
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
