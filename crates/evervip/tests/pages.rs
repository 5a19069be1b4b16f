//! HTTP_GET and SSL_GET of the daemon against real servers, good ones and bad ones: each check fails with its reason, in
//! bounded time, and the others go on.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::backend::{Act, Backend};
use lab::{Host, Lab, Process, scenario, wait_until};

use common::{Daemon, evervip, host, listens, program};

fn main() -> ExitCode {
    scenario::main(&[
        ("pages", pages),
        ("pages_over_tls", pages_over_tls),
        ("a_server_that_recovers", a_server_that_recovers),
    ])
}

/// An answer takes ten times `connect_timeout` at most, and the machine may be busy with other things.
const LATE: Duration = Duration::from_secs(60);

/// The host's own address, where all servers are.
const HERE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

const HEADER: &str = "HTTP/1.0 200 OK\r\n\r\n";

/// What a server does, what is wanted of its page, and what the log says of it.
type Case = (Vec<Act>, &'static str, &'static str);

fn address(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(HERE), port)
}

/// Waits for a request, and sends this.
fn answer(text: &str) -> Vec<Act> {
    vec![
        Act::Until(b"\r\n\r\n".to_vec()),
        Act::Send(text.as_bytes().to_vec()),
    ]
}

/// The same, and what comes then.
fn then(text: &str, act: Act) -> Vec<Act> {
    let mut script = answer(text);
    script.push(act);
    script
}

/// A service of its own for each server, so that their names differ.
fn service(port: u16, check: &str, lines: &str) -> String {
    format!(
        "virtual_server 198.18.0.100 {port} {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n real_server {HERE} {port} {{\n \
         {check} {{\n connect_timeout 1\n delay_loop 2\n warmup 0\n retry 0\n {lines}\n }}\n }}\n}}\n"
    )
}

/// A busy server may answer so late that its check fails for that reason: it is tried again and again, and each failure has
/// its line.
fn chatty(service: String) -> String {
    service.replace(
        "retry 0",
        "retry 1000000\n delay_before_retry 1\n log_all_failures",
    )
}

/// A server that is well may be busy, too.
fn patient(service: String) -> String {
    service.replace("connect_timeout 1", "connect_timeout 60")
}

fn page(lines: &str) -> String {
    format!("url {{\n path /page\n {lines}\n }}")
}

/// A server where nobody listens.
fn nobody() -> Vec<Act> {
    Vec::new()
}

fn cases() -> Vec<Case> {
    let hello = format!("{HEADER}hello");
    let chunked = |body: &str| {
        answer(&format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        ))
    };
    let hold = || Act::Hold;
    vec![
        (
            answer("HTTP/1.0 500 Oh\r\n\r\n"),
            "",
            "status 500, wanted 200-299",
        ),
        (
            answer("HTTP/1.0 301 There\r\n\r\n"),
            "status_code 200 404-410",
            "status 301, wanted 200 404-410",
        ),
        (
            answer("ICY\r\n\r\n"),
            "",
            "no status in 'ICY', wanted 200-299",
        ),
        (
            answer(&hello),
            "digest 00000000000000000000000000000000",
            "digest 5d41402abc4b2a76b9719d911017c592, wanted 00000000000000000000000000000000",
        ),
        // Chunks are bytes of the page like any other (keepalived), whatever they say of themselves.
        (
            chunked("zz\r\nhello"),
            "digest 5d41402abc4b2a76b9719d911017c592",
            "digest 2b9102b79431f344c0beb8fdc7e8e35a, wanted 5d41402abc4b2a76b9719d911017c592",
        ),
        (
            chunked("-5\r\nhello\r\n"),
            "regex ^hello",
            "no match for '^hello' in 11 bytes of body",
        ),
        (
            answer(&hello),
            "regex needle",
            "no match for 'needle' in 5 bytes of body",
        ),
        (
            answer(&hello),
            "regex H.LLO$\n regex_options caseless\n regex_no_match",
            "the body matches 'H.LLO$'",
        ),
        (
            answer(&format!("{HEADER}{}", "a".repeat(4000))),
            "regex \"(a+)+b\"\n regex_options no_start_optimize no_auto_possess",
            "whether the body matches '(a+)+b' is unclear: match limit exceeded",
        ),
        (vec![hold()], "", "no answer within 1s"),
        (
            then(HEADER, hold()),
            "",
            "nothing more for 1s, after 0 bytes of body",
        ),
        (
            then(
                HEADER,
                Act::Trickle(vec![b'x'; 1000], Duration::from_millis(100)),
            ),
            "",
            "it has not closed within 10s, after ",
        ),
        (
            then(
                "",
                Act::Trickle(vec![b'x'; 1000], Duration::from_millis(100)),
            ),
            "",
            "it has not closed within 10s, after 0 bytes of body",
        ),
        (
            then(
                "HTTP/1.0 200 OK\r\n",
                Act::Repeat(b"X: y\r\n".to_vec(), u64::MAX),
            ),
            "",
            "the header has more than 4095 bytes",
        ),
        (
            vec![Act::Until(b"\r\n\r\n".to_vec())],
            "",
            "it closed without an answer",
        ),
        (
            answer("HTTP/1.0 200 OK\r\n"),
            "",
            "it closed after 17 bytes, within the header of its answer",
        ),
    ]
}

