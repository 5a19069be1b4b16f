//! How the health of a real server is found out: one [`Checker`] per block of the configuration.
//!
//! Inheritance is already applied (checker, real server, virtual server, what keepalived has built in), so a checker
//! knows nothing of the servers around it. There are tens of thousands of them in one process, and nearly all are
//! TCP_CHECKs: what is rare is boxed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::IfName;

use super::octets::Octets;
use super::peer::PeerName;

/// A command of the configuration: its place in `config::Settings::lvs_commands`. Equal commands share an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommandId(pub u32);

/// A time in microseconds, the resolution of keepalived's timers; half the size of a [`Duration`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Microseconds(pub u64);

impl Microseconds {
    /// Whole seconds.
    pub const fn from_secs(seconds: u32) -> Self {
        // A widening: u64::from is not const.
        Self(seconds as u64 * 1_000_000)
    }

    /// The same time for whoever waits.
    pub const fn as_duration(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

/// One check of a real server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checker {
    /// What is tried.
    pub kind: CheckerKind,
    /// `retry`: further attempts before a failure counts. Without a meaning for FILE_CHECK and BFD_CHECK.
    pub retry: u32,
    /// `delay_before_retry`: from a failed attempt to the next one; zero: at once.
    pub delay_before_retry: Microseconds,
    /// `warmup`: the first check begins a random part of this later; zero: no spread.
    pub warmup: Microseconds,
    /// `delay_loop`: from the end of one check to the next one (MISC_CHECK: from its start); never zero.
    pub delay_loop: Microseconds,
    /// `alpha`: the server is down until this check has succeeded. FILE_CHECK knows its state at once and ignores it.
    pub alpha: bool,
    /// `log_all_failures`: attempts that are retried are logged too. `checker_log_all_failures` does that for all.
    pub log_all_failures: bool,
}

impl Checker {
    /// Where it connects to; `None`: it has no socket.
    pub const fn endpoint(&self) -> Option<&Endpoint> {
        match &self.kind {
            CheckerKind::Tcp(endpoint) | CheckerKind::Ping(endpoint) => Some(endpoint),
            CheckerKind::Udp(check) => Some(&check.endpoint),
            CheckerKind::Http(check) => Some(&check.endpoint),
            CheckerKind::Smtp(check) => Some(&check.endpoint),
            CheckerKind::Dns(check) => Some(&check.endpoint),
            CheckerKind::Misc(_) | CheckerKind::File(_) | CheckerKind::Bfd(_) => None,
        }
    }
}

/// What a checker tries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckerKind {
    /// TCP_CHECK: a connection can be opened.
    Tcp(Endpoint),
    /// PING_CHECK: an ICMP echo request is answered. The destination's port has no meaning.
    Ping(Endpoint),
    /// UDP_CHECK: a datagram is not refused, or answered.
    Udp(Box<UdpCheck>),
    /// HTTP_GET, and SSL_GET when [`HttpCheck::tls`] is set: pages have the right status and content.
    Http(Box<HttpCheck>),
    /// SMTP_CHECK: a mail server greets.
    Smtp(Box<SmtpCheck>),
    /// DNS_CHECK: a name server answers.
    Dns(Box<DnsCheck>),
    /// MISC_CHECK: a command says so.
    Misc(MiscCheck),
    /// FILE_CHECK: the number in a file says so.
    File(Box<FileCheck>),
    /// BFD_CHECK: the session of this `bfd_instance` is up.
    Bfd(Box<str>),
}

/// The two ends of a checker's connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `connect_ip` and `connect_port`, by default the real server's. Port 0: there is none, nothing can be connected to.
    pub destination: SocketAddr,
    /// `connect_timeout`: how long each step may take; never zero, below 4295 seconds.
    pub connect_timeout: Microseconds,
    /// Where from; `None`: as the kernel chooses.
    pub source: Option<Box<Source>>,
}

/// Restrictions of a checker's own end. At least one of them is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `bindto`; of the destination's family.
    pub address: Option<IpAddr>,
    /// `bind_port`.
    pub port: Option<NonZeroU16>,
    /// `bind_if`. It need not exist yet.
    pub interface: Option<IfName>,
    /// `fwmark` (SO_MARK); 0: none. PING_CHECK does not apply it.
    pub fwmark: u32,
}

/// UDP_CHECK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UdpCheck {
    /// Where to.
    pub endpoint: Endpoint,
    /// `payload`: what is sent; `None`: a text of keepalived's.
    pub payload: Option<Vec<u8>>,
    /// `require_reply`.
    pub reply: Reply,
}

/// What a UDP_CHECK expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// No refusal; silence is good.
    NotNeeded,
    /// Any datagram. Its length does not matter (keepalived: the limits need a pattern).
    Any,
    /// One of the right length whose first bytes fit.
    Matching(ReplyPattern),
}

