//! What an HTTP_GET or SSL_GET sends, byte for byte as keepalived does.

use std::net::{IpAddr, SocketAddr};

use crate::settings::checkers::HttpVersion;

/// The request is cut here (keepalived: its buffer, but one byte).
const MOST: usize = 2047;

/// The bytes of a request. `host`: the Host header; without one it is the address and port of the server.
///
/// Nothing is escaped: what the configuration has is sent.
pub fn request(
    path: &str,
    version: HttpVersion,
    host: Option<&str>,
    destination: SocketAddr,
) -> Vec<u8> {
    let (digit, close) = match version {
        HttpVersion::V1_0 => ('0', ""),
        HttpVersion::V1_0Close => ('0', "Connection: close\r\n"),
        HttpVersion::V1_1 => ('1', "Connection: close\r\n"),
    };
    let own = match (host, destination.ip()) {
        (Some(host), _) => host.to_owned(),
        (None, IpAddr::V4(address)) => format!("{address}:{}", destination.port()),
        // Without the zone that `SocketAddr` would write.
        (None, IpAddr::V6(address)) => format!("[{address}]:{}", destination.port()),
    };
    let mut bytes = format!(
        "GET {path} HTTP/1.{digit}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: {own}\r\n\r\n"
    )
    .into_bytes();
    bytes.truncate(MOST);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn judge(version: HttpVersion, host: Option<&str>, destination: &str, wanted: &str) {
        let bytes = request("/a b", version, host, destination.parse().unwrap());
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
    fn a_long_one_is_cut() {
        let path = "/".repeat(3000);
        let destination = SocketAddr::from(([192, 0, 2, 1], 80));
        let bytes = request(&path, HttpVersion::V1_0, None, destination);
        assert_eq!(bytes.len(), 2047);
    }
}