fn pages(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let mut configuration = String::new();
    let mut servers = Vec::new();
    let mut wanted = Vec::new();
    for (port, (script, lines, reason)) in (8001..).zip(cases()) {
        servers.push(Backend::start(&host, address(port), script)?);
        configuration += &chatty(service(port, "HTTP_GET", &page(lines)));
        wanted.push((port, reason));
    }
    // More than anybody wants to read. Once is enough.
    let endless = Act::Repeat(vec![0; 64 * 1024], u64::MAX);
    let _endless = Backend::start(&host, address(8100), then(HEADER, endless))?;
    let rarely = service(8100, "HTTP_GET", &page("")).replace("delay_loop 2", "delay_loop 600");
    configuration += &rarely;
    // Nobody listens.
    configuration += &service(8101, "HTTP_GET", &page(""));
    wanted.push((8101, "no connection: "));
    // A good one, with every criterion.
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello";
    let good = Backend::start(&host, address(8102), answer(length))?;
    let lines = page("digest 5d41402abc4b2a76b9719d911017c592\n regex ^hello$\n status_code 200");
    configuration += &patient(service(8102, "HTTP_GET", &lines));
    let mut daemon = Daemon::start(&host, &evervip(), &configuration)?;
    for (port, reason) in wanted {
        wait_until(LATE, &format!("{port} fails: {reason}"), || {
            let text = daemon.process.output_so_far();
            let name = format!("[{HERE}]:tcp:{port}");
            let is_it = |line: &str| line.contains(&name) && line.contains(&format!("({reason}"));
            text.lines().any(is_it)
        })?;
    }
    let said = |text: &str| daemon.times_said(&format!("[{HERE}]:tcp:8100 failed. ({text}")) > 0;
    wait_until(LATE, "an endless body ends", || {
        said("the body has more than 1073741824 bytes") || said("it has not closed within 10s")
    })?;
    says(
        &daemon,
        &format!("Remote Web server [{HERE}]:tcp:8102 succeed"),
    )?;
    says(
        &daemon,
        "content_length (6) does not match received bytes (5)",
    )?;
    // The good one was asked all the time, and is still well.
    let before = good.connections();
    wait_until(LATE, "the good server is checked again", || {
        good.connections() >= before + 3
    })?;
    let failed = daemon.times_said(&format!("[{HERE}]:tcp:8102 failed"));
    ensure!(failed == 0, "the good server failed");
    let noted = daemon.times_said("does not match received bytes");
    ensure!(noted == 1, "the length is mentioned {noted} times");
    drop(servers);
    daemon.stop()
}

fn says(daemon: &Daemon, line: &str) -> Result<()> {
    wait_until(LATE, line, || daemon.times_said(line) > 0)
}

/// A server of OpenSSL's with a certificate of its own.
fn openssl(host: &Host, directory: &Path, port: u16, options: &[&str]) -> Result<Process> {
    let (key, certificate) = (directory.join("key.pem"), directory.join("certificate.pem"));
    let mut command = Command::new(program("openssl")?);
    command
        .current_dir(directory)
        .args(["s_server", "-quiet", "-WWW", "-accept", &port.to_string()])
        .args(options)
        .arg("-key")
        .arg(&key)
        .arg("-cert")
        .arg(&certificate);
    let server = host.spawn(&mut command)?;
    // Its first check is the one that counts.
    listens(host, port)?;
    Ok(server)
}

