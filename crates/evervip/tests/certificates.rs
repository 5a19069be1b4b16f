//! SSL_GET with `verify_peer` against real TLS servers: whose certificate is good, whose is not and why, and whom the daemon
//! trusts.

mod common;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Host, Lab, Process, scenario, wait_until};

use common::{Daemon, evervip, host, listens, program, script};

/// It is compiled in from the daemon's tests: a program has no library to test.
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the daemon's own tests use the rest; a test that cannot go on fails"
)]
#[path = "../src/tls/testing/certificates.rs"]
mod certificates;

use certificates::{Content, Identity, Purpose, Season};

fn main() -> ExitCode {
    scenario::main(&[
        ("good_ones_and_bad_ones", good_ones_and_bad_ones),
        ("whom_the_system_trusts", whom_the_system_trusts),
    ])
}

/// The machine may be busy with other things.
const LATE: Duration = Duration::from_secs(60);

/// The host's own address, where all servers are.
const HERE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

const WWW: &[&str] = &["DNS:www.example.com"];

/// A server that shows these certificates, its own first.
fn server(host: &Host, port: u16, shown: &[&Identity]) -> Result<Process> {
    let directory = host.directory();
    let path = |what: &str| directory.join(format!("{port}.{what}"));
    let (own, others) = shown.split_first().context("a certificate")?;
    fs::write(path("key"), own.key.private_key_to_pem_pkcs8()?)?;
    fs::write(path("certificate"), own.certificate_pem())?;
    fs::write(directory.join("page"), "hello")?;
    let mut command = Command::new(program("openssl")?);
    command
        .current_dir(directory)
        .args(["s_server", "-quiet", "-WWW", "-accept", &port.to_string()])
        .arg("-key")
        .arg(path("key"))
        .arg("-cert")
        .arg(path("certificate"));
    if !others.is_empty() {
        let chain: Vec<u8> = others
            .iter()
            .flat_map(|one| one.certificate_pem())
            .collect();
        fs::write(path("chain"), chain)?;
        command.arg("-cert_chain").arg(path("chain"));
    }
    let server = host.spawn(&mut command)?;
    listens(host, port)?;
    Ok(server)
}

/// A service of its own for each server, so that their names differ.
fn service(port: u16, lines: &str) -> String {
    format!(
        "virtual_server 198.18.0.100 {port} {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n real_server {HERE} {port} {{\n \
         SSL_GET {{\n connect_timeout 10\n delay_loop 1\n warmup 0\n retry 0\n {lines}\n url {{\n path /page\n }}\n }}\n }}\n}}\n"
    )
}

fn trust(host: &Host, authority: &Identity) -> Result<String> {
    let path = host.directory().join("ca.pem");
    fs::write(&path, authority.certificate_pem())?;
    Ok(format!("SSL {{\n ca {}\n}}\n", path.display()))
}

fn says(daemon: &Daemon, line: &str) -> Result<()> {
    wait_until(LATE, line, || daemon.times_said(line) > 0)
}

fn is_well(daemon: &Daemon, port: u16) -> Result<()> {
    says(
        daemon,
        &format!("Remote Web server [{HERE}]:tcp:{port} succeed"),
    )
}

/// A case: the certificates shown, what is said about the name, and what the log says; empty: it is well.
type Case<'a> = (Vec<&'a Identity>, &'a str, &'a str);

