//! Every kind of check once against a real server, a good one and a bad one, and what becomes of the table.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use lab::backend::{Backend, Datagrams, http, smtp};
use lab::{Host, Lab, Process};

use crate::common::program;
use crate::world::{NOTE, Network, SOON, Story, globals, look_until, ours, run, said};

/// A virtual server 10.0.0.1:`port` with 10.1.0.1 (good) and 10.1.0.2 (bad), and so on, each with a check of its own.
fn service(port: u16, checks: &[&str]) -> String {
    let mut text = format!(
        "virtual_server 10.0.0.1 {port} {{\n protocol TCP\n delay_loop 1\n warmup 0\n connect_timeout 2\n \
         lvs_sched rr\n lvs_method NAT\n quorum_up \"{NOTE} VS UP\"\n"
    );
    for (number, check) in (1..).zip(checks) {
        text += &format!(
            " real_server 10.1.0.{number} {port} {{\n  weight 10\n  {}\n }}\n",
            check.replace('\n', "\n  ")
        );
    }
    text + "}\n"
}

/// One check of each kind that is satisfied and one that is not. The good web server is nginx, the good name server
/// dnsmasq, the good TLS server haproxy.
pub(crate) fn every_check(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let web = &network.web;
    let _nginx = nginx(web, "10.1.0.1:82")?;
    let _haproxy = haproxy(web, "10.1.0.1:83", "10.1.0.1:82")?;
    let _dnsmasq = dnsmasq(web, "10.1.0.1", 85)?;
    let _open = network.server("10.1.0.1:81", Vec::new())?;
    let _sick = network.server("10.1.0.2:82", http(503, b"sick"))?;
    // It speaks, but not TLS.
    let _plain = network.server("10.1.0.2:83", http(200, b"plain"))?;
    let _mail = network.server(
        "10.1.0.1:84",
        smtp("220 mail ESMTP", "250 pleased to meet you"),
    )?;
    let _busy = network.server("10.1.0.2:84", smtp("554 no", "250 never"))?;
    // It answers, and refuses (RCODE 5).
    let _refusing = Datagrams::start(
        web,
        "10.1.0.2:85".parse()?,
        Box::new(|query| {
            let mut answer = query.to_vec();
            *answer.get_mut(2)? |= 0x80;
            *answer.get_mut(3)? = 0x05;
            Some(answer)
        }),
    )?;
    let _echo = Datagrams::start(
        web,
        "10.1.0.1:87".parse()?,
        Box::new(|datagram| Some(datagram.to_vec())),
    )?;
    // The digest as Debian's genhash computes it, of nginx's page.
    let director = network.directors.first().context("there is a director")?;
    let digest = run(
        director,
        "genhash",
        &["-s", "10.1.0.1", "-p", "82", "-u", "/page"],
    )?;
    let digest = digest.trim();
    ensure!(digest.len() == 32, "genhash said {digest:?}");
    for options in [
        "-p 82 -u /page",
        "-p 82 -u /page -P 1.1 -V web.test.example",
        "-p 82 -u /not/there",
        "-p 83 -u /page -S -I -V web.test.example",
    ] {
        let words: Vec<&str> = ["-s", "10.1.0.1"]
            .into_iter()
            .chain(options.split_whitespace())
            .collect();
        let theirs = run(director, "genhash", &words)?;
        let mut command = Command::new(ours().binary);
        let ours = said(director, command.arg("--genhash").args(&words))?;
        ensure!(ours == theirs, "{options}: {ours:?} and {theirs:?}");
    }
    for host in &network.directors {
        host.run(|| -> Result<()> {
            fs::write("/run/up", "0")?;
            fs::write("/run/down", "1")?;
            Ok(())
        })??;
        // One that is not there must not be silently far away either.
        host.call("ip route add unreachable 10.1.0.77/32")?;
    }
    let get = |more: &str| format!("HTTP_GET {{\n retry 0\n url {{\n path /page\n {more}\n }}\n}}");
    let tls = "SSL_GET {\n retry 0\n url {\n path /page\n status_code 200\n }\n}";
    let mail = "SMTP_CHECK {\n retry 0\n helo_name director.example\n}";
    let dns = "DNS_CHECK {\n retry 0\n type A\n name host.test.example\n}";
    let misc = |status: u8| {
        format!("MISC_CHECK {{\n misc_path \"/bin/sh -c 'exit {status}'\"\n misc_timeout 5\n}}")
    };
    let udp = "UDP_CHECK {\n retry 0\n require_reply\n}";
    let ping = |address: &str| format!("PING_CHECK {{\n retry 0\n connect_ip {address}\n}}");
    let file = |name: &str| format!("FILE_CHECK {{\n track_file {name}\n weight 0\n}}");
    let tcp = "TCP_CHECK {\n retry 0\n}";
    let services = [
        service(81, &[tcp, tcp]),
        service(82, &[&get("status_code 200"), &get("status_code 200")]),
        service(83, &[tls, tls]),
        service(84, &[mail, mail]),
        service(85, &[dns, dns]),
        service(86, &[&misc(0), &misc(1)]),
        service(87, &[udp, udp]),
        service(88, &[&ping("10.1.0.1"), &ping("10.1.0.77")]),
        service(89, &[&file("up"), &file("down")]),
    ];
    let files = "track_file up {\n file /run/up\n}\ntrack_file down {\n file /run/down\n}\n";
    let mut story = Story::prepare(&network, "")?;
    let configuration = globals("") + files + &services.concat();
    story.start_all(&configuration, &[])?;
    let good: Vec<String> = (81..=89)
        .map(|port| format!("TCP 10.0.0.1:{port} rr = .1:10#{port}"))
        .collect();
    story.table("the good ones are left", &good.join("; "))?;
    for line in [
        "TCP_CHECK on service [10.1.0.2]:tcp:81 failed",
        "HTTP_CHECK on service [10.1.0.2]:tcp:82 failed",
        // 2.2.7 calls it HTTP_CHECK, 2.4.3 SSL_CHECK.
        "_CHECK on service [10.1.0.2]:tcp:83 failed",
        "Removing service [10.1.0.2]:tcp:84 from VS [10.0.0.1]:tcp:84",
        "DNS_CHECK ([10.1.0.2]:tcp:85) read error occurred. (rcode = 5)",
        "Misc check for [[10.1.0.2]:tcp:86 VS [10.0.0.1]:tcp:86] by [",
        "Removing service [10.1.0.2]:tcp:86 from VS [10.0.0.1]:tcp:86",
        "UDP_CHECK on service [10.1.0.2]:tcp:87 failed",
        "ICMP CHECK on service [10.1.0.2]:tcp:88 failed",
    ] {
        story.say(line)?;
    }
    // With alpha nobody is well before a check has said so.
    story.stop()?;
    story.same_saved(&[])?;
    let proven = configuration.replace(" protocol TCP\n", " protocol TCP\n alpha\n");
    ensure!(proven != configuration);
    story.start_all(&proven, &[])?;
    story.table("the good ones have been found good", &good.join("; "))?;
    // What else can be wrong with a page, and right.
    let wrong = "00000000000000000000000000000000";
    let _others: Vec<Backend<'_>> = (3..=5)
        .map(|number| network.server(&format!("10.1.0.{number}:82"), http(200, b"other page\n")))
        .collect::<Result<_>>()?;
    let pages = service(
        82,
        &[
            &get(&format!("digest {digest}")),
            &get(""),
            &get(&format!("digest {wrong}")),
            &get("regex \"ther +page\""),
            &get("regex \"ther +page\"\n regex_no_match"),
        ],
    );
    story.reload(&(globals("") + &pages))?;
    story.table("pages", "TCP 10.0.0.1:82 rr = .1:10#82 .4:10#82")?;
    story.stop()
}

