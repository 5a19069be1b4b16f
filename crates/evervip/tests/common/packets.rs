//! The packets of virtual routers, found among captured frames.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab::{Capture, Direction, Frame, tshark, wait_until};
use sys::clock::WallTime;
use types::{Claim, Family};
use wire::arp::GratuitousArp;
use wire::ethernet;
use wire::ndisc::NeighbourAdvertisement;

use super::SOON;

/// An advert on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advert {
    pub(crate) at: WallTime,
    pub(crate) direction: Direction,
    pub(crate) source: IpAddr,
    pub(crate) vrid: u8,
    pub(crate) claim: Claim,
    pub(crate) addresses: Vec<IpAddr>,
    /// The key that signed it.
    pub(crate) key_id: Option<u8>,
}

/// What a frame says as an advert, if it is one.
pub(crate) fn advert(frame: &Frame) -> Option<Advert> {
    let (header, packet) = ethernet::Header::parse(&frame.bytes)?;
    let (source, family, message) = match header.ethertype {
        ethernet::IPV4 => {
            let datagram = wire::ipv4::Datagram::parse(packet)?;
            let length = usize::from(datagram.header.payload_length);
            // Ethernet's padding of short frames does not belong to the packet.
            let payload = datagram.payload.get(..length)?;
            let message = match datagram.header.protocol {
                wire::vrrp::PROTOCOL => payload,
                wire::ah::PROTOCOL => wire::ah::Header::parse(payload)?.1,
                _ => return None,
            };
            (IpAddr::V4(datagram.header.source), Family::V4, message)
        }
        ethernet::IPV6 => {
            let (header, message) = wire::ipv6::Header::parse(packet)?;
            if header.next_header != wire::vrrp::PROTOCOL {
                return None;
            }
            (IpAddr::V6(header.source), Family::V6, message)
        }
        _ => return None,
    };
    let (message, trailer) = wire::vrrp::Advert::split_trailer(family, message);
    let advert = wire::vrrp::Advert::parse(family, message).ok()?;
    Some(Advert {
        at: frame.at,
        direction: frame.direction,
        source,
        vrid: advert.vrid,
        claim: advert.claim,
        addresses: advert.addresses.iter().collect(),
        key_id: trailer.map(|trailer| trailer[1]),
    })
}

/// All adverts of a virtual router in one direction, after the first `since` frames.
pub(crate) fn adverts(
    capture: &Capture,
    since: usize,
    direction: Direction,
    vrid: u8,
) -> Vec<Advert> {
    capture
        .frames_since(since)
        .iter()
        .filter_map(advert)
        .filter(|advert| advert.direction == direction && advert.vrid == vrid)
        .collect()
}

/// Whether a frame is an advert with a priority, in this direction.
pub(crate) fn claims(frame: &Frame, direction: Direction, priority: u8) -> bool {
    advert(frame).is_some_and(|advert| {
        advert.direction == direction && advert.claim == Claim::from_wire(priority)
    })
}

/// The address that a frame announces to neighbours, if it is a gratuitous ARP or a neighbour advertisement.
pub(crate) fn announced(frame: &Frame) -> Option<IpAddr> {
    GratuitousArp::parse(&frame.bytes)
        .map(|arp| IpAddr::V4(arp.address))
        .or_else(|| {
            NeighbourAdvertisement::parse(&frame.bytes)
                .map(|advertisement| IpAddr::V6(advertisement.address))
        })
}

/// Whether an address was announced in a direction, after the first `since` frames.
pub(crate) fn was_announced(
    capture: &Capture,
    since: usize,
    direction: Direction,
    address: IpAddr,
) -> bool {
    capture
        .frames_since(since)
        .iter()
        .any(|frame| frame.direction == direction && announced(frame) == Some(address))
}

/// The longest time between two adverts that follow one another.
pub(crate) fn longest_gap(adverts: &[Advert]) -> Duration {
    adverts
        .iter()
        .zip(adverts.iter().skip(1))
        .map(|(one, next)| since(next.at, one.at))
        .max()
        .unwrap_or_default()
}

