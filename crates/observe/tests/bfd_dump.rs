//! `keepalived_bfd.data` beside the file that Debian's keepalived 2.2.7 wrote of the same configuration, when another
//! keepalived and neighbours made up for it had brought its sessions into all kinds of states.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use bfd::{Action, Bfd, Packet, SessionId, SessionView};
use config::Settings;
use evervip_observe::{BfdContext, WallClock, bfd_data};
use types::Instant;
use types::bfd::Port;
use wire::bfd::{ControlPacket, Diagnostic, State};

use common::{differences, settings};

const CONFIGURATION: &str = include_str!("bfd_data/everything.conf");
const KEEPALIVED: &str = include_str!("bfd_data/keepalived-2.2.7.data");

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn at(milliseconds: u64) -> Instant {
    Instant::ZERO + ms(milliseconds)
}

/// A core, and what is done for it.
struct Machine {
    settings: Settings,
    bfd: Bfd,
    /// Packets of these sessions cannot be sent.
    unroutable: &'static [&'static str],
    /// These have no socket.
    homeless: &'static [&'static str],
}

/// What a neighbour says if it says nothing else.
fn packet(state: State, multiplier: u8, min_tx: Duration, min_rx: Duration) -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        authenticated: false,
        demand: false,
        multiplier: NonZeroU8::new(multiplier).unwrap(),
        my_discriminator: NonZeroU32::new(0x0101_0100).unwrap(),
        your_discriminator: 0,
        desired_min_tx: min_tx,
        required_min_rx: min_rx,
        required_min_echo_rx: Duration::ZERO,
    }
}

impl Machine {
    fn start(
        text: &'static str,
        unroutable: &'static [&'static str],
        homeless: &'static [&'static str],
    ) -> Self {
        let settings = settings(text);
        let mut machine = Self {
            bfd: Bfd::new(1),
            unroutable,
            homeless,
            settings,
        };
        machine
            .bfd
            .handle_settings(Instant::ZERO, machine.settings.bfd.clone());
        machine.drain(Instant::ZERO);
        machine
    }

    fn drain(&mut self, now: Instant) {
        while let Some(action) = self.bfd.poll_action() {
            let among = |bfd: &Bfd, id: SessionId, names: &[&str]| {
                names.contains(&bfd.settings(id).unwrap().name.as_str())
            };
            match action {
                Action::Open(id) => {
                    let outcome = match among(&self.bfd, id, self.homeless) {
                        true => Err("no such address here".into()),
                        false => Ok(()),
                    };
                    self.bfd.handle_socket(now, id, outcome);
                }
                Action::Send(id, _) => {
                    let outcome = match among(&self.bfd, id, self.unroutable) {
                        true => Err("no route".into()),
                        false => Ok(()),
                    };
                    self.bfd.handle_sent(id, outcome);
                }
                _ => {}
            }
        }
    }

    fn session(&self, name: &str) -> SessionView<'_> {
        let mut all = self.bfd.sessions();
        all.find(|session| session.settings().name == name).unwrap()
    }

    /// A session's neighbour says something, and knows our discriminator if it is further than Down.
    fn hear(&mut self, now: Instant, name: &str, packet: ControlPacket) {
        self.hear_at(now, Port::SingleHop, name, packet);
    }

    fn hear_at(&mut self, now: Instant, port: Port, name: &str, packet: ControlPacket) {
        self.bfd.handle_timeout(now);
        self.drain(now);
        let session = self.session(name);
        let settings = session.settings();
        let your_discriminator = match packet.state {
            State::Down => 0,
            _ => session.local_discriminator(),
        };
        let here: IpAddr = "192.0.2.200".parse().unwrap();
        let (source, destination) = (settings.neighbor, settings.source.unwrap_or(here));
        let payload = ControlPacket {
            your_discriminator,
            ..packet
        }
        .encode();
        self.bfd.handle_packet(
            now,
            &Packet {
                port,
                source: SocketAddr::new(source, 49152),
                destination,
                hop_limit: Some(255),
                length: payload.len(),
                payload: &payload,
            },
        );
        self.drain(now);
    }

    /// It comes up and answers the poll.
    fn bring_up(&mut self, now: Instant, name: &str, up: ControlPacket) {
        let second = Duration::from_secs(1);
        let multiplier = up.multiplier.get();
        let down = packet(State::Down, multiplier, second, up.required_min_rx);
        self.hear(now, name, down);
        self.hear(
            now,
            name,
            ControlPacket {
                is_final: true,
                ..up
            },
        );
        self.hear(
            now,
            name,
            ControlPacket {
                is_final: true,
                ..up
            },
        );
    }

    fn dump(&self, now: Instant) -> String {
        let senders = (10..)
            .zip(self.bfd.sessions())
            .filter(|(_, session)| session.opens_at().is_none())
            .map(|(descriptor, session)| (session.id(), descriptor));
        bfd_data(
            &self.bfd,
            &BfdContext {
                clock: WallClock {
                    now,
                    unix_nanos: 1_700_000_000_000_000_000 + i128::from(now.as_nanos()),
                },
                settings: &self.settings,
                host_name: "alpha",
                calendar: |seconds| format!("Tue Nov 14 22:13:{:02} 2023", seconds - 1_699_999_980),
                receivers: &BTreeMap::from([(Port::SingleHop, 8)]),
                senders: &senders.collect(),
            },
        )
    }
}

