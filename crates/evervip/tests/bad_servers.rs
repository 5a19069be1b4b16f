//! The daemon against servers that do not play along, over real sockets: they leave after each byte that they could have
//! said, break TLS off in the middle, name what has no end, flood and dawdle. Each fails with its reason, in bounded time and
//! memory, and the checks of those who are well go on.

#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "unit tests use it, too, and all of it"
)]
#[path = "../src/tls/testing/certificates.rs"]
mod certificates;
mod common;
#[path = "bad_servers/streams.rs"]
mod streams;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::backend::{Act, Backend, Datagrams, http, smtp};
use lab::{Host, HostOptions, Lab, Pid, pause, scenario, wait_until};
use openssl::hash::{MessageDigest, hash};
use openssl::ssl::SslVersion;

use common::{Daemon, SIGUSR1, evervip, pid_in};
use streams::{Speech, TlsServer, expect, serve};

fn main() -> ExitCode {
    scenario::main(&[
        ("web_servers_leave", web_servers_leave),
        ("mail_servers_leave", mail_servers_leave),
        ("tls_servers_leave", tls_servers_leave),
        ("alerts", alerts),
        ("name_servers", name_servers),
        ("others_are_not_late", others_are_not_late),
    ])
}

/// Longer than anything takes here, on a machine that has much else to do; less than a whole scenario may take, so that it is
/// said what did not come.
const LATE: Duration = Duration::from_secs(60);

/// Where server `number` is: 127.1.A.B, A and B its bytes. All of 127.0.0.0/8 is this host.
fn address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// As logs call it.
fn name(number: u16, port: u16) -> String {
    format!("[{}]:tcp:{port}", address(number))
}

fn host(lab: &Lab) -> Result<Host> {
    let host = lab.host("a", HostOptions::default())?;
    host.link_up("lo")?;
    Ok(host)
}

/// A service whose servers are checked once, within a few seconds from the start.
fn once(port: u16, numbers: &[u16], check: &str) -> String {
    let servers: String = numbers
        .iter()
        .map(|number| {
            format!(
                " real_server {} {port} {{\n  {check}\n }}\n",
                address(*number)
            )
        })
        .collect();
    format!(
        "virtual_server 198.18.0.100 {port} {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n delay_loop 86400\n warmup 3\n \
         retry 1\n connect_timeout 30\n{servers}}}\n"
    )
}

/// A check with options; one failure is final.
fn check(kind: &str, options: &str) -> String {
    format!("{kind} {{\n   retry 0\n   {options}\n  }}")
}

/// A check that is tried again and again, and says why it failed each time. The first failure after the start counts at once;
/// one that a reload brings has all its chances.
fn persistent(kind: &str, options: &str) -> String {
    format!(
        "{kind} {{\n   retry 1000000\n   delay_before_retry 1\n   log_all_failures\n   {options}\n  }}"
    )
}

/// What the log says of the servers of a port whose check failed: the reasons by number.
fn reasons(daemon: &Daemon, port: u16) -> BTreeMap<u16, String> {
    let text = daemon.process.output_so_far();
    let of = |line: &str| -> Option<(u16, String)> {
        let (_, rest) = line.split_once(" on service [127.1.")?;
        let (number, rest) = rest.split_once(']')?;
        let (high, low) = number.split_once('.')?;
        let number = u16::from_be_bytes([high.parse().ok()?, low.parse().ok()?]);
        let reason = rest
            .strip_prefix(&format!(":tcp:{port} failed. ("))?
            .strip_suffix(')')?;
        Some((number, reason.to_owned()))
    };
    text.lines().filter_map(of).collect()
}

/// How the daemon's own dump has the real servers of a port: which were checked, and whether they are up.
fn states(daemon: &mut Daemon, port: u16) -> Result<BTreeMap<Ipv4Addr, bool>> {
    let text = daemon.dump(SIGUSR1, "keepalived_check.data", |_| true)?;
    let mut states = BTreeMap::new();
    let mut server = None;
    let mut is_up = false;
    for line in text.lines() {
        if let Some((_, name)) = line.split_once(" -> [") {
            let (address, rest) = name.split_once(']').context("the end of an address")?;
            let is_ours = rest.ends_with(&format!(":{port}"));
            server = is_ours.then(|| address.parse()).transpose()?;
        } else if let Some(up) = line.trim().strip_prefix("Up = ") {
            is_up = up == "yes";
        } else if line.trim() == "Has run = yes"
            && let Some(server) = server
        {
            states.insert(server, is_up);
        }
    }
    Ok(states)
}

