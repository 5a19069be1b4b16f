//! VRRP advertisements: version 2 (RFC 3768 5.1, with the authentication field of RFC 2338) and
//! version 3 (RFC 9568 5.1).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::{Centiseconds, Claim, Family, Version, Vrid};

use crate::checksum::Checksum;
use crate::trailer;

/// VRRP's protocol number.
pub const PROTOCOL: u8 = 112;
/// The TTL or hop limit of multicast adverts, sent and demanded (RFC 9568 5.1.1.3).
pub const HOP_LIMIT: u8 = 255;
/// The only packet type there is.
pub const ADVERTISEMENT: u8 = 1;
/// Bytes before the addresses.
pub const HEADER_LENGTH: usize = 8;
/// Bytes of authentication data at the end of a version 2 advert over IPv4.
pub const AUTH_DATA_LENGTH: usize = 8;
/// The offset of the checksum, for kernels that fill it in.
pub const CHECKSUM_OFFSET: usize = 6;

/// Values of version 2's authentication type field (RFC 2338 5.3.6).
pub mod auth_type {
    /// No authentication.
    pub const NONE: u8 = 0;
    /// A password in clear text.
    pub const PASS: u8 = 1;
    /// IP Authentication Header.
    pub const AH: u8 = 2;
}

/// What the checksum of a version 3 message over IPv4 covers. Version 2 never covers addresses of the packet, and IPv6
/// always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The message and the pseudo header (RFC 9568 5.2.8).
    PseudoHeader,
    /// The message alone, as in version 2 (keepalived: `v3_checksum_as_v2`).
    Message,
}

/// An advert to send.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The version that it is encoded in.
    pub version: Version,
    /// Which virtual router.
    pub vrid: Vrid,
    /// With what priority, or that we leave.
    pub claim: Claim,
    /// Our advertisement interval; version 2 sends its whole seconds.
    pub advert_int: Centiseconds,
    /// The virtual addresses, all of one family, at most 255.
    pub addresses: &'a [IpAddr],
    /// Version 2: the password, if adverts carry one.
    pub auth_pass: Option<&'a [u8; AUTH_DATA_LENGTH]>,
    /// The family of the packet that carries it.
    pub family: Family,
    /// Source and destination of that packet; version 3 over IPv4 covers them with its checksum.
    pub between: (IpAddr, IpAddr),
}

impl Message<'_> {
    /// The bytes after the IP header. Over IPv6 the checksum is left zero: the kernel fills it in.
    ///
    /// At most 255 addresses are written, the most that the count can say.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_covering(Coverage::PseudoHeader)
    }

    /// The same with another checksum.
    #[must_use]
    pub fn encode_covering(&self, coverage: Coverage) -> Vec<u8> {
        let auth_type = if self.auth_pass.is_some() {
            auth_type::PASS
        } else {
            auth_type::NONE
        };
        self.encode_as(auth_type, coverage)
    }

    /// The same for a message of version 2 that follows an [authentication header](crate::ah).
    #[must_use]
    pub fn encode_behind_ah(&self) -> Vec<u8> {
        self.encode_as(auth_type::AH, Coverage::Message)
    }

    fn encode_as(&self, auth_type: u8, coverage: Coverage) -> Vec<u8> {
        let count = u8::try_from(self.addresses.len()).unwrap_or(u8::MAX);
        let addresses = self.addresses.get(..usize::from(count)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEADER_LENGTH + addresses.len() * 16 + AUTH_DATA_LENGTH);
        bytes.extend([
            self.version.number() << 4 | ADVERTISEMENT,
            self.vrid.get(),
            self.claim.to_wire(),
            count,
        ]);
        match self.version {
            Version::V2 => {
                let seconds = u8::try_from(self.advert_int.get() / 100).unwrap_or(u8::MAX);
                bytes.extend([auth_type, seconds]);
            }
            Version::V3 => bytes
                .extend((self.advert_int.min(Centiseconds::MAX_V3).get() & 0x0fff).to_be_bytes()),
        }
        bytes.extend([0, 0]);
        for address in addresses {
            match address {
                IpAddr::V4(address) => bytes.extend(address.octets()),
                IpAddr::V6(address) => bytes.extend(address.octets()),
            }
        }
        if auth_data_length(self.version.number(), self.family) > 0 {
            bytes.extend(self.auth_pass.unwrap_or(&[0; AUTH_DATA_LENGTH]));
        }
        if let Some(checksum) = checksum(self.version.number(), coverage, &bytes, self.between)
            && let Some(field) = bytes.get_mut(CHECKSUM_OFFSET..CHECKSUM_OFFSET + 2)
        {
            field.copy_from_slice(&checksum.to_be_bytes());
        }
        bytes
    }
}

/// An advert that was received, well-formed but not yet judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advert<'a> {
    /// The version nibble; anything from 0 to 15.
    pub version: u8,
    /// The type nibble; 1 is an advertisement.
    pub packet_type: u8,
    /// The VRID; 0 belongs to nobody.
    pub vrid: u8,
    /// Its priority, or that the sender leaves.
    pub claim: Claim,
    /// Version 2: the authentication type.
    pub auth_type: u8,
    /// The sender's advertisement interval.
    pub advert_int: Centiseconds,
    /// The virtual addresses.
    pub addresses: Addresses<'a>,
    /// Version 2 over IPv4: the authentication data.
    pub auth_data: Option<&'a [u8; AUTH_DATA_LENGTH]>,
    /// All bytes that the checksum covers.
    message: &'a [u8],
}

