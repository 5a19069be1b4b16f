//! One attempt of one check, as a dialogue: bytes in, bytes out, a deadline, a verdict.
//!
//! A dialogue has no socket and no clock. Its host opens what [`Dialogue::transport`] asks for, to the checker's endpoint,
//! and carries what happens there in and what is to be sent out. So ten thousand checks are ten thousand small values on one
//! loop, and every answer that a server could give can be tried in a test.
//!
//! # The contract
//! After each `handle_*`: send everything of [`Dialogue::poll_transmit`], then look at [`Dialogue::verdict`]. Once there is
//! one, the socket is closed and the dialogue dropped; nothing that comes later counts. Until then, call
//! [`Dialogue::handle_timeout`] when [`Dialogue::deadline`] has passed. Memory is bounded whatever the server says, and so is
//! time: every dialogue has a deadline that what the server sends does not move for ever.
//!
//! When TLS is spoken ([`Dialogue::tls`]) the host does that in between: [`Dialogue::handle_connected`] comes when the
//! handshake is done, and bytes are those within.

use std::fmt;
use std::time::Duration;

use types::Instant;

use crate::settings::checkers::CheckerKind;

pub mod http;
mod pattern;
mod tcp;

pub use http::Http;
pub use pattern::{BodyMatcher, NoPatterns, Patterns};
pub use tcp::Tcp;

/// What a dialogue needs to be carried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP connection.
    Tcp,
    /// A connected UDP socket that reports ICMP errors.
    Udp,
    /// An unprivileged ICMP socket (`SOCK_DGRAM`); datagrams begin with the ICMP header. It outlives the attempt.
    Icmp,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server is well, as far as this check can tell.
    Success,
    /// It is not.
    Failure(Failure),
    /// Nothing was found out, for a reason on our side: the check is made again after its `delay_loop`, and what was known
    /// stays known.
    NoResult(Obstacle),
}

/// Why a server failed a check: what was got, and what was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// No connection within `connect_timeout`.
    ConnectTimeout(Duration),
    /// The connection was refused, or there is no way to the server.
    Connect(Trouble),
    /// What was sent could not be sent within `connect_timeout`.
    WriteTimeout(Duration),
    /// No answer within `connect_timeout`.
    ReadTimeout(Duration),
    /// The connection broke.
    Broken(Trouble),
    /// A page is not what it should be.
    Http(Box<http::HttpFailure>),
}

/// Why there is no result: what could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No socket could be made.
    Socket(Trouble),
    /// It could not be bound to `bindto`, `bind_port` or `bind_if`, or marked.
    Bind(Trouble),
    /// The connection could not be begun, for no reason that the server could have.
    Connect(Trouble),
    /// A pattern cannot be looked for.
    Pattern(Trouble),
    /// TLS cannot be spoken.
    Tls(Trouble),
}

/// What the operating system, or the library that speaks TLS, has to say of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which one.
    pub kind: TroubleKind,
    /// In its words.
    pub text: Box<str>,
}

/// Kinds of trouble that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// Nobody listens there, or it was reset.
    Refused,
    /// There is no way there (ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN).
    Unreachable,
    /// The TLS handshake failed, or what is within the connection is no TLS.
    Tls,
    /// Anything else.
    Other,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectTimeout(limit) => write!(f, "no connection within {limit:?}"),
            Self::Connect(trouble) => write!(f, "no connection: {trouble}"),
            Self::WriteTimeout(limit) => write!(f, "it takes nothing for {limit:?}"),
            Self::ReadTimeout(limit) => write!(f, "no answer within {limit:?}"),
            Self::Broken(trouble) => write!(f, "the connection broke: {trouble}"),
            Self::Http(failure) => failure.fmt(f),
        }
    }
}

/// What differs from one attempt of a check to the next.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// Which page of an HTTP_GET or SSL_GET, counted from 0.
    pub url: usize,
    /// For what must not be guessed: the id of a DNS query.
    pub random: u16,
    /// The number of an echo request.
    pub sequence: u16,
    /// Where the matchers of an HTTP_GET or SSL_GET come from.
    pub patterns: &'a dyn Patterns,
}