/// Waits until all servers of a port have been checked.
fn all_checked(daemon: &mut Daemon, port: u16, count: usize) -> Result<BTreeMap<Ipv4Addr, bool>> {
    // Before, a signal would be its end.
    daemon.says("Activating healthchecker")?;
    let end = sys::clock::now() + LATE;
    loop {
        let states = states(daemon, port)?;
        if states.len() == count {
            return Ok(states);
        }
        ensure!(
            sys::clock::now() < end,
            "only {} of {count} servers were checked",
            states.len()
        );
        pause(Duration::from_millis(200));
    }
}

/// Servers 0, 1, 2 ... say as many bytes of an answer and leave. The page has a digest, so only the whole of it will do.
fn web_servers_leave(lab: &mut Lab) -> Result<()> {
    const PORT: u16 = 8001;
    const HEADER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";
    const PAGE: &[u8] = b"hello, world";
    let host = host(lab)?;
    let answer = [HEADER, PAGE].concat();
    let whole = u16::try_from(answer.len())?;
    let said = answer.clone();
    serve(&host, PORT, move |mut stream, number| {
        streams::until(&mut stream, b"\r\n\r\n")?;
        let said = said.get(..usize::from(number)).unwrap_or_default();
        stream.write_all(said)
    })?;
    let md5 = |bytes: &[u8]| -> Result<String> {
        let digest = hash(MessageDigest::md5(), bytes)?;
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    };
    let wanted = md5(PAGE)?;
    let numbers: Vec<u16> = (0..=whole).collect();
    let options = format!("url {{\n    path /\n    digest {wanted}\n   }}");
    let text = once(PORT, &numbers, &check("HTTP_GET", &options));
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    let states = all_checked(&mut daemon, PORT, numbers.len())?;
    let reasons = reasons(&daemon, PORT);
    for number in 0..whole {
        let got = answer.get(..usize::from(number)).unwrap_or_default();
        let expected = match got.strip_prefix(HEADER) {
            Some(page) => format!("digest {}, wanted {wanted}", md5(page)?),
            None if number == 0 => "it closed without an answer".to_owned(),
            None => format!("it closed after {number} bytes, within the header of its answer"),
        };
        let found = reasons.get(&number);
        ensure!(
            found == Some(&expected),
            "after {number} bytes: {found:?} and not {expected}"
        );
    }
    ensure!(reasons.len() == usize::from(whole), "{reasons:?}");
    ensure!(states.get(&address(whole)) == Some(&true), "{states:?}");
    daemon.stop()
}

/// The same of mail servers, through all that they say.
fn mail_servers_leave(lab: &mut Lab) -> Result<()> {
    const PORT: u16 = 8002;
    const WORDS: [&[u8]; 3] = [b"220 mx\r\n", b"250 hello\r\n", b"221 bye\r\n"];
    const HEARD: [&[u8]; 3] = [b"", b"HELO me\r\n", b"QUIT\r\n"];
    let host = host(lab)?;
    let whole = u16::try_from(WORDS.concat().len())?;
    serve(&host, PORT, |mut stream, number| {
        let mut left = usize::from(number);
        for (word, heard) in WORDS.iter().zip(HEARD) {
            expect(&mut stream, heard)?;
            let said = word.get(..left.min(word.len())).unwrap_or_default();
            stream.write_all(said)?;
            left -= said.len();
            if said.len() < word.len() {
                break;
            }
        }
        Ok(())
    })?;
    let numbers: Vec<u16> = (0..=whole).collect();
    let text = once(PORT, &numbers, &check("SMTP_CHECK", "helo_name me"));
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    let states = all_checked(&mut daemon, PORT, numbers.len())?;
    let text = daemon.process.output_so_far();
    for number in 0..whole {
        let line = format!(
            "SMTP_CHECK Read failure from server [{}]:{PORT} (it closed the connection, wanted a reply)",
            address(number)
        );
        ensure!(
            text.contains(&line),
            "after {number} bytes there is no {line}"
        );
        ensure!(states.get(&address(number)) == Some(&false), "{number}");
    }
    ensure!(states.get(&address(whole)) == Some(&true), "{states:?}");
    daemon.stop()
}

