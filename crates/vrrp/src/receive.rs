//! Whether a received packet is an advert that this instance has to listen to.
//!
//! The checks of keepalived in keepalived's order (RFC 9568 7.1 and RFC 3768 7.1 ask for the same ones), each with its
//! counter. Pure judgement, but for what a proof must remember so that nothing is heard twice.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use types::{Centiseconds, Family, IfIndex, Priority, Version};
use wire::ah;
use wire::vrrp::{self, Advert, Coverage, auth_type};

use crate::action::Carrier;
use crate::proof::{Proof, Time};
use crate::settings::{AuthPass, Authentication, InstanceSettings, OldChecksum, UnicastPeer};
use crate::statistics::Statistics;

/// A packet of protocol 112 or 51, as the host received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The interface that it came in on.
    pub interface: IfIndex,
    /// The sender.
    pub source: IpAddr,
    /// The receiver: a group, or one of our addresses.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// As which IP protocol.
    pub carrier: Carrier,
    /// How many bytes the IP header promised to follow it.
    pub promised: usize,
    /// The bytes that did.
    pub payload: &'a [u8],
}

impl Packet<'_> {
    /// The family of its addresses.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.source)
    }
}

/// Why a packet is not listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// It has fewer or more bytes than its header accounts for.
    Length(vrrp::ParseError),
    /// It may have come through a router (RFC 9568 7.1: MUST be 255).
    HopLimit {
        /// What it came with.
        got: u8,
    },
    /// It speaks another version.
    Version {
        /// The number in the packet.
        got: u8,
        /// Ours.
        ours: Version,
    },
    /// There is no such authentication type.
    UnknownAuthType {
        /// The number in the packet.
        got: u8,
    },
    /// It is authenticated in another way than we are.
    AuthTypeMismatch {
        /// The number in the packet.
        got: u8,
        /// Ours.
        ours: u8,
    },
    /// Its password is not ours.
    WrongPassword,
    /// Version 2: its interval is not ours (RFC 3768 7.1: MUST match).
    AdvertInterval {
        /// The sender's.
        got: Centiseconds,
        /// Ours.
        ours: Centiseconds,
    },
    /// It is not an advertisement.
    PacketType {
        /// The number in the packet.
        got: u8,
    },
    /// The IP header promises another length than what arrived.
    PromisedLength {
        /// Bytes promised.
        promised: usize,
        /// Bytes that came.
        got: usize,
    },
    /// The sum is wrong.
    Checksum,
    /// It was sent to one address, not to the group.
    NotMulticast,
    /// We own the addresses and are told not to care about others.
    WeAreOwner,
    /// Nobody of our peers sent it (`check_unicast_src`, or it is signed).
    NotAPeer,
    /// A peer sent it, from nearer or farther away than it should be.
    PeerHopLimit {
        /// What it came with.
        got: u8,
        /// The peer's `min_ttl`.
        least: u8,
        /// The peer's `max_ttl`.
        most: u8,
    },
    /// It has no signature, and we insist on one (`auth_hmac`).
    Unsigned,
    /// Its trailer is of no kind that exists.
    MalformedTrailer,
    /// Its time stamp is too far from our clock: an old recording, or a clock that is wrong.
    Stale {
        /// Whole seconds that it is behind our clock; negative: ahead.
        behind: i32,
        /// Seconds that it may be.
        window: u16,
    },
    /// It is signed with a key that we do not have.
    UnknownKey {
        /// The number of the key.
        id: u8,
    },
    /// Its signature is wrong: forged, changed on its way, or made with another key of the same number.
    WrongSignature {
        /// The number of the key.
        id: u8,
    },
    /// Its sequence is not beyond that of the sender's last advert: it was sent before.
    Replayed,
    /// It comes without an authentication header (AH), and we insist on one.
    NoAuthHeader,
    /// It comes with an authentication header (AH), which we do not use.
    AuthHeader,
    /// Something else than VRRP follows its authentication header.
    NextHeader {
        /// That protocol.
        got: u8,
    },
    /// The index in its authentication header is not its sender's address.
    SecurityIndex {
        /// The index.
        got: Ipv4Addr,
    },
    /// The check value of its authentication header is wrong: forged, changed, or made with another password.
    CheckValue,
    /// The number in its authentication header was used before.
    OldNumber {
        /// The number.
        got: u32,
        /// The last one that we have heard or used.
        last: u32,
    },
}

