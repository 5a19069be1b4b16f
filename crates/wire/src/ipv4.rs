//! The IPv4 header (RFC 791), as far as VRRP needs it.

use core::net::Ipv4Addr;

/// Bytes in a header without options.
pub const HEADER_LENGTH: usize = 20;
/// The type of service of adverts: Internetwork Control (RFC 791), as keepalived sends it.
pub const TOS: u8 = 0xc0;

/// The parts of a header that differ from one advert to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Sender.
    pub source: Ipv4Addr,
    /// Receiver.
    pub destination: Ipv4Addr,
    /// Time to live.
    pub ttl: u8,
    /// What follows: 112 is VRRP.
    pub protocol: u8,
    /// Tells packets of one sender apart.
    pub identification: u16,
    /// Bytes after the header.
    pub payload_length: u16,
}

impl Header {
    /// A header without options or fragment flags. The checksum is left zero: the kernel fills it in.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LENGTH] {
        let [l0, l1] = self.payload_length.saturating_add(20).to_be_bytes();
        let [i0, i1] = self.identification.to_be_bytes();
        let [s0, s1, s2, s3] = self.source.octets();
        let [d0, d1, d2, d3] = self.destination.octets();
        [
            0x45,
            TOS,
            l0,
            l1,
            i0,
            i1,
            0,
            0,
            self.ttl,
            self.protocol,
            0,
            0,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ]
    }
}

/// A received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Its header. `payload_length` is what the total length field promises, whether or not it came.
    pub header: Header,
    /// What came after the header and its options.
    pub payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Splits a datagram; `None` when it is not IPv4 or shorter than its own header.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let [
            first,
            _tos,
            l0,
            l1,
            i0,
            i1,
            _f0,
            _f1,
            ttl,
            protocol,
            _c0,
            _c1,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ] = *bytes.first_chunk::<HEADER_LENGTH>()?;
        let header_length = usize::from(first & 0x0f) * 4;
        if first >> 4 != 4 || header_length < HEADER_LENGTH {
            return None;
        }
        let payload = bytes.get(header_length..)?;
        let total = u16::from_be_bytes([l0, l1]);
        Some(Self {
            header: Header {
                source: Ipv4Addr::new(s0, s1, s2, s3),
                destination: Ipv4Addr::new(d0, d1, d2, d3),
                ttl,
                protocol,
                identification: u16::from_be_bytes([i0, i1]),
                payload_length: total.saturating_sub(u16::try_from(header_length).ok()?),
            },
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_truncation() {
        let header = Header {
            source: Ipv4Addr::new(198, 18, 0, 1),
            destination: Ipv4Addr::new(224, 0, 0, 18),
            ttl: 255,
            protocol: 112,
            identification: 0xabcd,
            payload_length: 3,
        };
        let mut bytes = header.encode().to_vec();
        bytes.extend([1, 2, 3]);
        let datagram = Datagram::parse(&bytes).unwrap();
        assert_eq!(
            (datagram.header, datagram.payload),
            (header, &[1, 2, 3][..])
        );
        assert!((0..HEADER_LENGTH).all(|length| Datagram::parse(&bytes[..length]).is_none()));
        bytes[0] = 0x4f;
        assert_eq!(Datagram::parse(&bytes), None, "options that are not there");
        bytes[0] = 0x44;
        assert_eq!(Datagram::parse(&bytes), None, "a header of 16 bytes");
        bytes[0] = 0x65;
        assert_eq!(Datagram::parse(&bytes), None, "version 6");
    }
}
