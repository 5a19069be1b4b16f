//! What nobody sends who means well, and what a neighbour may send that neither keepalived nor bfdd does: from sockets of
//! the scenario's own.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use lab::{Host, Lab, pause};
use sys::clock;
use sys::link_socket::LinkSocket;
use sys::netlink::RouteSocket;
use types::{Family, IfName, Instant, MacAddress};
use wire::checksum::Checksum;
use wire::{ethernet, ipv4};

use crate::common;
use crate::packets::{
    ADMIN_DOWN, BEGIN, Control, DOWN, End, INIT, MULTIHOP, Moment, SINGLE_HOP, UP, Wire, gaps,
};
use crate::world::{Hops, INTERVAL, Program, Speaker, World};

/// A control packet as it is sent, with every field at hand.
#[derive(Clone, Copy, Debug)]
struct Packet {
    version: u8,
    diagnostic: u8,
    state: u8,
    /// Poll 0x20, final 0x10, control plane independent 8, authenticated 4, demand 2, multipoint 1.
    flags: u8,
    multiplier: u8,
    length: u8,
    mine: u32,
    yours: u32,
    min_tx: u32,
    min_rx: u32,
}

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const AUTHENTICATED: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

impl Packet {
    fn new(state: u8, mine: u32, yours: u32) -> Self {
        Self {
            version: 1,
            diagnostic: 0,
            state,
            flags: 0,
            multiplier: 40,
            length: 24,
            mine,
            yours,
            min_tx: INTERVAL * 1000,
            min_rx: INTERVAL * 1000,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![
            self.version << 5 | self.diagnostic,
            self.state << 6 | self.flags,
            self.multiplier,
            self.length,
        ];
        for word in [self.mine, self.yours, self.min_tx, self.min_rx, 0] {
            bytes.extend(word.to_be_bytes());
        }
        bytes
    }
}

/// A frame with a datagram in it, from whom we like.
fn frame(
    to_mac: MacAddress,
    (source, destination): (Ipv4Addr, Ipv4Addr),
    ttl: u8,
    port: u16,
    payload: &[u8],
) -> Result<Vec<u8>> {
    const UDP: u8 = 17;
    const SOURCE_PORT: u16 = 49_999;
    let length = u16::try_from(payload.len() + 8)?;
    let mut datagram = Vec::new();
    // No checksum, which IPv4 allows.
    for number in [SOURCE_PORT, port, length, 0] {
        datagram.extend(number.to_be_bytes());
    }
    datagram.extend(payload);
    let mut header = ipv4::Header {
        source,
        destination,
        ttl,
        protocol: UDP,
        identification: 1,
        payload_length: length,
    }
    .encode();
    let sum = Checksum::new().with(&header).finish();
    let field = header.get_mut(10..12).context("the checksum")?;
    field.copy_from_slice(&sum.to_be_bytes());
    let ethernet = ethernet::Header {
        destination: to_mac,
        source: MacAddress([2, 0, 0, 0, 0, 3]),
        ethertype: ethernet::IPV4,
    };
    Ok([&ethernet.encode()[..], &header, &datagram].concat())
}

/// Sends each of the frames so often from a host, as fast as a busy neighbour would.
fn flood(host: &Host, frames: Vec<Vec<u8>>, rounds: usize) -> Result<()> {
    host.run(move || -> Result<()> {
        let eth0 = RouteSocket::new()?.link(&IfName::new("eth0")?)?;
        let eth0 = eth0.context("eth0")?.index;
        let socket = LinkSocket::new()?;
        for number in 0..rounds {
            for frame in &frames {
                // A full queue is the kernel's way to say "later".
                while socket.send(eth0, frame).is_err() {
                    pause(Duration::from_millis(1));
                }
            }
            if number % 20 == 0 {
                pause(Duration::from_millis(1));
            }
        }
        Ok(())
    })?
}

fn mac(host: &Host) -> Result<MacAddress> {
    host.link("eth0")?.mac.context("a MAC address")
}

/// Packets of all kinds that are none, and packets of strangers, while a session is up: it stays up, what it says does
/// not change, and the log stays readable.
pub(crate) fn bad_packets(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let third = common::host(lab, &world.lan, "c", 3)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let first = Speaker::start(ours, &world.first, &here)?;
    let _peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    let up = wire.now();
    wire.hear_many(End::First, up, 10, |packet| !packet.poll)?;
    let (a, b) = (
        wire.hear_up(End::First, up)?,
        wire.hear_up(End::Second, up)?,
    );
    let (IpAddr::V4(own), IpAddr::V4(neighbour)) = (here.own, here.neighbour) else {
        bail!("an IPv4 world");
    };
    let to = mac(&world.first)?;
    let stranger = Ipv4Addr::new(198, 18, 0, 3);
    // What the neighbour could say to end the session, were it not for one thing each.
    let end = Packet::new(DOWN, b.mine, a.mine);
    let changed = |change: fn(&mut Packet)| {
        let mut packet = end;
        change(&mut packet);
        packet.bytes()
    };
    let mut frames = Vec::new();
    let mut add = |from: Ipv4Addr, ttl: u8, port: u16, payload: &[u8]| -> Result<()> {
        frames.push(frame(to, (from, own), ttl, port, payload)?);
        Ok(())
    };
    for ttl in [254, 128, 64, 1] {
        add(neighbour, ttl, SINGLE_HOP, &end.bytes())?;
    }
    for payload in [
        changed(|packet| packet.yours ^= 1),
        changed(|packet| packet.yours = 0xffff_ffff),
        // Only Down and AdminDown may come from one who knows nobody.
        changed(|packet| (packet.yours, packet.state) = (0, UP)),
        changed(|packet| (packet.yours, packet.state) = (0, INIT)),
        changed(|packet| packet.version = 0),
        changed(|packet| packet.version = 2),
        changed(|packet| packet.length = 23),
        changed(|packet| packet.length = 25),
        changed(|packet| packet.length = 255),
        changed(|packet| packet.multiplier = 0),
        changed(|packet| packet.mine = 0),
        changed(|packet| packet.flags = POLL | FINAL),
        changed(|packet| packet.flags = AUTHENTICATED),
        changed(|packet| packet.flags = MULTIPOINT),
        changed(|packet| packet.diagnostic = 9),
        changed(|packet| packet.diagnostic = 31),
        end.bytes().get(..23).context("a part")?.to_vec(),
        [end.bytes(), vec![0]].concat(),
        // Our own, reflected: it names somebody else's session.
        Packet::new(UP, a.mine, b.mine).bytes(),
        Vec::new(),
    ] {
        add(neighbour, 255, SINGLE_HOP, &payload)?;
    }
    // From somewhere else, who does not know our discriminator.
    for state in [ADMIN_DOWN, DOWN] {
        add(stranger, 255, SINGLE_HOP, &Packet::new(state, 7, 0).bytes())?;
        add(stranger, 255, MULTIHOP, &Packet::new(state, 7, 0).bytes())?;
        // The right one, at the port of another kind of session.
        add(neighbour, 255, MULTIHOP, &Packet::new(state, 7, 0).bytes())?;
    }
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    for length in 0..100 {
        let noise: Vec<u8> = (0..length)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed.to_be_bytes()[0]
            })
            .collect();
        for port in [SINGLE_HOP, MULTIHOP] {
            add(neighbour, 255, port, &noise)?;
            add(stranger, 255, port, &noise)?;
        }
    }
    let (from, lines) = (wire.now(), first.output().lines().count());
    let count = frames.len();
    let begin = clock::now();
    flood(&third, frames, 60)?;
    let took = clock::now().since(begin);
    println!("{count} kinds of packets, 60 times each, in {took:?}");
    let after = wire.now();
    wire.hear_many(End::First, after, 50, |_| true)?;
    wire.stayed_up(End::First, from)?;
    wire.stayed_up(End::Second, from)?;
    let said = wire.said(End::First, from);
    let other = said
        .iter()
        .find(|packet| (packet.mine, packet.yours) != (a.mine, b.mine) || packet.is_final);
    ensure!(other.is_none(), "{other:?}");
    first.logs("(B) Entering Up state", 1)?;
    if ours == Program::Evervip {
        first.says_one_of(&["Discarding packet from ["])?;
        let more = first.output().lines().count() - lines;
        ensure!(more < 20, "{more} lines");
    }
    Ok(())
}