impl Rejection {
    /// Counts it.
    pub(crate) fn count(&self, statistics: &mut Statistics) {
        let counter = match self {
            Self::Length(_) | Self::PromisedLength { .. } => &mut statistics.packet_len_err,
            Self::HopLimit { .. } | Self::PeerHopLimit { .. } => &mut statistics.ip_ttl_err,
            Self::Version { .. } => &mut statistics.version_err,
            Self::UnknownAuthType { .. } => &mut statistics.invalid_authtype,
            Self::AuthTypeMismatch { .. } | Self::NoAuthHeader | Self::AuthHeader => {
                &mut statistics.authtype_mismatch
            }
            Self::Unsigned => &mut statistics.auth_ext_missing,
            Self::MalformedTrailer => &mut statistics.auth_ext_malformed,
            Self::Stale { .. } => &mut statistics.auth_ext_stale,
            Self::UnknownKey { .. } => &mut statistics.auth_ext_unknown_key,
            Self::WrongSignature { .. } => &mut statistics.auth_ext_invalid_hmac,
            Self::Replayed => &mut statistics.auth_ext_replay,
            Self::WrongPassword
            | Self::NextHeader { .. }
            | Self::SecurityIndex { .. }
            | Self::CheckValue
            | Self::OldNumber { .. } => &mut statistics.auth_failure,
            Self::AdvertInterval { .. } => &mut statistics.advert_interval_err,
            Self::PacketType { .. } => &mut statistics.invalid_type_rcvd,
            Self::Checksum => &mut statistics.checksum_err,
            Self::NotMulticast => &mut statistics.addr_list_err,
            Self::NotAPeer => &mut statistics.unicast_src_err,
            Self::WeAreOwner => return,
        };
        *counter += 1;
    }

    /// One bit for each kind, to say each only once.
    pub(crate) const fn bit(&self) -> u32 {
        1 << match self {
            Self::Length(_) => 0,
            Self::HopLimit { .. } => 1,
            Self::Version { .. } => 2,
            Self::UnknownAuthType { .. } => 3,
            Self::AuthTypeMismatch { .. } => 4,
            Self::WrongPassword => 5,
            Self::AdvertInterval { .. } => 6,
            Self::PacketType { .. } => 7,
            Self::PromisedLength { .. } => 8,
            Self::Checksum => 9,
            Self::NotMulticast => 10,
            Self::WeAreOwner => 11,
            Self::NotAPeer => 14,
            Self::PeerHopLimit { .. } => 15,
            Self::Unsigned => 16,
            Self::MalformedTrailer => 18,
            Self::Stale { .. } => 19,
            Self::UnknownKey { .. } => 20,
            Self::WrongSignature { .. } => 21,
            Self::Replayed => 22,
            Self::NoAuthHeader | Self::AuthHeader => 23,
            // What is wrong with a header is of one kind: the others do not have our password.
            Self::NextHeader { .. } | Self::SecurityIndex { .. } | Self::CheckValue => 24,
            Self::OldNumber { .. } => 25,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(error) => write!(f, "wrong length: {error}"),
            Self::HopLimit { got } => write!(f, "TTL or hop limit {got}, 255 expected"),
            Self::Version { got, ours } => {
                write!(f, "VRRP version {got}, ours is {}", ours.number())
            }
            Self::UnknownAuthType { got } => write!(f, "authentication type {got} does not exist"),
            Self::AuthTypeMismatch { got, ours } => {
                write!(f, "authentication type {got}, ours is {ours}")
            }
            Self::WrongPassword => f.write_str("its password is not ours"),
            Self::AdvertInterval { got, ours } => {
                write!(f, "advertisement interval {got}, ours is {ours}")
            }
            Self::PacketType { got } => write!(f, "packet type {got} is not an advertisement"),
            Self::PromisedLength { promised, got } => {
                write!(f, "its IP header promises {promised} bytes, {got} came")
            }
            Self::Checksum => f.write_str("wrong checksum"),
            Self::NotMulticast => f.write_str("sent to one address, multicast expected"),
            Self::WeAreOwner => f.write_str("we own the addresses"),
            Self::NotAPeer => f.write_str("the sender is none of the unicast peers"),
            Self::PeerHopLimit { got, least, most } => {
                write!(
                    f,
                    "TTL or hop limit {got}, {least} to {most} expected from this peer"
                )
            }
            Self::Unsigned => f.write_str("it is not signed"),
            Self::MalformedTrailer => f.write_str("its signature is of no kind that exists"),
            Self::Stale { behind, window } => {
                let (seconds, where_to) = if *behind > 0 {
                    (behind.unsigned_abs(), "behind")
                } else {
                    (behind.unsigned_abs(), "ahead of")
                };
                write!(
                    f,
                    "its time is {seconds} s {where_to} ours, {window} s allowed: an old recording, or a wrong clock"
                )
            }
            Self::UnknownKey { id } => {
                write!(f, "it is signed with key {id}, which we do not have")
            }
            Self::WrongSignature { id } => write!(f, "its signature with key {id} is wrong"),
            Self::Replayed => f.write_str("it was sent before"),
            Self::NoAuthHeader => f.write_str("it has no authentication header, ours have"),
            Self::AuthHeader => f.write_str("it has an authentication header, ours have not"),
            Self::NextHeader { got } => {
                write!(f, "protocol {got} follows its authentication header")
            }
            Self::SecurityIndex { got } => {
                write!(f, "its authentication header is that of {got}")
            }
            Self::CheckValue => {
                f.write_str("its authentication header is not made with our password")
            }
            Self::OldNumber { got, last } => {
                write!(
                    f,
                    "its authentication header has number {got}, {last} was there before"
                )
            }
        }
    }
}