/// A key and a certificate, and the page of OpenSSL's servers.
fn prepare(host: &Host) -> Result<PathBuf> {
    let directory = host.directory().to_owned();
    let made = Command::new(program("openssl")?)
        .current_dir(&directory)
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj"])
        .args(["/CN=x", "-days", "2", "-keyout", "key.pem"])
        .args(["-out", "certificate.pem"])
        .output()?;
    ensure!(made.status.success(), "{made:?}");
    std::fs::write(directory.join("page"), "hello")?;
    Ok(directory)
}

fn pages_over_tls(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = prepare(&host)?;
    let hello = page("digest 5d41402abc4b2a76b9719d911017c592");
    let mut servers = vec![
        openssl(&host, &directory, 8441, &["-tls1_2"])?,
        openssl(&host, &directory, 8442, &["-tls1_3"])?,
        // It wants a certificate of the client.
        openssl(&host, &directory, 8443, &["-tls1_2", "-Verify", "1"])?,
        openssl(&host, &directory, 8444, &["-tls1_3", "-Verify", "1"])?,
    ];
    let plain = format!("{HEADER}hello");
    let _plain = Backend::start(&host, address(8445), vec![Act::Send(plain.into_bytes())])?;
    let _silent = Backend::start(&host, address(8446), vec![Act::Hold])?;
    let _shy = Backend::start(&host, address(8447), nobody())?;
    let mut configuration = String::new();
    for port in 8441..=8447 {
        let options = format!("enable_sni\n sni_name www.example.com\n {hello}");
        configuration +=
            &service(port, "SSL_GET", &options).replace("connect_timeout 1", "connect_timeout 10");
    }
    let mut daemon = Daemon::start(&host, &evervip(), &configuration)?;
    for port in [8441, 8442] {
        says(
            &daemon,
            &format!("Remote Web server [{HERE}]:tcp:{port} succeed"),
        )?;
    }
    for (port, reason) in [
        (8443, "alert handshake failure (SSL alert number 40))"),
        (8444, "alert certificate required (SSL alert number 116))"),
        (8445, "no connection: wrong version number)"),
        (8446, "no TLS within 10s)"),
        (8447, "no connection: "),
    ] {
        let line = format!("SSL_CHECK on service [{HERE}]:tcp:{port} failed. (");
        says(&daemon, &line)?;
        let text = daemon.process.output_so_far();
        let found = text
            .lines()
            .any(|said| said.contains(&line) && said.contains(reason));
        ensure!(found, "{port} {reason}:\n{text}");
    }
    // With a certificate of our own, those that want one are content.
    let ssl = format!(
        "SSL {{\n certificate {0}/certificate.pem\n key {0}/key.pem\n}}\n",
        directory.display()
    );
    daemon.reload(&(ssl + &configuration))?;
    for port in [8443, 8444] {
        says(
            &daemon,
            &format!("Remote Web server [{HERE}]:tcp:{port} succeed"),
        )?;
    }
    for server in &mut servers {
        server.kill(9)?;
    }
    daemon.stop()
}

/// Three pages: the one that failed comes first, then all of them.
fn a_server_that_recovers(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let good = answer(&format!("{HEADER}hello"));
    let server = Backend::start(&host, address(8001), good.clone())?;
    let url = |path: &str| format!("url {{\n path /{path}\n }}\n");
    let lines = ["one", "two", "three"].map(url).concat();
    let text = patient(service(8001, "HTTP_GET", &lines)).replace("delay_loop 2", "delay_loop 0.2");
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    says(
        &daemon,
        &format!("Remote Web server [{HERE}]:tcp:8001 succeed"),
    )?;
    server.answer(answer("HTTP/1.0 500 Oh\r\n\r\n"));
    says(&daemon, &format!("[{HERE}]:tcp:8001 failed. (status 500"))?;
    server.answer(good);
    says(
        &daemon,
        &format!("HTTP status code success to [{HERE}]:tcp:8001 url(/"),
    )?;
    wait_until(LATE, "it is well again", || {
        daemon.times_said(&format!("Remote Web server [{HERE}]:tcp:8001 succeed")) == 2
    })?;
    daemon.stop()
}