/// No TLS server of these versions says more than so many bytes before its page is whole.
const TLS_BYTES: u16 = 1500;

const PAGE: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nhello";

/// What came of servers by number.
struct Cut {
    /// Why those failed that did.
    reasons: BTreeMap<u16, String>,
    /// Who said the page to its end.
    whole: Vec<u16>,
    /// Who is up.
    well: Vec<u16>,
}

/// Runs one SSL_GET against each of TLS servers that say so many bytes of what they would say, and then this.
fn cut_tls(
    host: &Host,
    port: u16,
    version: SslVersion,
    numbers: &[u16],
    end: &'static [u8],
) -> Result<Cut> {
    let server = TlsServer::new(version)?;
    let whole = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&whole);
    serve(host, port, move |stream, number| {
        let mut stream = server.accept(stream, Speech::of(usize::from(number), end))?;
        streams::until(&mut stream, b"\r\n\r\n")?;
        stream.write_all(PAGE)?;
        said.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(number);
        stream.get_mut().finish()
    })?;
    let options = "url {\n    path /\n    digest 5d41402abc4b2a76b9719d911017c592\n   }";
    let text = once(port, numbers, &check("SSL_GET", options));
    let mut daemon = Daemon::start(host, &evervip(), &text)?;
    let states = all_checked(&mut daemon, port, numbers.len())?;
    let reasons = reasons(&daemon, port);
    daemon.stop()?;
    let well = numbers
        .iter()
        .filter(|number| states.get(&address(**number)) == Some(&true));
    let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner).clone();
    whole.sort_unstable();
    Ok(Cut {
        reasons,
        whole,
        well: well.copied().collect(),
    })
}

/// TLS servers leave after each byte of their handshake and of their page: nobody who has not said everything is well.
fn tls_servers_leave(lab: &mut Lab) -> Result<()> {
    let host = host(lab)?;
    let numbers: Vec<u16> = (0..TLS_BYTES).collect();
    for (port, version) in [(8003, SslVersion::TLS1_2), (8004, SslVersion::TLS1_3)] {
        let cut = cut_tls(&host, port, version, &numbers, b"")?;
        let Cut {
            reasons,
            whole,
            well,
        } = cut;
        ensure!(
            whole == well,
            "who was heard to the end: {whole:?}; {well:?}"
        );
        let failed = reasons.len();
        ensure!(failed + well.len() == numbers.len(), "{failed} reasons");
        let count = |wanted: &str| reasons.values().filter(|reason| *reason == wanted).count();
        let handshake = count("no connection: it closed during the handshake of TLS");
        let page = count("it closed without an answer");
        println!(
            "{version:?}: {handshake} in the handshake, {page} in the page, {} well",
            well.len()
        );
        ensure!(handshake + page == failed, "{reasons:?}");
        ensure!(handshake > 300 && page > 10 && !well.is_empty());
    }
    Ok(())
}