impl<'a> Advert<'a> {
    /// Reads what follows the IP header.
    ///
    /// A datagram may be longer than the advert in it where Ethernet's smallest frame made somebody count the
    /// padding (keepalived: expected total below 46 bytes, and a surplus that leaves 2 when divided by 4, so that
    /// it cannot be mistaken for another address).
    ///
    /// # Errors
    /// When the bytes are not as many as the header says.
    pub fn parse(family: Family, bytes: &'a [u8]) -> Result<Self, ParseError> {
        let Some((&[first, vrid, priority, count, b4, b5, _c0, _c1], rest)) =
            bytes.split_first_chunk::<HEADER_LENGTH>()
        else {
            return Err(ParseError {
                got: bytes.len(),
                expected: HEADER_LENGTH,
            });
        };
        let version = first >> 4;
        let addresses_length = usize::from(count) * family.address_length();
        let auth_length = auth_data_length(version, family);
        let expected = HEADER_LENGTH + addresses_length + auth_length;
        let Some(message) = bytes.get(..expected) else {
            return Err(ParseError {
                got: bytes.len(),
                expected,
            });
        };
        let surplus = bytes.len() - expected;
        let padding =
            family == Family::V4 && crate::ipv4::HEADER_LENGTH + expected < 46 && surplus % 4 == 2;
        if surplus > 0 && !padding {
            return Err(ParseError {
                got: bytes.len(),
                expected,
            });
        }
        let (addresses, auth) = rest
            .split_at_checked(addresses_length)
            .unwrap_or((rest, &[]));
        Ok(Self {
            version,
            packet_type: first & 0x0f,
            vrid,
            claim: Claim::from_wire(priority),
            auth_type: b4,
            advert_int: if version == 2 {
                Centiseconds::from_seconds(b5)
            } else {
                Centiseconds::new(u16::from_be_bytes([b4 & 0x0f, b5]))
            },
            addresses: Addresses {
                family,
                bytes: addresses,
            },
            auth_data: if auth_length == 0 {
                None
            } else {
                auth.first_chunk()
            },
            message,
        })
    }

    /// Splits off the trailer of a signed message, if as many bytes follow the message as a trailer has. Padding can never
    /// look like this: it leaves 2 when divided by 4.
    #[must_use]
    pub fn split_trailer(family: Family, bytes: &[u8]) -> (&[u8], Option<&[u8; trailer::LENGTH]>) {
        let Some((message, trailer)) = bytes.split_last_chunk::<{ trailer::LENGTH }>() else {
            return (bytes, None);
        };
        match message {
            [first, _, _, count, ..]
                if message.len()
                    == HEADER_LENGTH
                        + usize::from(*count) * family.address_length()
                        + auth_data_length(first >> 4, family) =>
            {
                (message, Some(trailer))
            }
            _ => (bytes, None),
        }
    }

    /// Whether the checksum is right for a packet between these two addresses. Always true over IPv6, where the
    /// kernel has checked it before we see the packet.
    #[must_use]
    pub fn checksum_is_right(&self, source: IpAddr, destination: IpAddr) -> bool {
        self.checksum_covers(Coverage::PseudoHeader, source, destination)
    }

    /// Whether the checksum is right if it covers this much.
    #[must_use]
    pub fn checksum_covers(&self, coverage: Coverage, source: IpAddr, destination: IpAddr) -> bool {
        match checksum(self.version, coverage, self.message, (source, destination)) {
            Some(sum) => sum == 0,
            None => true,
        }
    }

    /// Bytes of the advert itself, without any padding after it.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.message.len()
    }
}

/// The list of addresses in a received advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses<'a> {
    family: Family,
    bytes: &'a [u8],
}

impl<'a> Addresses<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len() / self.family.address_length()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The addresses in the order of the packet.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        let (family, bytes) = (self.family, self.bytes);
        bytes
            .chunks_exact(family.address_length())
            .filter_map(move |chunk| match family {
                Family::V4 => chunk
                    .first_chunk::<4>()
                    .map(|octets| IpAddr::V4(Ipv4Addr::from(*octets))),
                Family::V6 => chunk
                    .first_chunk::<16>()
                    .map(|octets| IpAddr::V6(Ipv6Addr::from(*octets))),
            })
    }
}

/// Why bytes are not an advert: there are too few, or more than its header accounts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got} bytes, {expected} expected")]
pub struct ParseError {
    /// Bytes that came.
    pub got: usize,
    /// Bytes that the header asks for.
    pub expected: usize,
}

/// Version 2 over IPv4 always ends in eight bytes of authentication data, used or not.
const fn auth_data_length(version: u8, family: Family) -> usize {
    match (version, family) {
        (2, Family::V4) => AUTH_DATA_LENGTH,
        _ => 0,
    }
}

/// The checksum over `message`, or `None` where the kernel takes care of it.
fn checksum(
    version: u8,
    coverage: Coverage,
    message: &[u8],
    (source, destination): (IpAddr, IpAddr),
) -> Option<u16> {
    if Family::of(source) == Family::V6 {
        return None;
    }
    let sum = Checksum::new().with(message);
    Some(if version == 2 || coverage == Coverage::Message {
        sum.finish()
    } else {
        // RFC 9568 5.2.8: version 3 covers the pseudo header, over IPv4 too.
        sum.with_pseudo_header(source, destination, PROTOCOL, message.len())
            .finish()
    })
}

#[cfg(test)]
mod tests;
