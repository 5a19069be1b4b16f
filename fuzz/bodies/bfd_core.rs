//! Bytes that drive a BFD core: settings, packets, time, sockets, in any order.
//!
//! A body, not a test: the fuzz target and `crates/bfd/tests/fuzz_corpus.rs` include it. The core must never panic, never ask
//! for a deadline that does not pass, and never ask for endless work; what it sends must be well-formed and be what it shows; who
//! goes by its sessions must know of each that is up.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::Discriminant;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use bfd::settings::{MaxHops, Session};
use bfd::{Action, Bfd, Consumer, Event, Packet, Record, Refusal, SessionId, Settings};
use types::Instant;
use types::bfd::Port;
use wire::bfd::{ControlPacket, Diagnostic, State};

/// Sessions that an input can name.
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Nothing is asked for more often than this by one input: two packets, what is told of them, and their lines, for each session
/// that is or was there.
const MOST_ACTIONS: usize = 60;

/// The bytes of an input, zeroes after their end.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// From a microsecond to half an hour, or nothing.
    fn interval(&mut self) -> Duration {
        Duration::from_micros(match self.next() {
            0 => 0,
            byte => u64::from(byte % 8 + 1) << (byte / 8),
        })
    }
}

/// A core, and what is known of it outside.
struct Host {
    bfd: Bfd,
    now: Instant,
    /// What was told of each session, by its name.
    told: BTreeMap<String, bool>,
    /// What a successor would go on with.
    kept: BTreeMap<String, Box<Record>>,
    /// Sessions that have a socket.
    open: BTreeSet<SessionId>,
    /// When the last line about a refused packet was written.
    refused_at: Vec<(Discriminant<Refusal>, Instant)>,
    /// Sockets cannot be made, packets cannot be sent.
    no_socket: bool,
    no_route: bool,
}

/// One input.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut host = Host {
        bfd: Bfd::new(bytes.next().into()),
        now: Instant::from_nanos(1),
        told: BTreeMap::new(),
        kept: BTreeMap::new(),
        open: BTreeSet::new(),
        refused_at: Vec::new(),
        no_socket: false,
        no_route: false,
    };
    host.bfd.handle_settings(host.now, settings(&mut bytes));
    host.drain();
    // Each step takes a byte, so the input bounds the loop.
    while !bytes.0.is_empty() {
        host.step(&mut bytes);
        host.drain();
        host.check();
    }
}

impl Host {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.next() % 8 {
            0 => {
                let time = bytes.interval();
                self.wait(time);
            }
            1 | 2 => {
                if let Some(deadline) = self.bfd.next_deadline() {
                    self.wait(deadline.since(self.now));
                }
            }
            3..=5 => self.hear(bytes),
            6 => match bytes.next() % 4 {
                0 => self.no_socket = !self.no_socket,
                1 => self.no_route = !self.no_route,
                2 => self.bfd.handle_consumer(Consumer::Checker),
                _ => self.bfd.handle_consumer(Consumer::Vrrp),
            },
            _ => self.bfd.handle_settings(self.now, settings(bytes)),
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.bfd.handle_timeout(self.now);
        let next = self.bfd.next_deadline();
        assert!(next.is_none_or(|at| at > self.now), "what is due is done");
    }

