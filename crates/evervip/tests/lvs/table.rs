//! The kernel's table as `ipvsadm` shows it, in words that can be compared.

use anyhow::{Context as _, Result};
use lab::Host;

/// The rows of `ipvsadm -Ln` without its heading and without connection counts: services in the order of their names, each
/// followed by its destinations in that of theirs. The order in the kernel is that of a hash table, or of arrival.
pub(crate) fn table(host: &Host) -> Result<Vec<String>> {
    canonical(&host.call("ipvsadm -Ln")?)
}

/// The lines of `ipvsadm -Sn`: what it takes to restore the table, with everything that a row of [`table`] leaves out.
pub(crate) fn saved(host: &Host) -> Result<Vec<String>> {
    let mut lines: Vec<String> = host
        .call("ipvsadm -Sn")?
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.sort();
    Ok(lines)
}

fn canonical(text: &str) -> Result<Vec<String>> {
    let mut services: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().skip(3) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["->", name, method, weight, ..] = words[..] {
            let (_, destinations) = services.last_mut().context("a service comes first")?;
            destinations.push(format!("-> {name} {method} {weight}"));
        } else if !words.is_empty() {
            services.push((words.join(" "), Vec::new()));
        }
    }
    services.sort();
    let mut rows = Vec::new();
    for (service, mut destinations) in services {
        destinations.sort();
        rows.push(service);
        rows.append(&mut destinations);
    }
    Ok(rows)
}

/// The same in one line: `TCP 10.0.0.1:80 wlc = .1:1 .2:2; FWM 5 rr = .3:0/Route`. A destination is the last number of
/// 10.1.0.N and its weight; its port, if it is not 80, and its method, if it is not NAT, follow.
pub(crate) fn compact(rows: &[String]) -> String {
    let mut text = String::new();
    for row in rows {
        match row.strip_prefix("-> ") {
            Some(destination) => {
                text.push(' ');
                text.push_str(&short(destination));
            }
            None => {
                if !text.is_empty() {
                    text.push_str("; ");
                }
                text.push_str(row);
                text.push_str(" =");
            }
        }
    }
    text
}

fn short(destination: &str) -> String {
    let words: Vec<&str> = destination.split_whitespace().collect();
    let [name, method, weight] = words[..] else {
        return destination.to_owned();
    };
    let (address, port) = name.rsplit_once(':').unwrap_or((name, ""));
    let address = address.strip_prefix("10.1.0").unwrap_or(address);
    let port = match port {
        "80" => String::new(),
        other => format!("#{other}"),
    };
    let method = match method {
        "Masq" => String::new(),
        other => format!("/{other}"),
    };
    format!("{address}:{weight}{port}{method}")
}
