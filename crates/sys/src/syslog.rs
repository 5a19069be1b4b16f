//! The system log, without ever waiting for it: what the log daemon does not take at once is dropped and
//! counted, for a log line must not delay an advertisement.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::clock;

/// Where the log daemon listens.
const LOG_SOCKET: &str = "/dev/log";

/// Bytes of text per datagram (RFC 3164 4.1 allows 1024 with everything in front of it).
const LONGEST_TEXT: usize = 900;

/// Datagrams per call; what is longer than that is no log line.
const MOST_PIECES: usize = 64;

/// Where a message comes from (RFC 3164 4.1.1). The default is `Daemon`, as keepalived's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Facility {
    /// user
    User,
    /// daemon
    #[default]
    Daemon,
    /// local0 to local7; a higher number counts as 7.
    Local(u8),
}

/// How much a message matters (RFC 3164 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The system is unusable.
    Emergency,
    /// Action must be taken at once.
    Alert,
    /// Critical conditions.
    Critical,
    /// Error conditions.
    Error,
    /// Warning conditions.
    Warning,
    /// Normal but significant.
    Notice,
    /// What keepalived uses for nearly everything.
    Information,
    /// For those who look for a fault.
    Debug,
}

/// A connection to the log daemon, made anew whenever the daemon was restarted.
#[derive(Debug)]
pub struct Syslog {
    socket: Option<UnixDatagram>,
    path: PathBuf,
    ident: String,
    facility: Facility,
    dropped: u64,
}

impl Syslog {
    /// Messages will be headed `ident[pid]`. Without a log daemon messages are dropped until there is one.
    pub fn connect(ident: &str, facility: Facility) -> Self {
        Self::connect_to(Path::new(LOG_SOCKET), ident, facility)
    }

    /// The same, for a log daemon that listens elsewhere.
    pub fn connect_to(path: &Path, ident: &str, facility: Facility) -> Self {
        let mut log = Self {
            socket: None,
            path: path.to_owned(),
            ident: ident.to_owned(),
            facility,
            dropped: 0,
        };
        log.reconnect();
        log
    }

    /// Changes the name that messages are headed with.
    pub fn set_ident(&mut self, ident: &str) {
        ident.clone_into(&mut self.ident);
    }

    /// Sends one message per line of `text`; long lines are cut into several. Never waits.
    pub fn send(&mut self, severity: Severity, text: &str) {
        let head = format!(
            "<{}>{} {}[{}]: ",
            priority(self.facility, severity),
            clock::wall().syslog_stamp(),
            self.ident,
            std::process::id()
        );
        let mut pieces = pieces(text);
        for piece in pieces.by_ref().take(MOST_PIECES) {
            self.send_piece(format!("{head}{piece}").as_bytes());
        }
        let rest = pieces.count();
        self.dropped = self
            .dropped
            .saturating_add(u64::try_from(rest).unwrap_or(u64::MAX));
    }

    /// Datagrams that the log daemon did not get since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn send_piece(&mut self, datagram: &[u8]) {
        if self.socket.is_none() {
            self.reconnect();
        }
        let mut result = self.try_send(datagram);
        // A log daemon that was restarted listens on a new socket under the old name.
        if result.as_ref().is_err_and(is_disconnected) {
            self.reconnect();
            result = self.try_send(datagram);
        }
        if result.is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn try_send(&self, datagram: &[u8]) -> io::Result<usize> {
        match &self.socket {
            Some(socket) => socket.send(datagram),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn reconnect(&mut self) {
        self.socket = connect(&self.path).ok();
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn is_disconnected(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNREFUSED
                | libc::ENOTCONN
                | libc::ECONNRESET
                | libc::EPIPE
                | libc::EDESTADDRREQ
                | libc::ENOENT
        )
    )
}

/// The number between the angle brackets: 8 times the facility, plus the severity.
fn priority(facility: Facility, severity: Severity) -> u32 {
    let facility = match facility {
        Facility::User => 1,
        Facility::Daemon => 3,
        Facility::Local(number) => 16 + u32::from(number.min(7)),
    };
    let severity = match severity {
        Severity::Emergency => 0,
        Severity::Alert => 1,
        Severity::Critical => 2,
        Severity::Error => 3,
        Severity::Warning => 4,
        Severity::Notice => 5,
        Severity::Information => 6,
        Severity::Debug => 7,
    };
    facility * 8 + severity
}

/// The lines of a text that are not empty, none longer than a datagram may be.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.is_empty())
        .flat_map(|line| {
            let mut rest = line;
            std::iter::from_fn(move || {
                if rest.is_empty() {
                    return None;
                }
                let (piece, after) = rest.split_at(cut(rest));
                rest = after;
                Some(piece)
            })
        })
}

/// Where to cut so that a piece is not too long and no character is torn.
fn cut(text: &str) -> usize {
    (1..=LONGEST_TEXT.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
