//! Watches the LAN from the client's interface, the client's answers, and the addresses of the routers, and writes all of
//! it into the record.

use std::net::IpAddr;

use anyhow::Result;
use lab::{Capture, Direction, Frame, Host};
use sys::clock::{WallTime, now, wall};
use types::{Claim, Family, Instant, MacAddress};
use wire::arp::GratuitousArp;
use wire::ethernet;
use wire::ipv4::Datagram;
use wire::vrrp;

use super::configuration::{self, INTERFACE, VIRTUAL_ADDRESS};
use super::network::Network;
use super::prober::Prober;
use super::record::{Advert, Record, Router};

/// Eyes on everything.
#[derive(Debug)]
pub(super) struct Observer {
    capture: Capture,
    /// Frames that have been read.
    seen: usize,
    prober: Prober,
    /// Which hardware address is whose, learnt from adverts: a router that comes back has a new one.
    owners: Vec<(MacAddress, Router)>,
    record: Record,
}

impl Observer {
    /// Starts to watch, and the client to ask.
    ///
    /// # Errors
    /// When the client's host cannot do that.
    pub(super) fn start(client: &Host) -> Result<Self> {
        Ok(Self {
            capture: client.capture(INTERFACE)?,
            seen: 0,
            prober: Prober::start(client)?,
            owners: Vec::new(),
            record: Record::default(),
        })
    }

    /// What was observed so far.
    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    /// Reads what is new.
    ///
    /// # Errors
    /// When a host cannot be asked for its addresses.
    pub(super) fn look(&mut self, network: &mut Network) -> Result<()> {
        for router in Router::BOTH {
            let condition = network.condition(router)?;
            self.record.note_condition(now(), router, condition);
        }
        let frames = self.capture.frames_since(self.seen);
        self.seen += frames.len();
        let (this_moment, this_time) = (now(), wall());
        for frame in frames {
            // Frames carry the wall clock's time, everything else is on the monotonic clock. By age, so that a clock that
            // is set in between harms one look only.
            let at = this_moment.before(age(this_time, frame.at));
            self.note(at, &frame);
        }
        self.prober.fetch(&mut self.record);
        Ok(())
    }

    fn note(&mut self, at: Instant, frame: &Frame) {
        if frame.direction == Direction::Out {
            return;
        }
        match understand(&frame.bytes) {
            Some(Sighting::Advert { from, mac, claim }) => {
                self.owners.retain(|(known, _)| *known != mac);
                self.owners.push((mac, from));
                self.record.adverts.push(Advert { at, from, claim });
            }
            Some(Sighting::Announcement { mac }) => {
                if let Some((_, from)) = self.owners.iter().find(|(known, _)| *known == mac) {
                    self.record.announcements.push((at, *from));
                }
            }
            None => {}
        }
    }
}

/// What a frame on the LAN means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sighting {
    /// A router's advert.
    Advert {
        from: Router,
        mac: MacAddress,
        claim: Claim,
    },
    /// "The virtual address is here now."
    Announcement { mac: MacAddress },
}

fn understand(frame: &[u8]) -> Option<Sighting> {
    if let Some(arp) = GratuitousArp::parse(frame) {
        return (arp.address == VIRTUAL_ADDRESS).then_some(Sighting::Announcement { mac: arp.mac });
    }
    let (header, packet) = ethernet::Header::parse(frame)?;
    if header.ethertype != ethernet::IPV4 {
        return None;
    }
    let datagram = Datagram::parse(packet)?;
    let from = Router::BOTH
        .into_iter()
        .find(|router| configuration::address(*router) == datagram.header.source)?;
    if datagram.header.protocol != vrrp::PROTOCOL {
        return None;
    }
    let payload = datagram
        .payload
        .get(..usize::from(datagram.header.payload_length))?;
    let advert = vrrp::Advert::parse(Family::V4, payload).ok()?;
    let between = (datagram.header.source, datagram.header.destination);
    advert
        .checksum_is_right(IpAddr::V4(between.0), IpAddr::V4(between.1))
        .then_some(Sighting::Advert {
            from,
            mac: header.source,
            claim: advert.claim,
        })
}

/// How long before `now` something was; zero when the clock says that it is to come.
fn age(now: WallTime, then: WallTime) -> std::time::Duration {
    let nanos =
        |time: WallTime| i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanos());
    let age = u64::try_from(nanos(now) - nanos(then)).unwrap_or(0);
    std::time::Duration::from_nanos(age)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use types::{Priority, Version, Vrid};

    use super::*;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 7]);

    fn frame(source: Ipv4Addr, claim: Claim) -> Vec<u8> {
        let destination = Ipv4Addr::new(224, 0, 0, 18);
        let message = vrrp::Message {
            version: Version::V3,
            vrid: Vrid::new(51).unwrap(),
            claim,
            advert_int: configuration::ADVERT_INTERVAL,
            addresses: &[IpAddr::V4(VIRTUAL_ADDRESS)],
            auth_pass: None,
            family: Family::V4,
            between: (source.into(), destination.into()),
        }
        .encode();
        let header = wire::ipv4::Header {
            source,
            destination,
            ttl: vrrp::HOP_LIMIT,
            protocol: vrrp::PROTOCOL,
            identification: 1,
            payload_length: u16::try_from(message.len()).unwrap(),
        };
        let ethernet = ethernet::Header {
            destination: MacAddress([1, 0, 0x5e, 0, 0, 18]),
            source: MAC,
            ethertype: ethernet::IPV4,
        };
        [
            ethernet.encode().as_slice(),
            header.encode().as_slice(),
            &message,
            &[0; 6],
        ]
        .concat()
    }

    #[test]
    fn adverts_are_told_by_their_sender() {
        for (router, claim) in [
            (Router::Alpha, Claim::At(Priority::DEFAULT)),
            (Router::Beta, Claim::Leaving),
        ] {
            let bytes = frame(configuration::address(router), claim);
            let expected = Sighting::Advert {
                from: router,
                mac: MAC,
                claim,
            };
            assert_eq!(
                understand(&bytes),
                Some(expected),
                "padding is no part of it"
            );
            for length in 0..bytes.len() - 6 {
                assert_eq!(understand(&bytes[..length]), None);
            }
            let mut damaged = bytes.clone();
            damaged[40] ^= 1;
            assert_eq!(understand(&damaged), None, "the checksum is wrong");
        }
        assert_eq!(
            understand(&frame(CLIENT, Claim::Leaving)),
            None,
            "a stranger"
        );
    }

    const CLIENT: Ipv4Addr = configuration::CLIENT_ADDRESS;

    #[test]
    fn announcements_of_other_addresses_mean_nothing() {
        let announce = |address| GratuitousArp { address, mac: MAC }.encode();
        assert_eq!(
            understand(&announce(VIRTUAL_ADDRESS)),
            Some(Sighting::Announcement { mac: MAC })
        );
        assert_eq!(understand(&announce(CLIENT)), None);
    }

    #[test]
    fn ages_are_never_negative() {
        let time = |seconds, nanos| WallTime::new(seconds, nanos);
        assert_eq!(
            age(time(10, 100), time(8, 999_999_900)),
            Duration::from_nanos(1_000_000_200)
        );
        assert_eq!(age(time(8, 0), time(9, 0)), Duration::ZERO);
    }
}
