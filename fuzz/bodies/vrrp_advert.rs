//! Foreign bytes through every parser of `wire`. Whatever parses must be what it says it is.
//!
//! A body, not a test: the fuzz target and `crates/wire/tests/fuzz_corpus.rs` include it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use evervip_wire::ah;
use evervip_wire::arp::GratuitousArp;
use evervip_wire::ipv4::Datagram;
use evervip_wire::ndisc::NeighbourAdvertisement;
use evervip_wire::trailer::{self, Signed, Trailer};
use evervip_wire::vrrp::{ADVERTISEMENT, Advert, Message, auth_type};
use types::{Centiseconds, Family, Version, Vrid};

/// One input.
pub(crate) fn run(data: &[u8]) {
    for family in [Family::V4, Family::V6] {
        advert(family, data);
    }
    if let Some(datagram) = Datagram::parse(data) {
        assert!(data.ends_with(datagram.payload), "the payload is the end");
        advert(Family::V4, datagram.payload);
        authentication_header(&datagram);
    }
    if let Some(arp) = GratuitousArp::parse(data) {
        assert_eq!(GratuitousArp::parse(&arp.encode()), Some(arp));
    }
    if let Some(neighbour) = NeighbourAdvertisement::parse(data) {
        let again = NeighbourAdvertisement::parse(&neighbour.encode());
        assert_eq!(again, Some(neighbour));
    }
}

/// Nothing is authentic by chance, and what we make of the same packet is.
fn authentication_header(datagram: &Datagram<'_>) {
    let Some((header, message)) = ah::Header::parse(datagram.payload) else {
        return;
    };
    assert_eq!(header.encode(), datagram.payload[..ah::LENGTH]);
    assert_eq!(datagram.payload.len(), ah::LENGTH + message.len());
    assert!(!header.is_signed_with(b"unguessed", &datagram.header, message));
    let ours = ah::Header::sign(header.sequence, b"secret", &datagram.header, message);
    assert!(ours.is_signed_with(b"secret", &datagram.header, message));
}

/// The same for the trailer; and there is none where the message alone is well-formed.
fn trailer(family: Family, source: IpAddr, data: &[u8]) {
    let (message, found) = Advert::split_trailer(family, data);
    let Some(found) = found else {
        assert_eq!(message, data);
        return;
    };
    assert_eq!([message, found.as_slice()].concat(), data);
    assert!(Advert::parse(family, message).is_ok());
    assert!(Advert::parse(family, data).is_err());
    let Some(found) = Trailer::parse(found) else {
        return;
    };
    assert_eq!(found.encode(), data[data.len() - trailer::LENGTH..]);
    let signed = Signed {
        version: Version::V3,
        vrid: Vrid::new(51).expect("not zero"),
        source,
        message,
    };
    assert!(!found.is_signed_with(b"unguessed", &signed));
    let ours = Trailer::sign(found.key_id, found.sequence, b"secret", &signed);
    assert!(ours.is_signed_with(b"secret", &signed));
}

fn advert(family: Family, data: &[u8]) {
    let (source, destination) = match family {
        Family::V4 => (
            IpAddr::V4(Ipv4Addr::new(198, 18, 0, 9)),
            family.vrrp_group(),
        ),
        Family::V6 => (
            IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9)),
            family.vrrp_group(),
        ),
    };
    trailer(family, source, data);
    let advert = match Advert::parse(family, data) {
        Ok(advert) => advert,
        Err(error) => {
            assert_eq!(error.got, data.len());
            return;
        }
    };
    assert!(advert.length() <= data.len(), "no byte that is not there");
    assert_eq!(advert.version, data[0] >> 4);
    assert_eq!(advert.packet_type, data[0] & 0x0f);
    assert_eq!(advert.vrid, data[1]);
    assert_eq!(advert.claim.to_wire(), data[2]);
    assert_eq!(advert.addresses.len(), usize::from(data[3]));
    assert_eq!(advert.addresses.iter().count(), usize::from(data[3]));
    assert_eq!(advert.addresses.is_empty(), data[3] == 0);
    assert!(
        advert
            .addresses
            .iter()
            .all(|address| Family::of(address) == family)
    );
    if advert.version == 3 {
        assert!(advert.advert_int <= Centiseconds::MAX_V3);
    }
    assert_eq!(
        advert.auth_data.is_some(),
        advert.version == 2 && family == Family::V4
    );
    let right = advert.checksum_is_right(source, destination);
    encode_again(family, &advert, (source, destination), right, data);
}

/// An advert as we would send it, encoded again, is the same bytes; only a checksum of zero may be spelled differently.
fn encode_again(
    family: Family,
    advert: &Advert<'_>,
    between: (IpAddr, IpAddr),
    checksum_is_right: bool,
    data: &[u8],
) {
    let version = match advert.version {
        2 => Version::V2,
        3 => Version::V3,
        _ => return,
    };
    let Ok(vrid) = Vrid::new(advert.vrid) else {
        return;
    };
    // What a sender leaves unsaid is zero: reserved bits, the data of an authentication that is not used.
    let auth_pass = match (version, advert.auth_type, advert.auth_data) {
        (Version::V3, _, _) if data[4] & 0xf0 == 0 => None,
        (Version::V2, auth_type::NONE, None | Some([0, 0, 0, 0, 0, 0, 0, 0])) => None,
        (Version::V2, auth_type::PASS, Some(password)) => Some(password),
        _ => return,
    };
    if advert.packet_type != ADVERTISEMENT || !checksum_is_right {
        return;
    }
    let addresses: Vec<IpAddr> = advert.addresses.iter().collect();
    let encoded = Message {
        version,
        vrid,
        claim: advert.claim,
        advert_int: advert.advert_int,
        addresses: &addresses,
        auth_pass,
        family,
        between,
    }
    .encode();
    let original = &data[..advert.length()];
    assert_eq!(encoded.len(), original.len());
    assert_eq!(encoded[..6], original[..6]);
    assert_eq!(encoded[8..], original[8..]);
    if family == Family::V4 && original[6..8] != [0xff, 0xff] && original[6..8] != [0, 0] {
        assert_eq!(encoded[6..8], original[6..8], "a right checksum");
    }
}