/// How much later one time is than another.
pub(crate) fn since(later: WallTime, earlier: WallTime) -> Duration {
    let nanos =
        |time: WallTime| i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanos());
    let difference = nanos(later) - nanos(earlier);
    Duration::from_nanos(u64::try_from(difference).unwrap_or_default())
}

/// What an advert has in common with those of any other router that serves the same addresses.
const COMMON: [&str; 12] = [
    "frame.len",
    "ip.dsfield",
    "ip.flags",
    "ip.ttl",
    "ipv6.tclass",
    "ipv6.hlim",
    "vrrp.typever",
    "vrrp.virt_rtr_id",
    "vrrp.addr_count",
    "vrrp.auth_type",
    "vrrp.adver_int",
    "vrrp.short_adver_int",
];

/// Lets Wireshark judge everything that was captured: nothing malformed, every checksum right, and the adverts of
/// all senders alike but for their priority.
pub(crate) fn judge(capture: &Capture, file: &Path) -> Result<()> {
    let senders = judge_apart(capture, file)?;
    let mut shapes = senders.values();
    let first = shapes.next();
    ensure!(
        shapes.all(|shape| Some(shape) == first),
        "adverts differ: {senders:?}"
    );
    Ok(())
}

/// What the adverts of each sender look like.
pub(crate) type Shapes = BTreeMap<String, BTreeSet<Vec<String>>>;

/// The same, where adverts may differ from sender to sender.
pub(crate) fn judge_apart(capture: &Capture, file: &Path) -> Result<Shapes> {
    capture.write_pcap(file)?;
    let mut fields = vec![
        "frame.number",
        "_ws.malformed",
        "ip.checksum.status",
        "icmpv6.checksum.status",
        "vrrp.checksum.status",
        "_ws.expert.severity",
        "_ws.expert.message",
        "vrrp",
        "ip.src",
        "ipv6.src",
        "vrrp.ip_addr",
        "vrrp.ipv6_addr",
    ];
    let own = fields.len();
    fields.extend(COMMON);
    // A host on which nothing listens answers unicast adverts with an error that quotes them: that is no advert.
    let filter = "(vrrp || arp || icmpv6) && !icmp && !(icmpv6.type < 128)";
    let rows = tshark(file, filter, &fields)?;
    let mut senders = Shapes::new();
    for row in &rows {
        let [
            number,
            malformed,
            ip,
            icmp,
            vrrp,
            severity,
            message,
            is_vrrp,
            v4,
            v6,
            ..,
        ] = row.as_slice()
        else {
            bail!("tshark leaves fields out: {row:?}");
        };
        ensure!(malformed.is_empty(), "frame {number} is malformed: {row:?}");
        let (is_vrrp, is_v4) = (!is_vrrp.is_empty(), !v4.is_empty());
        for (name, status, expected) in [
            ("IP", ip, is_v4),
            ("ICMPv6", icmp, false),
            ("VRRP", vrrp, is_vrrp),
        ] {
            // 1: good.
            ensure!(
                status == "1" || (status.is_empty() && !expected),
                "the {name} checksum of frame {number} is wrong: {row:?}"
            );
        }
        if !is_vrrp {
            // That an address moves from one host to another is what all this is for.
            continue;
        }
        ensure!(
            !has_warning(severity),
            "tshark warns of frame {number}: {message}"
        );
        let shape: Vec<String> = row.iter().skip(own - 2).cloned().collect();
        senders
            .entry(format!("{v4}{v6}"))
            .or_default()
            .insert(shape);
    }
    ensure!(!senders.is_empty(), "no advert was captured");
    Ok(senders)
}

/// Whether one of these severities is Wireshark's warning (0x600000) or worse.
fn has_warning(severities: &str) -> bool {
    const WARNING: u32 = 0x0060_0000;
    severities
        .split(',')
        .filter_map(|severity| severity.parse::<u32>().ok())
        .any(|severity| severity >= WARNING)
}

/// Waits until the announcements of a new master have been seen: a capture may be behind the kernel's address list.
pub(crate) fn first_block(capture: &Capture, address: IpAddr) -> Result<()> {
    wait_until(SOON, &format!("five announcements of {address}"), || {
        let frames = capture.frames();
        let announcements = frames
            .iter()
            .filter(|frame| announced(frame) == Some(address));
        announcements.count() >= 5
    })
}
