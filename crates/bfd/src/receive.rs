//! Whose packet it is, and why one is refused.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use types::Instant;
use types::bfd::Port;
use wire::bfd::ControlPacket;

use crate::action::SessionId;
use crate::bfd::Bfd;
use crate::event::Event;
use crate::session::Session;
use crate::settings::MaxHops;

/// A datagram as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The port that it was sent to.
    pub port: Port,
    /// Who sent it. No IPv4-mapped address.
    pub source: SocketAddr,
    /// The address that it was sent to. No IPv4-mapped one.
    pub destination: IpAddr,
    /// What was left of its TTL or hop limit; `None`: the kernel did not say.
    pub hop_limit: Option<u8>,
    /// Its length, in bytes after the UDP header.
    pub length: usize,
    /// As many of these as were kept; [`wire::bfd::LENGTH`] are enough.
    pub payload: &'a [u8],
}

/// Why a packet is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no packet that anybody could want.
    Malformed(wire::bfd::Refusal),
    /// It is for no session of ours.
    NoSession {
        /// Whose it says it is; 0: it does not know.
        your_discriminator: u32,
    },
    /// It passed more routers than it may (RFC 5881 section 5; keepalived: `max_hops`).
    HopLimit {
        /// What was left of it.
        got: Option<u8>,
        /// What must be.
        least: u8,
    },
    /// It has an authentication section; keepalived has no keys.
    Authenticated,
    /// Its session has no socket to answer from.
    NoSocket,
}

impl Refusal {
    /// The same number for what is the same to whoever reads the log.
    const fn kind(&self) -> u8 {
        match self {
            Self::Malformed(_) => 0,
            Self::NoSession { .. } => 1,
            Self::HopLimit { .. } => 2,
            Self::Authenticated => 3,
            Self::NoSocket => 4,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(refusal) => write!(f, "{refusal}"),
            Self::NoSession {
                your_discriminator: 0,
            } => f.write_str("session is not found"),
            Self::NoSession { your_discriminator } => write!(
                f,
                "session is not found - your discriminator field is {your_discriminator:#x}"
            ),
            Self::HopLimit {
                got: Some(got),
                least,
            } => write!(f, "ttl {got}, at least {least} wanted"),
            Self::HopLimit { got: None, least } => {
                write!(f, "ttl unknown, at least {least} wanted")
            }
            Self::Authenticated => f.write_str("auth bit is set, but no authentication is in use"),
            Self::NoSocket => f.write_str("its session has no socket to answer from"),
        }
    }
}

/// So long nothing more is said of packets that are refused for the same reason, whoever sends them.
const QUIET: Duration = Duration::from_secs(10);

/// How much is said of refused packets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(BTreeMap<u8, Quiet>);

/// The same for one reason: a flood for one does not hide another.
#[derive(Clone, Copy, Debug, Default)]
struct Quiet {
    until: Option<Instant>,
    untold: u64,
}

impl Refusals {
    /// One more. What there is to say, if anything.
    fn note(&mut self, now: Instant, source: SocketAddr, reason: Refusal) -> Option<Event> {
        let quiet = self.0.entry(reason.kind()).or_default();
        if quiet.until.is_some_and(|until| now < until) {
            quiet.untold = quiet.untold.saturating_add(1);
            return None;
        }
        quiet.until = Some(now + QUIET);
        Some(Event::Refused {
            source,
            reason,
            others: core::mem::take(&mut quiet.untold),
        })
    }
}

impl Bfd {
    /// A datagram came to one of the ports.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        match self.admit(packet) {
            Ok((id, control)) => {
                self.with_session(id, |session, shared| session.packet(now, &control, shared));
            }
            Err(reason) => {
                if let Some(event) = self.refusals.note(now, packet.source, reason) {
                    self.shared.log(event);
                }
            }
        }
    }

    /// The session that it is for. The checks are in keepalived's order, which is that of RFC 5880 section 6.8.6.
    fn admit(&self, packet: &Packet<'_>) -> Result<(SessionId, ControlPacket), Refusal> {
        let control =
            ControlPacket::decode(packet.payload, packet.length).map_err(Refusal::Malformed)?;
        let your_discriminator = control.your_discriminator;
        let session = self
            .session_of(packet, your_discriminator)
            .ok_or(Refusal::NoSession { your_discriminator })?;
        if let Some(least) = least_hop_limit(session)
            && packet.hop_limit.is_none_or(|got| got < least)
        {
            return Err(Refusal::HopLimit {
                got: packet.hop_limit,
                least,
            });
        }
        if control.authenticated {
            return Err(Refusal::Authenticated);
        }
        if session.has_no_socket() {
            return Err(Refusal::NoSocket);
        }
        Ok((session.id, control))
    }

    fn session_of(&self, packet: &Packet<'_>, your_discriminator: u32) -> Option<&Session> {
        if your_discriminator != 0 {
            // It alone decides (section 6.8.6).
            let id = self.shared.discriminators.get(&your_discriminator)?;
            return self.sessions.get(id);
        }
        let key = (packet.source.ip(), packet.port);
        let candidates = self.neighbours.get(&key).map(Vec::as_slice)?;
        candidates
            .iter()
            .filter_map(|id| self.sessions.get(id))
            .find(|session| {
                let source = session.settings.source;
                source.is_none_or(|source| source == packet.destination)
            })
    }
}

/// What must be left of a packet's TTL or hop limit; `None`: no matter.
const fn least_hop_limit(session: &Session) -> Option<u8> {
    match session.settings.max_hops {
        MaxHops::AtMost(hops) => Some(session.settings.ttl.get().saturating_sub(hops)),
        MaxHops::Unlimited => None,
    }
}