/// A reply that is good enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyPattern {
    /// The bytes it begins with; a nibble that may be anything is 0. Never empty.
    pub bytes: Vec<u8>,
    /// As many bytes: which bits of `bytes` count.
    pub mask: Vec<u8>,
    /// `min_reply_length`. Above the maximum nothing fits.
    pub min_length: u16,
    /// `max_reply_length`; 255 by default.
    pub max_length: u16,
}

impl ReplyPattern {
    /// Whether a reply fits. One shorter than the pattern does when its own bytes fit (keepalived: so does it there).
    #[must_use]
    pub fn fits(&self, reply: &[u8]) -> bool {
        let length = u16::try_from(reply.len()).unwrap_or(u16::MAX);
        (self.min_length..=self.max_length).contains(&length)
            && reply
                .iter()
                .zip(&self.bytes)
                .zip(&self.mask)
                .all(|((got, wanted), mask)| got & mask == wanted & mask)
    }
}

/// HTTP_GET or SSL_GET.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCheck {
    /// Where to.
    pub endpoint: Endpoint,
    /// SSL_GET: how TLS is spoken; `None`: HTTP_GET.
    pub tls: Option<Tls>,
    /// `http_protocol`.
    pub version: HttpVersion,
    /// `virtualhost` of the checker, else of the real server, else of the virtual server: the Host header of the pages
    /// that have none of their own. `None`: the destination's address and port.
    pub virtualhost: Option<Octets>,
    /// `fast_recovery`: no delay between two pages until all are known to be good.
    pub fast_recovery: bool,
    /// The pages, in the order of the file; at least one.
    pub urls: Vec<Url>,
}

impl HttpCheck {
    /// The Host header of a page; `None`: the destination's address and port.
    pub fn host<'a>(&'a self, url: &'a Url) -> Option<&'a Octets> {
        url.virtualhost.as_ref().or(self.virtualhost.as_ref())
    }

    /// The name that is sent when TLS begins; `None`: none.
    pub fn sni<'a>(&'a self, url: &'a Url) -> Option<&'a Octets> {
        match &self.tls.as_ref()?.sni {
            Sni::Off => None,
            Sni::Named(name) => Some(name),
            Sni::Virtualhost(otherwise) => url.virtualhost.as_ref().or(otherwise.as_ref()),
        }
    }

    /// Whom the server's certificate must be for: the name that TLS begins with, else the Host header of the page, else the
    /// address that is connected to. `None`: nobody looks (without `verify_peer`).
    pub fn peer(&self, url: &Url) -> Option<PeerName> {
        let name = || self.sni(url).or_else(|| self.host(url));
        self.tls.as_ref()?.verify_peer.then(|| match name() {
            Some(name) => PeerName::from(name),
            None => PeerName::Address(self.endpoint.destination.ip()),
        })
    }
}

/// How an SSL_GET speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// `enable_sni` and `sni_name`.
    pub sni: Sni,
    /// `tls_compliant`: the end is announced (close_notify) for every page; a page can ask for it by itself too.
    pub compliant: bool,
    /// `verify_peer`: the server's certificate must be good, and for the [right one](HttpCheck::peer). keepalived has nothing
    /// like it.
    pub verify_peer: bool,
}

/// The server name sent with a TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sni {
    /// None.
    Off,
    /// `sni_name`.
    Named(Octets),
    /// The page's virtualhost, else this one: the checker's own, else the virtual server's.
    /// keepalived passes over the real server's.
    Virtualhost(Option<Octets>),
}

/// `http_protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpVersion {
    /// `1.0`.
    #[default]
    V1_0,
    /// `1.0C`: version 1.0 with `Connection: close`.
    V1_0Close,
    /// `1.1`, with `Connection: close`.
    V1_1,
}

/// A page that an HTTP_GET or SSL_GET asks for (`url`). All criteria must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Url {
    /// `path`, sent as it is.
    pub path: Octets,
    /// `virtualhost` of the page itself.
    pub virtualhost: Option<Octets>,
    /// `digest`: the MD5 of the body.
    pub digest: Option<[u8; 16]>,
    /// `status_code`: ranges of good ones, as written; never empty.
    pub status_codes: Vec<StatusRange>,
    /// `regex` and what goes with it.
    pub regex: Option<Box<Regex>>,
    /// `tls_compliant` of the page itself.
    pub tls_compliant: bool,
}

impl Url {
    /// Whether an answer's status is a good one.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        self.status_codes.iter().any(|range| range.contains(status))
    }
}

/// HTTP status codes that are good, 100..=599, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRange {
    /// The first.
    pub least: u16,
    /// The last; not below the first.
    pub most: u16,
}

impl StatusRange {
    /// Without `status_code`: any success (RFC 9110 15.3).
    pub const SUCCESS: Self = Self {
        least: 200,
        most: 299,
    };

