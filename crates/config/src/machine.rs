//! What the configuration wants to know of the machine it is read on.
//!
//! The daemon implements [`Machine`] over real files, interfaces and users; tests implement it over a table.
//! Nothing here changes the machine.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use lvs::settings::checkers::RegexOptions;
use types::Prefix;

use crate::settings::RunAs;

/// Answers about the machine. All methods only look; none but [`Machine::resolve_host`] may block for longer than a file
/// access.
pub trait Machine {
    /// Reads a regular file of at most `limit` bytes.
    ///
    /// It either is what the file held at one time, or fails: half of what an editor saves is no configuration.
    ///
    /// # Errors
    /// See [`FileProblem`]; a file with any execute bit is refused, as keepalived does.
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileProblem>;

    /// Whether there is something of that name, be it a file or not.
    fn exists(&self, path: &Path) -> bool {
        self.read(path, 0) != Err(FileProblem::Missing)
    }

    /// Whether anybody but its owner has a permission on a file; also when there is none to ask about.
    fn is_open_to_others(&self, path: &Path) -> bool;

    /// Names in a directory, in any order, without `.` and `..`; `None` when it cannot be listed.
    ///
    /// A directory of more than a million names may be cut off there; it is no place for configuration files, and
    /// patterns that match as many are refused.
    fn list(&self, directory: &Path) -> Option<Vec<String>>;

    /// The directory that relative names start from.
    fn current_dir(&self) -> PathBuf;

    /// An environment variable (`${_ENV NAME}`).
    fn variable(&self, name: &str) -> Option<String>;

    /// A fresh uniform random number (`${_RANDOM}`).
    fn random(&self) -> u32;

    /// The node's name, for `@id` when no configuration id was given.
    fn host_name(&self) -> String;

    /// What is known of an interface; `None` when there is none of that name.
    fn interface(&self, name: &str) -> Option<InterfaceFacts>;

    /// The addresses of an interface, each with its subnet; behind a point-to-point address stands the other end's.
    /// `None`: not known. Asked for lints only.
    fn addresses(&self, _interface: &str) -> Option<Vec<Prefix>> {
        None
    }

    /// Whether users who are neither its owner nor of its group can read a file; `None`: not known. Asked for lints only.
    fn is_readable_by_all(&self, _path: &Path) -> Option<bool> {
        None
    }

    /// How many processors there are; their numbers begin at 0. At least 1.
    fn processors(&self) -> u16;

    /// An address of a host (`smtp_server`); `None`: the name is nobody's, or nobody could be asked. It takes as long as
    /// the system's resolver takes, as in keepalived.
    fn resolve_host(&self, name: &str) -> Option<IpAddr>;

    /// What is wrong with a pattern (PCRE2) of HTTP_GET or SSL_GET; `None`: nothing, or nobody here knows.
    fn pattern_problem(&self, _pattern: &[u8], _options: RegexOptions) -> Option<PatternProblem> {
        None
    }

    /// User and primary group id of a user.
    fn user(&self, name: &str) -> Option<(u32, u32)>;

    /// The id of a group.
    fn group(&self, name: &str) -> Option<u32>;

    /// The supplementary groups of a user.
    fn groups_of(&self, user: &str) -> Vec<u32>;

    /// Our own user and group id.
    fn own_ids(&self) -> (u32, u32);

    /// Finds the file that a script's name means and judges whether it may run.
    ///
    /// A name without `/` is searched in the user's `PATH`. `keep_links`: do not follow symbolic links in the
    /// path that is handed back (`use_symlink_paths`).
    ///
    /// # Errors
    /// When there is no such file or the user may not execute it.
    fn resolve_script(
        &self,
        script: &str,
        user: &RunAs,
        keep_links: bool,
    ) -> Result<ResolvedScript, ScriptProblem>;
}

/// What the configuration must know of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// It is the loopback interface.
    pub loopback: bool,
    /// It can send and receive multicast.
    pub multicast: bool,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// It carries Ethernet frames, so that a macvlan can stand on it.
    pub ethernet: bool,
    /// The kernel's number for it.
    pub number: u32,
    /// The number of the interface that it is built upon, if that is in the same network namespace.
    pub lower: Option<u32>,
    /// Whether it is a device such as instances make.
    pub device: DeviceFacts,
}

/// Whether an interface is a device such as instances make for themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceFacts {
    /// No.
    #[default]
    Other,
    /// A macvlan in private mode.
    PrivateMacvlan,
    /// An ipvlan at layer 2.
    Ipvlan,
}

impl InterfaceFacts {
    /// Whether it is a device of this kind over `base`: one that a predecessor may have left. The kernel puts a macvlan on a
    /// macvlan beside it.
    pub fn is_over(&self, base: &Self, kind: DeviceFacts) -> bool {
        self.device == kind
            && self
                .lower
                .is_some_and(|lower| lower == base.number || Some(lower) == base.lower)
    }
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// There is none.
    #[error("no such file")]
    Missing,
    /// It is a directory.
    #[error("is a directory")]
    Directory,
    /// It is a device, a socket or a FIFO.
    #[error("is not a regular file")]
    NotRegular,
    /// Some execute bit is set (keepalived refuses those).
    #[error("is executable, so it is probably not a configuration file")]
    Executable,
    /// The system says no.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Somebody keeps writing it.
    #[error("changes while it is read")]
    Changing,
    /// It exceeds the limit.
    #[error("is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read, in bytes.
        limit: usize,
    },
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternProblem {
    /// Where in the pattern, in bytes from its beginning.
    pub offset: usize,
    /// In words.
    pub text: String,
}

/// A script that can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedScript {
    /// The file to execute: an absolute path.
    pub path: String,
    /// In words, why somebody but root could change what it does although it would run as root; `None`: nobody could.
    pub insecure: Option<String>,
}

/// Why a script cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptProblem {
    /// No such file, also not in `PATH`.
    NotFound,
    /// The file is there, but its user may not execute it.
    NotExecutable,
    /// Something else, in words.
    Other(String),
}

impl fmt::Display for ScriptProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::NotExecutable => f.write_str("not executable"),
            Self::Other(why) => f.write_str(why),
        }
    }
}
