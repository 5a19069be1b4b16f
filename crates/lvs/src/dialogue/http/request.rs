//! What an HTTP_GET or SSL_GET sends, byte for byte as keepalived does.

use std::net::{IpAddr, SocketAddr};

use crate::settings::Octets;
use crate::settings::checkers::HttpVersion;

/// The request is cut here (keepalived: its buffer, but one byte).
const MOST: usize = 2047;

/// The bytes of a request. `host`: the Host header; without one it is the address and port of the server.
///
/// Nothing is escaped: what the configuration has is sent.
pub fn request(
    path: &Octets,
    version: HttpVersion,
    host: Option<&Octets>,
    destination: SocketAddr,
) -> Vec<u8> {
    let (digit, close) = match version {
        HttpVersion::V1_0 => ("0", ""),
        HttpVersion::V1_0Close => ("0", "Connection: close\r\n"),
        HttpVersion::V1_1 => ("1", "Connection: close\r\n"),
    };
    let own = match destination.ip() {
        IpAddr::V4(address) => format!("{address}:{}", destination.port()),
        // Without the zone that `SocketAddr` would write.
        IpAddr::V6(address) => format!("[{address}]:{}", destination.port()),
    };
    let pieces: [&[u8]; 9] = [
        b"GET ",
        path.as_bytes(),
        b" HTTP/1.",
        digit.as_bytes(),
        b"\r\nUser-Agent: KeepAliveClient\r\n",
        close.as_bytes(),
        b"Host: ",
        host.map_or(own.as_bytes(), Octets::as_bytes),
        b"\r\n\r\n",
    ];
    let mut bytes = pieces.concat();
    bytes.truncate(MOST);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn judge(version: HttpVersion, host: Option<&str>, destination: &str, wanted: &str) {
        let host = host.map(Octets::from);
        let bytes = request(
            &"/a b".into(),
            version,
            host.as_ref(),
            destination.parse().unwrap(),
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), wanted);
    }

    #[test]
    fn bytes() {
        judge(
            HttpVersion::V1_0,
            None,
            "192.0.2.1:80",
            "GET /a b HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 192.0.2.1:80\r\n\r\n",
        );
        judge(
            HttpVersion::V1_0Close,
            None,
            "[2001:db8::1]:8080",
            "GET /a b HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: [2001:db8::1]:8080\r\n\r\n",
        );
        judge(
            HttpVersion::V1_1,
            Some("www"),
            "[fe80::1%3]:80",
            "GET /a b HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: www\r\n\r\n",
        );
        judge(
            HttpVersion::V1_0,
            None,
            "[fe80::1%3]:80",
            "GET /a b HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: [fe80::1]:80\r\n\r\n",
        );
    }

    #[test]
    fn bytes_that_are_no_text() {
        let (path, host) = (
            Octets::new(b"/caf\xe9/\xe2\x80\x8b".to_vec()),
            Octets::new(b"m\xfcnchen\x01".to_vec()),
        );
        let destination = SocketAddr::from(([192, 0, 2, 1], 80));
        assert_eq!(
            request(&path, HttpVersion::V1_0, Some(&host), destination),
            b"GET /caf\xe9/\xe2\x80\x8b HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: m\xfcnchen\x01\r\n\r\n"
        );
    }

    #[test]
    fn a_long_one_is_cut() {
        let path = Octets::new(vec![b'/'; 3000]);
        let destination = SocketAddr::from(([192, 0, 2, 1], 80));
        let bytes = request(&path, HttpVersion::V1_0, None, destination);
        assert_eq!(bytes.len(), 2047);
    }
}
