//! Drafts of checkers become settings: inheritance, defaults, and what a checker's own end may be.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use lvs::settings::Octets;
use lvs::settings::checkers::{
    Checker, CheckerKind, CommandId, DnsCheck, Endpoint, FileCheck, HttpCheck, Microseconds,
    MiscCheck, Regex, Reply, ReplyPattern, SmtpCheck, Sni, Source, StatusRange, Tls, UdpCheck, Url,
};
use types::Family;

use crate::diagnostics::{Class, Diagnostic, Found, Reporter, Span};
use crate::draft::CommandDraft;
use crate::draft::checkers::{
    CheckerBlock, CheckerDraft, ConnectionDraft, HttpDraft, MiscDraft, RegexDraft, UdpDraft,
    UrlDraft,
};
use crate::lints;

/// What a checker takes over from the servers around it: from the real server what that says, else what the virtual
/// server says. `None`: neither says anything.
#[derive(Clone, Debug)]
pub(crate) struct Inherited<'a> {
    pub(crate) retry: Option<u32>,
    pub(crate) delay_before_retry: Option<Microseconds>,
    pub(crate) warmup: Option<Microseconds>,
    pub(crate) delay_loop: Option<Microseconds>,
    pub(crate) connect_timeout: Option<Microseconds>,
    pub(crate) alpha: bool,
    /// The real server, with the port it has in the end; 0: none.
    pub(crate) server: SocketAddr,
    pub(crate) real_virtualhost: Option<&'a Octets>,
    pub(crate) virtual_virtualhost: Option<&'a Octets>,
    /// `delay_loop` of the virtual server alone: what a MISC_CHECK's command may take.
    pub(crate) virtual_delay_loop: Option<Microseconds>,
}

/// Turns the command of a MISC_CHECK into its number; `None`: it cannot run, which was reported.
pub(crate) type Commands<'a> = &'a mut dyn FnMut(CommandDraft, &mut Reporter) -> Option<CommandId>;

/// Makes settings of the drafts of one real server, in the order of the file. A checker that cannot be used is reported
/// and left out.
pub(crate) fn resolve(
    drafts: Vec<CheckerDraft>,
    around: &Inherited<'_>,
    commands: Commands<'_>,
    report: &mut Reporter,
) -> Vec<Checker> {
    let mut checkers = Vec::with_capacity(drafts.len());
    checkers.extend(
        drafts
            .into_iter()
            .filter_map(|draft| checker(draft, around, commands, report)),
    );
    checkers
}

/// keepalived's, for who has none anywhere.
const DELAY_LOOP: Microseconds = Microseconds::from_secs(60);
const CONNECT_TIMEOUT: Microseconds = Microseconds::from_secs(5);

fn checker(
    draft: CheckerDraft,
    around: &Inherited<'_>,
    commands: Commands<'_>,
    report: &mut Reporter,
) -> Option<Checker> {
    let pace = &draft.pace;
    let block = draft.block;
    let delay_loop = pace.delay_loop.or(around.delay_loop).unwrap_or(DELAY_LOOP);
    let retry = match block {
        CheckerBlock::Misc => 0,
        CheckerBlock::Dns => 3,
        CheckerBlock::Smtp
        | CheckerBlock::Tcp
        | CheckerBlock::Ping
        | CheckerBlock::Udp
        | CheckerBlock::Http
        | CheckerBlock::Ssl
        | CheckerBlock::File
        | CheckerBlock::Bfd => 1,
    };
    let delay_before_retry = match block {
        CheckerBlock::Http | CheckerBlock::Ssl => Microseconds::from_secs(3),
        CheckerBlock::Dns => delay_loop,
        CheckerBlock::Misc
        | CheckerBlock::Smtp
        | CheckerBlock::Tcp
        | CheckerBlock::Ping
        | CheckerBlock::Udp
        | CheckerBlock::File
        | CheckerBlock::Bfd => Microseconds::from_secs(1),
    };
    Some(Checker {
        retry: pace.retry.or(around.retry).unwrap_or(retry),
        delay_before_retry: pace
            .delay_before_retry
            .or(around.delay_before_retry)
            .unwrap_or(delay_before_retry),
        warmup: pace.warmup.or(around.warmup).unwrap_or(delay_loop),
        delay_loop,
        alpha: pace.alpha.unwrap_or(around.alpha),
        log_all_failures: pace.log_all_failures.unwrap_or(false),
        kind: kind(draft, around, commands, report)?,
    })
}

