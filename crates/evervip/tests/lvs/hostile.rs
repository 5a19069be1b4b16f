//! Servers that do not play along: each is found out, in bounded time and memory, and nobody else's check waits for it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::backend::{Act, Backend, http, smtp};
use lab::{Lab, Pid};

use crate::world::{Network, Story, globals, look_until, ours};

/// What a process of ours may have in memory while tens of gigabytes are thrown at it, in KiB.
const MEMORY: u64 = 64 * 1024;

/// Far more than anybody reads.
const ENDLESS: u64 = 10 << 30;

fn text(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

/// The end of a request's header has come.
fn asked() -> Act {
    Act::Until(b"\r\n\r\n".to_vec())
}

/// Web servers that are not well, and the words of the reason.
fn web() -> Vec<(&'static str, Vec<Act>)> {
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000)).into_bytes();
    let lines = ENDLESS / 1000;
    vec![
        ("says nothing", vec![asked(), Act::Hold]),
        (
            "a byte now and then, for ever",
            vec![
                asked(),
                text("HTTP/1.1 200 OK\r\n"),
                Act::Trickle(vec![b'x'; 10_000], Duration::from_millis(300)),
            ],
        ),
        (
            "a header without an end",
            vec![
                asked(),
                text("HTTP/1.1 200 OK\r\n"),
                Act::Repeat(line, lines),
            ],
        ),
        (
            "ten gigabytes",
            vec![
                asked(),
                text("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"),
                Act::Repeat(vec![b'x'; 65536], ENDLESS / 65536),
            ],
        ),
        (
            "leaves after half a line",
            vec![asked(), text("HTTP/1.1 2")],
        ),
        ("leaves at once", vec![asked()]),
        (
            "no status",
            vec![asked(), text("HTTP/1.1 two hundred\r\n\r\nfine")],
        ),
    ]
}

/// Ports of the web servers, the TLS servers and the mail servers.
const WEB: u16 = 80;
const TLS: u16 = 443;
const MAIL: u16 = 25;

/// TLS servers that are not.
fn tls() -> Vec<(&'static str, Vec<Act>)> {
    // TLS 1.2 record of type alert: fatal, handshake_failure; RFC 5246 7.2.
    let alert = vec![0x15, 3, 3, 0, 2, 2, 40];
    // A record of type handshake that promises 16384 bytes, and then more of that.
    let promise = vec![0x16, 3, 3, 0x40, 0];
    vec![
        ("an alert", vec![Act::Send(alert)]),
        ("no TLS", vec![text("220 this is mail\r\n"), Act::Hold]),
        (
            "a record without an end",
            vec![
                Act::Send(promise),
                Act::Trickle(vec![0; 10_000], Duration::from_millis(300)),
            ],
        ),
        ("says nothing", vec![Act::Hold]),
    ]
}

fn mail() -> Vec<(&'static str, Vec<Act>)> {
    let hello = || Act::Until(b"\n".to_vec());
    vec![
        (
            "a line of megabytes",
            vec![
                text("220 "),
                Act::Repeat(vec![b'x'; 65536], 16),
                text("\r\n"),
                Act::Hold,
            ],
        ),
        (
            "leaves after the greeting",
            vec![text("220 mail\r\n"), hello()],
        ),
        (
            "a byte now and then",
            vec![Act::Trickle(vec![b'2'; 10_000], Duration::from_millis(300))],
        ),
    ]
}

