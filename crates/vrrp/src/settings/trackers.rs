//! What instances watch besides scripts and interfaces: files, processes and BFD sessions.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// What a file or a process can add to a priority: -254 to 254. A BFD session keeps to -253 to 253.
///
/// 0 means that a failure is a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrackWeight(i16);

impl TrackWeight {
    /// A failure is a fault.
    pub const FAULT: Self = Self(0);
    /// What a `track_file` without a weight has: its content is added as it is.
    pub const ONE: Self = Self(1);

    /// A weight; `None` outside -254 to 254.
    pub const fn new(weight: i16) -> Option<Self> {
        if weight >= -254 && weight <= 254 {
            Some(Self(weight))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> i16 {
        self.0
    }
}

/// An entry of `track_file`, `track_process` or `track_bfd`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// What is tracked: the name of one of [`super::Settings::track_files`], [`super::Settings::track_processes`] or
    /// [`super::Settings::bfd_sessions`].
    pub name: String,
    /// What it adds to the priority. A file adds its content times this; for it 0 means that content other than 0 is a
    /// fault.
    pub weight: TrackWeight,
    /// `reverse`: without a weight, good counts as bad; with one, the sign of what is added is turned.
    pub reverse: bool,
}

/// A file whose content, a number, is watched (`track_file NAME { ... }`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSettings {
    /// Its name in the configuration; unique.
    pub name: String,
    /// Where it is: an absolute path. It need not exist, its directory must.
    pub path: String,
    /// What is written into it at start; `None`: nothing is.
    pub init: Option<FileInit>,
    /// The weight that those who track it get if they name none. Each has its own all the same; this is for dumps.
    pub weight: TrackWeight,
    /// Likewise `reverse`.
    pub reverse: bool,
}

/// What a file holds at start (`init_file`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInit {
    /// The number.
    pub value: i32,
    /// It is written even if there is something already.
    pub overwrite: bool,
}

/// Processes that are counted (`vrrp_track_process NAME { ... }`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSettings {
    /// Its name in the configuration; unique.
    pub name: String,
    /// The program. Compared with the task name, of which the kernel keeps 15 bytes, unless `full_command` is set.
    pub command: String,
    /// Its parameters.
    pub parameters: Vec<String>,
    /// The whole command line is compared. Always set with parameters.
    pub full_command: bool,
    /// How parameters are compared; without effect unless `full_command` is set.
    pub matching: ParameterMatch,
    /// So many processes at least, 1 to 65535; 0 when only `quorum_max` counts.
    pub quorum: u16,
    /// So many at most; `None`: no limit.
    pub quorum_max: Option<u16>,
    /// How long enough processes must be there before it counts, up to an hour.
    pub fork_delay: Duration,
    /// How long too few must be there before it counts, up to an hour.
    pub terminate_delay: Duration,
    /// The weight that those who track them get if they name none. Each has its own all the same; this is for dumps.
    pub weight: TrackWeight,
    /// Likewise `reverse`.
    pub reverse: bool,
}

/// How the parameters of a process are compared (`param_match`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterMatch {
    /// All of them, and no others. With `full_command` alone: whatever they are.
    #[default]
    Exact,
    /// The first ones; others may follow.
    Partial,
    /// The first ones, of which the last may only be how it begins; others may follow.
    Initial,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_a_range() {
        assert_eq!(TrackWeight::new(254).map(TrackWeight::get), Some(254));
        assert_eq!(TrackWeight::new(-254).map(TrackWeight::get), Some(-254));
        assert_eq!(TrackWeight::new(255), None);
        assert_eq!(TrackWeight::new(-255), None);
    }
}
