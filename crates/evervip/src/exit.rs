//! How the program ends: keepalived's exit statuses.

use std::process::ExitCode;

/// What to do about [`Exit::MissingPermission`].
pub(crate) const NEEDED_RIGHTS: &str =
    "root, or the capabilities CAP_NET_ADMIN and CAP_NET_RAW, are needed to run virtual routers";

/// Why a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Normally; also when the daemon is running already.
    Success,
    /// It cannot go on, or the command line is wrong.
    Fatal,
    /// The configuration cannot be used.
    Configuration,
    /// It is not allowed to do what it has to.
    MissingPermission,
    /// There is no configuration file.
    NoConfiguration,
    /// Something went wrong that a new process may not meet again.
    Internal,
    /// With this status, of a configuration test.
    Status(u8),
}

impl Exit {
    /// The status as others see it.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Fatal => 1,
            Self::Configuration => 2,
            Self::MissingPermission => 4,
            Self::NoConfiguration => 6,
            Self::Internal => 70,
            Self::Status(status) => status,
        }
    }

    /// A child that ends like this would end like this again: its parent stops, too.
    pub(crate) const fn is_final(status: i32) -> Option<Self> {
        match status {
            1 => Some(Self::Fatal),
            2 => Some(Self::Configuration),
            4 => Some(Self::MissingPermission),
            _ => None,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
