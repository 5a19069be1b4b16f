//! Whom the certificate of a server must be for (`verify_peer`): what was asked for, as a certificate has it.

use std::fmt;
use std::net::IpAddr;

use super::Octets;

/// The name, or the address, that a certificate must bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerName {
    /// A name of DNS, without port and final dot.
    Name(Box<str>),
    /// An address: of a server that is asked for by no name, or by this one.
    Address(IpAddr),
    /// What is no text, and so in no certificate.
    Bytes(Octets),
}

impl From<&Octets> for PeerName {
    /// As [`PeerName::of`].
    fn from(host: &Octets) -> Self {
        match host.as_str() {
            Some(text) => Self::of(text),
            None => Self::Bytes(host.clone()),
        }
    }
}

impl PeerName {
    /// Of a host as a `Host` header has it (RFC 9110 7.2): a name or an address, and perhaps a port, which no certificate has.
    #[must_use]
    pub fn of(host: &str) -> Self {
        if let Ok(address) = host.parse() {
            return Self::Address(address);
        }
        if let Some((inside, _port)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            && let Ok(address) = inside.parse()
        {
            return Self::Address(IpAddr::V6(address));
        }
        let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let name = match host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            Some(_) | None => host,
        };
        match name.parse() {
            Ok(address) => Self::Address(address),
            Err(_) => Self::Name(name.strip_suffix('.').unwrap_or(name).into()),
        }
    }

    /// Whether a certificate can be for it. Names in certificates are ASCII (RFC 5280 4.2.1.6). Those who compare them take
    /// no name for any, and one that begins with a dot for all below it.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        match self {
            Self::Address(_) => true,
            Self::Bytes(_) => false,
            Self::Name(name) => {
                !name.is_empty()
                    && !name.starts_with('.')
                    && name.bytes().all(|byte| byte.is_ascii_graphic())
            }
        }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{}", name.escape_debug()),
            Self::Address(address) => address.fmt(f),
            Self::Bytes(bytes) => bytes.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, wanted) in [
            ("www.example.com", "name www.example.com"),
            ("www.example.com.", "name www.example.com"),
            ("www.example.com:8443", "name www.example.com"),
            ("www.example.com.:", "name www.example.com"),
            ("www.example.com:https", "name www.example.com:https"),
            ("192.0.2.1", "address 192.0.2.1"),
            ("192.0.2.1:443", "address 192.0.2.1"),
            ("2001:db8::1", "address 2001:db8::1"),
            ("[2001:db8::1]", "address 2001:db8::1"),
            ("[2001:DB8::1]:443", "address 2001:db8::1"),
            ("[www]:443", "name [www]"),
            ("", "name "),
            (":443", "name "),
            ("ä\u{1b}", "name ä\\u{1b}"),
        ] {
            let name = PeerName::from(&Octets::from(host));
            assert_eq!(name, PeerName::of(host));
            let kind = match name {
                PeerName::Name(_) => "name",
                PeerName::Address(_) => "address",
                PeerName::Bytes(_) => "bytes",
            };
            assert_eq!(format!("{kind} {name}"), wanted);
        }
    }

    #[test]
    fn whom_a_certificate_can_be_for() {
        for host in ["a", "a.b", "*.a", "a_b", "192.0.2.1", "[::1]:80", "a."] {
            assert!(PeerName::of(host).is_possible(), "{host}");
        }
        for host in ["", ".", ":80", ".a", "m\u{fc}nchen.example", "a b", "a\0b"] {
            assert!(!PeerName::of(host).is_possible(), "{host}");
        }
    }
}
