//! BFD control packets, version 1 (RFC 5880 section 4.1), without their authentication section.
//!
//! What can be judged of a packet alone is judged here, in keepalived's order. What needs a session is left: whose packet it
//! is, its TTL, and whether it may be authenticated.

use core::fmt;
use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;

/// The only version there is.
pub const VERSION: u8 = 1;
/// Bytes of a packet without authentication; no packet has fewer.
pub const LENGTH: usize = LENGTH_FIELD as usize;
const LENGTH_FIELD: u8 = 24;
/// The longest interval that a packet can tell: 2^32 - 1 microseconds, well over an hour.
pub const LONGEST_INTERVAL: Duration = Duration::from_micros(u32::MAX as u64);

/// The bits of the second byte below the state.
mod flag {
    pub(super) const POLL: u8 = 0x20;
    pub(super) const FINAL: u8 = 0x10;
    pub(super) const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
    pub(super) const AUTHENTICATED: u8 = 0x04;
    pub(super) const DEMAND: u8 = 0x02;
    pub(super) const MULTIPOINT: u8 = 0x01;
}

/// The state of a session, as its end sees it (RFC 5880 section 4.1, "Sta").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Held down by its administrator.
    AdminDown,
    /// Nothing is heard of the other end, or it has not heard us.
    Down,
    /// The other end is heard, but says that it is down.
    Init,
    /// Both ends hear one another.
    Up,
}

impl State {
    /// All of them, by their numbers.
    pub const ALL: [Self; 4] = [Self::AdminDown, Self::Down, Self::Init, Self::Up];

    /// The two bits of the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }

    /// The state of the highest two bits of a packet's second byte.
    const fn of_second_byte(byte: u8) -> Self {
        match byte >> 6 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            // Two bits have no other value.
            _ => Self::Up,
        }
    }
}

impl fmt::Display for State {
    /// The RFC's word, which is keepalived's, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// Why a session left its last state (RFC 5880 section 4.1, "Diag").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Diagnostic {
    /// 0: nothing to tell.
    #[default]
    None,
    /// 1: nothing came for as long as the detection time.
    ControlDetectionTimeExpired,
    /// 2: echoed packets did not come back.
    EchoFunctionFailed,
    /// 3: the other end said that it is down.
    NeighborSignaledSessionDown,
    /// 4: what forwards packets was reset.
    ForwardingPlaneReset,
    /// 5: something below says that the path is broken.
    PathDown,
    /// 6: a path behind the sender is broken.
    ConcatenatedPathDown,
    /// 7: the administrator wants it so.
    AdministrativelyDown,
    /// 8: the same as 6 in the other direction.
    ReverseConcatenatedPathDown,
}

impl Diagnostic {
    /// All of them, by their numbers.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::ControlDetectionTimeExpired,
        Self::EchoFunctionFailed,
        Self::NeighborSignaledSessionDown,
        Self::ForwardingPlaneReset,
        Self::PathDown,
        Self::ConcatenatedPathDown,
        Self::AdministrativelyDown,
        Self::ReverseConcatenatedPathDown,
    ];

    /// The number on the wire, 0 to 8.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::ControlDetectionTimeExpired => 1,
            Self::EchoFunctionFailed => 2,
            Self::NeighborSignaledSessionDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
        }
    }

    /// The diagnostic of this number; the RFC reserves those above 8.
    fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Diagnostic {
    /// The RFC's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "No Diagnostic",
            Self::ControlDetectionTimeExpired => "Control Detection Time Expired",
            Self::EchoFunctionFailed => "Echo Function Failed",
            Self::NeighborSignaledSessionDown => "Neighbor Signaled Session Down",
            Self::ForwardingPlaneReset => "Forwarding Plane Reset",
            Self::PathDown => "Path Down",
            Self::ConcatenatedPathDown => "Concatenated Path Down",
            Self::AdministrativelyDown => "Administratively Down",
            Self::ReverseConcatenatedPathDown => "Reverse Concatenated Path Down",
        })
    }
}

/// A control packet.
///
/// Intervals travel as microseconds in 32 bits: [`encode`](Self::encode) drops what is less than a microsecond and sends
/// [`LONGEST_INTERVAL`] for all that is longer. So what was decoded is encoded without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPacket {
    /// Why the sender last changed its state.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// It asks for an answer with [`is_final`](Self::is_final).
    pub poll: bool,
    /// It answers one with [`poll`](Self::poll).
    pub is_final: bool,
    /// The sender's BFD goes on when its control plane stops.
    pub control_plane_independent: bool,
    /// An authentication section follows. We read none and write none.
    pub authenticated: bool,
    /// The sender wants no packets at regular times while both ends are up.
    pub demand: bool,
    /// So many packets missing make the session down.
    pub multiplier: NonZeroU8,
    /// The sender's name for the session.
    pub my_discriminator: NonZeroU32,
    /// The receiver's name for it, as the sender last heard it; 0: not known.
    pub your_discriminator: u32,
    /// Least time between packets that the sender wants to send.
    pub desired_min_tx: Duration,
    /// Least time between packets that the sender can take; zero: it wants none at regular times.
    pub required_min_rx: Duration,
    /// The same of packets to be echoed; zero: it echoes none.
    pub required_min_echo_rx: Duration,
}

