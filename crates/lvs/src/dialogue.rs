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

mod dns;
pub mod http;
mod pattern;
mod ping;
mod smtp;
mod tcp;
mod udp;
pub mod words;

pub use dns::{Dns, ResponseCode};
pub use http::Http;
pub use pattern::{BodyMatcher, NoPatterns, Patterns};
pub use ping::{EchoFailure, Ping};
pub use smtp::{Smtp, SmtpFailure};
pub use tcp::Tcp;
pub use udp::{Mismatch, Udp};

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
    /// What is to be sent is not let out, or an earlier packet was refused.
    Send(Trouble),
    /// A mail server answers, but not as it should.
    Smtp(SmtpFailure),
    /// A name server answers that it cannot.
    Dns(ResponseCode),
    /// A datagram came that is not the wanted one.
    Udp(Mismatch),
    /// What came is not the answer to our echo request.
    Ping(EchoFailure),
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
    /// The operating system's number for it, or that of the library that speaks TLS, for messages and dumps that have it;
    /// 0: none.
    pub number: i32,
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

impl Verdict {
    /// What the operating system or the library has to say of it, if anything.
    pub const fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Failure(
                Failure::Connect(trouble) | Failure::Broken(trouble) | Failure::Send(trouble),
            ) => Some(trouble),
            Self::NoResult(obstacle) => Some(obstacle.trouble()),
            Self::Success | Self::Failure(_) => None,
        }
    }
}

impl Obstacle {
    /// What is behind it.
    pub const fn trouble(&self) -> &Trouble {
        match self {
            Self::Socket(trouble)
            | Self::Bind(trouble)
            | Self::Connect(trouble)
            | Self::Pattern(trouble)
            | Self::Tls(trouble) => trouble,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(trouble) => write!(f, "no socket: {trouble}"),
            Self::Bind(trouble) => write!(f, "the socket cannot be bound: {trouble}"),
            Self::Connect(trouble) => write!(f, "the connection cannot be begun: {trouble}"),
            Self::Pattern(trouble) => write!(f, "the pattern cannot be looked for: {trouble}"),
            Self::Tls(trouble) => write!(f, "TLS cannot be spoken: {trouble}"),
        }
    }
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
            Self::Send(trouble) => write!(f, "nothing can be sent: {trouble}"),
            Self::Smtp(reply) => reply.fmt(f),
            Self::Dns(code) => code.fmt(f),
            Self::Udp(mismatch) => mismatch.fmt(f),
            Self::Ping(echo) => echo.fmt(f),
            Self::Http(failure) => failure.fmt(f),
        }
    }
}

/// What differs from one attempt of a check to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Which page of an HTTP_GET or SSL_GET, counted from 0.
    pub url: usize,
    /// For what must not be guessed: the id of a DNS query.
    pub random: u16,
    /// The number of an echo request.
    pub sequence: u16,
}

/// An attempt that is under way. Nearly all are TCP_CHECKs: the others are boxed.
#[derive(Debug)]
pub enum Dialogue {
    /// TCP_CHECK.
    Tcp(Tcp),
    /// SMTP_CHECK.
    Smtp(Box<Smtp>),
    /// DNS_CHECK.
    Dns(Box<Dns>),
    /// UDP_CHECK.
    Udp(Box<Udp>),
    /// PING_CHECK.
    Ping(Box<Ping>),
    /// HTTP_GET and SSL_GET.
    Http(Box<Http>),
}