/// A neighbour on sockets of ours.
struct Neighbour {
    hears: UdpSocket,
    speaks: UdpSocket,
    to: SocketAddr,
    state: u8,
    mine: u32,
    yours: u32,
    /// Sent with each packet.
    flags: u8,
    sent: Instant,
}

impl Neighbour {
    fn new(host: &Host, own: IpAddr, to: IpAddr) -> Result<Self> {
        let (hears, speaks) = host.run(move || -> Result<_> {
            let hears = UdpSocket::bind((own, SINGLE_HOP))?;
            hears.set_read_timeout(Some(Duration::from_millis(5)))?;
            let speaks = UdpSocket::bind((own, 50_000))?;
            speaks.set_ttl(255)?;
            Ok((hears, speaks))
        })??;
        Ok(Self {
            hears,
            speaks,
            to: SocketAddr::new(to, SINGLE_HOP),
            state: DOWN,
            mine: 0x1234_5678,
            yours: 0,
            flags: 0,
            sent: clock::now(),
        })
    }

    fn send(&mut self, flags: u8) -> Result<()> {
        let mut packet = Packet::new(self.state, self.mine, self.yours);
        packet.flags = self.flags | flags;
        match self.speaks.send_to(&packet.bytes(), self.to) {
            // Nobody listened to the one before.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            sent => drop(sent?),
        }
        self.sent = clock::now();
        Ok(())
    }

