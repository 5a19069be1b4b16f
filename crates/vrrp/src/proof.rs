//! What an instance remembers to prove its adverts and to judge the proofs of others: `auth_hmac` and `auth_type AH`.
//!
//! A proof is made once per advert, whatever number of routers it goes to. It is judged after the checks of length, TTL and
//! version and before all others, so that a forged packet learns nothing and costs little; the checks of a trailer begin
//! with the cheap one, which is what refuses old recordings.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use types::Instant;
use wire::trailer::{self, Signed, Trailer};
use wire::{ah, ipv4, vrrp};

use crate::action::Carrier;
use crate::receive::{Packet, Rejection};
use crate::settings::{
    AntiReplay, AuthHmac, AuthPass, Authentication, HmacKey, HmacMode, InstanceSettings,
};

/// Senders of a multicast group whose last sequence is remembered (keepalived's number). Only who has a key gets in, so four
/// routers that are master at once are plenty; beyond that the one that was silent longest is forgotten.
const MOST_SENDERS: usize = 4;

/// The highest number of an authentication header; then the sender stops and gives way, for a number must never come twice
/// (RFC 2402 3.3.3; keepalived's limit).
const LAST_NUMBER: u32 = 0xffff_fffd;

/// Between two complaints about the same clock.
const COMPLAINT_EVERY: Duration = Duration::from_secs(600);

/// The wall clock, as the host told it last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    read_at: Instant,
    since_epoch: Duration,
}

impl Default for WallClock {
    /// Counts from the origin of the host's monotonic clock until the host knows better.
    fn default() -> Self {
        Self {
            read_at: Instant::ZERO,
            since_epoch: Duration::ZERO,
        }
    }
}

impl WallClock {
    pub(crate) const fn new(read_at: Instant, since_epoch: Duration) -> Self {
        Self {
            read_at,
            since_epoch,
        }
    }

    pub(crate) fn at(self, now: Instant) -> Time {
        Time {
            now,
            wall: self.since_epoch.saturating_add(now.since(self.read_at)),
        }
    }
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    now: Instant,
    /// Since the Unix epoch.
    wall: Duration,
}

impl Time {
    /// Seconds modulo 2^32 and 1/65536 s, with room for the tie-breaker below.
    fn sequence(self) -> u64 {
        let fraction = u64::from(self.wall.subsec_nanos()) * 65_536 / 1_000_000_000;
        self.wall.as_secs() << 32 | fraction << 16
    }

    /// Whole seconds that the sender of a sequence is behind us; negative when it is ahead.
    fn seconds_after(self, sequence: u64) -> i32 {
        let [ours, theirs] = [self.sequence(), sequence].map(seconds);
        ours.wrapping_sub(theirs).cast_signed()
    }
}

fn seconds(sequence: u64) -> u32 {
    let [s0, s1, s2, s3, ..] = sequence.to_be_bytes();
    u32::from_be_bytes([s0, s1, s2, s3])
}

/// Sequences wrap around; each has half of all numbers before it and half after it.
const fn is_after(one: u64, other: u64) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

/// The memory of an instance.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// The highest number of an authentication header that was sent or accepted: all routers share one count.
    number: u32,
    /// The sequence of our last trailer.
    sequence: u64,
    /// The last sequence of each sender, most recently heard last.
    marks: Vec<Mark>,
    complained_at: Option<Instant>,
    /// A clock to complain about.
    skew: Option<i32>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    sender: IpAddr,
    sequence: u64,
}

/// The proof of one advert, for all copies of it.
#[derive(Debug)]
pub(crate) enum Seal<'a> {
    /// There is none, or it is in the message.
    Plain,
    /// It follows the message.
    Trailer([u8; trailer::LENGTH]),
    /// It precedes the message, and covers the destination.
    Ah { pass: &'a AuthPass, number: u32 },
}

impl Seal<'_> {
    /// One copy as it leaves. `source` is the sender.
    pub(crate) fn put_on(
        &self,
        message: &Arc<[u8]>,
        source: IpAddr,
        destination: IpAddr,
    ) -> (Carrier, Arc<[u8]>) {
        match self {
            Self::Plain => (Carrier::Vrrp, Arc::clone(message)),
            Self::Trailer(trailer) => {
                let both = message.iter().chain(trailer).copied();
                (Carrier::Vrrp, both.collect())
            }
            Self::Ah { pass, number } => {
                // The header covers the packet's identification, so it is chosen here; 0 would let the kernel choose.
                let [_, _, n0, n1] = number.to_be_bytes();
                let identification = u16::from_be_bytes([n0, n1]).max(1);
                let payload_length = ah::LENGTH + message.len();
                let ip = ip_header(source, destination, identification, payload_length);
                let Some(ip) = ip else {
                    // Settings have this authentication over IPv4 only.
                    return (Carrier::Vrrp, Arc::clone(message));
                };
                let header = ah::Header::sign(*number, pass.bytes(), &ip, message).encode();
                let both = header.iter().chain(message.iter()).copied();
                (Carrier::Ah { identification }, both.collect())
            }
        }
    }
}