    /// A packet for a session, more or less as its neighbour would send it.
    fn hear(&mut self, bytes: &mut Bytes<'_>) {
        let [whose, state, flags] = [bytes.next(), bytes.next(), bytes.next()];
        let at = usize::from(whose) % NAMES.len();
        let Some(session) = self.bfd.sessions().nth(at) else {
            return;
        };
        let has = |bit: u8| flags & bit != 0;
        let packet = ControlPacket {
            diagnostic: Diagnostic::ALL[usize::from(state / 4) % 9],
            state: State::ALL[usize::from(state % 4)],
            poll: has(1),
            is_final: has(2),
            control_plane_independent: false,
            authenticated: has(4) && has(8),
            demand: has(16),
            multiplier: NonZeroU8::new(bytes.next()).unwrap_or(NonZeroU8::MIN),
            my_discriminator: NonZeroU32::new(u32::from(whose)).unwrap_or(NonZeroU32::MIN),
            your_discriminator: match has(32) {
                true => 0,
                false => session.local_discriminator(),
            },
            desired_min_tx: bytes.interval(),
            required_min_rx: bytes.interval(),
            required_min_echo_rx: Duration::ZERO,
        };
        let mut payload = packet.encode();
        if has(64) {
            payload[usize::from(bytes.next()) % payload.len()] ^= bytes.next();
        }
        let settings = session.settings();
        let anybody = match settings.neighbor {
            IpAddr::V4(_) => IpAddr::from([192, 0, 2, 200]),
            IpAddr::V6(_) => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 200]),
        };
        let packet = Packet {
            port: match settings.multihop {
                true => Port::MultiHop,
                false => Port::SingleHop,
            },
            source: SocketAddr::new(settings.neighbor, 50_000),
            destination: settings.source.unwrap_or(anybody),
            hop_limit: match has(128) {
                true => Some(bytes.next()),
                false => Some(255),
            },
            length: payload.len(),
            payload: &payload,
        };
        self.bfd.handle_packet(self.now, &packet);
    }

    fn drain(&mut self) {
        let mut last_sent = BTreeMap::new();
        let mut actions = 0;
        while let Some(action) = self.bfd.poll_action() {
            actions += 1;
            assert!(actions <= MOST_ACTIONS, "endless: {action:?}");
            match action {
                Action::Open(id) => {
                    assert!(self.bfd.settings(id).is_some(), "a session of that number");
                    let outcome = if self.no_socket {
                        self.open.remove(&id);
                        Err("no socket".to_owned())
                    } else {
                        self.open.insert(id);
                        Ok(())
                    };
                    self.bfd.handle_socket(self.now, id, outcome);
                }
                Action::Close(id) => {
                    assert!(self.bfd.settings(id).is_none(), "the session is gone");
                    self.open.remove(&id);
                }
                Action::Send(id, bytes) => {
                    assert!(self.open.contains(&id), "there is a socket");
                    let packet = ControlPacket::decode(&bytes, bytes.len());
                    let packet = packet.expect("what we send is well-formed");
                    assert!(!packet.authenticated && !packet.demand);
                    last_sent.insert(id, packet);
                    let outcome = match self.no_route {
                        true => Err("no route".to_owned()),
                        false => Ok(()),
                    };
                    self.bfd.handle_sent(id, outcome);
                }
                Action::Tell { to, name, up } => {
                    let sessions = self.bfd.sessions();
                    let settings = sessions.map(|session| session.settings());
                    let mut wanting = settings.filter(|settings| settings.name == name);
                    let settings = wanting.next().expect("a session of that name");
                    assert!(match to {
                        Consumer::Vrrp => settings.to_vrrp,
                        Consumer::Checker => settings.to_checker,
                    });
                    self.told.insert(name, up);
                }
                Action::Remember(name, record) => {
                    assert_ne!(record, self.kept.get(&name).cloned(), "it is news");
                    match record {
                        Some(record) => self.kept.insert(name, record),
                        None => self.kept.remove(&name),
                    };
                }
                Action::Log(event) => self.line(&event),
                other => panic!("{other:?} is new here"),
            }
        }
        for session in self.bfd.sessions() {
            if let Some(packet) = last_sent.get(&session.id()) {
                let mine = packet.my_discriminator.get();
                assert_eq!(mine, session.local_discriminator());
                assert_eq!(packet.state, session.local_state());
                assert_eq!(packet.diagnostic, session.local_diagnostic());
                assert_eq!(packet.your_discriminator, session.remote_discriminator());
            }
        }
    }

    fn line(&mut self, event: &Event) {
        let line = event.to_string();
        assert!(!line.is_empty() && !line.contains(char::is_control));
        if let Event::Refused { reason, .. } = event {
            let kind = std::mem::discriminant(reason);
            let last = self.refused_at.iter().position(|(of, _)| *of == kind);
            let last = last.map(|at| self.refused_at.swap_remove(at).1);
            self.refused_at.push((kind, self.now));
            let quiet = last.map(|at| self.now.since(at));
            assert!(quiet.is_none_or(|quiet| quiet >= Duration::from_secs(1)));
        }
    }

    /// What is true whatever happened.
    fn check(&self) {
        for name in self.kept.keys() {
            let mut sessions = self.bfd.sessions();
            assert!(sessions.any(|session| session.settings().name == *name));
        }
        let mut discriminators = BTreeSet::from([0]);
        for session in self.bfd.sessions() {
            let settings = session.settings();
            if session.local_state() == State::Up {
                assert!(self.kept.contains_key(&settings.name), "it is recorded");
            }
            let mine = session.local_discriminator();
            assert!(discriminators.insert(mine), "{mine:#x} twice, or 0");
            let is_up = session.local_state() == State::Up;
            if (settings.to_vrrp || settings.to_checker) && is_up {
                assert_eq!(self.told.get(&settings.name), Some(&true));
            }
            let is_heard = matches!(session.local_state(), State::Init | State::Up);
            assert_eq!(session.expires_at().is_some(), is_heard);
            if !self.open.contains(&session.id()) {
                assert_eq!(session.local_state(), State::AdminDown);
                assert_eq!(session.transmits_at(), None);
                assert!(session.opens_at().is_some(), "it is tried again");
            }
            // RFC 5880 section 6.8.1, bfd.RemoteDiscr: it is forgotten some day.
            if session.local_state() == State::Down && session.remote_discriminator() != 0 {
                assert!(session.forgets_at().is_some(), "{session:?}");
            }
        }
    }
}

/// Sessions as the configuration would let them through.
fn settings(bytes: &mut Bytes<'_>) -> Settings {
    let which = bytes.next();
    let sessions = (0..)
        .zip(NAMES)
        .filter(|(bit, _)| which >> bit & 1 == 0)
        .map(|(number, name)| session(number, name, bytes))
        .collect();
    Settings { sessions }
}

fn session(number: u8, name: &str, bytes: &mut Bytes<'_>) -> Session {
    let [what, hops] = [bytes.next(), bytes.next()];
    let has = |bit: u8| what & bit != 0;
    let at_least = |least: Duration, interval: Duration| interval.max(least);
    Session {
        name: name.to_owned(),
        neighbor: match has(1) {
            true => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number)]),
            false => IpAddr::from([192, 0, 2, number]),
        },
        source: match (has(2), has(1)) {
            (false, _) => None,
            (true, true) => Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 100])),
            (true, false) => Some(IpAddr::from([192, 0, 2, 100])),
        },
        min_rx: at_least(Duration::from_micros(1), bytes.interval()),
        min_tx: at_least(Duration::from_micros(1), bytes.interval()),
        idle_tx: at_least(Duration::from_secs(1), bytes.interval()),
        multiplier: NonZeroU8::new(bytes.next()).unwrap_or(NonZeroU8::MIN),
        passive: has(4),
        ttl: match has(64) {
            true => NonZeroU8::MIN,
            false => NonZeroU8::MAX,
        },
        max_hops: match hops {
            0..=200 if !has(64) => MaxHops::AtMost(hops),
            _ => MaxHops::Unlimited,
        },
        multihop: has(8),
        to_vrrp: !has(16),
        to_checker: !has(32),
    }
}