    /// Whether a status is among them.
    #[must_use]
    pub fn contains(self, status: u16) -> bool {
        (self.least..=self.most).contains(&status)
    }
}

impl fmt::Display for StatusRange {
    /// As `status_code` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.least)?;
        if self.most != self.least {
            write!(f, "-{}", self.most)?;
        }
        Ok(())
    }
}

/// A pattern (PCRE2) for the body of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regex {
    /// The pattern, escapes of the configuration already resolved. Bytes, for without `utf` it matches bytes.
    pub pattern: Vec<u8>,
    /// `regex_options`.
    pub options: RegexOptions,
    /// `regex_no_match`: the page is good when the pattern does not match.
    pub no_match: bool,
    /// `regex_min_offset`: the first byte where a match may begin.
    pub min_offset: u64,
    /// `regex_max_offset`: the last byte where a match may begin; never below the first.
    pub max_offset: Option<u64>,
    /// `regex_stack`: bytes of stack for compiled patterns. The largest one counts for all.
    pub stack: Option<RegexStack>,
}

/// `regex_stack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegexStack {
    /// At first, in bytes.
    pub start: u64,
    /// At most, in bytes; not below `start`.
    pub most: u64,
}

/// A set of PCRE2's compile options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RegexOptions(u32);

impl RegexOptions {
    /// The names, as `regex_options` has them. A set is one bit for each, the first one being the lowest.
    pub const NAMES: [&str; 24] = [
        "allow_empty_class",
        "alt_bsux",
        "alt_circumflex",
        "alt_verbnames",
        "auto_callout",
        "caseless",
        "dollar_endonly",
        "dotall",
        "dupnames",
        "extended",
        "firstline",
        "match_unset_backref",
        "multiline",
        "never_backslash_c",
        "never_ucp",
        "never_utf",
        "no_auto_capture",
        "no_auto_possess",
        "no_dotstar_anchor",
        "no_start_optimize",
        "ucp",
        "ungreedy",
        "use_offset_limit",
        "utf",
    ];

    /// Adds an option; false: there is none of that name.
    #[must_use]
    pub fn insert(&mut self, name: &str) -> bool {
        let index = Self::NAMES.iter().position(|known| *known == name);
        if let Some(index) = index {
            self.0 |= 1 << index;
        }
        index.is_some()
    }

    /// The names of the options in it.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(index, _)| self.0 & (1 << index) != 0)
            .map(|(_, name)| name)
    }
}

/// SMTP_CHECK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpCheck {
    /// Where to.
    pub endpoint: Endpoint,
    /// `helo_name`.
    pub helo_name: String,
}

impl SmtpCheck {
    /// What a check calls itself without `helo_name` (keepalived's own).
    pub const HELO_NAME: &str = "smtpchecker.keepalived.org";
}

/// DNS_CHECK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsCheck {
    /// Where to.
    pub endpoint: Endpoint,
    /// `type`.
    pub record: DnsType,
    /// `name`, without the dot at its end; empty: the root. No label is empty or longer than 63 bytes, and the whole
    /// is at most 253 bytes (RFC 1035 2.3.4).
    pub name: String,
}

/// What a DNS_CHECK asks for; the numbers are those of the protocol (RFC 1035 3.2.2, RFC 3596 2.1, RFC 4034).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u16)]
pub enum DnsType {
    /// An IPv4 address.
    A = 1,
    /// A name server.
    Ns = 2,
    /// An alias.
    Cname = 5,
    /// The start of a zone.
    #[default]
    Soa = 6,
    /// A mail exchanger.
    Mx = 15,
    /// Text.
    Txt = 16,
    /// An IPv6 address.
    Aaaa = 28,
    /// A signature.
    Rrsig = 46,
    /// A key of a zone.
    Dnskey = 48,
}

impl DnsType {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::A,
        Self::Ns,
        Self::Cname,
        Self::Soa,
        Self::Mx,
        Self::Txt,
        Self::Aaaa,
        Self::Rrsig,
        Self::Dnskey,
    ];

    /// The number of the protocol.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// As `type` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Ns => "NS",
            Self::Cname => "CNAME",
            Self::Soa => "SOA",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Aaaa => "AAAA",
            Self::Rrsig => "RRSIG",
            Self::Dnskey => "DNSKEY",
        }
    }
}

/// MISC_CHECK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiscCheck {
    /// `misc_path` and `user`.
    pub command: CommandId,
    /// `misc_timeout`: how long it may run before it is killed. keepalived: the virtual server's `delay_loop`, not the
    /// checker's own.
    pub timeout: Microseconds,
    /// `misc_dynamic`: the exit status is a weight.
    pub dynamic: bool,
}

/// FILE_CHECK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCheck {
    /// The name of the `track_file`.
    pub track_file: String,
    /// `weight`, else the track file's own.
    pub weight: FileWeight,
}