/// All of them at once, beside one server that is well.
pub(crate) fn hostile(lab: &mut Lab) -> Result<()> {
    let network = Network::of(lab, vec![ours()])?;
    let good = network.server("10.1.0.1:80", http(200, b"good"))?;
    let _postman = network.server("10.1.0.1:25", smtp("220 mail", "250 hello"))?;
    let mut bad: Vec<Backend<'_>> = Vec::new();
    let mut configuration = globals("");
    for (port, servers, check) in [
        (
            WEB,
            web(),
            "HTTP_GET {\n   retry 0\n   connect_timeout 1\n   url {\n    path /\n   }\n  }",
        ),
        (
            TLS,
            tls(),
            "SSL_GET {\n   retry 0\n   connect_timeout 1\n   url {\n    path /\n   }\n  }",
        ),
        (
            MAIL,
            mail(),
            "SMTP_CHECK {\n   retry 0\n   connect_timeout 1\n  }",
        ),
    ] {
        configuration += &format!(
            "virtual_server 10.0.0.1 {port} {{\n protocol TCP\n delay_loop 1\n warmup 0\n lvs_sched rr\n lvs_method NAT\n"
        );
        let numbers = if port == TLS { 2..2 } else { 1..2 };
        for number in numbers.chain(2..2 + u8::try_from(servers.len())?) {
            configuration += &format!(" real_server 10.1.0.{number} {port} {{\n  {check}\n }}\n");
        }
        configuration += "}\n";
        for (number, (_, script)) in (2..).zip(servers) {
            bad.push(network.server(&format!("10.1.0.{number}:{port}"), script)?);
        }
    }
    let mut story = Story::prepare(&network, "")?;
    story.start_all(&configuration, &[])?;
    story.table(
        "only who is well is left",
        "TCP 10.0.0.1:25 rr = .1:1#25; TCP 10.0.0.1:443 rr =; TCP 10.0.0.1:80 rr = .1:1",
    )?;
    for (port, servers) in [(WEB, web()), (TLS, tls()), (MAIL, mail())] {
        for (number, (what, _)) in (2..).zip(servers) {
            story
                .say(&format!("Removing service [10.1.0.{number}]:tcp:{port}"))
                .with_context(|| format!("a server that does this: {what}"))?;
        }
    }
    // While they go on: who is well is checked every second, and nothing grows.
    let before = good.connections();
    look_until("the good one is checked ten times more", || {
        Ok(good.connections() >= before + 10)
    })?;
    story.each(|_, daemon, _| {
        for pid in daemon.process.family()? {
            let size = resident(pid)?;
            ensure!(size < MEMORY, "process {pid} has {size} KiB");
        }
        Ok(())
    })?;
    ensure!(bad.iter().all(|server| server.connections() > 0));
    // They come to their senses.
    for server in &bad {
        server.answer(match server.address().port() {
            MAIL => smtp("220 mail", "250 hello"),
            _ => http(200, b"well again"),
        });
    }
    story.table(
        "who is well again is back; plain text is not TLS",
        "TCP 10.0.0.1:25 rr = .1:1#25 .2:1#25 .3:1#25 .4:1#25; TCP 10.0.0.1:443 rr =; \
         TCP 10.0.0.1:80 rr = .1:1 .2:1 .3:1 .4:1 .5:1 .6:1 .7:1 .8:1",
    )?;
    story.stop()
}

/// What a process has in memory, in KiB.
fn resident(pid: Pid) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("a process has memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// A web server that leaves after every possible byte of a good answer, one after the other: each is a failure or, at its
/// end, a success; nothing hangs, nothing crashes.
pub(crate) fn leaves_at_every_byte(lab: &mut Lab) -> Result<()> {
    let network = Network::of(lab, vec![ours()])?;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    let servers: Vec<Backend<'_>> = (1..=9)
        .map(|number| network.server(&format!("10.1.0.{number}:80"), vec![asked()]))
        .collect::<Result<_>>()?;
    let check = "HTTP_GET {\n   retry 0\n   connect_timeout 1\n   url {\n    path /\n    digest \
                 755f85c2723bb39381c7379a604160d8\n   }\n  }";
    let mut configuration = globals("")
        + "virtual_server 10.0.0.1 80 {\n protocol TCP\n delay_loop 0.2\n warmup 0\n lvs_sched rr\n lvs_method NAT\n";
    for number in 1..=9 {
        configuration += &format!(" real_server 10.1.0.{number} 80 {{\n  {check}\n }}\n");
    }
    configuration += "}\n";
    let mut story = Story::prepare(&network, "TCP 10.0.0.1:80 rr")?;
    story.start_all(&configuration, &[])?;
    story.table("nobody says anything", "")?;
    let mut ends = 0..answer.len();
    while !ends.is_empty() {
        for server in &servers {
            let Some(end) = ends.next() else { break };
            let part = answer.get(..end).unwrap_or_default().to_vec();
            server.answer(vec![asked(), Act::Send(part)]);
        }
        let seen: Vec<u64> = servers.iter().map(Backend::connections).collect();
        look_until("each is asked twice more", || {
            Ok(servers
                .iter()
                .zip(&seen)
                .all(|(server, seen)| server.connections() >= seen + 2))
        })?;
        story.table("parts of an answer", "")?;
    }
    for server in &servers {
        server.answer(vec![asked(), Act::Send(answer.to_vec())]);
    }
    story.table("all of it", ".1:1 .2:1 .3:1 .4:1 .5:1 .6:1 .7:1 .8:1 .9:1")?;
    story.stop()
}
