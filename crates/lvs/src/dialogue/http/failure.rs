//! Why a page is not what it should be.

use std::fmt;
use std::time::Duration;

use super::super::{Failure, Trouble, TroubleKind};
use super::answer::MOST_HEADER;
use super::certificate::BadCertificate;
use crate::settings::checkers::StatusRange;

/// What was got, and what was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpFailure {
    /// TLS was not established within `connect_timeout`.
    HandshakeTimeout(Duration),
    /// The server has no good certificate (`verify_peer`).
    Certificate(Box<BadCertificate>),
    /// The answer stopped: nothing more came within `connect_timeout`.
    Stalled {
        /// `connect_timeout`.
        limit: Duration,
        /// Bytes of body that had come.
        body: u64,
    },
    /// The answer did not end in time: the server did not close.
    Endless {
        /// How long was waited.
        limit: Duration,
        /// Bytes of body that had come.
        body: u64,
    },
    /// More body came than anybody wants to check.
    TooLarge {
        /// As many bytes were taken.
        limit: u64,
    },
    /// The answer has ended without a whole header.
    NoHeader {
        /// Bytes that had come.
        received: usize,
    },
    /// There is no end of the header where it must have ended.
    HeaderTooLong,
    /// A status that is not wanted.
    Status {
        /// The one that came; `None`: the status line has none.
        got: Option<u16>,
        /// The status line; what cannot be printed is escaped.
        line: Box<str>,
        /// The good ones.
        wanted: Vec<StatusRange>,
    },
    /// The body is another one.
    Digest {
        /// Its MD5.
        got: [u8; 16],
        /// That of the right one.
        wanted: [u8; 16],
    },
    /// The pattern is not in the body.
    NoMatch {
        /// The pattern; what cannot be printed is escaped.
        pattern: Box<str>,
        /// Bytes of body that were searched.
        body: u64,
    },
    /// The pattern is in the body, and should not be.
    Match {
        /// The pattern; what cannot be printed is escaped.
        pattern: Box<str>,
    },
    /// Whether the pattern is in the body could not be found out.
    Unclear {
        /// The pattern; what cannot be printed is escaped.
        pattern: Box<str>,
        /// Why.
        why: Trouble,
    },
}

impl fmt::Display for HttpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HandshakeTimeout(limit) => write!(f, "no TLS within {limit:?}"),
            Self::Certificate(bad) => bad.fmt(f),
            Self::Stalled { limit, body } => {
                write!(f, "nothing more for {limit:?}, after {body} bytes of body")
            }
            Self::Endless { limit, body } => write!(
                f,
                "it has not closed within {limit:?}, after {body} bytes of body"
            ),
            Self::TooLarge { limit } => write!(f, "the body has more than {limit} bytes"),
            Self::NoHeader { received: 0 } => f.write_str("it closed without an answer"),
            Self::NoHeader { received } => write!(
                f,
                "it closed after {received} bytes, within the header of its answer"
            ),
            Self::HeaderTooLong => {
                write!(f, "the header has more than {MOST_HEADER} bytes")
            }
            Self::Status { got, line, wanted } => {
                match got {
                    Some(got) => write!(f, "status {got}")?,
                    None => write!(f, "no status in '{line}'")?,
                }
                f.write_str(", wanted")?;
                wanted.iter().try_for_each(|range| write!(f, " {range}"))
            }
            Self::Digest { got, wanted } => {
                write!(f, "digest {}, wanted {}", Hex(got), Hex(wanted))
            }
            Self::NoMatch { pattern, body } => {
                write!(f, "no match for '{pattern}' in {body} bytes of body")
            }
            Self::Match { pattern } => write!(f, "the body matches '{pattern}'"),
            Self::Unclear { pattern, why } => {
                write!(f, "whether the body matches '{pattern}' is unclear: {why}")
            }
        }
    }
}

/// Lower-case hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What keepalived says of a failure of HTTP_GET or, with `tls`, of SSL_GET: a line of its log is this text, a blank, and
/// `server RS.`.
pub fn reason(failure: &Failure, tls: bool) -> &'static str {
    if let Failure::Http(failure) = failure {
        page(failure, tls)
    } else if let Failure::Connect(trouble) = failure {
        match trouble.kind {
            TroubleKind::Unreachable => "HTTP/SSL_CHECK - network unreachable",
            TroubleKind::Tls => "SSL handshake/communication error connecting to",
            TroubleKind::Refused | TroubleKind::Other => "Connection failed",
        }
    } else if matches!(failure, Failure::ConnectTimeout(_)) {
        "Timeout connecting"
    } else if matches!(failure, Failure::WriteTimeout(_) | Failure::Send(_)) {
        "Cannot send get request to"
    } else if matches!(failure, Failure::ReadTimeout(_)) {
        "Timeout WEB read"
    } else if tls {
        "SSL read error from"
    } else {
        "Read error with"
    }
}

fn page(failure: &HttpFailure, tls: bool) -> &'static str {
    match failure {
        HttpFailure::HandshakeTimeout(_) => "Timeout connecting",
        // keepalived has no such thing.
        HttpFailure::Certificate(_) => "SSL certificate refused of",
        HttpFailure::Stalled { .. }
        | HttpFailure::Endless { .. }
        | HttpFailure::TooLarge { .. } => {
            if tls {
                "Timeout SSL read"
            } else {
                "Timeout HTTP read"
            }
        }
        // The blank is keepalived's.
        HttpFailure::NoHeader { .. } | HttpFailure::HeaderTooLong => "Read, no data received from ",
        HttpFailure::Status { .. } => "HTTP status code error to",
        HttpFailure::Digest { .. } => "MD5 digest error to",
        HttpFailure::NoMatch { .. } | HttpFailure::Match { .. } | HttpFailure::Unclear { .. } => {
            "Regex match failed"
        }
    }
}
