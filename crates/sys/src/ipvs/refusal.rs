//! Why IPVS did not do what it was told, in keepalived's words.

use std::fmt;
use std::io;

/// What IPVS can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Make a service.
    AddService,
    /// Change how a service is balanced.
    EditService,
    /// Remove a service.
    RemoveService,
    /// Add a destination to a service.
    AddDestination,
    /// Change a destination.
    EditDestination,
    /// Take a destination out of a service.
    RemoveDestination,
    /// Remove everything.
    Flush,
    /// Start one of the two daemons that share connections.
    StartDaemon,
    /// Stop one of them.
    StopDaemon,
}

impl Operation {
    /// What keepalived calls it, which is the name and number of a socket option that did the same before netlink.
    const fn name(self) -> &'static str {
        match self {
            Self::AddService => "ADD(1154)",
            Self::EditService => "EDIT(1155)",
            Self::RemoveService => "DEL(1156)",
            Self::AddDestination => "ADDDEST(1159)",
            Self::EditDestination => "EDITDEST(1161)",
            Self::RemoveDestination => "DELDEST(1160)",
            Self::Flush => "FLUSH(1157)",
            Self::StartDaemon => "STARTDAEMON(1163)",
            Self::StopDaemon => "STOPDAEMON(1164)",
        }
    }
}

/// Why IPVS did not do something. Displayed as keepalived logs it:
/// `IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: Destination already exists(17) (10.0.0.1:tcp:80 -> 10.1.0.1:80)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    operation: Operation,
    cause: Cause,
    object: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    /// The kernel said so.
    Errno(i32),
    /// It was not asked: it would have passed over what it does not know, and done something else.
    TooOld {
        what: &'static str,
        since: (u32, u32),
        have: (u32, u32),
    },
}

/// The kinds of refusal that a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is there already (EEXIST): the service, the destination, the daemon.
    Exists,
    /// There is no such service, or no such daemon (ESRCH).
    NoService,
    /// Of a service: there is no such scheduler or persistence engine. Of a destination: it is not there (ENOENT).
    Missing,
    /// A capability is missing (EPERM).
    Permission,
    /// It makes no sense to the kernel (EINVAL, ERANGE).
    Invalid,
    /// The kernel does not have it (EOPNOTSUPP, EAFNOSUPPORT, ENOPROTOOPT, or known of its version).
    Unsupported,
    /// There is no such interface (ENODEV).
    NoInterface,
    /// Out of memory (ENOMEM, ENOBUFS).
    Exhausted,
    /// Anything else.
    Other,
}

impl Refusal {
    /// The kernel refused; `errno` is positive.
    pub(super) const fn of_kernel(
        operation: Operation,
        errno: i32,
        object: Option<String>,
    ) -> Self {
        Self {
            operation,
            cause: Cause::Errno(errno),
            object,
        }
    }

    /// The kernel is too old for it.
    pub(super) const fn too_old(
        operation: Operation,
        what: &'static str,
        [since, have]: [(u32, u32); 2],
        object: Option<String>,
    ) -> Self {
        Self {
            operation,
            cause: Cause::TooOld { what, since, have },
            object,
        }
    }

    /// What was not done.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// The kind of refusal.
    pub const fn reason(&self) -> Reason {
        let errno = match self.cause {
            Cause::Errno(errno) => errno,
            Cause::TooOld { .. } => return Reason::Unsupported,
        };
        match errno {
            libc::EEXIST => Reason::Exists,
            libc::ESRCH => Reason::NoService,
            libc::ENOENT => Reason::Missing,
            libc::EPERM | libc::EACCES => Reason::Permission,
            libc::EINVAL | libc::ERANGE => Reason::Invalid,
            libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::ENOPROTOOPT => Reason::Unsupported,
            libc::ENODEV => Reason::NoInterface,
            libc::ENOMEM | libc::ENOBUFS => Reason::Exhausted,
            _ => Reason::Other,
        }
    }

