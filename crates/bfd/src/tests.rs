//! Sessions on a wire that exists in memory only: what one end sends, the other hears, unless the test says otherwise.

mod state_machine;
mod wire_world;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::num::NonZeroU8;
use core::time::Duration;

use types::Instant;
use types::bfd::Port;
use wire::bfd::ControlPacket;

use crate::settings::{MaxHops, Session, Settings};
use crate::{Action, Bfd, Packet, Record, SessionView};

pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1));
pub(crate) const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 2));

/// A session with this neighbour, every 100 ms, down after three.
pub(crate) fn session(name: &str, neighbor: IpAddr) -> Session {
    Session {
        name: name.to_string(),
        neighbor,
        source: None,
        min_rx: ms(100),
        min_tx: ms(100),
        idle_tx: ms(1000),
        multiplier: NonZeroU8::new(3).unwrap(),
        passive: false,
        ttl: NonZeroU8::MAX,
        max_hops: MaxHops::AtMost(0),
        multihop: false,
        to_vrrp: true,
        to_checker: true,
    }
}

/// A core, and what it did that is of no interest to its neighbour.
pub(crate) struct End {
    pub(crate) bfd: Bfd,
    pub(crate) address: IpAddr,
    /// What VRRP was told, in order.
    pub(crate) told: Vec<(String, bool)>,
    /// The lines of the log.
    pub(crate) log: Vec<String>,
    /// What its host was told to keep.
    pub(crate) kept: BTreeMap<String, Record>,
    /// Its sockets can be made.
    pub(crate) sockets: bool,
}

impl End {
    pub(crate) fn new(seed: u64, address: IpAddr) -> Self {
        Self {
            bfd: Bfd::new(seed),
            address,
            told: Vec::new(),
            log: Vec::new(),
            kept: BTreeMap::new(),
            sockets: true,
        }
    }

    /// Carries out what is to be done; returns what it sends.
    pub(crate) fn drain(&mut self, now: Instant) -> Vec<ControlPacket> {
        let mut sent = Vec::new();
        while let Some(action) = self.bfd.poll_action() {
            match action {
                Action::Send(id, bytes) => {
                    sent.push(ControlPacket::decode(&bytes, bytes.len()).unwrap());
                    self.bfd.handle_sent(id, Ok(()));
                }
                Action::Open(id) => {
                    let outcome = if self.sockets {
                        Ok(())
                    } else {
                        Err("no address".to_string())
                    };
                    self.bfd.handle_socket(now, id, outcome);
                }
                Action::Close(_) => {}
                Action::Tell {
                    to: crate::Consumer::Vrrp,
                    name,
                    up,
                } => self.told.push((name, up)),
                Action::Tell { .. } => {}
                Action::Remember(name, Some(record)) => {
                    self.kept.insert(name, *record);
                }
                Action::Remember(name, None) => {
                    self.kept.remove(&name);
                }
                Action::Log(event) => self.log.push(event.to_string()),
            }
        }
        sent
    }

    pub(crate) fn begin(&mut self, now: Instant, sessions: Vec<Session>) -> Vec<ControlPacket> {
        self.bfd.handle_settings(now, Settings { sessions });
        self.drain(now)
    }

    /// It gets a packet.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        from: IpAddr,
        packet: &ControlPacket,
    ) -> Vec<ControlPacket> {
        self.hear_with(now, from, packet, Some(255))
    }

    pub(crate) fn hear_with(
        &mut self,
        now: Instant,
        from: IpAddr,
        packet: &ControlPacket,
        hop_limit: Option<u8>,
    ) -> Vec<ControlPacket> {
        let bytes = packet.encode();
        let packet = Packet {
            port: Port::SingleHop,
            source: SocketAddr::new(from, 50_000),
            destination: self.address,
            hop_limit,
            length: bytes.len(),
            payload: &bytes,
        };
        self.bfd.handle_packet(now, &packet);
        self.drain(now)
    }

    /// The only session.
    pub(crate) fn view(&self) -> SessionView<'_> {
        self.bfd.sessions().next().unwrap()
    }
}

/// Two ends that are up with one another, and the time at which they are.
pub(crate) fn both_up(here: Session, there: Session) -> (End, End, Instant) {
    let mut world = wire_world::World::new(1, vec![here], vec![there]);
    world.run_for(ms(20_000));
    let now = world.now;
    let [a, b] = world.ends;
    assert_eq!(a.view().local_state(), wire::bfd::State::Up);
    assert_eq!(b.view().local_state(), wire::bfd::State::Up);
    (a, b, now)
}