impl ControlPacket {
    /// The bytes after the UDP header.
    #[must_use]
    pub fn encode(&self) -> [u8; LENGTH] {
        let flags = [
            (self.poll, flag::POLL),
            (self.is_final, flag::FINAL),
            (
                self.control_plane_independent,
                flag::CONTROL_PLANE_INDEPENDENT,
            ),
            (self.authenticated, flag::AUTHENTICATED),
            (self.demand, flag::DEMAND),
        ];
        let flags = flags
            .into_iter()
            .filter(|(is_set, _)| *is_set)
            .fold(0, |all, (_, bit)| all | bit);
        let words = [
            [
                VERSION << 5 | self.diagnostic.number(),
                self.state.number() << 6 | flags,
                self.multiplier.get(),
                LENGTH_FIELD,
            ],
            self.my_discriminator.get().to_be_bytes(),
            self.your_discriminator.to_be_bytes(),
            to_micros(self.desired_min_tx).to_be_bytes(),
            to_micros(self.required_min_rx).to_be_bytes(),
            to_micros(self.required_min_echo_rx).to_be_bytes(),
        ];
        let mut bytes = [0; LENGTH];
        for (to, from) in bytes.iter_mut().zip(words.as_flattened()) {
            *to = *from;
        }
        bytes
    }

    /// Reads what follows the UDP header. `length` is that of the datagram, which may be longer than what of it is in
    /// `bytes`; [`LENGTH`] bytes are enough.
    ///
    /// # Errors
    /// The first check that fails, in keepalived's order. They are those of RFC 5880 section 6.8.6 but for three: its length
    /// field may not be shorter than the datagram, and packets with both poll and final or with a reserved diagnostic are
    /// refused.
    pub fn decode(bytes: &[u8], length: usize) -> Result<Self, Refusal> {
        let (words, _) = bytes.as_chunks::<4>();
        let Some(&[head, mine, yours, desired_tx, required_rx, required_echo_rx]) =
            words.first_chunk()
        else {
            return Err(Refusal::TooShort { got: bytes.len() });
        };
        let [first, second, multiplier, length_field] = head;
        if length < LENGTH {
            return Err(Refusal::TooShort { got: length });
        }
        if usize::from(length_field) != length {
            return Err(Refusal::Length {
                field: length_field,
                received: length,
            });
        }
        let version = first >> 5;
        if version != VERSION {
            return Err(Refusal::Version(version));
        }
        let multiplier = NonZeroU8::new(multiplier).ok_or(Refusal::Multiplier)?;
        let has = |bit: u8| second & bit != 0;
        if has(flag::MULTIPOINT) {
            return Err(Refusal::Multipoint);
        }
        let my_discriminator =
            NonZeroU32::new(u32::from_be_bytes(mine)).ok_or(Refusal::MyDiscriminator)?;
        let your_discriminator = u32::from_be_bytes(yours);
        let state = State::of_second_byte(second);
        if your_discriminator == 0 && matches!(state, State::Init | State::Up) {
            return Err(Refusal::YourDiscriminator(state));
        }
        let (poll, is_final) = (has(flag::POLL), has(flag::FINAL));
        if poll && is_final {
            return Err(Refusal::PollAndFinal);
        }
        let diagnostic = first & 0x1f;
        let diagnostic =
            Diagnostic::of_number(diagnostic).ok_or(Refusal::Diagnostic(diagnostic))?;
        Ok(Self {
            diagnostic,
            state,
            poll,
            is_final,
            control_plane_independent: has(flag::CONTROL_PLANE_INDEPENDENT),
            authenticated: has(flag::AUTHENTICATED),
            demand: has(flag::DEMAND),
            multiplier,
            my_discriminator,
            your_discriminator,
            desired_min_tx: of_micros(desired_tx),
            required_min_rx: of_micros(required_rx),
            required_min_echo_rx: of_micros(required_echo_rx),
        })
    }
}

/// Why bytes are not a control packet that anybody could want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not even a header.
    #[error("{got} bytes, at least 24 wanted")]
    TooShort {
        /// Bytes that came.
        got: usize,
    },
    /// The length field does not say what came.
    #[error("length field {field}, {received} wanted, as many bytes as came")]
    Length {
        /// What the packet says.
        field: u8,
        /// Bytes that came.
        received: usize,
    },
    /// Another version of the protocol.
    #[error("version {0}, 1 wanted")]
    Version(u8),
    /// Nobody can wait for no packet.
    #[error("detection multiplier 0, 1 to 255 wanted")]
    Multiplier,
    /// Reserved for one sender and several receivers.
    #[error("multipoint bit 1, 0 wanted")]
    Multipoint,
    /// The sender does not name its session.
    #[error("my discriminator 0, another wanted")]
    MyDiscriminator,
    /// Who is in this state has heard our discriminator.
    #[error(
        "your discriminator 0 with state {0}, our discriminator or state Down or AdminDown wanted"
    )]
    YourDiscriminator(State),
    /// A question cannot be its own answer (RFC 5880 section 6.5).
    #[error("poll bit 1 and final bit 1, at most one of them wanted")]
    PollAndFinal,
    /// One that is reserved.
    #[error("diagnostic {0}, 0 to 8 wanted")]
    Diagnostic(u8),
}

/// Whole microseconds, at most what 32 bits hold.
fn to_micros(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}

/// A field of the wire as a duration.
fn of_micros(field: [u8; 4]) -> Duration {
    Duration::from_micros(u32::from_be_bytes(field).into())
}

#[cfg(test)]
mod tests;
