//! The checks of a real server. What they took over from the servers around them is written in each of them.

use lvs::settings::checkers::{
    Checker, CheckerKind, DnsCheck, Endpoint, FileCheck, FileWeight, HttpCheck, HttpVersion,
    MiscCheck, Regex, Reply, SmtpCheck, Sni, Source, Tls, UdpCheck, Url,
};
use lvs::settings::{RealServer, VirtualServer};

use super::lvs::Commands;
use super::page::{CommandLine, Hex, Page, Quoted};

/// One check, of one real server of a service.
pub(super) fn write(
    page: &mut Page,
    checker: &Checker,
    real: &RealServer,
    service: &VirtualServer,
    commands: Commands<'_>,
) {
    match &checker.kind {
        CheckerKind::Tcp(endpoint) => connection(page, "TCP_CHECK", checker, endpoint, |_| {}),
        CheckerKind::Ping(endpoint) => connection(page, "PING_CHECK", checker, endpoint, |_| {}),
        CheckerKind::Udp(check) => {
            let UdpCheck {
                endpoint,
                payload,
                reply,
            } = &**check;
            connection(page, "UDP_CHECK", checker, endpoint, |page| {
                page.option("payload", payload.as_ref().map(|bytes| Hex(bytes, None)));
                of_reply(page, reply);
            });
        }
        CheckerKind::Http(check) => {
            let name = match check.tls {
                Some(_) => "SSL_GET",
                None => "HTTP_GET",
            };
            connection(page, name, checker, &check.endpoint, |page| {
                http(page, check, real, service);
            });
        }
        CheckerKind::Smtp(check) => {
            let SmtpCheck {
                endpoint,
                helo_name,
            } = &**check;
            connection(page, "SMTP_CHECK", checker, endpoint, |page| {
                page.word("helo_name", Some(helo_name));
            });
        }
        CheckerKind::Dns(check) => {
            let DnsCheck {
                endpoint,
                record,
                name,
            } = &**check;
            connection(page, "DNS_CHECK", checker, endpoint, |page| {
                page.value("type", record.name());
                // The root has no name without its dot.
                let name = if name.is_empty() { "." } else { name };
                page.word("name", Some(name));
            });
        }
        CheckerKind::Misc(check) => page.block("MISC_CHECK", |page| {
            misc(page, check, service, commands);
            pace(page, checker);
        }),
        CheckerKind::File(check) => page.block("FILE_CHECK", |page| {
            let FileCheck { track_file, weight } = &**check;
            page.word("track_file", Some(track_file));
            let FileWeight { weight, reverse } = weight;
            let sense = if *reverse { "reverse" } else { "noreverse" };
            page.value("weight", format_args!("{weight} {sense}"));
        }),
        CheckerKind::Bfd(name) => page.block("BFD_CHECK", |page| {
            page.word("name", Some(name));
            page.switch("alpha", checker.alpha);
        }),
    }
}

/// A check with a socket.
fn connection(
    page: &mut Page,
    name: &str,
    checker: &Checker,
    endpoint: &Endpoint,
    rest: impl FnOnce(&mut Page),
) {
    let Endpoint {
        destination,
        connect_timeout,
        source,
    } = endpoint;
    page.block(name, |page| {
        page.value("connect_ip", destination.ip());
        let port = Some(destination.port()).filter(|port| *port != 0);
        page.option("connect_port", port);
        if let Some(source) = source {
            let Source {
                address,
                port,
                interface,
                fwmark,
            } = &**source;
            page.option("bindto", address.as_ref());
            page.option("bind_port", port.as_ref());
            page.word("bind_if", interface.as_ref().map(|name| name.as_str()));
            page.value("fwmark", fwmark);
        }
        page.seconds("connect_timeout", connect_timeout.as_duration());
        pace(page, checker);
        rest(page);
    });
}

fn pace(page: &mut Page, checker: &Checker) {
    let Checker {
        kind: _,
        retry,
        delay_before_retry,
        warmup,
        delay_loop,
        alpha,
        log_all_failures,
    } = checker;
    page.value("retry", retry);
    page.seconds("delay_before_retry", delay_before_retry.as_duration());
    page.seconds("warmup", warmup.as_duration());
    page.seconds("delay_loop", delay_loop.as_duration());
    page.switch("alpha", *alpha);
    page.switch("log_all_failures", *log_all_failures);
}

