//! What the core wants done.

use std::fmt;

use types::ipvs::{Command, ServiceKey};
use types::marks::MarkClaim;

use crate::dialogue::Attempt;
use crate::misc::Signal;
use crate::settings::checkers::CommandId;

/// A check, for as long as the settings have it; a reload that keeps the check keeps the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub u32);

/// Something to be done, in the order in which it is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Change the kernel's table. What it refuses is told by [`handle_refusal`](crate::Lvs::handle_refusal).
    Ipvs(Command),
    /// Read a service and its destinations back, and tell by [`handle_service`](crate::Lvs::handle_service).
    Read(ServiceKey),
    /// The packets to mark are these now, all of them, in order (`nftables_ipvs`).
    Mark(Vec<MarkClaim>),
    /// Begin an attempt: a [`Dialogue`](crate::dialogue::Dialogue) with what [`checker`](crate::Lvs::checker) says.
    Attempt(CheckId, Attempt),
    /// Run the command of a MISC_CHECK, in a process group of its own.
    RunCommand(CheckId, CommandId),
    /// Send this to the process group of the command that was started for a check.
    SignalCommand(CheckId, Signal),
    /// Close whatever is open for a check, also between two attempts, and kill its command: its result is of no use any more,
    /// and its number may soon be another check's.
    Abandon(CheckId),
    /// Tell the world.
    Announce(Box<Announcement>),
    /// Log.
    Log(Line),
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How important it is.
    pub level: Level,
    /// What it says; one line.
    pub text: LineText,
}

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

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineText {
    /// This.
    Plain(Box<str>),
    /// What becomes of a check: there may be tens of thousands of these at once, so the text is made only when it is written,
    /// by [`describe`](crate::Lvs::describe).
    Activation(CheckId, Activation),
}

/// What becomes of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// It is made from now on.
    Activated,
    /// It is not made yet: `ha_suspend`.
    Deactivated,
    /// It is no longer made for now: `ha_suspend`.
    Suspended,
}

/// A change that scripts, FIFO readers, mail and traps are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Of what.
    pub subject: Subject,
    /// Up or down.
    pub up: bool,
    /// The script to run; its number is that of the settings before the last [`handle_settings`](crate::Lvs::handle_settings)
    /// if `before` is set.
    pub command: Option<CommandId>,
    /// It is about something that the new settings no longer have.
    pub before: bool,
    /// Because the daemon stops.
    pub stopping: bool,
}

/// What an announcement is about; names as in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A real server.
    Server {
        /// Its name.
        server: Box<str>,
        /// That of its virtual server.
        service: Box<str>,
    },
    /// The quorum of a virtual server.
    Quorum {
        /// Its name.
        service: Box<str>,
    },
}

impl fmt::Display for Announcement {
    /// The line of a FIFO, without its end (keepalived).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.up { "UP" } else { "DOWN" };
        match &self.subject {
            Subject::Server { server, service } => write!(f, "RS {server} {service} {word}"),
            Subject::Quorum { service } => write!(f, "VS {service} {word}"),
        }
    }
}
