//! What parent and child say to one another, over a socket that only they have.

use std::collections::BTreeSet;

use lvs::GivenMark;
use serde::{Deserialize, Serialize};
use types::Instant;

use crate::command_line::LogOptions;
use crate::legacy::Legacy;

/// The longest message; what is longer travels as sealed memory behind it.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Names per [`ToParent::Names`], so that the message stays below [`LONGEST`] whatever they are.
pub(crate) const NAMES_PER_MESSAGE: usize = 200;

/// BFD sessions in one message, so that it stays below [`LONGEST`]: a name has 31 bytes at most, a record some 100.
pub(crate) const SESSIONS_PER_MESSAGE: usize = 200;

/// Settings per [`ToParent::Overridden`], for the same reason.
pub(crate) const OVERRIDDEN_PER_MESSAGE: usize = 400;

/// From the parent to a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToChild {
    /// The memory that comes with this message is the heartbeat to beat.
    Heartbeat,
    /// Begin; the sealed memory that comes with it holds a [`Start`].
    Start,
    /// Other settings; the sealed memory that comes with it holds [`config::Settings`].
    Reload,
    /// To one that goes by BFD sessions: the BFD process is at the other end of the channel that comes with this message.
    Sessions,
    /// To the BFD process: this child is at the other end of the channel that comes with this message.
    Follower(Role),
    /// Stop cleanly.
    Stop,
    /// Write a dump.
    Dump(Dump),
}

/// What a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Role {
    /// It runs the virtual routers.
    Vrrp,
    /// It checks the health of real servers, and balances among the good ones.
    Checkers,
    /// It speaks BFD with neighbours.
    Bfd,
}

impl Role {
    /// All of them, in the order in which they are started.
    pub(crate) const ALL: [Self; 3] = [Self::Vrrp, Self::Checkers, Self::Bfd];
}

/// What those that go by a BFD session have to know of it, news or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionState {
    /// Its name.
    pub name: String,
    /// It is up; or it is down because its neighbour's administrator wants it so, which is no failure.
    pub up: bool,
    /// When it became so, or when it was told.
    pub at: Instant,
}

/// A message of the BFD process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionStates {
    /// There are no sessions but these and those of the messages to come: what was known before is of no use.
    pub are_all: bool,
    /// At most [`SESSIONS_PER_MESSAGE`].
    pub states: Vec<SessionState>,
}

/// What a child begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// What it is.
    pub role: Role,
    /// [`config::Settings`], encoded.
    pub settings: Vec<u8>,
    /// Where to log.
    pub log: LogOptions,
    /// The name to log under.
    pub ident: String,
    /// The task name, as `ps` and `killall` know it.
    pub task_name: String,
    /// `--dont-release-vrrp`, `--dont-release-ipvs`: a stop leaves the kernel as it is.
    pub keep: bool,
    /// A predecessor has died: what it made is still there.
    pub successor: bool,
    /// The pid file to claim.
    pub pid_file: String,
    /// Where dumps go.
    pub dump_directory: String,
    /// Tracked files are given their first content: the daemon starts.
    pub initialise_files: bool,
    /// What a predecessor left.
    pub legacy: Legacy,
    /// Names of the BFD sessions that are up.
    pub sessions_up: BTreeSet<String>,
    /// When that was so.
    pub sessions_as_of: Instant,
}

/// The files that a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Dump {
    /// `keepalived.data`.
    Data,
    /// `keepalived.stats`.
    Stats,
    /// `keepalived.stats`, then count from zero.
    StatsAndClear,
    /// `keepalived.json`.
    Json,
}

impl Dump {
    /// What a signal asks for. The JSON signal is SIGRTMIN+2, which is 36 with glibc and 37 with musl.
    pub(crate) fn asked_by(signal: i32) -> Option<Self> {
        match signal {
            10 => Some(Self::Data),
            12 => Some(Self::Stats),
            63 => Some(Self::StatsAndClear),
            36 | 37 => Some(Self::Json),
            _ => None,
        }
    }
}

/// From a child to the parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToParent {
    /// It runs with the settings of the last [`ToChild::Start`] or [`ToChild::Reload`].
    SettingsTaken,
    /// What a successor has to know changed since the last such message: of a VRRP process which instances are master, of
    /// checkers which real servers are down. No name is in both lists.
    Names {
        /// They are now.
        gained: Vec<String>,
        /// They are no longer.
        lost: Vec<String>,
    },
    /// Settings of the kernel that it changed, each with what it was before; `None`: that is put back.
    Overridden(Vec<(String, Option<i64>)>),
    /// Marks that were given to groups of virtual servers. What was told before stays so.
    Marks(Vec<GivenMark>),
    /// What there is to know now of BFD sessions, for a successor of the process that has them; `None`: nothing, they are down or
    /// gone. At most [`SESSIONS_PER_MESSAGE`].
    Sessions(Vec<(String, Option<bfd::Record>)>),
    /// Whether what IPVS holds is still to be removed (`lvs_flush`), when that is another answer than in [`Start`] or than
    /// before. It is told before it is done: once too few is better than once too many, for others may have entries there.
    FlushIsDue(bool),
    /// Somebody sent SIGHUP to the child instead of the parent.
    ReloadWanted,
}