    /// Whether things are as they should be all the same: what was to be made is there, what was to go is not. What is there
    /// may have other options.
    pub const fn is_done_already(&self) -> bool {
        match self.operation {
            Operation::AddService | Operation::AddDestination | Operation::StartDaemon => {
                matches!(self.reason(), Reason::Exists)
            }
            Operation::RemoveService | Operation::RemoveDestination | Operation::StopDaemon => {
                matches!(self.reason(), Reason::NoService | Reason::Missing)
            }
            Operation::EditService | Operation::EditDestination | Operation::Flush => false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IPVS cmd IP_VS_SO_SET_{} error: ", self.operation.name())?;
        match self.cause {
            Cause::Errno(errno) => write!(f, "{}({errno})", text(self.operation, errno))?,
            Cause::TooOld { what, since, have } => write!(
                f,
                "{what} need Linux {}.{}, this is {}.{}",
                since.0, since.1, have.0, have.1
            )?,
        }
        match &self.object {
            Some(object) => write!(f, " ({object})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// What an error number means here (keepalived: "how kernel errors are treated").
fn text(operation: Operation, errno: i32) -> String {
    use Operation::{
        AddDestination, AddService, EditDestination, EditService, RemoveDestination, StartDaemon,
        StopDaemon,
    };
    let text = match (operation, errno) {
        (AddService, libc::EEXIST) => "Service already exists",
        (AddService | EditService, libc::ENOENT) => "Scheduler or persistence engine not found",
        (AddDestination, libc::EEXIST) => "Destination already exists",
        (EditDestination | RemoveDestination, libc::ENOENT) => "No such destination",
        (StartDaemon, libc::EEXIST) => "Daemon has already run",
        (StopDaemon, libc::ESRCH) => "No daemon is running",
        (_, libc::ESRCH) => "No such service",
        (_, libc::EPERM) => "Permission denied (you must be root)",
        (_, libc::EINVAL) => {
            "Invalid operation.  Possibly wrong module version, address not unicast, ..."
        }
        (_, libc::ENOPROTOOPT) => "Protocol not available",
        (_, libc::ENOMEM) => "Memory allocation problem",
        (_, libc::EOPNOTSUPP) => "Operation not supported with IPv6",
        (_, libc::EAFNOSUPPORT) => "Operation not supported with specified address family",
        (_, libc::EMSGSIZE) => "Module is wrong version",
        _ => return strerror(errno),
    };
    text.to_owned()
}

/// The C library's text, without the number that the standard library puts behind it.
fn strerror(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    match text.strip_suffix(&format!(" (os error {errno})")) {
        Some(text) => text.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keepalived_s_words() {
        let service = || Some("10.0.0.1:tcp:80".to_owned());
        let destination = || Some("10.0.0.1:tcp:80 -> 10.1.0.1:80".to_owned());
        for (operation, errno, object, expected, reason, done) in [
            (
                Operation::AddService,
                libc::EEXIST,
                service(),
                "ADD(1154) error: Service already exists(17) (10.0.0.1:tcp:80)",
                Reason::Exists,
                true,
            ),
            (
                Operation::AddService,
                libc::ENOENT,
                service(),
                "ADD(1154) error: Scheduler or persistence engine not found(2) (10.0.0.1:tcp:80)",
                Reason::Missing,
                false,
            ),
            (
                Operation::EditService,
                libc::ENOENT,
                service(),
                "EDIT(1155) error: Scheduler or persistence engine not found(2) (10.0.0.1:tcp:80)",
                Reason::Missing,
                false,
            ),
            (
                Operation::RemoveService,
                libc::ESRCH,
                service(),
                "DEL(1156) error: No such service(3) (10.0.0.1:tcp:80)",
                Reason::NoService,
                true,
            ),
            (
                Operation::AddDestination,
                libc::EEXIST,
                destination(),
                "ADDDEST(1159) error: Destination already exists(17) (10.0.0.1:tcp:80 -> 10.1.0.1:80)",
                Reason::Exists,
                true,
            ),
            (
                Operation::EditDestination,
                libc::ENOENT,
                destination(),
                "EDITDEST(1161) error: No such destination(2) (10.0.0.1:tcp:80 -> 10.1.0.1:80)",
                Reason::Missing,
                false,
            ),
            (
                Operation::RemoveDestination,
                libc::ENOENT,
                destination(),
                "DELDEST(1160) error: No such destination(2) (10.0.0.1:tcp:80 -> 10.1.0.1:80)",
                Reason::Missing,
                true,
            ),
            (
                Operation::Flush,
                libc::EPERM,
                None,
                "FLUSH(1157) error: Permission denied (you must be root)(1)",
                Reason::Permission,
                false,
            ),
            (
                Operation::StartDaemon,
                libc::EEXIST,
                None,
                "STARTDAEMON(1163) error: Daemon has already run(17)",
                Reason::Exists,
                true,
            ),
            (
                Operation::StartDaemon,
                libc::ENODEV,
                None,
                "STARTDAEMON(1163) error: No such device(19)",
                Reason::NoInterface,
                false,
            ),
            (
                Operation::StopDaemon,
                libc::ESRCH,
                None,
                "STOPDAEMON(1164) error: No daemon is running(3)",
                Reason::NoService,
                true,
            ),
        ] {
            let refusal = Refusal::of_kernel(operation, errno, object);
            let expected = format!("IPVS cmd IP_VS_SO_SET_{expected}");
            assert_eq!(refusal.to_string(), expected);
            assert_eq!(refusal.reason(), reason, "{refusal}");
            assert_eq!(refusal.is_done_already(), done, "{refusal}");
        }
    }

    #[test]
    fn what_the_kernel_is_too_old_for() {
        let versions = [(5, 3), (4, 19)];
        let refusal = Refusal::too_old(Operation::AddDestination, "GRE tunnels", versions, None);
        assert_eq!(
            refusal.to_string(),
            "IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: GRE tunnels need Linux 5.3, this is 4.19"
        );
        assert_eq!(refusal.reason(), Reason::Unsupported);
    }
}