impl Dialogue {
    /// Begins an attempt; the connection is being opened. `None`: checks of this kind are no dialogues (MISC_CHECK,
    /// FILE_CHECK, BFD_CHECK).
    ///
    /// `patterns`: where the matchers of an HTTP_GET or SSL_GET come from.
    pub fn begin(
        now: Instant,
        kind: &CheckerKind,
        attempt: Attempt,
        patterns: &dyn Patterns,
    ) -> Option<Self> {
        match kind {
            CheckerKind::Tcp(endpoint) => Some(Self::Tcp(Tcp::begin(now, endpoint))),
            CheckerKind::Smtp(check) => Some(Self::Smtp(Box::new(Smtp::begin(now, check)))),
            CheckerKind::Dns(check) => {
                let dns = Dns::begin(now, check, attempt.random);
                Some(Self::Dns(Box::new(dns)))
            }
            CheckerKind::Udp(check) => Some(Self::Udp(Box::new(Udp::begin(now, check)))),
            CheckerKind::Ping(endpoint) => {
                let ping = Ping::begin(now, endpoint, attempt.sequence);
                Some(Self::Ping(Box::new(ping)))
            }
            CheckerKind::Http(check) => {
                let http = Http::begin(now, check, attempt.url, patterns);
                Some(Self::Http(Box::new(http)))
            }
            CheckerKind::Misc(_) | CheckerKind::File(_) | CheckerKind::Bfd(_) => None,
        }
    }

    /// What it is to be carried by.
    pub const fn transport(&self) -> Transport {
        match self {
            Self::Tcp(_) | Self::Smtp(_) | Self::Http(_) => Transport::Tcp,
            Self::Dns(_) | Self::Udp(_) => Transport::Udp,
            Self::Ping(_) => Transport::Icmp,
        }
    }

    /// How TLS is spoken between the connection and this dialogue; `None`: it is not.
    pub const fn tls(&self) -> Option<&http::TlsWish> {
        match self {
            Self::Http(http) => http.tls(),
            Self::Tcp(_) | Self::Smtp(_) | Self::Dns(_) | Self::Udp(_) | Self::Ping(_) => None,
        }
    }

    /// The connection is there, and the handshake of TLS begins: it has a deadline of its own. Only for those with
    /// [`tls`](Self::tls), before [`handle_connected`](Self::handle_connected).
    pub fn handle_tls_begins(&mut self, now: Instant) {
        match self {
            Self::Http(http) => http.handle_tls_begins(now),
            Self::Tcp(_) | Self::Smtp(_) | Self::Dns(_) | Self::Udp(_) | Self::Ping(_) => {}
        }
    }

    /// The connection is there; with TLS: its handshake is done.
    pub fn handle_connected(&mut self, now: Instant) {
        match self {
            Self::Tcp(tcp) => tcp.handle_connected(now),
            Self::Smtp(smtp) => smtp.handle_connected(now),
            Self::Dns(dns) => dns.handle_connected(),
            Self::Http(http) => http.handle_connected(now),
            // They are sent what they have to say at once.
            Self::Udp(_) | Self::Ping(_) => {}
        }
    }

    /// The connection could not even be begun, because of something on our side.
    pub fn handle_obstacle(&mut self, obstacle: Obstacle) {
        match self {
            Self::Tcp(tcp) => tcp.handle_obstacle(obstacle),
            Self::Smtp(smtp) => smtp.handle_obstacle(obstacle),
            Self::Dns(dns) => dns.handle_obstacle(obstacle),
            Self::Udp(udp) => udp.handle_obstacle(obstacle),
            Self::Ping(ping) => ping.handle_obstacle(obstacle),
            Self::Http(http) => http.handle_obstacle(obstacle),
        }
    }