    /// Speaks and answers, until something holds.
    fn live_until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) -> Result<()> {
        let deadline = clock::now() + common::SOON;
        while !done(self) {
            ensure!(clock::now() < deadline, "this did not happen: {what}");
            self.live()?;
        }
        Ok(())
    }

    fn live(&mut self) -> Result<()> {
        let mut buffer = [0; 64];
        match self.hears.recv(&mut buffer) {
            Ok(24) => self.hear(&buffer)?,
            Ok(length) => bail!("a packet of {length} bytes"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if clock::now().since(self.sent) > Duration::from_millis(u64::from(INTERVAL) * 8 / 10) {
            self.send(0)?;
        }
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8; 64]) -> Result<()> {
        let [_, flags, _, _, d0, d1, d2, d3, ..] = *bytes;
        self.yours = u32::from_be_bytes([d0, d1, d2, d3]);
        self.state = match (self.state, flags >> 6) {
            (DOWN, DOWN) => INIT,
            (DOWN, INIT) | (INIT, INIT | UP) => UP,
            (UP, DOWN) => DOWN,
            (state, _) => state,
        };
        if flags & POLL != 0 {
            self.send(FINAL)?;
        }
        Ok(())
    }
}

/// A neighbour that asks for silence gets it while both are up (RFC 5880 6.6), and answers to what it asks.
pub(crate) fn demand(lab: &Lab, ours: Program, _: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, _) = world.sessions()?;
    let first = Speaker::start(ours, &world.first, &here)?;
    let mut peer = Neighbour::new(&world.second, here.neighbour, here.own)?;
    let count = |wire: &Wire, from: Moment| wire.said(End::First, from).len();
    let settle = |packet: &Control| packet.state == UP && !packet.poll && !packet.is_final;
    peer.live_until("both are up, and nothing is asked any more", |peer| {
        peer.state == UP
            && wire
                .said(End::First, BEGIN)
                .iter()
                .filter(|said| settle(said))
                .count()
                > 10
    })?;
    first.logs("(B) Entering Up state", 1)?;
    // Silence, for as long as it is asked for.
    peer.flags = DEMAND;
    peer.send(0)?;
    let spoken =
        |wire: &Wire, from: Moment, packets: usize| wire.said(End::Second, from).len() >= packets;
    // One may be under way.
    let asked = wire.now();
    peer.live_until("it is heard", |_| spoken(&wire, asked, 3))?;
    let quiet = wire.now();
    peer.live_until("a while passes", |_| spoken(&wire, quiet, 60))?;
    let said = wire.said(End::First, quiet);
    ensure!(said.is_empty(), "not silent: {said:?}");
    // A question is answered, and that is all.
    for _ in 0..3 {
        let from = wire.now();
        peer.send(POLL)?;
        peer.live_until("an answer", |_| count(&wire, from) > 0)?;
        peer.live_until("a while passes", |_| spoken(&wire, from, 10))?;
        let said = wire.said(End::First, from);
        ensure!(
            said.len() == 1 && said.iter().all(|packet| packet.is_final && !packet.poll),
            "{said:?}"
        );
    }
    // And when it is not asked for any more, all is as before.
    peer.flags = 0;
    let from = wire.now();
    peer.live_until("it speaks again", |_| count(&wire, from) >= 20)?;
    let gaps = gaps(&wire.said(End::First, from));
    let longest = gaps.iter().max().copied().unwrap_or_default();
    println!("the longest silence then: {longest:?}");
    wire.stayed_up(End::First, asked)?;
    first.logs("(B) Entering Up state", 1)?;
    // Nor does it keep a session up that is lost.
    peer.flags = DEMAND;
    peer.live_until("it is heard", |_| spoken(&wire, from, 30))?;
    first.logs(
        "(B) Entering Down state (Local diagnostic - Control Detection Time Expired",
        1,
    )?;
    // keepalived says so to itself only.
    if ours == Program::Evervip {
        let down = wire.hear(End::First, from, "Down", |packet| packet.state == DOWN)?;
        ensure!(down.diagnostic == crate::packets::EXPIRED, "{down:?}");
    }
    Ok(())
}
