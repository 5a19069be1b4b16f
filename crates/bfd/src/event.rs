//! What happened, in the words of the log: keepalived's where it has some.

use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use wire::bfd::Diagnostic;

use crate::receive::Refusal;

/// Importance of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For those who look closely.
    Debug,
    /// Ordinary news.
    Info,
    /// Something is not as it should be.
    Warning,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// To one session.
    Session {
        /// Its name.
        name: String,
        /// What.
        what: SessionEvent,
    },
    /// A packet was refused. The next ones are counted, and told with the first after a while.
    Refused {
        /// Where it came from.
        source: SocketAddr,
        /// Why.
        reason: Refusal,
        /// So many were not told since the last line with such a reason.
        others: u64,
    },
}

/// What happens to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Both ends hear one another.
    Up,
    /// The neighbour is heard, but says that it is down.
    Init,
    /// Nothing is heard of the neighbour, or it does not hear us.
    Down {
        /// Why, as we say it.
        local: Diagnostic,
        /// The last that the neighbour gave as its reason.
        remote: Diagnostic,
    },
    /// Nothing came for as long as the detection time.
    Expired {
        /// That.
        detection_time: Duration,
        /// By how much it was noticed too late.
        overdue: Duration,
    },
    /// The neighbour is asked to confirm our intervals.
    PollBegins,
    /// So long without a packet makes the session down from now on.
    DetectionTime {
        /// Now.
        now: Duration,
        /// Before.
        before: Duration,
    },
    /// No packet could be sent since.
    CannotSend(String),
    /// They can again.
    SendsAgain,
    /// There is no socket to send from; it is tried again.
    NoSocket(String),
    /// There is one.
    Socket,
    /// Another neighbour has its name now.
    Replaced,
    /// It was up when the last process died, and goes on.
    Resumed,
    /// It was up when the last process died, but that is too long ago.
    TooLate,
}

impl Event {
    /// How important it is.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::Session { what, .. } => match what {
                SessionEvent::CannotSend(_) | SessionEvent::NoSocket(_) => Level::Warning,
                SessionEvent::Init
                | SessionEvent::PollBegins
                | SessionEvent::DetectionTime { .. } => Level::Debug,
                SessionEvent::Up
                | SessionEvent::Down { .. }
                | SessionEvent::Expired { .. }
                | SessionEvent::SendsAgain
                | SessionEvent::Socket
                | SessionEvent::Replaced
                | SessionEvent::Resumed
                | SessionEvent::TooLate => Level::Info,
            },
            // Ordinary after a session was down: the neighbour still has our old discriminator.
            Self::Refused { .. } => Level::Info,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session { name, what } => write!(f, "({name}) {what}"),
            Self::Refused {
                source,
                reason,
                others,
            } => {
                let (address, port) = (source.ip(), source.port());
                write!(f, "Discarding packet from [{address}]:{port} ({reason})")?;
                if *others > 0 {
                    write!(f, "; {others} more since the last such line")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("Entering Up state"),
            Self::Init => f.write_str("Entering Init state"),
            Self::Down { local, remote } => write!(
                f,
                "Entering Down state (Local diagnostic - {local}, Remote diagnostic - {remote})"
            ),
            Self::Expired {
                detection_time,
                overdue,
            } => write!(
                f,
                "Expired after {} ms ({} usec overdue)",
                detection_time.as_millis(),
                overdue.as_micros()
            ),
            Self::PollBegins => f.write_str("Starting poll sequence"),
            Self::DetectionTime { now, before } => write!(
                f,
                "Detection time is {} us (was {} us)",
                now.as_micros(),
                before.as_micros()
            ),
            Self::CannotSend(why) => write!(f, "Error sending packet: {why}"),
            Self::SendsAgain => f.write_str("packets are sent again"),
            Self::NoSocket(why) => write!(
                f,
                "Entering AdminDown state: no socket to send from, trying again every second: {why}"
            ),
            Self::Socket => f.write_str("there is a socket to send from now"),
            Self::Resumed => f.write_str("was up before the restart and stays up"),
            Self::TooLate => f.write_str(
                "was up before the restart, but its detection time is over: beginning anew",
            ),
            Self::Replaced => {
                f.write_str("another neighbor or port has this name now: beginning anew")
            }
        }
    }
}