/// TLS that is broken off by an alert: in the clear after so many bytes, and, by a server that cannot read what we said,
/// inside after half a page.
fn alerts(lab: &mut Lab) -> Result<()> {
    // A record of type alert: fatal, handshake_failure (RFC 5246 7.2).
    const ALERT: &[u8] = &[0x15, 3, 3, 0, 2, 2, 40];
    let host = host(lab)?;
    let numbers: Vec<u16> = (0..TLS_BYTES).step_by(7).collect();
    for (port, version) in [(8005, SslVersion::TLS1_2), (8006, SslVersion::TLS1_3)] {
        let cut = cut_tls(&host, port, version, &numbers, ALERT)?;
        let Cut { reasons, well, .. } = cut;
        ensure!(
            well.is_empty(),
            "an alert behind the page counts, too: {well:?}"
        );
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in reasons.values() {
            *counts.entry(reason).or_default() += 1;
        }
        println!("{version:?}: {counts:#?}");
        ensure!(reasons.len() == numbers.len(), "{} reasons", reasons.len());
        let named = reasons
            .values()
            .filter(|reason| reason.contains("alert handshake failure (SSL alert number 40)"));
        ensure!(named.count() > 0, "nobody read the alert");
    }
    for (port, version) in [(8007, SslVersion::TLS1_2), (8008, SslVersion::TLS1_3)] {
        let server = TlsServer::new(version)?;
        serve(&host, port, move |stream, _| {
            let mut stream = server.accept(stream, Speech::whole())?;
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhel")?;
            stream.get_mut().spoil();
            // It answers what it cannot read with an alert of its own.
            drop(streams::until(&mut stream, b"\r\n\r\n"));
            stream.get_mut().finish()
        })?;
        let options = "url {\n    path /\n   }";
        let text = once(port, &[1], &check("SSL_GET", options));
        let mut daemon = Daemon::start(&host, &evervip(), &text)?;
        all_checked(&mut daemon, port, 1)?;
        let reasons = reasons(&daemon, port);
        let reason = reasons.get(&1).context("it failed")?;
        ensure!(
            reason == "the connection broke: sslv3 alert bad record mac (SSL alert number 20)"
                || reason
                    == "the connection broke: ssl/tls alert bad record mac (SSL alert number 20)",
            "{reason}"
        );
        daemon.stop()?;
    }
    Ok(())
}

/// A reply to our question with this code: one answer, whose name points at itself (RFC 1035 4.1.4).
fn reply_with_a_loop(query: &[u8], code: u8) -> Option<Vec<u8>> {
    let mut reply = query.to_vec();
    *reply.get_mut(2)? |= 0x80;
    *reply.get_mut(3)? = 0x80 | code;
    *reply.get_mut(7)? = 1;
    let here = u16::try_from(reply.len()).ok()?;
    reply.extend_from_slice(&(0xc000 | here).to_be_bytes());
    // SOA, IN, for a minute, and names that go round as well.
    reply.extend_from_slice(&[0, 6, 0, 1, 0, 0, 0, 60, 0, 4, 0xc0]);
    reply.push(*here.to_be_bytes().last()?);
    reply.extend_from_slice(&(0xc000 | here).to_be_bytes());
    Some(reply)
}

/// What a name server answers.
type Answer = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send>;

/// Names without an end, replies that are cut at each byte, and what is no reply: the header alone decides (keepalived: the
/// same), so a loop neither hurts nor counts.
fn name_servers(lab: &mut Lab) -> Result<()> {
    const PORT: u16 = 8053;
    const HEADER: usize = 12;
    const SILENT: &str = "read timeout from socket (no answer within 5s)";
    let host = host(lab)?;
    let mut cases: Vec<(Answer, Option<String>)> = Vec::new();
    for length in 0..=40 {
        let answer: Answer = Box::new(move |query| {
            let mut reply = reply_with_a_loop(query, 0)?;
            reply.truncate(length);
            Some(reply)
        });
        cases.push((answer, (length < HEADER).then(|| SILENT.to_owned())));
    }
    cases.push((Box::new(|query| reply_with_a_loop(query, 0)), None));
    for (code, name) in [(2, "SERVFAIL"), (3, "NXDOMAIN"), (15, "an error")] {
        cases.push((
            Box::new(move |query| reply_with_a_loop(query, code)),
            Some(format!(
                "read error occurred. (rcode = {code}) (it answers {name} ({code}), wanted NOERROR (0))"
            )),
        ));
    }
    // The largest datagram there is.
    cases.push((
        Box::new(|query| {
            let mut reply = reply_with_a_loop(query, 0)?;
            reply.resize(65_507, 0xc0);
            Some(reply)
        }),
        None,
    ));
    // Our own question, and an answer to another one.
    cases.push((Box::new(|query| Some(query.to_vec())), Some(SILENT.into())));
    cases.push((
        Box::new(|query| {
            let mut reply = reply_with_a_loop(query, 0)?;
            *reply.first_mut()? ^= 1;
            Some(reply)
        }),
        Some(SILENT.into()),
    ));
    let mut servers = Vec::new();
    let mut wanted = BTreeMap::new();
    for (number, (answer, reason)) in (0..).zip(cases) {
        let at = SocketAddr::new(IpAddr::V4(address(number)), PORT);
        servers.push(Datagrams::start(&host, at, answer)?);
        wanted.insert(number, reason);
    }
    let numbers: Vec<u16> = wanted.keys().copied().collect();
    let options = "type SOA\n   name example.com\n   connect_timeout 5";
    let text =
        once(PORT, &numbers, &check("DNS_CHECK", options)).replace("protocol TCP", "protocol UDP");
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    let states = all_checked(&mut daemon, PORT, numbers.len())?;
    let text = daemon.process.output_so_far();
    for (number, reason) in wanted {
        let name = format!("DNS_CHECK ([{}]:udp:{PORT}) ", address(number));
        let is_up = states.get(&address(number)) == Some(&true);
        ensure!(is_up == reason.is_none(), "server {number}: up is {is_up}");
        match reason {
            Some(reason) => {
                let line = name + &reason;
                ensure!(text.contains(&line), "there is no {line}");
            }
            None => ensure!(!text.contains(&name), "{name} failed"),
        }
    }
    daemon.stop()
}

