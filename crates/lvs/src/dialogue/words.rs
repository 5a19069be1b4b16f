//! What keepalived says of checks, word for word: log lines and mail bodies. Our own words for a failure are its `Display`.
//!
//! Log readers out there know these lines. Which of them is due is not decided here: an attempt that will be made again is
//! logged only with `log_all_failures`, success only when the server was down or never checked.

use std::fmt;
use std::net::SocketAddr;

use super::http::reason;
use super::{EchoFailure, Failure, Obstacle, SmtpFailure, Trouble, TroubleKind};
use crate::settings::checkers::{CheckerKind, Endpoint};

/// Whom a line is about.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What is tried.
    pub kind: &'a CheckerKind,
    /// The real server, as keepalived names it: `[ADDR]:PROTO:PORT`.
    pub server: &'a dyn fmt::Display,
    /// Its address and port, as configured: not where the check connects to.
    pub address: SocketAddr,
    /// The virtual server, as keepalived names it.
    pub service: &'a dyn fmt::Display,
}

impl Subject<'_> {
    /// Of an attempt that failed, and does not count yet. `None`: keepalived has no line for it.
    pub fn failed(&self, failure: &Failure) -> Option<String> {
        let server = self.server;
        match self.kind {
            CheckerKind::Tcp(_) => {
                let is_late = matches!(failure, Failure::ConnectTimeout(_));
                let what = if is_late { "timeout" } else { "failed" };
                Some(format!("TCP connection to {server} {what}."))
            }
            CheckerKind::Udp(_) => Some(if matches!(failure, Failure::Udp(_)) {
                format!("UDP check to {server} reply data mismatch.")
            } else {
                format!("UDP connection to {server} failed.")
            }),
            CheckerKind::Ping(_) => Some(if matches!(failure, Failure::ReadTimeout(_)) {
                format!("ICMP connection to address {server} timeout.")
            } else {
                format!("ICMP connection to {server} of {} failed.", self.service)
            }),
            CheckerKind::Dns(check) => Some(format!(
                "DNS_CHECK ({server}) {}",
                dns(failure, &check.endpoint)
            )),
            CheckerKind::Smtp(check) => Some(format!(
                "SMTP_CHECK {}",
                self.smtp(failure, &check.endpoint)
            )),
            CheckerKind::Http(check) => Some(format!(
                "{} server {server}.",
                reason(failure, check.tls.is_some())
            )),
            CheckerKind::Misc(_) | CheckerKind::File(_) | CheckerKind::Bfd(_) => None,
        }
    }

    /// What went wrong with a PING_CHECK has a line of its own before that of the attempt.
    pub fn detail(&self, failure: &Failure) -> Option<String> {
        if let Failure::Ping(echo) = failure {
            return match echo {
                EchoFailure::Type(kind) => Some(format!("Got ICMP packet with type 0x{kind:x}")),
                EchoFailure::Sequence { got, wanted } => Some(format!(
                    "Ping reply expected seq no {wanted}, received {got}"
                )),
                EchoFailure::Short(_) => None,
            };
        }
        let is_unsent = matches!(
            (failure, self.kind),
            (Failure::Send(_), CheckerKind::Ping(_))
        );
        is_unsent.then(|| "send ICMP packet fail".to_owned())
    }

    /// Of the attempt whose failure counts. `retries` is the checker's `retry`, if it was there to be used: not for a check
    /// that had never run. `None`: keepalived has no line for it.
    pub fn went_down(&self, failure: &Failure, retries: Option<u32>) -> Option<String> {
        let server = self.server;
        let after = match retries.filter(|retries| *retries > 0) {
            Some(retries) => format!(" after {retries} retries"),
            None => String::new(),
        };
        match self.kind {
            CheckerKind::Tcp(_) => Some(format!("TCP_CHECK on service {server} failed{after}.")),
            CheckerKind::Udp(_) => Some(format!("UDP_CHECK on service {server} failed{after}.")),
            CheckerKind::Ping(_) if after.is_empty() => {
                Some(format!("ICMP CHECK on service {server} failed."))
            }
            CheckerKind::Ping(_) => Some(format!(
                "ICMP CHECK on service {server} of {} failed{after}.",
                self.service
            )),
            CheckerKind::Dns(_) => self.failed(failure).map(|line| line + &after),
            CheckerKind::Smtp(_) => self.failed(failure),
            CheckerKind::Http(check) => {
                let name = if check.tls.is_some() { "SSL" } else { "HTTP" };
                Some(format!("{name}_CHECK on service {server} failed{after}."))
            }
            CheckerKind::Misc(_) | CheckerKind::File(_) | CheckerKind::Bfd(_) => None,
        }
    }

    /// Of a success that is news. `None`: keepalived has no line for it.
    pub fn is_well(&self) -> Option<String> {
        let server = self.server;
        match self.kind {
            CheckerKind::Tcp(_) => Some(format!("TCP connection to {server} success.")),
            CheckerKind::Udp(_) => Some(format!("UDP connection to {server} success.")),
            CheckerKind::Ping(_) => Some(format!("ICMP connection to {server} success.")),
            CheckerKind::Smtp(_) => {
                Some(format!("Remote SMTP server {server} succeed on service."))
            }
            CheckerKind::Http(_) => Some(format!("Remote Web server {server} succeed on service.")),
            CheckerKind::Dns(_)
            | CheckerKind::Misc(_)
            | CheckerKind::File(_)
            | CheckerKind::Bfd(_) => None,
        }
    }

    /// Of an attempt without a result. `None`: checks of this kind have no sockets.
    pub fn no_result(&self, obstacle: &Obstacle) -> Option<String> {
        let prefix = match self.kind {
            CheckerKind::Tcp(_) => "TCP".to_owned(),
            CheckerKind::Udp(_) => "UDP".to_owned(),
            CheckerKind::Ping(_) => "ICMP".to_owned(),
            CheckerKind::Http(_) => "WEB".to_owned(),
            CheckerKind::Smtp(_) => "SMTP_CHECK".to_owned(),
            CheckerKind::Dns(_) => format!("DNS_CHECK ({}) UDP", self.server),
            CheckerKind::Misc(_) | CheckerKind::File(_) | CheckerKind::Bfd(_) => return None,
        };
        Some(match obstacle {
            Obstacle::Socket(_) => format!("{prefix} connect fail to create socket. Rescheduling."),
            Obstacle::Bind(_) | Obstacle::Connect(_) => {
                format!("{prefix} socket bind failed. Rescheduling.")
            }
            // keepalived has no such thing.
            Obstacle::Pattern(_) | Obstacle::Tls(_) => return None,
        })
    }

    /// The body of a mail; `failure`: the server went down because of it, otherwise it came back. `None`: what is no
    /// dialogue says it itself.
    pub fn mail(&self, failure: Option<&Failure>) -> Option<String> {
        let name = match self.kind {
            CheckerKind::Tcp(_) => "TCP CHECK ",
            CheckerKind::Udp(_) => "UDP CHECK ",
            CheckerKind::Ping(_) => "ICMP CHECK ",
            CheckerKind::Dns(_) => "DNS_CHECK: ",
            CheckerKind::Smtp(_) | CheckerKind::Http(_) => "CHECK ",
            CheckerKind::Misc(_) | CheckerKind::File(_) | CheckerKind::Bfd(_) => return None,
        };
        let what = match (failure, self.kind) {
            (None, _) => "succeed on service".to_owned(),
            (Some(failure), CheckerKind::Smtp(check)) => {
                let text = self.smtp(failure, &check.endpoint);
                format!("failed on service : {text}")
            }
            (Some(_), CheckerKind::Http(_)) => {
                "failed on service : HTTP/SSL request failed".to_owned()
            }
            (Some(_), _) => "failed on service".to_owned(),
        };
        Some(format!("=> {name}{what} <="))
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else can happen to this check happens while it reads"
    )]
    fn smtp(&self, failure: &Failure, endpoint: &Endpoint) -> String {
        let text = match failure {
            Failure::Connect(trouble) if trouble.kind == TroubleKind::Unreachable => {
                return format!(
                    "Network unreachable for server {} - real server {}",
                    endpoint.destination.ip(),
                    bracketed(self.address)
                );
            }
            Failure::ConnectTimeout(_) => "Connection timeout to server",
            Failure::Connect(trouble) if trouble.kind == TroubleKind::Refused => {
                "Could not connect to server"
            }
            Failure::Connect(_) => "Error connecting to server",
            Failure::ReadTimeout(_) => "Read timeout from server",
            Failure::WriteTimeout(_) => "Write timeout to server",
            Failure::Send(_) => "Write failure to server",
            Failure::Smtp(SmtpFailure::Greeting(_)) => "Bad greeting banner from server",
            Failure::Smtp(SmtpFailure::Helo(_)) => "Bad HELO response from server",
            Failure::Smtp(SmtpFailure::TooLong(_)) => "Buffer overflow reading from server",
            _ => "Read failure from server",
        };
        format!("{text} {}", bracketed(self.address))
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else there will be, keepalived's text for the rest fits"
)]
fn dns(failure: &Failure, endpoint: &Endpoint) -> String {
    match failure {
        Failure::Connect(trouble) if trouble.kind == TroubleKind::Unreachable => {
            let destination = bracketed(endpoint.destination);
            format!("network unreachable for {destination}")
        }
        Failure::Connect(_) => "connection error.".to_owned(),
        Failure::ConnectTimeout(_) => "connection timeout.".to_owned(),
        Failure::ReadTimeout(_) => "read timeout from socket".to_owned(),
        Failure::Dns(code) => format!("read error occurred. (rcode = {})", code.0),
        Failure::Broken(Trouble { number, text, .. }) => {
            format!("failed to read socket; errno {number} ({text})")
        }
        Failure::Send(_) | Failure::WriteTimeout(_) => "failed to write socket.".to_owned(),
        _ => "connection failure.".to_owned(),
    }
}

/// `[ADDR]:PORT`, for both families (keepalived).
fn bracketed(address: SocketAddr) -> String {
    format!("[{}]:{}", address.ip(), address.port())
}

#[cfg(test)]
mod tests;