/// Servers that speak one version of TLS each: what the library allows is good, and the certificate is nobody's concern.
pub(crate) fn tls_versions(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let web = &network.web;
    let pem = certificate(web)?;
    let mut running = Vec::new();
    for (number, version) in (1..).zip(["-tls1_2", "-tls1_3", "-tls1_1"]) {
        let mut command = Command::new(program("openssl")?);
        command
            .args(["s_server", "-www", version, "-cipher", "ALL:@SECLEVEL=0"])
            .args(["-accept", &format!("10.1.0.{number}:80")])
            .args(["-cert", &pem, "-key", &pem]);
        let process = web.spawn(&mut command)?;
        listens(web, &format!("10.1.0.{number}:80"))?;
        running.push(process);
    }
    let get = "SSL_GET {\n retry 0\n url {\n path /\n status_code 200\n }\n}";
    let named =
        "SSL_GET {\n retry 0\n sni_name web.test.example\n url {\n path /\n status_code 200\n }\n}";
    let mut story = Story::prepare(&network, "")?;
    story.start_all(&(globals("") + &service(80, &[get, named, get])), &[])?;
    // TLS 1.1 is what Debian's OpenSSL refuses.
    story.table("TLS 1.2 and 1.3", "TCP 10.0.0.1:80 rr = .1:10 .2:10")?;
    for number in [1, 2] {
        story.say(&format!(
            "Remote Web server [10.1.0.{number}]:tcp:80 succeed on service."
        ))?;
    }
    story.stop()
}