/// What a checker process may have had in memory at any time while gigabytes are thrown at it, in KiB.
const MEMORY: u64 = 64 * 1024;

/// The most that a process has had in memory, in KiB.
fn most_memory(pid: Pid) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let line = line.context("a process has memory")?.trim();
    Ok(line.trim_end_matches(" kB").parse()?)
}

/// Servers that flood and dawdle, and what the log says of each.
fn tormentors() -> Vec<(&'static str, Vec<Act>, &'static str)> {
    const FOR_EVER: u64 = u64::MAX;
    let get = || Act::Until(b"\r\n\r\n".to_vec());
    let text = |text: &str| Act::Send(text.as_bytes().to_vec());
    let slow = |byte: u8| Act::Trickle(vec![byte; 10_000], Duration::from_millis(200));
    let header = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{header}Transfer-Encoding: chunked\r\n\r\n");
    vec![
        ("HTTP_GET", vec![get(), Act::Hold], "no answer within 1s"),
        (
            "HTTP_GET",
            vec![
                get(),
                text(header),
                Act::Repeat(b"X: y\r\n".repeat(500), FOR_EVER),
            ],
            "the header has more than 4095 bytes",
        ),
        (
            "HTTP_GET",
            vec![
                get(),
                text("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"),
                Act::Repeat(vec![b'x'; 65_536], FOR_EVER),
            ],
            "",
        ),
        // A chunk without a size, and as many of them as anybody wants.
        (
            "HTTP_GET",
            vec![
                get(),
                text(&chunked),
                Act::Repeat(b"zz\r\n".repeat(10_000), FOR_EVER),
            ],
            "",
        ),
        // One that is larger than there are numbers, and does not come.
        (
            "HTTP_GET",
            vec![
                get(),
                text(&chunked),
                text("fffffffffffffffffff\r\nx"),
                Act::Hold,
            ],
            "nothing more for 1s, after 22 bytes of body",
        ),
        (
            "HTTP_GET",
            vec![get(), text(header), text("\r\n"), slow(b'x')],
            "it has not closed within 10s, after ",
        ),
        ("SSL_GET", vec![Act::Hold], "no TLS within 1s"),
        ("SSL_GET", vec![slow(0x16)], ""),
        (
            "SSL_GET",
            vec![Act::Repeat(
                vec![0x16, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff],
                FOR_EVER,
            )],
            "no connection: ",
        ),
        (
            "SMTP_CHECK",
            vec![
                text("220 "),
                Act::Repeat(vec![b'x'; 65_536], 16),
                text("\r\n"),
                Act::Hold,
            ],
            "a line of more than 512 bytes, it begins with \"220 xxx",
        ),
        ("SMTP_CHECK", vec![slow(b'2')], "no answer within 1s"),
        ("SMTP_CHECK", vec![Act::Hold], "no answer within 1s"),
        (
            "SMTP_CHECK",
            vec![
                text("220 x\r\n250-\r\n"),
                Act::Repeat(b"250-x\r\n".repeat(100), FOR_EVER),
            ],
            "it answers HELO with \"250-\", wanted 250 in a single line)",
        ),
    ]
}

