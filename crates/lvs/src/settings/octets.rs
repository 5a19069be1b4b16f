//! Bytes of the configuration that are sent as they are written: paths and names of HTTP, and which of them TLS can send.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text, in nearly all configurations; but keepalived sends whatever bytes its file has, so these need not be UTF-8.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Octets(Box<[u8]>);

impl Octets {
    /// Takes them.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// What is sent.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl Octets {
    /// The longest name that a handshake of TLS can begin with, in bytes (OpenSSL: `TLSEXT_MAXLEN_host_name`).
    const LONGEST_NAME: usize = 255;

    /// As the name of a server in TLS (SNI, RFC 6066 3); `None`: none can be sent of it. ASCII is not demanded: a server may
    /// know itself by any text.
    #[must_use]
    pub fn as_server_name(&self) -> Option<&str> {
        self.as_str().filter(|name| {
            !name.is_empty() && name.len() <= Self::LONGEST_NAME && !name.contains('\0')
        })
    }
}

impl From<&str> for Octets {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl fmt::Display for Octets {
    /// For people: what cannot be printed is escaped, as `\xe9` or `\u{1b}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\'' | '"' | '\\' => write!(f, "{character}")?,
                    _ => write!(f, "{}", character.escape_debug())?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown() {
        for (bytes, shown, is_text) in [
            (&b"/a b'\"\\x"[..], "/a b'\"\\x", true),
            ("/caf\u{e9}".as_bytes(), "/caf\u{e9}", true),
            (b"/caf\xe9/", "/caf\\xe9/", false),
            (b"\x1b[2J\t\xe2\x80\xae", "\\u{1b}[2J\\t\\u{202e}", true),
            (b"", "", true),
        ] {
            let octets = Octets::new(bytes.to_vec());
            assert_eq!(octets.as_bytes(), bytes);
            assert_eq!(octets.to_string(), shown);
            assert_eq!(octets.as_str().is_some(), is_text);
            assert_eq!(format!("{octets:?}"), format!("\"{shown}\""));
        }
    }

    #[test]
    fn what_tls_can_send() {
        let long = "x".repeat(255);
        for name in ["a", "www.example.com", "m\u{fc}nchen", "a b", &*long] {
            assert_eq!(Octets::from(name).as_server_name(), Some(name));
        }
        let too_long = [b'x'; 256];
        for bytes in [&b""[..], b"m\xfcnchen", b"a\0b", &too_long] {
            assert_eq!(Octets::new(bytes.to_vec()).as_server_name(), None);
        }
    }
}
