//! What scripts, FIFOs, traps and the log are told of instances and groups.

use alloc::sync::Arc;
use core::fmt;

use crate::state::StateName;

/// The one source of log line, notify script, FIFO line, trap and signal, so that they cannot disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Whom it is about.
    pub subject: Subject,
    /// What happened.
    pub what: Announced,
    /// Effective priority of an instance; 0 for a group.
    pub priority: u8,
}

/// An instance or a group, by its name in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// `vrrp_instance`.
    Instance(Arc<str>),
    /// `vrrp_sync_group`.
    Group(Arc<str>),
}

/// What is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Announced {
    /// It is MASTER now.
    Master,
    /// It is BACKUP now.
    Backup {
        /// For the first time since it was started.
        initial: bool,
    },
    /// It is FAULT now.
    Fault,
    /// The daemon stops.
    Stop,
    /// A reload removed it.
    Deleted,
    /// A master heard an advert of lower priority.
    MasterRxLowerPri,
    /// The effective priority of a master changed.
    MasterPriority,
    /// The effective priority of an instance that is not master changed.
    BackupPriority,
}

impl Announced {
    /// The word that notify scripts and FIFOs are given.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup { .. } => "BACKUP",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
            Self::Deleted => "DELETED",
            Self::MasterRxLowerPri => "MASTER_RX_LOWER_PRI",
            Self::MasterPriority => "MASTER_PRIORITY",
            Self::BackupPriority => "BACKUP_PRIORITY",
        }
    }
}

impl fmt::Display for Announcement {
    /// The log line; log watchers know these texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.subject, self.what) {
            (Subject::Instance(name), Announced::Backup { initial: true }) => {
                write!(f, "({name}) Entering BACKUP STATE (init)")
            }
            (
                Subject::Instance(name),
                Announced::Master | Announced::Backup { .. } | Announced::Fault,
            ) => {
                write!(f, "({name}) Entering {} STATE", self.what.word())
            }
            (Subject::Instance(name), Announced::Stop) => write!(f, "({name}) Stopping"),
            (Subject::Instance(name), Announced::Deleted) => {
                write!(f, "({name}) Removed by reload")
            }
            (
                Subject::Instance(name),
                Announced::MasterRxLowerPri | Announced::MasterPriority | Announced::BackupPriority,
            ) => write!(
                f,
                "({name}) {}, priority {}",
                self.what.word(),
                self.priority
            ),
            (Subject::Group(name), what) => {
                write!(
                    f,
                    "VRRP_Group({name}) Syncing instances to {} state",
                    what.word()
                )
            }
        }
    }
}

impl From<StateName> for Announced {
    fn from(state: StateName) -> Self {
        match state {
            StateName::Master => Self::Master,
            StateName::Backup => Self::Backup { initial: false },
            StateName::Init | StateName::Fault => Self::Fault,
            StateName::Stop => Self::Stop,
        }
    }
}
