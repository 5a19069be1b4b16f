//! genhash, beside Debian's: the same servers, the same words.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::backend::{Act, Backend};
use lab::{Host, HostOptions, Lab, Process, scenario, wait_until};

use common::{SOON, evervip};

fn main() -> ExitCode {
    scenario::main(&[
        ("the_same_words", the_same_words),
        ("over_tls", over_tls),
        ("old_versions_of_tls", old_versions_of_tls),
        ("what_takes_too_long", what_takes_too_long),
        ("by_three_names", by_three_names),
    ])
}

/// The loopback interface, where all servers are.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn address(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(HERE), port)
}

/// Sends this when it has been asked, and closes.
fn answer(pieces: &[&[u8]]) -> Vec<Act> {
    let mut script = vec![Act::Until(b"\r\n\r\n".to_vec())];
    script.extend(pieces.iter().map(|piece| Act::Send(piece.to_vec())));
    script
}

/// Debian's, or the one under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Debian,
    Ours,
}

fn genhash(host: &Host, whose: Whose, words: &[String]) -> Result<Output> {
    let mut command = match whose {
        Whose::Debian => Command::new("genhash"),
        Whose::Ours => {
            let mut command = Command::new(evervip());
            command.arg("genhash");
            command
        }
    };
    command.args(words);
    host.run(move || command.output())?
        .context("genhash cannot be run")
}

/// What it prints and how it ends, without the time that it took.
fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.split_inclusive('\n').map(|line| {
        let time = line.rfind(" = ").filter(|_| line.starts_with("Global"));
        time.map_or(line, |time| line.get(..time).unwrap_or(line))
    });
    format!(
        "{}{}{}",
        lines.collect::<String>(),
        String::from_utf8_lossy(&output.stderr),
        output.status
    )
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Both say the same.
fn same(host: &Host, line: &str) -> Result<String> {
    let theirs = told(&genhash(host, Whose::Debian, &words(line))?);
    let ours = told(&genhash(host, Whose::Ours, &words(line))?);
    ensure!(
        ours == theirs,
        "{line}\nkeepalived:\n{theirs}\nevervip:\n{ours}"
    );
    Ok(ours)
}

fn host(lab: &Lab) -> Result<Host> {
    let host = lab.host("a", HostOptions::default())?;
    host.link_up("lo")?;
    Ok(host)
}

fn the_same_words(lab: &mut Lab) -> Result<()> {
    let host = host(lab)?;
    const HEADER: &[u8] = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n";
    let whole = |body: &[u8]| [HEADER, body].concat();
    let long_header = [
        b"HTTP/1.0 200 OK\r\nX: ",
        &[b'y'; 5000][..],
        b"\r\n\r\nbody",
    ]
    .concat();
    let announced = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello world";
    let bytes: Vec<u8> = (0..=255).collect();
    let mut answers: Vec<Vec<u8>> = vec![
        Vec::new(),
        HEADER.to_vec(),
        announced.to_vec(),
        b"HTTP/1.0 404 No\r\n\r\nhello".to_vec(),
        b"HTTP/1.0 200\r\n\r\nhello".to_vec(),
        b"HTTP/1.0 200 OK\n\nhello".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec(),
        long_header,
        whole(&bytes),
    ];
    answers.extend([1, 7, 8, 9, 15, 16, 17].map(|length| whole(&vec![b'a'; length])));
    let server = Backend::start(&host, address(80), Vec::new())?;
    for content in &answers {
        server.answer(answer(&[content]));
        let told = same(&host, "-s 127.0.0.1 -p 80 -u /x")?;
        ensure!(told.ends_with("exit status: 0"), "{told}");
        // One that breaks off without a header is shown again and again by keepalived.
        if content.windows(4).any(|window| window == b"\r\n\r\n") && content.len() < 4096 {
            same(&host, "-s 127.0.0.1 -p 80 -u /x --verbose")?;
        }
    }
    // What is larger than a buffer.
    server.answer(answer(&[&whole(&[b'a'; 100_000])]));
    same(&host, "-s 127.0.0.1 -p 80 -u /x")?;
    // What is sent.
    server.answer(answer(&[HEADER]));
    let all = ["", "-P 1.1", "-P 1.0c", "-V www.example.com", "-m 5"];
    for (number, options) in all.into_iter().enumerate() {
        let page = format!("/a?{number}");
        same(&host, &format!("-s 127.0.0.1 -p 80 -u {page} {options}"))?;
        // The server knows of a request when it has seen the end of the connection.
        let requests = || {
            let mut all = server.requests();
            all.retain(|request| request.contains(&format!("{page} ")));
            all
        };
        wait_until(SOON, "two requests", || requests().len() >= 2)?;
        let requests = requests();
        let [.., theirs, ours] = requests.as_slice() else {
            anyhow::bail!("{requests:?}");
        };
        ensure!(ours == theirs, "{options}: {theirs:?} {ours:?}");
    }
    // Nobody is there; no way; words that mean nothing.
    same(&host, "-s 127.0.0.1 -p 81 -u /")?;
    for line in [
        "-s 127.0.0.1 -Q",
        "-s 127.0.0.1 -p 0 -u /",
        "-s foo -p 80 -u /",
        "-s 127.0.0.1 -p 80 -u / -P 2",
        "-s 127.0.0.1 -p 80 -u / extra more",
        "-s 127.0.0.1 -p 80",
    ] {
        let first = |whose| -> Result<String> {
            let output = genhash(&host, whose, &words(line))?;
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let first = text.lines().next().unwrap_or_default();
            Ok(format!("{first} {}", output.status))
        };
        let (theirs, ours) = (first(Whose::Debian)?, first(Whose::Ours)?);
        ensure!(ours == theirs, "{line}: {theirs} {ours}");
    }
    Ok(())
}