impl Default for Attempt<'_> {
    fn default() -> Self {
        Self {
            url: 0,
            random: 0,
            sequence: 0,
            patterns: &NoPatterns,
        }
    }
}

/// An attempt that is under way.
#[derive(Debug)]
pub enum Dialogue {
    /// TCP_CHECK.
    Tcp(Tcp),
    /// HTTP_GET and SSL_GET.
    Http(Box<Http>),
}

impl Dialogue {
    /// Begins an attempt; the connection is being opened. `None`: checks of this kind are no dialogues (MISC_CHECK,
    /// FILE_CHECK, BFD_CHECK).
    pub fn begin(now: Instant, kind: &CheckerKind, attempt: Attempt<'_>) -> Option<Self> {
        match kind {
            CheckerKind::Tcp(endpoint) => Some(Self::Tcp(Tcp::begin(now, endpoint))),
            CheckerKind::Http(check) => {
                let http = Http::begin(now, check, attempt.url, attempt.patterns);
                Some(Self::Http(Box::new(http)))
            }
            CheckerKind::Ping(_)
            | CheckerKind::Udp(_)
            | CheckerKind::Smtp(_)
            | CheckerKind::Dns(_)
            | CheckerKind::Misc(_)
            | CheckerKind::File(_)
            | CheckerKind::Bfd(_) => None,
        }
    }

    /// What it is to be carried by.
    pub const fn transport(&self) -> Transport {
        match self {
            Self::Tcp(_) | Self::Http(_) => Transport::Tcp,
        }
    }

    /// How TLS is spoken between the connection and this dialogue; `None`: it is not.
    pub const fn tls(&self) -> Option<&http::TlsWish> {
        match self {
            Self::Http(http) => http.tls(),
            Self::Tcp(_) => None,
        }
    }

    /// The connection is there, and the handshake of TLS begins: it has a deadline of its own. Only for those with
    /// [`tls`](Self::tls), before [`handle_connected`](Self::handle_connected).
    pub fn handle_tls_begins(&mut self, now: Instant) {
        match self {
            Self::Http(http) => http.handle_tls_begins(now),
            Self::Tcp(_) => {}
        }
    }

    /// The connection is there; with TLS: its handshake is done.
    pub fn handle_connected(&mut self, now: Instant) {
        match self {
            Self::Tcp(tcp) => tcp.handle_connected(now),
            Self::Http(http) => http.handle_connected(now),
        }
    }

    /// Bytes of a stream, or one datagram.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        match self {
            Self::Http(http) => http.handle_bytes(now, bytes),
            Self::Tcp(_) => {}
        }
    }

    /// The server has closed its side.
    pub fn handle_end(&mut self, _now: Instant) {
        match self {
            Self::Http(http) => http.handle_end(),
            Self::Tcp(_) => {}
        }
    }

    /// The connection cannot be opened, or is broken.
    pub fn handle_trouble(&mut self, _now: Instant, trouble: Trouble) {
        match self {
            Self::Tcp(tcp) => tcp.handle_trouble(trouble),
            Self::Http(http) => http.handle_trouble(trouble),
        }
    }

    /// The deadline has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Tcp(tcp) => tcp.handle_timeout(now),
            Self::Http(http) => http.handle_timeout(now),
        }
    }

    /// What is to be sent next: bytes of a stream, or one datagram.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Tcp(_) => None,
            Self::Http(http) => http.poll_transmit(),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub const fn deadline(&self) -> Instant {
        match self {
            Self::Tcp(tcp) => tcp.deadline(),
            Self::Http(http) => http.deadline(),
        }
    }

    /// How it ended, if it has.
    pub const fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Tcp(tcp) => tcp.verdict(),
            Self::Http(http) => http.verdict(),
        }
    }

    /// What is worth a line of the log, beside the verdict.
    pub fn notes(&self) -> &[http::Note] {
        match self {
            Self::Http(http) => http.notes(),
            Self::Tcp(_) => &[],
        }
    }
}
