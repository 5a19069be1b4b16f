//! Details of checks beside Debian's keepalived: the bytes that they send, and the errors that the dump remembers.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use lab::Lab;
use lab::backend::{Act, http};

use crate::common::{Daemon, SIGUSR1};
use crate::world::{Network, globals, look_until, programs};

/// Paths and names are sent as they are written, text or not.
pub(crate) fn bytes_of_a_request(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let server = network.server("10.1.0.1:80", http(200, b"page"))?;
    let mut text = globals("").into_bytes();
    text.extend_from_slice(
        b"virtual_server 10.0.0.1 80 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n delay_loop 1\n real_server 10.1.0.1 80 {\n \
          HTTP_GET {\n warmup 0\n virtualhost m\xfcnchen\x01.example\n url {\n path /caf\xe9/\xe2\x80\x8b\xef\x9f\xa9x\n }\n }\n }\n}\n",
    );
    let wanted = b"GET /caf\xe9/\xe2\x80\x8b\xef\x9f\xa9x HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: m\xfcnchen\x01.example\r\n\r\n";
    for (host, program) in network.directors.iter().zip(programs()?) {
        let file = host.directory().join("bytes.conf");
        fs::write(&file, &text)?;
        let before = server.connections();
        let include = format!("include {}\n", file.display());
        let mut daemon = Daemon::start(host, &program.binary, &include)?;
        look_until("a request has ended", || {
            Ok(server.connections() > before + 1)
        })?;
        let asked = server.raw_requests();
        let last = asked.last().context("a request")?;
        ensure!(
            last == wanted,
            "{} sent {}",
            program.name,
            last.escape_ascii()
        );
        daemon.stop()?;
    }
    Ok(())
}

/// keepalived remembers what connect() says of a UDP socket, for as long as it runs. Here every error of the operating system
/// and of TLS is remembered as long, of any check.
pub(crate) fn last_errors(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let _plain = network.server("10.1.0.1:84", vec![Act::Send(b"this is no TLS".to_vec())])?;
    let url = "url {\n path /\n }";
    let checks = [
        (80, "TCP_CHECK", ""),
        (81, "HTTP_GET", url),
        (84, "SSL_GET", url),
        (85, "SMTP_CHECK", ""),
        (86, "DNS_CHECK", ""),
        (87, "UDP_CHECK", ""),
    ];
    let service = |(port, check, lines): (u16, &str, &str)| {
        let server = |number: u8| {
            format!(
                " real_server 10.1.0.{number} {port} {{\n {check} {{\n retry 0\n connect_timeout 3\n {lines}\n }}\n }}\n"
            )
        };
        format!(
            "virtual_server 10.0.0.1 {port} {{\n protocol TCP\n delay_loop 1\n warmup 0\n lvs_sched rr\n lvs_method NAT\n{}{}}}\n",
            server(1),
            server(77)
        )
    };
    let text = globals("") + &checks.map(service).concat();
    let ours = [
        ("80.1", "Last errno = 111"),
        ("80.77", "Last errno = 113"),
        ("81.1", "Last errno = 111"),
        ("81.77", "Last errno = 113"),
        ("84.1", "Last SSL error = 0xa00010b"),
        ("84.77", "Last errno = 113"),
        ("85.1", "Last errno = 111"),
        ("85.77", "Last errno = 113"),
        ("86.1", "Last errno = 111"),
        ("86.77", "Last errno = 113"),
        ("87.1", "Last errno = 111"),
        ("87.77", "Last errno = 113"),
    ];
    let theirs = [("87.77", "Last errno = 113")];
    for (host, program) in network.directors.iter().zip(programs()?) {
        host.call("ip route add unreachable 10.1.0.77/32")?;
        let mut daemon = Daemon::start(host, &program.binary, &text)?;
        // Whoever is asked for a dump before that may be ended by it.
        daemon.says("Removing service [10.1.0.77]:tcp:87 from VS")?;
        let wanted: BTreeMap<String, String> = match program.name {
            "keepalived" => theirs.iter(),
            _ => ours.iter(),
        }
        .map(|(check, line)| ((*check).to_owned(), (*line).to_owned()))
        .collect();
        let mut found = BTreeMap::new();
        look_until("the dump has the errors", || {
            let whole = |text: &str| text.contains(" -> [10.1.0.77]:tcp:87\n");
            let dump = daemon.dump(SIGUSR1, "keepalived_check.data", whole)?;
            found = errors(&dump);
            Ok(found == wanted)
        })
        .with_context(|| format!("{}: {found:?}, wanted {wanted:?}", program.name))?;
        daemon.stop()?;
    }
    Ok(())
}

/// The errors in a dump, by port and last number of the server's address.
fn errors(dump: &str) -> BTreeMap<String, String> {
    let mut check = String::new();
    let mut found = BTreeMap::new();
    for line in dump.lines() {
        if let Some((_, server)) = line.split_once(" -> [10.1.0.") {
            check = match server.split_once("]:tcp:") {
                Some((number, port)) => format!("{port}.{number}"),
                None => server.to_owned(),
            };
        } else if line.trim_start().starts_with("Last ") {
            found.insert(check.clone(), line.trim().to_owned());
        }
    }
    found
}
