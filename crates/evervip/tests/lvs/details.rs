//! Details of checks beside Debian's keepalived: the bytes that they send.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use lab::Lab;
use lab::backend::http;

use crate::common::Daemon;
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
