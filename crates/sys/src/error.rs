//! What can go wrong between the program and the kernel.

use std::fmt;
use std::io;
use std::net::IpAddr;

use types::IfIndex;

use crate::netlink::Refusal;
use crate::netlink::message::Malformed;

/// A request to the operating system that did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    #[error("cannot {what}: {reason}")]
    System {
        /// What was being done, to be read after "cannot".
        what: &'static str,
        /// The kernel's reason.
        reason: io::Error,
    },
    /// A system call failed on something that has a name: a file, an interface, a command.
    #[error("cannot {what} {object}: {reason}")]
    Object {
        /// What was being done, to be read after "cannot".
        what: &'static str,
        /// Which one.
        object: String,
        /// The kernel's reason.
        reason: io::Error,
    },
    /// The kernel refused a netlink request.
    #[error("cannot {what} {object}: {reason}")]
    Refused {
        /// What was being done, to be read after "cannot".
        what: &'static str,
        /// To which interface, address, ...
        object: String,
        /// The kernel's reason.
        reason: Refusal,
    },
    /// What came back from the kernel makes no sense to us.
    #[error("cannot {what}: {reason}")]
    Reply {
        /// What was being done, to be read after "cannot".
        what: &'static str,
        /// Where the reply stops making sense.
        reason: Malformed,
    },
}

impl Error {
    /// For `map_err`: a failed system call. `what` is read after "cannot".
    pub fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |reason| Self::System {
            what,
            reason: reason.into(),
        }
    }

    /// For `map_err`: a failed system call on `object`. `what` is read after "cannot".
    pub fn object<E: Into<io::Error>>(
        what: &'static str,
        object: &dyn ToString,
    ) -> impl FnOnce(E) -> Self {
        move |reason| Self::Object {
            what,
            object: object.to_string(),
            reason: reason.into(),
        }
    }

    /// Whether more privilege would have helped (EPERM, EACCES).
    pub fn is_permission(&self) -> bool {
        match self {
            Self::System { reason, .. } | Self::Object { reason, .. } => is_permission(reason),
            Self::Refused { reason, .. } => is_permission(reason.io()),
            Self::Reply { .. } => false,
        }
    }

    /// Whether the kernel lacks what was asked for (EPROTONOSUPPORT, EAFNOSUPPORT, EOPNOTSUPP).
    pub fn is_unsupported(&self) -> bool {
        let reason = match self {
            Self::System { reason, .. } | Self::Object { reason, .. } => reason,
            Self::Refused { reason, .. } => reason.io(),
            Self::Reply { .. } => return false,
        };
        matches!(
            reason.raw_os_error(),
            Some(libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP)
        )
    }
}

/// Where a packet should have left: an interface, or whichever the routes lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlet(pub Option<IfIndex>);

impl fmt::Display for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(interface) => write!(f, "interface {interface}"),
            None => f.write_str("any interface"),
        }
    }
}

/// Why a packet was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The interface is down or gone, or nothing can be reached through it
    /// (ENETDOWN, ENODEV, ENXIO, ENETUNREACH).
    #[error("{interface} is down or gone: {reason}")]
    InterfaceDown {
        /// Where the packet should have left.
        interface: Outlet,
        /// The kernel's reason.
        reason: io::Error,
    },
    /// The source address is not on this host, or not usable yet (EADDRNOTAVAIL; EINVAL over IPv6).
    #[error("source address {address} is not usable on {interface}: {reason}")]
    Source {
        /// Where the packet should have left.
        interface: Outlet,
        /// The address that it should have come from.
        address: IpAddr,
        /// The kernel's reason.
        reason: io::Error,
    },
    /// Too much is waiting to be sent already (ENOBUFS, EAGAIN, ENOMEM).
    #[error("no room to send on {interface}: {reason}")]
    BufferFull {
        /// Where the packet should have left.
        interface: Outlet,
        /// The kernel's reason.
        reason: io::Error,
    },
    /// Not allowed: a missing capability, or a firewall rule on output (EPERM, EACCES).
    #[error("not permitted to send on {interface}: {reason}")]
    Permission {
        /// Where the packet should have left.
        interface: Outlet,
        /// The kernel's reason.
        reason: io::Error,
    },
    /// Source and destination are not of the family of the socket.
    #[error("cannot send from {from} to {to}: not the family of this socket")]
    Family {
        /// The source that was asked for.
        from: IpAddr,
        /// The destination that was asked for.
        to: IpAddr,
    },
    /// More than an IP packet, or this interface, can carry (EMSGSIZE).
    #[error("{length} bytes are too many for a packet on {interface}")]
    TooLong {
        /// Where the packet should have left.
        interface: Outlet,
        /// Bytes in the message or frame.
        length: usize,
    },
    /// Anything else.
    #[error("cannot send on {interface}: {reason}")]
    Other {
        /// Where the packet should have left.
        interface: Outlet,
        /// The kernel's reason.
        reason: io::Error,
    },
}

impl SendError {
    /// Sorts what the kernel says of a packet of `length` bytes. `from` is the address that the kernel
    /// was asked to use, if it was asked for one.
    pub(crate) fn sort(
        reason: io::Error,
        interface: Option<IfIndex>,
        from: Option<IpAddr>,
        length: usize,
    ) -> Self {
        let interface = Outlet(interface);
        match (reason.raw_os_error(), from) {
            (Some(libc::ENETDOWN | libc::ENODEV | libc::ENXIO | libc::ENETUNREACH), _) => {
                Self::InterfaceDown { interface, reason }
            }
            (Some(libc::EADDRNOTAVAIL), Some(address)) => Self::Source {
                interface,
                address,
                reason,
            },
            // An IPv6 source that is not on the host, or still tentative, is an invalid argument to the kernel.
            (Some(libc::EINVAL), Some(address @ IpAddr::V6(_))) => Self::Source {
                interface,
                address,
                reason,
            },
            (Some(libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM), _) => {
                Self::BufferFull { interface, reason }
            }
            (Some(libc::EPERM | libc::EACCES), _) => Self::Permission { interface, reason },
            (Some(libc::EMSGSIZE), _) => Self::TooLong { interface, length },
            _ => Self::Other { interface, reason },
        }
    }
}

fn is_permission(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