/// nginx with a page at /page, which is its name and a line.
fn nginx(host: &Host, listen: &str) -> Result<Process> {
    let directory = host.directory().join("nginx");
    fs::create_dir_all(directory.join("html"))?;
    fs::write(directory.join("html/page"), "a page of nginx\n")?;
    let place = directory.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!(" {name}_temp_path {place}/{name};\n"))
        .collect();
    let file = directory.join("nginx.conf");
    fs::write(
        &file,
        format!(
            "daemon off;\nuser root;\nworker_processes 1;\npid {place}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\n access_log off;\n{temporary} server {{\n  listen {listen};\n  root {place}/html;\n }}\n}}\n"
        ),
    )?;
    let process = host.spawn(
        Command::new(program("nginx")?)
            .args(["-e", "stderr", "-c"])
            .arg(&file),
    )?;
    listens(host, listen)?;
    Ok(process)
}

/// haproxy in front of a web server, with a certificate that nobody knows.
pub(crate) fn haproxy(host: &Host, listen: &str, server: &str) -> Result<Process> {
    let directory = host.directory();
    let pem = certificate(host)?;
    let file = directory.join("haproxy.cfg");
    fs::write(
        &file,
        format!(
            "defaults\n mode http\n timeout connect 2s\n timeout client 5s\n timeout server 5s\n\
             frontend tls\n bind {listen} ssl crt {pem}\n default_backend web\n\
             backend web\n server one {server}\n"
        ),
    )?;
    let process = host.spawn(
        Command::new(program("haproxy")?)
            .arg("-db")
            .arg("-f")
            .arg(&file),
    )?;
    listens(host, listen)?;
    Ok(process)
}

/// A file with a key and a certificate for it.
fn certificate(host: &Host) -> Result<String> {
    let directory = host.directory().display().to_string();
    let (key, certificate) = (
        format!("{directory}/key"),
        format!("{directory}/certificate"),
    );
    run(
        host,
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=web.test.example",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ],
    )?;
    let both = fs::read_to_string(&certificate)? + &fs::read_to_string(&key)?;
    let pem = format!("{directory}/pem");
    fs::write(&pem, both)?;
    Ok(pem)
}

/// dnsmasq, which knows one name.
fn dnsmasq(host: &Host, address: &str, port: u16) -> Result<Process> {
    let process = host.spawn(Command::new(program("dnsmasq")?).args([
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
        "--bind-interfaces",
        "--pid-file=",
        "--log-facility=-",
        &format!("--listen-address={address}"),
        &format!("--port={port}"),
        "--address=/host.test.example/10.1.0.42",
    ]))?;
    process.wait_for_output("started", SOON)?;
    Ok(process)
}

/// Waits until somebody accepts there.
fn listens(host: &Host, address: &str) -> Result<()> {
    let address: std::net::SocketAddr = address.parse()?;
    look_until(&format!("somebody listens on {address}"), || {
        host.run(move || std::net::TcpStream::connect(address).is_ok())
    })
}