    /// Bytes of a stream, or one datagram.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        match self {
            Self::Tcp(_) => {}
            Self::Smtp(smtp) => smtp.handle_bytes(now, bytes),
            Self::Dns(dns) => dns.handle_datagram(bytes),
            Self::Udp(udp) => udp.handle_datagram(bytes),
            Self::Ping(ping) => ping.handle_datagram(bytes),
            Self::Http(http) => http.handle_bytes(now, bytes),
        }
    }

    /// The server has closed its side.
    pub fn handle_end(&mut self, _now: Instant) {
        match self {
            Self::Smtp(smtp) => smtp.handle_end(),
            Self::Http(http) => http.handle_end(),
            // Nothing more is wanted of it, or it has no end.
            Self::Tcp(_) | Self::Dns(_) | Self::Udp(_) | Self::Ping(_) => {}
        }
    }

    /// The connection cannot be opened, or is broken.
    pub fn handle_trouble(&mut self, _now: Instant, trouble: Trouble) {
        match self {
            Self::Tcp(tcp) => tcp.handle_trouble(trouble),
            Self::Smtp(smtp) => smtp.handle_trouble(trouble),
            Self::Dns(dns) => dns.handle_trouble(trouble),
            Self::Udp(udp) => udp.handle_trouble(trouble),
            Self::Ping(ping) => ping.handle_trouble(trouble),
            Self::Http(http) => http.handle_trouble(trouble),
        }
    }

    /// TLS found the server's certificate to be no good. Only for those whose [`tls`](Self::tls) names a peer.
    pub fn handle_bad_certificate(&mut self, bad: http::BadCertificate) {
        match self {
            Self::Http(http) => http.handle_bad_certificate(bad),
            Self::Tcp(_) | Self::Smtp(_) | Self::Dns(_) | Self::Udp(_) | Self::Ping(_) => {}
        }
    }

    /// What is to be sent cannot be sent.
    pub fn handle_send_trouble(&mut self, _now: Instant, trouble: Trouble) {
        match self {
            Self::Tcp(tcp) => tcp.handle_trouble(trouble),
            Self::Smtp(smtp) => smtp.handle_send_trouble(trouble),
            Self::Dns(dns) => dns.handle_send_trouble(trouble),
            Self::Udp(udp) => udp.handle_send_trouble(trouble),
            Self::Ping(ping) => ping.handle_send_trouble(trouble),
            Self::Http(http) => http.handle_send_trouble(trouble),
        }
    }

    /// The deadline has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Tcp(tcp) => tcp.handle_timeout(now),
            Self::Smtp(smtp) => smtp.handle_timeout(now),
            Self::Dns(dns) => dns.handle_timeout(now),
            Self::Udp(udp) => udp.handle_timeout(now),
            Self::Ping(ping) => ping.handle_timeout(now),
            Self::Http(http) => http.handle_timeout(now),
        }
    }

    /// What is to be sent next: bytes of a stream, or one datagram. To be asked for only when all before it is sent.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Tcp(_) => None,
            Self::Smtp(smtp) => smtp.poll_transmit(),
            Self::Dns(dns) => dns.poll_transmit(),
            Self::Udp(udp) => udp.poll_transmit(),
            Self::Ping(ping) => ping.poll_transmit(),
            Self::Http(http) => http.poll_transmit(),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub const fn deadline(&self) -> Instant {
        match self {
            Self::Tcp(tcp) => tcp.deadline(),
            Self::Smtp(smtp) => smtp.deadline(),
            Self::Dns(dns) => dns.deadline(),
            Self::Udp(udp) => udp.deadline(),
            Self::Ping(ping) => ping.deadline(),
            Self::Http(http) => http.deadline(),
        }
    }

    /// How it ended, if it has.
    pub const fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Tcp(tcp) => tcp.verdict(),
            Self::Smtp(smtp) => smtp.verdict(),
            Self::Dns(dns) => dns.verdict(),
            Self::Udp(udp) => udp.verdict(),
            Self::Ping(ping) => ping.verdict(),
            Self::Http(http) => http.verdict(),
        }
    }

    /// The answer to an HTTP_GET or SSL_GET, as far as it has come.
    pub const fn answer(&self) -> Option<&http::Answer> {
        match self {
            Self::Http(http) => Some(http.answer()),
            Self::Tcp(_) | Self::Smtp(_) | Self::Dns(_) | Self::Udp(_) | Self::Ping(_) => None,
        }
    }

    /// What is worth a line of the log, beside the verdict.
    pub fn notes(&self) -> &[http::Note] {
        match self {
            Self::Http(http) => http.notes(),
            Self::Tcp(_) | Self::Smtp(_) | Self::Dns(_) | Self::Udp(_) | Self::Ping(_) => &[],
        }
    }
}

/// What keepalived fills datagrams with.
fn pattern(length: usize) -> impl Iterator<Item = u8> {
    b"keepalived check - ".iter().copied().cycle().take(length)
}

#[cfg(test)]
mod tests;