/// What the number in a file is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWeight {
    /// -2147483647..=2147483647; 0: any number but 0 is a failure.
    pub weight: i32,
    /// The result with the other sign; with weight 0: 0 is the failure.
    pub reverse: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tcp_check_is_small() {
        assert!(size_of::<Checker>() <= 96, "{}", size_of::<Checker>());
    }

    #[test]
    fn replies() {
        let pattern = ReplyPattern {
            bytes: vec![0x12, 0x30],
            mask: vec![0xff, 0xf0],
            min_length: 1,
            max_length: 3,
        };
        for (reply, fits) in [
            (&[0x12, 0x3f][..], true),
            (&[0x12], true),
            (&[0x12, 0x3f, 9], true),
            (&[0x12, 0x4f], false),
            (&[], false),
            (&[0x12, 0x3f, 9, 9], false),
        ] {
            assert_eq!(pattern.fits(reply), fits, "{reply:?}");
        }
    }

    #[test]
    fn options_have_names() {
        let mut options = RegexOptions::default();
        assert!(options.insert("utf") && options.insert("allow_empty_class"));
        assert!(!options.insert("UTF"));
        assert_eq!(
            options.names().collect::<Vec<_>>(),
            ["allow_empty_class", "utf"]
        );
    }

    #[test]
    fn host_and_sni() {
        let url = |virtualhost: Option<&str>| Url {
            path: "/".into(),
            virtualhost: virtualhost.map(Octets::from),
            digest: None,
            status_codes: vec![StatusRange::SUCCESS],
            regex: None,
            tls_compliant: false,
        };
        let check = |sni| HttpCheck {
            endpoint: Endpoint {
                destination: SocketAddr::from(([192, 0, 2, 1], 443)),
                connect_timeout: Microseconds::from_secs(5),
                source: None,
            },
            tls: Some(Tls {
                sni,
                compliant: false,
                verify_peer: false,
            }),
            version: HttpVersion::V1_1,
            virtualhost: Some("checker".into()),
            fast_recovery: false,
            urls: vec![],
        };
        let (own, plain) = (url(Some("own")), url(None));
        let name = |name: Option<&Octets>| name.map(Octets::to_string).unwrap_or_default();
        let named = check(Sni::Named("sni".into()));
        assert_eq!(name(named.host(&own)), "own");
        assert_eq!(name(named.sni(&own)), "sni");
        assert_eq!(name(named.host(&plain)), "checker");
        let host = check(Sni::Virtualhost(Some("virtual".into())));
        assert_eq!(name(host.sni(&own)), "own");
        assert_eq!(name(host.sni(&plain)), "virtual");
        assert_eq!(check(Sni::Off).sni(&own), None);
        assert!(own.accepts(204) && !own.accepts(302));
    }

    #[test]
    fn whom_the_certificate_is_for() {
        let mut check = HttpCheck {
            endpoint: Endpoint {
                destination: SocketAddr::from(([192, 0, 2, 1], 443)),
                connect_timeout: Microseconds::from_secs(5),
                source: None,
            },
            tls: None,
            version: HttpVersion::V1_1,
            virtualhost: None,
            fast_recovery: false,
            urls: vec![],
        };
        let url = Url {
            path: "/".into(),
            virtualhost: None,
            digest: None,
            status_codes: vec![StatusRange::SUCCESS],
            regex: None,
            tls_compliant: false,
        };
        assert_eq!(check.peer(&url), None);
        let tls = |sni, verify_peer| {
            Some(Tls {
                sni,
                compliant: false,
                verify_peer,
            })
        };
        check.tls = tls(Sni::Named("sni".into()), false);
        assert_eq!(check.peer(&url), None);
        check.tls = tls(Sni::Off, true);
        let peer = |check: &HttpCheck| check.peer(&url).unwrap().to_string();
        assert_eq!(peer(&check), "192.0.2.1");
        check.virtualhost = Some("host:8443".into());
        assert_eq!(peer(&check), "host");
        check.tls = tls(Sni::Virtualhost(Some("virtual".into())), true);
        assert_eq!(peer(&check), "virtual");
        check.tls = tls(Sni::Virtualhost(None), true);
        assert_eq!(peer(&check), "host");
        check.tls = tls(Sni::Named("sni".into()), true);
        assert_eq!(peer(&check), "sni");
        // What is no text is in no certificate, however it is shown.
        for (bytes, shown) in [
            (&b"m\xfcnchen.example"[..], "m\\xfcnchen.example"),
            (b"a\x01b", "a\\u{1}b"),
        ] {
            check.tls = tls(Sni::Named(Octets::new(bytes.to_vec())), true);
            assert_eq!(peer(&check), shown);
            assert!(!check.peer(&url).unwrap().is_possible(), "{shown}");
        }
    }
}