fn kind(
    draft: CheckerDraft,
    around: &Inherited<'_>,
    commands: Commands<'_>,
    report: &mut Reporter,
) -> Option<CheckerKind> {
    let block = draft.block;
    let endpoint = match block {
        CheckerBlock::Misc => return misc(draft.misc, around, commands, report),
        CheckerBlock::File => {
            return Some(CheckerKind::File(Box::new(FileCheck {
                track_file: draft.file.track_file?,
                weight: draft.file.weight?,
            })));
        }
        CheckerBlock::Bfd => return Some(CheckerKind::Bfd(draft.bfd?.into())),
        CheckerBlock::Tcp
        | CheckerBlock::Ping
        | CheckerBlock::Udp
        | CheckerBlock::Http
        | CheckerBlock::Ssl
        | CheckerBlock::Smtp
        | CheckerBlock::Dns => endpoint(&draft, around, report)?,
    };
    Some(match block {
        CheckerBlock::Ping => CheckerKind::Ping(endpoint),
        CheckerBlock::Udp => CheckerKind::Udp(Box::new(udp(draft.udp, endpoint))),
        CheckerBlock::Http | CheckerBlock::Ssl => {
            let tls = block == CheckerBlock::Ssl;
            let verified = draft.http.verify_peer.filter(|_| tls);
            let named = draft.http.enable_sni.filter(|_| tls);
            let check = http(draft.http, tls, endpoint, around);
            names(&check, named, verified, report);
            if let Some(span) = verified {
                lints::certificates::check(&check, around.server.ip(), span, report);
            }
            CheckerKind::Http(Box::new(check))
        }
        CheckerBlock::Smtp => CheckerKind::Smtp(Box::new(SmtpCheck {
            endpoint,
            helo_name: draft
                .smtp
                .helo_name
                .unwrap_or_else(|| SmtpCheck::HELO_NAME.to_owned()),
        })),
        CheckerBlock::Dns => CheckerKind::Dns(Box::new(DnsCheck {
            endpoint,
            record: draft.dns.record,
            name: draft.dns.name.unwrap_or_default(),
        })),
        CheckerBlock::Tcp | CheckerBlock::Misc | CheckerBlock::File | CheckerBlock::Bfd => {
            CheckerKind::Tcp(endpoint)
        }
    })
}

/// Both ends of a connection. keepalived judges `connect_ip` and `bindto` as it meets them, so their order matters: the
/// later one gives way.
fn endpoint(
    draft: &CheckerDraft,
    around: &Inherited<'_>,
    report: &mut Reporter,
) -> Option<Endpoint> {
    let connection = &draft.connection;
    let server = around.server.ip();
    let (to, from) = ends(connection, server, report);
    let name = draft.block.name();
    if let IpAddr::V6(address) = to
        && address.is_unicast_link_local()
        && connection.bind_if.is_none()
    {
        let message =
            format!("this {name} is dropped: {to} is link-local, so bind_if must say where");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("bind_if INTERFACE")
            .keepalived(format!(
                "Checker link local address {to} requires a bind_if"
            ))
            .found(draft.end.map_or(Found::Afterwards, Found::At));
        report.at(draft.span, diagnostic);
        return None;
    }
    let port = connection
        .connect_port
        .map_or(around.server.port(), |port| port.get());
    if port == 0 && draft.block != CheckerBlock::Ping {
        let message = format!("this {name} has no port to connect to, so it will fail");
        let diagnostic = Diagnostic::warning(Class::Uncounted, message)
            .help("the real server has none either; add connect_port");
        report.at(draft.span, diagnostic);
    }
    let source = Source {
        address: from,
        port: connection.bind_port,
        interface: connection.bind_if,
        fwmark: connection.fwmark.unwrap_or(0),
    };
    Some(Endpoint {
        destination: SocketAddr::new(to, port),
        connect_timeout: connection
            .connect_timeout
            .or(around.connect_timeout)
            .unwrap_or(CONNECT_TIMEOUT),
        source: (source != Source::default()).then(|| Box::new(source)),
    })
}

/// The destination, and `bindto` if it may stay.
fn ends(
    connection: &ConnectionDraft,
    server: IpAddr,
    report: &mut Reporter,
) -> (IpAddr, Option<IpAddr>) {
    let same = |a: IpAddr, b: IpAddr| Family::of(a) == Family::of(b);
    let mut to = server;
    let mut of = "the real server";
    if let Some(connect) = &connection.connect_ip
        && !connection.bound_first
    {
        to = connect.value;
        of = "connect_ip";
    }
    let from = connection.bindto.as_ref().filter(|bind| {
        let fits = same(bind.value, to);
        if !fits {
            let late = connection
                .connect_ip
                .as_ref()
                .is_some_and(|connect| same(bind.value, connect.value));
            let diagnostic =
                other_family("bindto", bind.value, &format!("{to} ({of})"), "connect_ip")
                    .maybe_help(late.then_some("write connect_ip before bindto"));
            report.at(bind.span, diagnostic);
        }
        fits
    });
    if let Some(connect) = &connection.connect_ip
        && connection.bound_first
    {
        match from {
            Some(bind) if !same(bind.value, connect.value) => {
                let rival = format!("{} (bindto)", bind.value);
                let diagnostic = other_family("connect_ip", connect.value, &rival, "bindto");
                report.at(connect.span, diagnostic);
            }
            Some(_) | None => to = connect.value,
        }
    }
    (to, from.map(|bind| bind.value))
}