/// They all torment us at once, again and again; two servers that are well are checked five times a second meanwhile.
fn others_are_not_late(lab: &mut Lab) -> Result<()> {
    let host = host(lab)?;
    let at = |port: u16| SocketAddr::new(IpAddr::V4(address(1)), port);
    let service = |port: u16, delay: &str, check: &str| {
        once(port, &[1], check)
            .replace(
                "delay_loop 86400\n warmup 3",
                &format!("delay_loop {delay}\n warmup 0"),
            )
            .replace("connect_timeout 30", "connect_timeout 1")
    };
    let options = |kind: &str| match kind {
        "SMTP_CHECK" => "",
        _ => "url {\n    path /\n   }",
    };
    let web = Backend::start(&host, at(8201), http(200, b"good"))?;
    let mail = Backend::start(&host, at(8202), smtp("220 mail", "250 hello"))?;
    let patient = |text: String| text.replace("connect_timeout 1\n", "connect_timeout 60\n");
    let mut text = patient(service(
        8201,
        "0.2",
        &check("HTTP_GET", options("HTTP_GET")),
    ));
    text += &patient(service(8202, "0.2", &check("SMTP_CHECK", "")));
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    daemon.says(&format!("Remote Web server {} succeed", name(1, 8201)))?;
    let mut bad = Vec::new();
    for (port, (kind, script, reason)) in (8101..).zip(tormentors()) {
        bad.push((Backend::start(&host, at(port), script)?, reason));
        text += &service(port, "1", &persistent(kind, options(kind)));
    }
    // One that floods within TLS.
    let flood = TlsServer::new(SslVersion::TLS1_3)?;
    serve(&host, 8190, move |stream, _| {
        let mut stream = flood.accept(stream, Speech::whole())?;
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 16_384])?;
        }
    })?;
    text += &service(8190, "1", &persistent("SSL_GET", options("SSL_GET")));
    daemon.reload(&text)?;
    // A busy machine may make the first attempt fail for another reason: this one comes, sooner or later.
    let fails = |port: u16, reason: &str| {
        wait_until(LATE, &format!("{port} fails: {reason}"), || {
            let text = daemon.process.output_so_far();
            text.lines().any(|line| {
                let is_it = line.contains(&format!("server {}. (", name(1, port)))
                    || line.contains(&format!("server [{}]:{port} (", address(1)));
                is_it && line.contains(&format!("({reason}"))
            })
        })
    };
    for (server, reason) in &bad {
        fails(server.address().port(), reason)?;
    }
    // All reads within TLS share one connect_timeout (keepalived).
    fails(8190, "it has not closed within 1s, after ")?;
    // Once more for each: time that does not end would show here.
    let seen: Vec<u64> = bad.iter().map(|(server, _)| server.connections()).collect();
    let good = [&web, &mail];
    let begin = sys::clock::now();
    let checked = good.map(Backend::connections);
    wait_until(
        LATE,
        "all torment us twice more, and each good one is checked twenty times",
        || {
            let mut all = bad.iter().zip(&seen);
            let mut both = good.iter().zip(checked);
            all.all(|((server, _), seen)| server.connections() >= seen + 2)
                && both.all(|(server, checked)| server.connections() >= checked + 20)
        },
    )?;
    let wall = sys::clock::now().since(begin);
    for (server, checked) in good.iter().zip(checked) {
        let checks = server.connections() - checked;
        let port = server.address().port();
        println!("{port} was checked {checks} times in {wall:?}");
        ensure!(
            states(&mut daemon, port)?.get(&address(1)) == Some(&true),
            "{port}"
        );
        // Each failure of theirs would have a line.
        let text = daemon.process.output_so_far();
        let failure = text.lines().find(|line| {
            line.contains(&format!("[{}]:{port} (", address(1)))
                || line.contains(&format!("{}. (", name(1, port)))
                || line.contains(&format!("from VS [198.18.0.100]:tcp:{port}"))
        });
        ensure!(failure.is_none(), "{failure:?}");
    }
    let most = most_memory(pid_in(&host.directory().join("checkers.pid"))?)?;
    println!("at most {most} KiB");
    ensure!(most < MEMORY, "it had {most} KiB");
    daemon.stop()
}