/// What the judgement needs to know of an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipient<'a> {
    pub(crate) settings: &'a InstanceSettings,
    pub(crate) effective: Priority,
}

/// Judges a packet that is addressed to this instance by interface, family and VRID.
pub(crate) fn judge<'p>(
    packet: &Packet<'p>,
    recipient: Recipient<'_>,
    proof: &mut Proof,
    time: Time,
) -> Result<Advert<'p>, Rejection> {
    let settings = recipient.settings;
    let (header, payload) = authentication_header(packet, &settings.authentication)?;
    let (message, trailer) = match &settings.authentication {
        Authentication::Hmac(_) => Advert::split_trailer(packet.family(), payload),
        Authentication::None | Authentication::Pass(_) | Authentication::Ah(_) => (payload, None),
    };
    let advert = Advert::parse(packet.family(), message).map_err(Rejection::Length)?;
    if settings.unicast.is_none() && packet.hop_limit != vrrp::HOP_LIMIT {
        return Err(Rejection::HopLimit {
            got: packet.hop_limit,
        });
    }
    if advert.version != settings.version.number() {
        return Err(Rejection::Version {
            got: advert.version,
            ours: settings.version,
        });
    }
    if let Authentication::Hmac(hmac) = &settings.authentication {
        proof.check_trailer(packet, settings, hmac, (message, trailer), time)?;
    }
    if settings.version == Version::V2 {
        authenticate(&advert, &settings.authentication)?;
        if let Some((header, identification, pass)) = &header {
            proof.check_header(packet, *identification, pass, header, message)?;
        }
        if advert.advert_int != settings.advert_int {
            return Err(Rejection::AdvertInterval {
                got: advert.advert_int,
                ours: settings.advert_int,
            });
        }
    }
    if advert.packet_type != vrrp::ADVERTISEMENT {
        return Err(Rejection::PacketType {
            got: advert.packet_type,
        });
    }
    if packet.promised != packet.payload.len() {
        return Err(Rejection::PromisedLength {
            promised: packet.promised,
            got: packet.payload.len(),
        });
    }
    if !checksum_is_good(packet, &advert, settings) {
        return Err(Rejection::Checksum);
    }
    // Nobody hands us a multicast advert for an instance with peers.
    if settings.unicast.is_none() && !packet.destination.is_multicast() {
        return Err(Rejection::NotMulticast);
    }
    if settings.owner_ignore_adverts && recipient.effective.is_owner() {
        return Err(Rejection::WeAreOwner);
    }
    Ok(advert)
}

/// An authentication header, the identification of its packet, and our password.
type Header<'s> = (ah::Header, u16, &'s AuthPass);