/// A server of OpenSSL's, and the files that it needs.
fn tls_server(host: &Host, port: u16, options: &[&str]) -> Result<Process> {
    let key: PathBuf = host.directory().join("key.pem");
    let certificate: PathBuf = host.directory().join("certificate.pem");
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
        ])
        .args(["-days", "2", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()?;
    ensure!(made.status.success(), "{made:?}");
    let page = host.directory().join("page");
    std::fs::write(&page, "hello")?;
    let mut command = Command::new("openssl");
    command
        .current_dir(host.directory())
        .args(["s_server", "-quiet", "-WWW", "-accept", &port.to_string()])
        .args(options)
        .arg("-key")
        .arg(&key)
        .arg("-cert")
        .arg(&certificate);
    host.spawn(&mut command)
}

fn over_tls(lab: &mut Lab) -> Result<()> {
    let host = host(lab)?;
    let mut server = tls_server(&host, 443, &[])?;
    let line = "-s 127.0.0.1 -p 443 -u /page -S";
    let is_up = || {
        let output = genhash(&host, Whose::Debian, &words(line));
        output.is_ok_and(|output| told(&output).starts_with("5d41402abc4b2a76b9719d911017c592"))
    };
    wait_until(SOON, "the TLS server answers", is_up)?;
    let told = same(&host, line)?;
    ensure!(
        told.starts_with("5d41402abc4b2a76b9719d911017c592\n"),
        "{told}"
    );
    same(&host, &format!("{line} -I -V www.example.com -P 1.1"))?;
    // No TLS where it should be, and TLS where it should not.
    same(&host, "-s 127.0.0.1 -p 443 -u /page")?;
    same(&host, "-s 127.0.0.1 -p 444 -u /page -S")?;
    server.kill(9)?;
    Ok(())
}

/// Where the system's policy allows them; Debian's does not.
fn old_versions_of_tls(lab: &mut Lab) -> Result<()> {
    let host = host(lab)?;
    let lax = host.directory().join("lax.cnf");
    std::fs::write(
        &lax,
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n[default]\n\
         MinProtocol = TLSv1\nCipherString = DEFAULT@SECLEVEL=0\n",
    )?;
    for version in ["-tls1", "-tls1_1"] {
        let mut server = tls_server(&host, 443, &[version, "-cipher", "DEFAULT@SECLEVEL=0"])?;
        let fetch = |policy: Option<&PathBuf>| -> Result<String> {
            let mut command = Command::new(evervip());
            command.args(["genhash", "-s", "127.0.0.1", "-p", "443", "-u", "/page"]);
            command.arg("-S");
            command.envs(policy.map(|file| ("OPENSSL_CONF", file)));
            Ok(told(&host.run(move || command.output())??))
        };
        wait_until(SOON, "an old server answers", || {
            fetch(Some(&lax)).is_ok_and(|told| told.starts_with("5d41402abc4b2a76b9719d911017c592"))
        })?;
        let told = fetch(None)?;
        ensure!(
            told.starts_with("SSL handshake/communication error connecting to\n"),
            "{told}"
        );
        server.kill(9)?;
        server.wait_timeout(SOON)?;
    }
    Ok(())
}

/// Both give up, and ours says why.
fn what_takes_too_long(lab: &mut Lab) -> Result<()> {
    let host = host(lab)?;
    let server = Backend::start(&host, address(80), vec![Act::Hold])?;
    for (script, wanted) in [
        (vec![Act::Hold], "Timeout WEB read\n"),
        (
            vec![Act::Send(b"HTTP/1.0 200 OK\r\n\r\nhel".to_vec()), Act::Hold],
            "Timeout HTTP read\n",
        ),
        (
            vec![
                Act::Send(b"HTTP/1.0 200 OK\r\n\r\n".to_vec()),
                Act::Trickle(vec![b'x'; 1000], Duration::from_millis(300)),
            ],
            "Timeout HTTP read\n",
        ),
    ] {
        server.answer(script);
        let output = genhash(&host, Whose::Ours, &words("-s 127.0.0.1 -p 80 -u / -t 1"))?;
        let told = told(&output);
        ensure!(told == format!("{wanted}exit status: 0"), "{told}");
    }
    let output = genhash(&host, Whose::Ours, &words("-s 192.0.2.1 -p 80 -u / -t 1"))?;
    let told = told(&output);
    ensure!(
        told == "HTTP/SSL_CHECK - network unreachable\nexit status: 0",
        "{told}"
    );
    Ok(())
}

fn by_three_names(lab: &mut Lab) -> Result<()> {
    let host = host(lab)?;
    let _server = Backend::start(
        &host,
        address(80),
        answer(&[b"HTTP/1.0 200 OK\r\n\r\nhello"]),
    )?;
    let link = host.directory().join("genhash");
    std::os::unix::fs::symlink(evervip(), &link)?;
    let keepalived = host.directory().join("keepalived");
    std::os::unix::fs::symlink(evervip(), &keepalived)?;
    let page = words("-s 127.0.0.1 -p 80 -u /");
    for (program, first) in [
        (link, None),
        (keepalived, Some("--genhash")),
        (evervip(), Some("--genhash")),
        (evervip(), Some("genhash")),
    ] {
        let mut command = Command::new(&program);
        command.args(first).args(&page);
        let output = host.run(move || command.output())??;
        ensure!(
            output.stdout == b"5d41402abc4b2a76b9719d911017c592\n",
            "{program:?} {output:?}"
        );
    }
    Ok(())
}