fn good_ones_and_bad_ones(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let root = Content::authority("root").by_itself();
    let stranger = Content::authority("stranger").by_itself();
    let between = Content::authority("between").by(&root);
    let www = Content::server(WWW);
    let good = www.by(&root);
    let behind = www.by(&between);
    let other = Content::server(&["DNS:other.example.com"]).by(&root);
    let address = Content::server(&["IP:198.18.0.1"]).by(&root);
    let expired = Content {
        season: Season::Past,
        ..www.clone()
    }
    .by(&root);
    let client = Content {
        purpose: Purpose::Client,
        ..www.clone()
    }
    .by(&root);
    let own = www.by_itself();
    let foreign = www.by(&stranger);
    let name = "sni_name www.example.com";
    let cases: [Case<'_>; 12] = [
        (vec![&good], name, ""),
        (vec![&behind, &between], name, ""),
        (vec![&good], "virtualhost www.example.com:8443", ""),
        (vec![&address], "", ""),
        (
            vec![&other],
            name,
            "certificate 'CN=server' (depth 0): hostname mismatch; it is for other.example.com, wanted a good one for www.example.com)",
        ),
        (
            vec![&good],
            "",
            "certificate 'CN=server' (depth 0): IP address mismatch; it is for www.example.com, wanted a good one for 198.18.0.1)",
        ),
        (
            vec![&expired],
            name,
            "certificate 'CN=server' (depth 0): certificate has expired; it is valid until Dec 31 00:00:00 1970 GMT, wanted",
        ),
        (
            vec![&own],
            name,
            "certificate 'CN=server' (depth 0): self-signed certificate; it is issued by 'CN=server', wanted",
        ),
        (
            vec![&foreign],
            name,
            "certificate 'CN=server' (depth 0): unable to get local issuer certificate; it is issued by 'CN=stranger', wanted",
        ),
        (
            vec![&foreign, &stranger],
            name,
            "certificate 'CN=stranger' (depth 1): self-signed certificate in certificate chain; it is issued by 'CN=stranger', wanted",
        ),
        (
            vec![&behind],
            name,
            "certificate 'CN=server' (depth 0): unable to get local issuer certificate; it is issued by 'CN=between', wanted",
        ),
        (
            vec![&client],
            name,
            "certificate 'CN=server' (depth 0): unsuitable certificate purpose; it is issued by 'CN=root', wanted",
        ),
    ];
    let mut servers = Vec::new();
    let (mut verified, mut unverified) = (trust(&host, &root)?, trust(&host, &root)?);
    for (port, (shown, name, _)) in (8441..).zip(&cases) {
        servers.push(server(&host, port, shown)?);
        let chatty = "retry 1\n delay_before_retry 1\n log_all_failures";
        verified += &service(port, &format!("verify_peer\n {chatty}\n {name}"));
        unverified += &service(port, name);
    }
    // Without the keyword nobody looks, although there is somebody to trust.
    let mut daemon = Daemon::start(&host, &evervip(), &unverified)?;
    for (port, _) in (8441..).zip(&cases) {
        is_well(&daemon, port)?;
    }
    ensure!(daemon.times_said("certificate '") == 0, "somebody looked");
    // A reload switches it on. Each failure is tried once more, and each attempt has its line.
    daemon.reload(&verified)?;
    for (port, (_, _, reason)) in (8441_u16..).zip(&cases) {
        if !reason.is_empty() {
            let (tried, down) = (
                format!("SSL certificate refused of server [{HERE}]:tcp:{port}. ({reason}"),
                format!(
                    "SSL_CHECK on service [{HERE}]:tcp:{port} failed after 1 retries. ({reason}"
                ),
            );
            says(&daemon, &tried)?;
            says(&daemon, &down)?;
        }
    }
    for (port, _) in (8441_u16..)
        .zip(&cases)
        .filter(|(_, case)| case.2.is_empty())
    {
        wait_until(LATE, &format!("{port} is well still"), || {
            daemon.times_said(&format!("Remote Web server [{HERE}]:tcp:{port} succeed")) >= 2
        })?;
        let failed = daemon.times_said(&format!("[{HERE}]:tcp:{port} failed"));
        ensure!(failed == 0, "{port} failed {failed} times");
    }
    // Somebody else is trusted from now on.
    let verified = verified.replace("ca.pem", "stranger.pem");
    let stranger_file = host.directory().join("stranger.pem");
    fs::write(stranger_file, stranger.certificate_pem())?;
    daemon.reload(&verified)?;
    for port in [8449, 8450] {
        wait_until(LATE, &format!("{port} is well again"), || {
            daemon.times_said(&format!("Remote Web server [{HERE}]:tcp:{port} succeed")) >= 2
        })?;
    }
    says(
        &daemon,
        &format!(
            "SSL_CHECK on service [{HERE}]:tcp:8441 failed after 1 retries. (certificate 'CN=server' (depth 0): unable to get local \
             issuer certificate; it is issued by 'CN=root', wanted a good one for www.example.com)"
        ),
    )?;
    for server in &mut servers {
        server.kill(9)?;
    }
    daemon.stop()
}

/// The daemon, with other authorities than those of this machine.
fn daemon_of_a_system(host: &Host, name: &str, file: &Path) -> Result<PathBuf> {
    let text = format!(
        "SSL_CERT_FILE={} SSL_CERT_DIR=/nowhere exec {} \"$@\"",
        file.display(),
        evervip().display()
    );
    script(host.directory(), name, &text)
}

fn whom_the_system_trusts(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let root = Content::authority("root").by_itself();
    let good = Content::server(WWW).by(&root);
    let own = Content::server(WWW).by_itself();
    let mut servers = [
        server(&host, 8441, &[&good])?,
        server(&host, 8442, &[&own])?,
        server(&host, 8443, &[&own])?,
    ];
    let verified = "verify_peer\n virtualhost www.example.com\n enable_sni";
    let configuration = [
        service(8441, verified),
        service(8442, verified),
        service(8443, ""),
    ]
    .concat();
    let file = host.directory().join("system.pem");
    let program = daemon_of_a_system(&host, "evervip", &file)?;
    // Nobody: those that verify find out nothing, the others go on.
    let mut daemon = Daemon::start(&host, &program, &configuration)?;
    says(
        &daemon,
        &format!(
            "SSL: the system trusts nobody ({}: No such file or directory (os error 2); /nowhere: no certificate is there); name the \
             authorities with SSL {{ ca FILE }}, or install those of the system (ca-certificates): SSL_GET checks with verify_peer \
             have no result until a reload finds it better",
            file.display()
        ),
    )?;
    is_well(&daemon, 8443)?;
    says(
        &daemon,
        &format!(
            "A check of [{HERE}]:tcp:8442 has no result until a reload finds it better: TLS cannot be spoken: the system trusts nobody"
        ),
    )?;
    // They are installed, and the configuration is as it was.
    fs::write(&file, root.certificate_pem())?;
    daemon.reload(&configuration)?;
    is_well(&daemon, 8441)?;
    says(
        &daemon,
        &format!(
            "[{HERE}]:tcp:8442 failed. (certificate 'CN=server' (depth 0): self-signed certificate; it is issued by 'CN=server'"
        ),
    )?;
    for port in [8441, 8443] {
        let failed = daemon.times_said(&format!("[{HERE}]:tcp:{port} failed"));
        ensure!(failed == 0, "{port} failed {failed} times");
    }
    for server in &mut servers {
        server.kill(9)?;
    }
    daemon.stop()
}