fn of_reply(page: &mut Page, reply: &Reply) {
    match reply {
        Reply::NotNeeded => {}
        Reply::Any => page.line("require_reply"),
        Reply::Matching(pattern) => {
            let bytes = Hex(&pattern.bytes, Some(&pattern.mask));
            page.value("require_reply", bytes);
            page.value("min_reply_length", pattern.min_length);
            page.value("max_reply_length", pattern.max_length);
        }
    }
}

fn misc(page: &mut Page, check: &MiscCheck, service: &VirtualServer, commands: Commands<'_>) {
    let MiscCheck {
        command,
        timeout,
        dynamic,
    } = *check;
    if let Some(command) = commands.get(command) {
        page.value("misc_path", CommandLine(&command.argv));
        page.user(&command.user);
    }
    // What follows from the service need not be whole seconds.
    if timeout != service.timing.delay_loop {
        page.seconds("misc_timeout", timeout.as_duration());
    }
    page.flag("misc_dynamic", dynamic);
}

fn http(page: &mut Page, check: &HttpCheck, real: &RealServer, service: &VirtualServer) {
    let HttpCheck {
        endpoint: _,
        tls,
        version,
        virtualhost,
        fast_recovery,
        urls,
    } = check;
    page.value(
        "http_protocol",
        match version {
            HttpVersion::V1_0 => "1.0",
            HttpVersion::V1_0Close => "1.0C",
            HttpVersion::V1_1 => "1.1",
        },
    );
    let host = own_host(check, real, service).then_some(virtualhost.as_ref());
    page.octets("virtualhost", host.flatten());
    if let Some(Tls {
        sni,
        compliant,
        verify_peer,
    }) = tls
    {
        match sni {
            Sni::Off => {}
            Sni::Named(name) => page.octets("sni_name", Some(name)),
            Sni::Virtualhost(_) => page.line("enable_sni"),
        }
        page.flag("tls_compliant", *compliant);
        page.flag("verify_peer", *verify_peer);
    }
    page.flag("fast_recovery", *fast_recovery);
    for url in urls {
        of_url(page, url);
    }
}

/// Whether the check itself names its virtualhost. It must not when that came from the real server, for the name sent
/// with TLS passes over those.
fn own_host(check: &HttpCheck, real: &RealServer, service: &VirtualServer) -> bool {
    let rare = real.rare.as_ref();
    let of_real = rare.and_then(|rare| rare.virtualhost.as_ref());
    let inherited = of_real.or(service.virtualhost.as_ref());
    let of_sni = match check.tls.as_ref().map(|tls| &tls.sni) {
        Some(Sni::Virtualhost(name)) => name.as_ref(),
        Some(Sni::Off | Sni::Named(_)) | None => service.virtualhost.as_ref(),
    };
    check.virtualhost.as_ref() != inherited || of_sni != service.virtualhost.as_ref()
}

fn of_url(page: &mut Page, url: &Url) {
    let Url {
        path,
        virtualhost,
        digest,
        status_codes,
        regex,
        tls_compliant,
    } = url;
    page.block("url", |page| {
        page.octets("path", Some(path));
        page.octets("virtualhost", virtualhost.as_ref());
        if let Some(digest) = digest {
            let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            page.value("digest", digits);
        }
        /// A line is not to grow too long.
        const PER_LINE: usize = 16;
        for some in status_codes.chunks(PER_LINE) {
            let ranges: Vec<String> = some.iter().map(ToString::to_string).collect();
            page.value("status_code", ranges.join(" "));
        }
        if let Some(regex) = regex {
            of_regex(page, regex);
        }
        page.flag("tls_compliant", *tls_compliant);
    });
}

fn of_regex(page: &mut Page, regex: &Regex) {
    let Regex {
        pattern,
        options,
        no_match,
        min_offset,
        max_offset,
        stack,
    } = regex;
    page.value("regex", Quoted(&crate::bytes::decode(pattern.clone())));
    let options: Vec<&str> = options.names().collect();
    if !options.is_empty() {
        page.value("regex_options", options.join(" "));
    }
    page.flag("regex_no_match", *no_match);
    page.value("regex_min_offset", min_offset);
    page.option("regex_max_offset", max_offset.as_ref());
    if let Some(stack) = stack {
        let (start, most) = (stack.start, stack.most);
        page.value("regex_stack", format_args!("{start} {most}"));
    }
}
