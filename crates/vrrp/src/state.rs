//! The states of an instance, what each has and only it has, and how they are entered.

use alloc::boxed::Box;
use core::time::Duration;

use types::{Centiseconds, Instant};

use crate::garp::Schedule;
use crate::rival::Rival;
use crate::view::MasterView;

/// The states of RFC 9568 6.4, and keepalived's two more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateName {
    /// Not started yet.
    Init,
    /// Listening to a master.
    Backup,
    /// Holding the addresses.
    Master,
    /// Something that it depends on has failed, or has not reported yet.
    Fault,
    /// The daemon is stopping.
    Stop,
}

impl StateName {
    /// keepalived's name for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
        }
    }

    /// keepalived's number for it, in JSON and SNMP.
    pub const fn number(self) -> u32 {
        match self {
            Self::Init => 0,
            Self::Backup => 1,
            Self::Master => 2,
            Self::Fault => 3,
            Self::Stop => 98,
        }
    }
}

/// What each state has, and only that state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Init,
    Backup(Backup),
    Master(Master),
    Fault {
        /// False while it only waits for the first result of a script: nobody is told about that.
        announced: bool,
    },
    Stop,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backup {
    /// When the master counts as dead.
    pub(crate) master_down_at: Instant,
    /// The interval that `master_down_at` was computed from; a change of priority moves it by the difference.
    pub(crate) master_down: Duration,
    /// The last router whose advert was heard.
    pub(crate) master: Option<MasterView>,
    /// `preempt_delay`: when a lower-priority master is no longer put up with. Set by its first advert.
    pub(crate) preempt_at: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Master {
    pub(crate) advert_at: Instant,
    pub(crate) garp: Schedule,
    pub(crate) rogue: Rogue,
    /// Another master that is heard.
    pub(crate) rival: Option<Box<Rival>>,
    /// When an advert of another router was answered last.
    pub(crate) answered_at: Option<Instant>,
}

/// What an owner with the better address does about another owner (keepalived's own way).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rogue {
    /// There is none.
    None,
    /// It is given time to back off: so many of our adverts.
    Counting {
        adverts: u8,
        their_int: Centiseconds,
    },
    /// If it is still heard before then, we lower ourselves to 254.
    Watching { until: Instant },
}

/// Whether a transition is announced. A member says nothing that its group has already said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    Tell,
    Silent,
}

/// Whether a master says goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// An advert with priority 0: the backups take over after their skew time.
    PriorityZero,
    /// Nothing: somebody better is there already.
    None,
}

/// How BACKUP is entered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackupEntry {
    pub(crate) farewell: Farewell,
    pub(crate) timer: BackupTimer,
    pub(crate) master: Option<MasterView>,
}

/// How long a new backup waits for a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackupTimer {
    /// Master_Down_Interval.
    MasterDown,
    /// Skew_Time: we were master a moment ago.
    Skew,
    /// Skew_Time, but at least a while: what we hold is taken away again and again.
    Rest,
    /// Not at all.
    AtOnce,
}
