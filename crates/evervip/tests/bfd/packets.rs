//! Control packets on the wire: recognised here, byte by byte and without evervip's own decoder, and judged by tshark.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use lab::{Capture, Direction, Frame, tshark};
use sys::clock::WallTime;
use wire::ethernet;

use crate::common::SOON;
use crate::common::packets::since;

/// States as the packet has them.
pub(crate) const ADMIN_DOWN: u8 = 0;
pub(crate) const DOWN: u8 = 1;
pub(crate) const INIT: u8 = 2;
pub(crate) const UP: u8 = 3;

/// Diagnostics as the packet has them (RFC 5880 4.1).
pub(crate) const EXPIRED: u8 = 1;
pub(crate) const NEIGHBOUR_DOWN: u8 = 3;

pub(crate) const SINGLE_HOP: u16 = 3784;
pub(crate) const MULTIHOP: u16 = 4784;

/// A control packet, and how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) at: WallTime,
    pub(crate) direction: Direction,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) ttl: u8,
    pub(crate) diagnostic: u8,
    pub(crate) state: u8,
    pub(crate) poll: bool,
    pub(crate) is_final: bool,
    pub(crate) demand: bool,
    pub(crate) multiplier: u8,
    pub(crate) mine: u32,
    pub(crate) yours: u32,
    /// Microseconds.
    pub(crate) min_tx: u32,
    pub(crate) min_rx: u32,
}

/// The control packet that a frame carries, if it does: of version 1, without anything behind its 24 bytes.
pub(crate) fn control(frame: &Frame) -> Option<Control> {
    const UDP: u8 = 17;
    let (header, packet) = ethernet::Header::parse(&frame.bytes)?;
    let (source, destination, ttl, datagram) = match header.ethertype {
        ethernet::IPV4 => {
            let parsed = wire::ipv4::Datagram::parse(packet)?;
            if parsed.header.protocol != UDP {
                return None;
            }
            let payload = parsed
                .payload
                .get(..usize::from(parsed.header.payload_length))?;
            let header = parsed.header;
            (
                IpAddr::V4(header.source),
                IpAddr::V4(header.destination),
                header.ttl,
                payload,
            )
        }
        ethernet::IPV6 => {
            let (header, payload) = wire::ipv6::Header::parse(packet)?;
            if header.next_header != UDP {
                return None;
            }
            (
                IpAddr::V6(header.source),
                IpAddr::V6(header.destination),
                header.hop_limit,
                payload,
            )
        }
        _ => return None,
    };
    // A source port, a destination port, a length, a checksum.
    let (&[s0, s1, d0, d1, ..], bytes) = datagram.split_first_chunk::<8>()?;
    let port = u16::from_be_bytes([d0, d1]);
    if ![SINGLE_HOP, MULTIHOP].contains(&port) {
        return None;
    }
    let (&[head, flags, multiplier, length], words) = bytes.split_first_chunk::<4>()?;
    if head >> 5 != 1 || length != 24 || words.len() != 20 {
        return None;
    }
    let mut words = words.chunks_exact(4).map(|word| {
        let word: [u8; 4] = word.try_into().unwrap_or_default();
        u32::from_be_bytes(word)
    });
    Some(Control {
        at: frame.at,
        direction: frame.direction,
        from: SocketAddr::new(source, u16::from_be_bytes([s0, s1])),
        to: SocketAddr::new(destination, port),
        ttl,
        diagnostic: head & 0x1f,
        state: flags >> 6,
        poll: flags & 0x20 != 0,
        is_final: flags & 0x10 != 0,
        demand: flags & 0x02 != 0,
        multiplier,
        mine: words.next()?,
        yours: words.next()?,
        min_tx: words.next()?,
        min_rx: words.next()?,
    })
}

/// What passes the second host of a world, as a conversation.
pub(crate) struct Wire {
    pub(crate) capture: Capture,
}

/// Which of the two speaks. The wire is tapped at the second host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The first host, where the program under test runs.
    First,
    Second,
}