fn other_family(name: &str, address: IpAddr, rival: &str, keepalived: &str) -> Diagnostic {
    let message = format!("{name} {address} is ignored: {rival} is of the other address family");
    Diagnostic::error(Class::General, message)
        .keepalived(format!(
            "{name} address {address} does not match address family of {keepalived} - skipping"
        ))
        .found(Found::There)
}

fn misc(
    draft: MiscDraft,
    around: &Inherited<'_>,
    commands: Commands<'_>,
    report: &mut Reporter,
) -> Option<CheckerKind> {
    let argv = draft.argv?;
    let server = around.server.ip();
    let what = format_args!("MISC_CHECK of real server {server}");
    lints::scripts::check(&what, &argv.value, argv.span, report);
    let command = CommandDraft {
        argv: argv.value,
        user: draft.user?,
        span: argv.span,
    };
    Some(CheckerKind::Misc(MiscCheck {
        command: commands(command, report)?,
        timeout: draft
            .timeout
            .or(around.virtual_delay_loop)
            .unwrap_or(DELAY_LOOP),
        dynamic: draft.dynamic,
    }))
}

fn udp(draft: UdpDraft, endpoint: Endpoint) -> UdpCheck {
    let reply = match draft.reply {
        None => Reply::NotNeeded,
        Some(reply) if reply.bytes.is_empty() => Reply::Any,
        Some(reply) => Reply::Matching(ReplyPattern {
            bytes: reply.bytes,
            mask: reply.mask,
            min_length: draft.min_length.map_or(0, |at| at.value),
            max_length: draft.max_length.map_or(255, |at| at.value),
        }),
    };
    UdpCheck {
        endpoint,
        payload: draft.payload,
        reply,
    }
}

fn http(draft: HttpDraft, tls: bool, endpoint: Endpoint, around: &Inherited<'_>) -> HttpCheck {
    let own = draft.virtualhost.as_ref();
    let sni = match draft.sni_name {
        _ if draft.enable_sni.is_none() => Sni::Off,
        Some(name) => Sni::Named(name),
        None => Sni::Virtualhost(own.or(around.virtual_virtualhost).cloned()),
    };
    HttpCheck {
        endpoint,
        tls: tls.then_some(Tls {
            sni,
            compliant: draft.tls_compliant,
            verify_peer: draft.verify_peer.is_some(),
        }),
        version: draft.version,
        virtualhost: own
            .or(around.real_virtualhost)
            .or(around.virtual_virtualhost)
            .cloned(),
        fast_recovery: draft.fast_recovery,
        urls: draft.urls.into_iter().filter_map(url).collect(),
    }
}

/// Says which names cannot be sent, and for whom there can be no certificate, each once. `named` and `verified`: where SNI and
/// `verify_peer` are switched on.
fn names(check: &HttpCheck, named: Option<Span>, verified: Option<Span>, report: &mut Reporter) {
    let mut said = BTreeSet::new();
    let mut refuse = |span, message: String| {
        if said.insert(message.clone()) {
            let diagnostic = Diagnostic::error(Class::Uncounted, message)
                .help("ask for a name as DNS has it: ASCII, such as xn--mnchen-3ya.example");
            report.at(span, diagnostic);
        }
    };
    for url in &check.urls {
        let unsent = check
            .sni(url)
            .filter(|name| name.as_server_name().is_none());
        if let (Some(name), Some(span)) = (unsent, named) {
            let message =
                format!("'{name}' cannot be sent as a server name (SNI), so there is no result");
            refuse(span, message);
        } else if let (Some(peer), Some(span)) = (check.peer(url), verified)
            && !peer.is_possible()
        {
            let message =
                format!("verify_peer: no certificate can be for '{peer}', so there is no result");
            refuse(span, message);
        }
    }
}

fn url(draft: UrlDraft) -> Option<Url> {
    Some(Url {
        path: draft.path?,
        virtualhost: draft.virtualhost,
        digest: draft.digest,
        status_codes: if draft.status_codes.is_empty() {
            vec![StatusRange::SUCCESS]
        } else {
            draft.status_codes
        },
        regex: regex(draft.regex).map(Box::new),
        tls_compliant: draft.tls_compliant,
    })
}

fn regex(draft: RegexDraft) -> Option<Regex> {
    Some(Regex {
        pattern: draft.pattern?.value,
        options: draft.options,
        no_match: draft.no_match,
        min_offset: draft.min_offset.unwrap_or(0),
        max_offset: draft.max_offset.map(|at| at.value),
        stack: draft.stack,
    })
}

#[cfg(test)]
mod tests;