/// Splits off the authentication header, which is there exactly if we use one.
fn authentication_header<'p, 's>(
    packet: &Packet<'p>,
    ours: &'s Authentication,
) -> Result<(Option<Header<'s>>, &'p [u8]), Rejection> {
    match (packet.carrier, ours) {
        (Carrier::Vrrp, Authentication::Ah(_)) => Err(Rejection::NoAuthHeader),
        (
            Carrier::Vrrp,
            Authentication::None | Authentication::Pass(_) | Authentication::Hmac(_),
        ) => Ok((None, packet.payload)),
        (
            Carrier::Ah { .. },
            Authentication::None | Authentication::Pass(_) | Authentication::Hmac(_),
        ) => Err(Rejection::AuthHeader),
        (Carrier::Ah { identification }, Authentication::Ah(pass)) => {
            let too_short = vrrp::ParseError {
                got: packet.payload.len(),
                expected: ah::LENGTH + vrrp::HEADER_LENGTH,
            };
            let (header, message) =
                ah::Header::parse(packet.payload).ok_or(Rejection::Length(too_short))?;
            Ok((Some((header, identification, pass)), message))
        }
    }
}

/// Judges the sender of an advert that has passed everything else, and counts as received.
pub(crate) fn judge_sender(
    packet: &Packet<'_>,
    settings: &InstanceSettings,
) -> Result<(), Rejection> {
    let Some(unicast) = settings
        .unicast
        .as_deref()
        .filter(|unicast| unicast.check_source)
    else {
        return Ok(());
    };
    let Some(UnicastPeer {
        min_ttl, max_ttl, ..
    }) = unicast.peer(packet.source)
    else {
        return Err(Rejection::NotAPeer);
    };
    if (*min_ttl..=*max_ttl).contains(&packet.hop_limit) {
        return Ok(());
    }
    Err(Rejection::PeerHopLimit {
        got: packet.hop_limit,
        least: *min_ttl,
        most: *max_ttl,
    })
}

/// Whether the checksum is one of those that routers of this instance send.
fn checksum_is_good(packet: &Packet<'_>, advert: &Advert<'_>, settings: &InstanceSettings) -> bool {
    let covers =
        |coverage, destination| advert.checksum_covers(coverage, packet.source, destination);
    let as_the_rfc_says = || covers(Coverage::PseudoHeader, packet.destination);
    let as_v2 = settings.version == Version::V3 && settings.v3_checksum_as_v2;
    match settings.unicast.as_deref() {
        // DEVIATION(keepalived): it takes any sum here. Ours lets through both kinds, and no garbled packet.
        None => as_the_rfc_says() || as_v2 && covers(Coverage::Message, packet.destination),
        // keepalived gets the sum right for the first of its peers only: as one of the others we cannot ask for it.
        Some(_) if as_v2 => true,
        Some(unicast) => match unicast.old_checksum {
            OldChecksum::Never => as_the_rfc_says(),
            // DEVIATION(keepalived): once it has seen an old one it refuses the others, also those of other peers.
            OldChecksum::Detect => as_the_rfc_says() || has_old_checksum(packet, advert, settings),
            OldChecksum::Always => covers(Coverage::PseudoHeader, settings.mcast_dst_ip),
        },
    }
}

/// Whether the checksum is right only if the packet went to the multicast group, as keepalived before 1.3.7 sends it.
pub(crate) fn has_old_checksum(
    packet: &Packet<'_>,
    advert: &Advert<'_>,
    settings: &InstanceSettings,
) -> bool {
    let covers =
        |destination| advert.checksum_covers(Coverage::PseudoHeader, packet.source, destination);
    settings.unicast.is_some() && !covers(packet.destination) && covers(settings.mcast_dst_ip)
}

fn authenticate(advert: &Advert<'_>, ours: &Authentication) -> Result<(), Rejection> {
    let (our_type, our_pass) = match ours {
        // The proof of the trailer comes before this; the field itself then says nothing.
        Authentication::None | Authentication::Hmac(_) => (auth_type::NONE, None),
        Authentication::Ah(_) => (auth_type::AH, None),
        Authentication::Pass(pass) => (auth_type::PASS, Some(pass.bytes())),
    };
    let got = advert.auth_type;
    if got > auth_type::AH {
        return Err(Rejection::UnknownAuthType { got });
    }
    if got != our_type {
        return Err(Rejection::AuthTypeMismatch {
            got,
            ours: our_type,
        });
    }
    // Version 2 over IPv6 says that there is a password, but has no room for it.
    if let (Some(ours), Some(theirs)) = (our_pass, advert.auth_data)
        && ours != theirs
    {
        return Err(Rejection::WrongPassword);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