impl End {
    fn direction(self) -> Direction {
        match self {
            Self::First => Direction::In,
            Self::Second => Direction::Out,
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// From when on packets count: the kernel's time of them decides, for the capture may be behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Frames that need not be looked at.
    pub(crate) count: usize,
    at: Option<WallTime>,
}

/// When the capture began.
pub(crate) const BEGIN: Moment = Moment { count: 0, at: None };

impl Moment {
    fn is_before(&self, frame: &Frame) -> bool {
        self.at.is_none_or(|at| at <= frame.at)
    }
}

impl Wire {
    /// The present.
    pub(crate) fn now(&self) -> Moment {
        Moment {
            count: self.capture.count(),
            at: Some(sys::clock::wall()),
        }
    }

    /// What one end has said since a moment.
    pub(crate) fn said(&self, end: End, since: Moment) -> Vec<Control> {
        let frames = self.capture.frames_since(since.count);
        let frames = frames.iter().filter(|frame| since.is_before(frame));
        frames
            .filter_map(control)
            .filter(|packet| packet.direction == end.direction())
            .collect()
    }

    /// The first packet of one end since a moment, or to come, for which something holds.
    pub(crate) fn hear(
        &self,
        end: End,
        since: Moment,
        what: &str,
        wanted: impl Fn(&Control) -> bool,
    ) -> Result<Control> {
        let what = format!("{what} from the {end:?} host");
        let fits = |frame: &Frame| {
            control(frame).filter(|packet| {
                since.is_before(frame) && packet.direction == end.direction() && wanted(packet)
            })
        };
        let frame = self
            .capture
            .wait_for_since(since.count, &what, SOON, |frame| fits(frame).is_some())?;
        fits(&frame).context("a control packet")
    }

    /// Waits until one end says that the session is up, and gives that packet.
    pub(crate) fn hear_up(&self, end: End, since: Moment) -> Result<Control> {
        self.hear(end, since, "Up", |packet| packet.state == UP)
    }

    /// Waits until both say so.
    pub(crate) fn both_up(&self, since: Moment) -> Result<()> {
        self.hear_up(End::First, since)?;
        self.hear_up(End::Second, since)?;
        Ok(())
    }

    /// Waits until one end has sent so many packets since a moment for which something holds.
    pub(crate) fn hear_many(
        &self,
        end: End,
        since: Moment,
        count: usize,
        wanted: impl Fn(&Control) -> bool,
    ) -> Result<Vec<Control>> {
        let fitting = || {
            let mut said = self.said(end, since);
            said.retain(|packet| wanted(packet));
            said
        };
        let what = format!("{count} packets of the {end:?} host");
        lab::wait_until(SOON * 2, &what, || fitting().len() >= count)?;
        Ok(fitting())
    }

    /// No packet of one end since a moment says anything but Up.
    pub(crate) fn stayed_up(&self, end: End, since: Moment) -> Result<()> {
        let said = self.said(end, since);
        ensure!(!said.is_empty(), "the {end:?} host was silent");
        let other = said.iter().find(|packet| packet.state != UP);
        ensure!(
            other.is_none(),
            "the {end:?} host did not stay up: {other:?}"
        );
        Ok(())
    }
}

/// What packets of one sender are to look like to Wireshark, whatever state they speak of.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) source: IpAddr,
    pub(crate) port: u16,
    pub(crate) ttl: u8,
    pub(crate) multiplier: u8,
    /// Microseconds.
    pub(crate) idle_tx: u32,
    pub(crate) min_tx: u32,
    pub(crate) min_rx: u32,
    /// The lowest source port.
    pub(crate) lowest_port: u16,
}

/// Has tshark look at all control packets of a sender.
pub(crate) fn judge(capture: &Capture, file: &Path, form: &Form) -> Result<()> {
    capture.write_pcap(file)?;
    let address = match form.source {
        IpAddr::V4(address) => format!("ip.src == {address}"),
        IpAddr::V6(address) => format!("ipv6.src == {address}"),
    };
    // By ports as well: a datagram that the dissector does not take for BFD is to be seen here.
    let filter = format!(
        "{address} && !icmp && !icmpv6 && (bfd || udp.dstport == {SINGLE_HOP} || udp.dstport == {MULTIHOP})"
    );
    let fields = [
        "frame.number",
        "_ws.malformed",
        "udp.dstport",
        "udp.length",
        "bfd.version",
        "bfd.message_length",
        "bfd.detect_time_multiplier",
        "bfd.required_min_rx_interval",
        "bfd.required_min_echo_interval",
        "bfd.flags.c",
        "bfd.flags.a",
        "bfd.flags.d",
        "bfd.flags.m",
        "udp.srcport",
        "ip.ttl",
        "ipv6.hlim",
        "bfd.sta",
        "bfd.desired_min_tx_interval",
        "bfd.my_discriminator",
        "bfd.flags",
    ];
    let rows = tshark(file, &filter, &fields)?;
    ensure!(!rows.is_empty(), "no packet of {}", form.source);
    let expected = [
        String::new(),
        form.port.to_string(),
        "32".to_owned(),
        "1".to_owned(),
        "24".to_owned(),
        form.multiplier.to_string(),
        form.min_rx.to_string(),
        "0".to_owned(),
        "0".to_owned(),
        "0".to_owned(),
        "0".to_owned(),
        "0".to_owned(),
    ];
    let mut ports = BTreeSet::new();
    for row in &rows {
        let [number, rest @ ..] = row.as_slice() else {
            bail!("tshark leaves fields out: {row:?}");
        };
        let (same, own) = rest.split_at(expected.len());
        let same: Vec<String> = same.iter().map(|value| plain(value)).collect();
        ensure!(
            same == expected,
            "frame {number}: {same:?} where {expected:?} was expected"
        );
        let [source, v4, v6, state, min_tx, discriminator, flags] = own else {
            bail!("tshark leaves fields out: {row:?}");
        };
        ensure!(
            format!("{v4}{v6}") == form.ttl.to_string(),
            "frame {number}: TTL {v4}{v6}, not {}",
            form.ttl
        );
        let wanted = if state == "0x03" {
            form.min_tx
        } else {
            form.idle_tx
        };
        ensure!(
            min_tx == &wanted.to_string(),
            "frame {number}: state {state} with {min_tx} us"
        );
        ensure!(discriminator != "0x00000000", "frame {number}");
        let both = ["0x30", "0x70", "0xb0", "0xf0"].contains(&flags.as_str());
        ensure!(!both, "frame {number}: poll and final: {flags}");
        ports.insert(source.parse::<u16>()?);
    }
    let lowest = ports.first().copied().unwrap_or_default();
    ensure!(
        ports.len() == 1 && lowest >= form.lowest_port,
        "source ports {ports:?}"
    );
    Ok(())
}

/// What newer versions of Wireshark write as words.
fn plain(value: &str) -> String {
    match value {
        "False" => "0".to_owned(),
        "True" => "1".to_owned(),
        other => other.to_owned(),
    }
}

/// The times between packets that follow one another.
pub(crate) fn gaps(packets: &[Control]) -> Vec<Duration> {
    packets
        .iter()
        .zip(packets.iter().skip(1))
        .map(|(one, next)| since(next.at, one.at))
        .collect()
}