/// Discriminators, descriptors and moments are another one each time; addresses of memory are nobody's.
fn masked(text: &str) -> String {
    let mask = |line: &str| {
        let moment = |value: &str| value.starts_with(|c: char| c.is_ascii_digit());
        match line.split_once(" = ") {
            Some((label, "0x0")) if label.ends_with(" discriminator") => line.to_owned(),
            Some((label, _)) if label.ends_with(" discriminator") => format!("{label} = #"),
            Some((label, value)) if label.contains("fd_in") && moment(value) => {
                format!("{label} = #")
            }
            Some((label, value)) if label.contains(" seen") || label.contains(" sands_") => {
                match moment(value) {
                    true => format!("{label} = MOMENT"),
                    false => line.to_owned(),
                }
            }
            _ => match line.strip_prefix("   fd_out ") {
                Some(value) if moment(value) => "   fd_out #".to_owned(),
                _ => line.to_owned(),
            },
        }
    };
    text.lines()
        .filter(|line| !line.trim_start().starts_with("thread_"))
        .map(|line| mask(line) + "\n")
        .collect()
}

/// The lines that differ, and why:
/// - Of the global section: what only VRRP goes by is in `keepalived.data`, and 2.4.3 has lines that 2.2.7 has not.
/// - 2.4.3 has two receiving sockets.
/// - Timers that run say when they go off, that of a socket that is tried again among them.
/// - 255 times 40 s is more microseconds than keepalived's 32 bits hold.
/// - Who is not heard any more is forgotten at once, not a detection time later (RFC 5880 section 6.8.1).
/// - A session that is down asks nobody to confirm anything, and the other end's detection time is that of the intervals that
///   count now.
#[test]
fn beside_keepalived() {
    let mut machine = Machine::start(CONFIGURATION, &["unroutable"], &["homeless"]);
    let now = at(100);
    let up = |multiplier, min_tx, min_rx| packet(State::Up, multiplier, ms(min_tx), ms(min_rx));
    machine.bring_up(
        now,
        "lost",
        ControlPacket {
            diagnostic: Diagnostic::PathDown,
            ..up(2, 500, 700)
        },
    );
    machine.bring_up(now, "closed", up(3, 500, 700));
    let closing = ControlPacket {
        diagnostic: Diagnostic::AdministrativelyDown,
        demand: true,
        ..packet(State::AdminDown, 3, ms(1000), ms(700))
    };
    machine.hear(now, "closed", closing);
    let now = at(4200);
    machine.bring_up(now, "up", up(3, 200, 250));
    machine.bring_up(now, "six", up(5, 250, 300));
    machine.bring_up(now, "far", up(5, 250, 300));
    let beginning = ControlPacket {
        diagnostic: Diagnostic::NeighborSignaledSessionDown,
        ..packet(State::Down, 255, ms(50), ms(60))
    };
    machine.hear(now, "init", beginning);
    machine.hear(now, "asks", packet(State::Down, 3, ms(2000), ms(400)));
    machine.hear(
        now,
        "asks",
        ControlPacket {
            demand: true,
            ..up(3, 2000, 400)
        },
    );
    let text = machine.dump(now);
    let differences = differences(&masked(KEEPALIVED), &masked(&text));
    insta::assert_snapshot!("bfd_differences", differences);
}

/// Every moment is one of the calendar, and stands with its timer.
#[test]
fn moments() {
    let text = "bfd_instance a {\n neighbor_ip 192.0.2.1\n multihop\n min_rx 100\n min_tx 100\n}\n\
         bfd_instance b {\n neighbor_ip 192.0.2.2\n}\n";
    let mut machine = Machine::start(text, &[], &["b"]);
    let lines = |machine: &Machine, now, first: &str| -> Vec<String> {
        let text = machine.dump(now);
        let wanted = ["fd_out ", "sands_", "multihop", "last"];
        text.lines()
            .skip_while(|line| !line.ends_with(first))
            .skip(1)
            .take_while(|line| !line.contains("BFD Instance"))
            .map(str::trim)
            .filter(|line| wanted.iter().any(|word| line.starts_with(word)))
            .filter(|line| !line.starts_with("sands_out"))
            .map(str::to_owned)
            .collect()
    };
    let now = at(1500);
    machine.hear_at(
        now,
        Port::MultiHop,
        "a",
        packet(State::Down, 3, ms(1000), ms(50)),
    );
    assert_eq!(
        lines(&machine, now, "Instance = a"),
        [
            "multihop = true",
            "fd_out 10",
            "sands_open_fd_out = [disabled]",
            "sands_exp = 1700000004.500000 (Tue Nov 14 22:13:24 2023.500000)",
            "sands_rst = [disabled]",
            "last seen = 1700000001.500000 (Tue Nov 14 22:13:21 2023.500000)",
        ]
    );
    let of_b = lines(&machine, now, "Instance = b");
    assert_eq!(of_b[0], "fd_out -1");
    assert!(
        of_b[1].starts_with("sands_open_fd_out = 170000000"),
        "{of_b:?}"
    );
    assert_eq!(
        of_b[2..],
        [
            "sands_exp = [disabled]",
            "sands_rst = [disabled]",
            "last_seen = [never]"
        ]
    );
    let text = machine.dump(now);
    let due = text.lines().find(|line| line.starts_with("   sands_out"));
    assert!(
        due.unwrap().starts_with("   sands_out = 170000000"),
        "{due:?}"
    );
    assert!(text.contains("\n fd_in = 8\n multihop fd_in = -1\n------< BFD Topology >------\n"));
}