/// The header that an authentication header covers; `None` over IPv6.
fn ip_header(
    source: IpAddr,
    destination: IpAddr,
    identification: u16,
    payload_length: usize,
) -> Option<ipv4::Header> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
        return None;
    };
    Some(ipv4::Header {
        source,
        destination,
        ttl: vrrp::HOP_LIMIT,
        protocol: ah::PROTOCOL,
        identification,
        payload_length: u16::try_from(payload_length).ok()?,
    })
}

impl Proof {
    /// Proves an advert. `None`: the numbers are used up, nothing can be sent until somebody is elected anew.
    pub(crate) fn seal<'a>(
        &mut self,
        settings: &'a InstanceSettings,
        source: IpAddr,
        message: &[u8],
        time: Time,
    ) -> Option<Seal<'a>> {
        match &settings.authentication {
            Authentication::None | Authentication::Pass(_) => Some(Seal::Plain),
            Authentication::Ah(pass) => {
                if self.is_used_up(settings) {
                    return None;
                }
                self.number += 1;
                let number = self.number;
                Some(Seal::Ah { pass, number })
            }
            Authentication::Hmac(hmac) if hmac.mode == HmacMode::ReceiveOnly => Some(Seal::Plain),
            Authentication::Hmac(hmac) => {
                self.sequence = self.next_sequence(hmac.anti_replay, time);
                let key_id = hmac.active_key.get();
                let signed = Signed {
                    version: settings.version,
                    vrid: settings.vrid,
                    source,
                    message,
                };
                // Settings promise that there is such a key. Without it nobody accepts us, which is how it should be.
                let trailer = match hmac.keys.iter().find(|key| key.id == hmac.active_key) {
                    Some(key) => Trailer::sign(key_id, self.sequence, key.secret.bytes(), &signed),
                    None => Trailer {
                        key_id,
                        sequence: self.sequence,
                        signature: [0; trailer::SIGNATURE_LENGTH],
                    },
                };
                Some(Seal::Trailer(trailer.encode()))
            }
        }
    }

    /// The clock, as long as that is progress. When it was set back by more than the window, the others would refuse what
    /// goes on from the old time; and they have forgotten their marks of it when they agree with the new one.
    fn next_sequence(&self, anti_replay: AntiReplay, time: Time) -> u64 {
        let clock = time.sequence();
        let hopeless = match anti_replay {
            AntiReplay::Time { window } => time.seconds_after(self.sequence) < -i32::from(window),
            AntiReplay::Monotonic => false,
        };
        if is_after(clock, self.sequence) || hopeless {
            clock
        } else {
            self.sequence.wrapping_add(1)
        }
    }

    /// Whether there is no number left for another authentication header.
    pub(crate) fn is_used_up(&self, settings: &InstanceSettings) -> bool {
        matches!(settings.authentication, Authentication::Ah(_)) && self.number >= LAST_NUMBER
    }

    /// Numbers begin again: after ours were used up we must be able to hear those of others.
    pub(crate) fn begin_anew(&mut self) {
        self.number = 0;
    }

    /// Checks the trailer of a message, or that there need not be one.
    pub(crate) fn check_trailer(
        &mut self,
        packet: &Packet<'_>,
        settings: &InstanceSettings,
        hmac: &AuthHmac,
        (message, found): (&[u8], Option<&[u8; trailer::LENGTH]>),
        time: Time,
    ) -> Result<(), Rejection> {
        let Some(found) = found else {
            return match hmac.mode {
                HmacMode::Enforce => Err(Rejection::Unsigned),
                HmacMode::Permissive | HmacMode::ReceiveOnly => Ok(()),
            };
        };
        let unicast = settings.unicast.as_deref();
        if unicast.is_some_and(|unicast| unicast.peer(packet.source).is_none()) {
            return Err(Rejection::NotAPeer);
        }
        let found = Trailer::parse(found).ok_or(Rejection::MalformedTrailer)?;
        let behind = time.seconds_after(found.sequence);
        if let AntiReplay::Time { window } = hmac.anti_replay
            && behind.unsigned_abs() > u32::from(window)
        {
            return Err(Rejection::Stale { behind, window });
        }
        let id = found.key_id;
        let key = hmac.keys.iter().find(|key| key.id.get() == id);
        let key = key.ok_or(Rejection::UnknownKey { id })?;
        let signed = Signed {
            version: settings.version,
            vrid: settings.vrid,
            source: packet.source,
            message,
        };
        if !found.is_signed_with(key.secret.bytes(), &signed) {
            return Err(Rejection::WrongSignature { id });
        }
        let senders = unicast
            .map_or(0, |unicast| unicast.peers.len())
            .max(MOST_SENDERS);
        self.pass_mark(
            packet.source,
            found.sequence,
            hmac.anti_replay,
            senders,
            time,
        )?;
        if let AntiReplay::Time { window } = hmac.anti_replay
            && behind.unsigned_abs() > u32::from(window / 2)
        {
            self.skew = Some(behind);
        }
        Ok(())
    }

    /// Moves the mark of a sender, which has proved that it has a key, if its sequence is beyond it.
    fn pass_mark(
        &mut self,
        sender: IpAddr,
        sequence: u64,
        anti_replay: AntiReplay,
        most: usize,
        time: Time,
    ) -> Result<(), Rejection> {
        let known = self.marks.iter().position(|mark| mark.sender == sender);
        if let Some(mark) = known.and_then(|known| self.marks.get(known)) {
            // A mark of another time: one of our clocks was set. The time stamp alone has to do.
            let counts = match anti_replay {
                AntiReplay::Time { window } => {
                    time.seconds_after(mark.sequence).unsigned_abs() <= u32::from(window)
                }
                AntiReplay::Monotonic => true,
            };
            if counts && !is_after(sequence, mark.sequence) {
                return Err(Rejection::Replayed);
            }
        }
        // Who was heard last stands last; who was silent longest makes room.
        match known {
            Some(known) => {
                self.marks.remove(known);
            }
            None if self.marks.len() >= most => {
                self.marks.remove(0);
            }
            None => {}
        }
        self.marks.push(Mark { sender, sequence });
        Ok(())
    }

    /// Checks an authentication header (RFC 2402 3.4.3, and keepalived's own index).
    pub(crate) fn check_header(
        &mut self,
        packet: &Packet<'_>,
        identification: u16,
        pass: &AuthPass,
        header: &ah::Header,
        message: &[u8],
    ) -> Result<(), Rejection> {
        if header.next_header != vrrp::PROTOCOL {
            let got = header.next_header;
            return Err(Rejection::NextHeader { got });
        }
        if IpAddr::V4(header.spi) != packet.source {
            return Err(Rejection::SecurityIndex { got: header.spi });
        }
        let (source, destination) = (packet.source, packet.destination);
        let right = ip_header(source, destination, identification, packet.promised)
            .is_some_and(|ip| header.is_signed_with(pass.bytes(), &ip, message));
        if !right {
            return Err(Rejection::CheckValue);
        }
        if header.sequence <= self.number {
            return Err(Rejection::OldNumber {
                got: header.sequence,
                last: self.number,
            });
        }
        // A master that answers a lesser one so goes on from that one's number, and is understood by all.
        self.number = header.sequence;
        Ok(())
    }

    /// How many seconds a sender is behind us, when it is time to say so.
    pub(crate) fn complaint(&mut self, time: Time) -> Option<i32> {
        let skew = self.skew.take()?;
        let recently = self
            .complained_at
            .is_some_and(|at| time.now.since(at) < COMPLAINT_EVERY);
        if recently {
            return None;
        }
        self.complained_at = Some(time.now);
        Some(skew)
    }

    /// A reload. What we have said must never be said again, so our own sequences go on whatever happens. What others have
    /// said counts as long as they may still use a key of then: with all keys new nothing old can be replayed, and a sender
    /// whose clock had gone wrong is heard again.
    pub(crate) fn settings_changed(&mut self, old: &Authentication, new: &Authentication) {
        if !keys_of(old).iter().any(|key| keys_of(new).contains(key)) {
            self.marks.clear();
        }
    }
}

fn keys_of(authentication: &Authentication) -> &[HmacKey] {
    match authentication {
        Authentication::Hmac(hmac) => &hmac.keys,
        Authentication::None | Authentication::Pass(_) | Authentication::Ah(_) => &[],
    }
}

#[cfg(test)]
mod tests;
