//! What the text says about the checkers of a real server.

use std::net::IpAddr;
use std::num::NonZeroU16;

use lvs::settings::Octets;
use lvs::settings::checkers::{
    DnsType, FileWeight, HttpVersion, Microseconds, RegexOptions, RegexStack, StatusRange,
};
use types::IfName;

use super::At;
use crate::diagnostics::Span;
use crate::settings::RunAs;

/// The block that a checker was written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckerBlock {
    Misc,
    Smtp,
    Tcp,
    Ping,
    Udp,
    Http,
    Ssl,
    Dns,
    File,
    Bfd,
}

impl CheckerBlock {
    /// Its keyword.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Misc => "MISC_CHECK",
            Self::Smtp => "SMTP_CHECK",
            Self::Tcp => "TCP_CHECK",
            Self::Ping => "PING_CHECK",
            Self::Udp => "UDP_CHECK",
            Self::Http => "HTTP_GET",
            Self::Ssl => "SSL_GET",
            Self::Dns => "DNS_CHECK",
            Self::File => "FILE_CHECK",
            Self::Bfd => "BFD_CHECK",
        }
    }
}

/// A checker. Only what its block has keywords for is ever filled.
#[derive(Clone, Debug)]
pub(crate) struct CheckerDraft {
    pub(crate) block: CheckerBlock,
    pub(crate) span: Span,
    /// A keyword that it cannot do without was reported as misspelt.
    pub(crate) misspelt: bool,
    /// Its `}`.
    pub(crate) end: Option<Span>,
    pub(crate) pace: PaceDraft,
    pub(crate) connection: ConnectionDraft,
    pub(crate) misc: MiscDraft,
    pub(crate) smtp: SmtpDraft,
    pub(crate) udp: UdpDraft,
    pub(crate) http: HttpDraft,
    /// The page whose block is open.
    pub(crate) url: UrlDraft,
    pub(crate) dns: DnsDraft,
    pub(crate) file: FileDraft,
    /// `name` of a BFD_CHECK.
    pub(crate) bfd: Option<String>,
    /// It cannot be used, which was said: its further keywords have no effect.
    pub(crate) removed: bool,
}

/// How often.
#[derive(Clone, Debug, Default)]
pub(crate) struct PaceDraft {
    pub(crate) retry: Option<u32>,
    pub(crate) delay_before_retry: Option<Microseconds>,
    pub(crate) warmup: Option<Microseconds>,
    pub(crate) delay_loop: Option<Microseconds>,
    pub(crate) alpha: Option<bool>,
    pub(crate) log_all_failures: Option<bool>,
}

/// Where to and where from.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionDraft {
    pub(crate) connect_ip: Option<At<IpAddr>>,
    pub(crate) connect_port: Option<NonZeroU16>,
    pub(crate) bindto: Option<At<IpAddr>>,
    /// `bindto` was given before `connect_ip`.
    pub(crate) bound_first: bool,
    pub(crate) bind_port: Option<NonZeroU16>,
    pub(crate) bind_if: Option<IfName>,
    pub(crate) connect_timeout: Option<Microseconds>,
    pub(crate) fwmark: Option<u32>,
}

/// MISC_CHECK.
#[derive(Clone, Debug, Default)]
pub(crate) struct MiscDraft {
    /// `misc_path`, split into words.
    pub(crate) argv: Option<At<Vec<String>>>,
    pub(crate) user: Option<RunAs>,
    pub(crate) timeout: Option<Microseconds>,
    pub(crate) dynamic: bool,
}

/// SMTP_CHECK.
#[derive(Clone, Debug, Default)]
pub(crate) struct SmtpDraft {
    pub(crate) helo_name: Option<String>,
    pub(crate) hosts: Vec<CheckerDraft>,
    /// In the draft of a `host`: the SMTP_CHECK around it.
    pub(crate) around: Option<Box<CheckerDraft>>,
}

/// UDP_CHECK.
#[derive(Clone, Debug, Default)]
pub(crate) struct UdpDraft {
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) reply: Option<ReplyDraft>,
    pub(crate) min_length: Option<At<u16>>,
    pub(crate) max_length: Option<At<u16>>,
}

/// `require_reply`; empty: any reply.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplyDraft {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mask: Vec<u8>,
}

/// HTTP_GET and SSL_GET.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpDraft {
    pub(crate) version: HttpVersion,
    pub(crate) virtualhost: Option<Octets>,
    /// Where `enable_sni` or `sni_name` switches it on.
    pub(crate) enable_sni: Option<Span>,
    pub(crate) sni_name: Option<Octets>,
    pub(crate) tls_compliant: bool,
    /// Where `verify_peer` switches it on.
    pub(crate) verify_peer: Option<Span>,
    pub(crate) fast_recovery: bool,
    /// Those with a path.
    pub(crate) urls: Vec<UrlDraft>,
}

/// `url`.
#[derive(Clone, Debug, Default)]
pub(crate) struct UrlDraft {
    pub(crate) path: Option<Octets>,
    pub(crate) virtualhost: Option<Octets>,
    pub(crate) digest: Option<[u8; 16]>,
    pub(crate) status_codes: Vec<StatusRange>,
    pub(crate) tls_compliant: bool,
    pub(crate) regex: RegexDraft,
}

/// `regex` and what goes with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegexDraft {
    pub(crate) pattern: Option<At<Vec<u8>>>,
    pub(crate) options: RegexOptions,
    pub(crate) no_match: bool,
    pub(crate) min_offset: Option<u64>,
    pub(crate) max_offset: Option<At<u64>>,
    pub(crate) stack: Option<RegexStack>,
    /// The first keyword that means nothing without a pattern.
    pub(crate) needs_pattern: Option<Span>,
}

/// DNS_CHECK.
#[derive(Clone, Debug, Default)]
pub(crate) struct DnsDraft {
    pub(crate) record: DnsType,
    pub(crate) name: Option<String>,
}

/// FILE_CHECK.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileDraft {
    pub(crate) track_file: Option<String>,
    pub(crate) weight: Option<FileWeight>,
}

impl CheckerDraft {
    pub(crate) fn new(block: CheckerBlock, span: Span) -> Self {
        Self {
            block,
            span,
            misspelt: false,
            pace: PaceDraft::default(),
            connection: ConnectionDraft::default(),
            misc: MiscDraft::default(),
            smtp: SmtpDraft::default(),
            udp: UdpDraft::default(),
            http: HttpDraft::default(),
            url: UrlDraft::default(),
            dns: DnsDraft::default(),
            file: FileDraft::default(),
            bfd: None,
            end: None,
            removed: false,
        }
    }
}
