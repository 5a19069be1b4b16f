//! Configurations as people type them from the documents they learn from: what they ask of IPVS.

use anyhow::{Context as _, Result};
use lab::backend::{Act, Backend, http};
use lab::{Host, HostOptions, Lab};

use crate::checks::haproxy;
use crate::common::Daemon;
use crate::table::table;
use crate::world::{look_until, ours, programs, run};

/// Waits until the rows of a host's table are these.
fn holds(host: &Host, wanted: &[&str]) -> Result<()> {
    let mut last = Vec::new();
    look_until(&format!("the table of {}", host.name()), || {
        last = table(host)?;
        Ok(last == wanted)
    })
    .with_context(|| format!("{last:#?}"))
}

/// Two services, one with TLS, whose pages have digests: those that genhash computes.
pub(crate) fn lvs_sample(lab: &mut Lab) -> Result<()> {
    let text = include_str!("../cases/lvs-sample.conf");
    let lan = lab.segment()?;
    let director = lab.host("director", HostOptions::default())?;
    director.connect(&lan, "eth0")?;
    director.add_address("eth0", "192.168.200.5/24")?;
    director.add_address("eth0", "192.168.201.5/24")?;
    let web = lab.host("web", HostOptions::default())?;
    web.connect(&lan, "eth0")?;
    for address in ["192.168.200.2", "192.168.200.3", "192.168.201.100"] {
        web.add_address("eth0", &format!("{address}/24"))?;
    }
    // The same page whatever is asked for.
    let page = b"<html>It works</html>\n";
    let _plain: Vec<Backend<'_>> = ["192.168.200.2:1358", "192.168.200.3:1358"]
        .iter()
        .map(|address| Backend::start(&web, address.parse()?, http(200, page)))
        .collect::<Result<_>>()?;
    let behind = Backend::start(&web, "127.0.0.1:8080".parse()?, http(200, page))?;
    let _haproxy = haproxy(&web, "192.168.201.100:443", "127.0.0.1:8080")?;

    let asked = [
        "-s",
        "192.168.200.2",
        "-p",
        "1358",
        "-u",
        "/testurl/test.jsp",
    ];
    let digest = run(&director, "genhash", &asked)?;
    let mut right = text.to_owned();
    for line in text.lines().filter(|line| line.contains("digest")) {
        right = right.replace(line.trim(), &format!("digest {}", digest.trim()));
    }
    let mut daemon = Daemon::start(&director, &ours().binary, &right)?;
    for server in [
        "[192.168.201.100]:tcp:443",
        "[192.168.200.2]:tcp:1358",
        "[192.168.200.3]:tcp:1358",
    ] {
        let line = format!("Remote Web server {server} succeed on service.");
        look_until(&line, || Ok(daemon.times_said(&line) > 0))?;
    }
    let tls = "TCP 192.168.200.100:443 rr persistent 50";
    let web_service = "TCP 10.10.10.2:1358 rr persistent 50";
    holds(
        &director,
        &[
            web_service,
            "-> 192.168.200.2:1358 Masq 1",
            "-> 192.168.200.3:1358 Masq 1",
            tls,
            "-> 192.168.201.100:443 Masq 1",
        ],
    )?;
    for address in ["192.168.200.16", "192.168.200.17", "192.168.200.18"] {
        look_until(address, || director.has_address("eth0", address))?;
    }
    // As they are in the document, the digests are those of other pages: the sorry server takes over.
    daemon.reload(text)?;
    holds(
        &director,
        &[web_service, "-> 192.168.200.200:1358 Masq 1", tls],
    )?;
    daemon.stop()?;
    behind.answer(vec![Act::Hold]);
    holds(&director, &[])
}

/// Every area of the file at once, beside keepalived.
pub(crate) fn concepts(lab: &mut Lab) -> Result<()> {
    // The document has `debug` without the number that it takes: neither program starts with that.
    let text = include_str!("../cases/concepts.conf").replace("   debug\n", "   debug 1\n");
    for program in programs()? {
        let host = lab.host(program.name, HostOptions::default())?;
        for interface in ["eth0", "eth1"] {
            host.connect(&lab.segment()?, interface)?;
        }
        host.add_address("eth0", "10.210.214.200/24")?;
        host.add_address("eth1", "192.168.1.200/24")?;
        let mut daemon = Daemon::start(&host, &program.binary, &text)?;
        // Nobody is there: before that is known of the mail server, it is in. With `alpha` no web server has proven to be
        // well; one is inhibited and not removed. The script of the third's only check is not there, and who is not checked
        // is well; 2.2.7 counts the check that it has removed as failed for ever.
        let serves = match program.name {
            "keepalived" => "-> 127.0.0.1:80 Route 1",
            _ => "-> 10.210.214.12:80 Route 1",
        };
        holds(
            &host,
            &[
                "TCP 10.210.214.253:25 rr",
                "-> 10.210.214.20:25 Tunnel 1",
                "TCP 10.210.214.253:80 wlc persistent 50 mask 255.255.255.0",
                "-> 10.210.214.10:80 Route 0",
                serves,
            ],
        )
        .with_context(|| program.name.to_owned())?;
        daemon.stop()?;
        holds(&host, &[])?;
    }
    Ok(())
}
