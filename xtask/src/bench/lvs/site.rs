//! A director, a host that is all real servers, and the configuration that balances between them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Result, bail};
use lab::{Host, HostOptions, Lab, pause};
use sys::ipvs::Ipvs;
use types::Instant;
use types::ipvs::{Protocol, ServiceKey};

/// How often the table is looked at.
const PACE: Duration = Duration::from_millis(20);

/// The hosts.
pub(super) struct Site {
    director: Host,
    servers: Host,
}

impl Site {
    /// One router hop apart: thousands of neighbours would not fit into a neighbour table.
    pub(super) fn new(lab: &Lab) -> Result<Self> {
        let lan = lab.segment()?;
        let servers = lab.host("servers", HostOptions::default())?;
        servers.connect(&lan, "eth0")?;
        servers.add_address("eth0", "198.18.0.2/24")?;
        servers.call("ip route add local 10.1.0.0/16 dev lo")?;
        let director = lab.host("director", HostOptions::default())?;
        director.connect(&lan, "eth0")?;
        director.add_address("eth0", "198.18.0.1/24")?;
        director.call("ip route add 10.1.0.0/16 via 198.18.0.2")?;
        Ok(Self { director, servers })
    }

    pub(super) fn director(&self) -> &Host {
        &self.director
    }

    pub(super) fn servers(&self) -> &Host {
        &self.servers
    }

    /// When the kernel has the whole table, with so many real servers of each virtual server.
    pub(super) fn arrived(&self, servers: &[usize], timeout: Duration) -> Result<Instant> {
        let deadline = sys::clock::now() + timeout;
        let last = virtual_address(servers.len().saturating_sub(1));
        let last_count = servers.last().copied().unwrap_or_default();
        let all: usize = servers.iter().sum();
        loop {
            let of_last = self.destinations_of(last)?;
            let at = sys::clock::now();
            if of_last == last_count {
                let found = self.destinations()?;
                if found == all {
                    return Ok(at);
                }
            }
            if at >= deadline {
                bail!(
                    "after {} s the kernel has {} of {all} destinations",
                    timeout.as_secs(),
                    self.destinations()?
                );
            }
            pause(PACE);
        }
    }

    /// How many destinations one service has; none while there is no such service. Asked of the kernel directly: a program
    /// that is started for each look would take more of the only processor than who is looked at.
    fn destinations_of(&self, address: IpAddr) -> Result<usize> {
        let key = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address,
            port: 80,
        };
        self.director.run(move || {
            let Some(mut ipvs) = Ipvs::open(None)? else {
                return Ok(0);
            };
            if ipvs.service(&key)?.is_none() {
                return Ok(0);
            }
            Ok(ipvs.destinations(&key)?.len())
        })?
    }

    /// How many destinations there are.
    fn destinations(&self) -> Result<usize> {
        // Not /proc/net: that is the namespace of the first thread, whoever asks.
        let table = self
            .director
            .run(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs"))??;
        Ok(destinations(&table))
    }
}

/// The lines of a table that are destinations; the heading looks like one, too.
fn destinations(table: &str) -> usize {
    table
        .lines()
        .filter(|line| line.starts_with("  ->") && !line.contains("RemoteAddress"))
        .count()
}

/// The address of a virtual server, by its place in the file.
fn virtual_address(number: usize) -> IpAddr {
    let [a, b] = low_bytes(number);
    Ipv4Addr::new(10, 2, a, b).into()
}

/// The lowest two bytes of a number above 0.
fn low_bytes(number: usize) -> [u8; 2] {
    let [_, _, a, b] = u32::try_from(number + 1).unwrap_or(u32::MAX).to_be_bytes();
    [a, b]
}

/// Virtual servers with so many real servers each, all with the same check. The last real server is the only one that is
/// used twice, once there are more than there are addresses.
pub(super) fn configuration(servers: &[usize], options: &str, check: &str) -> String {
    let mut text = String::new();
    let mut real = 0;
    for (number, count) in servers.iter().enumerate() {
        text += &format!(
            "virtual_server {} 80 {{\n lb_algo rr\n lb_kind NAT\n protocol TCP\n {options}\n",
            virtual_address(number)
        );
        for _ in 0..*count {
            let [a, b] = low_bytes(real);
            text += &format!(" real_server 10.1.{a}.{b} 80 {{\n  weight 1\n  {check}\n }}\n");
            real += 1;
        }
        text.push_str("}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_adds_one_real_server_at_the_end() {
        let before = configuration(&[2, 2], "delay_loop 5", "TCP_CHECK {\n }");
        let after = configuration(&[2, 3], "delay_loop 5", "TCP_CHECK {\n }");
        assert_eq!(before.matches("virtual_server 10.2.0.").count(), 2);
        assert_eq!(before.matches("TCP_CHECK").count(), 4);
        assert_eq!(before.matches('{').count(), before.matches('}').count());
        let common = before.trim_end_matches("}\n");
        assert!(after.starts_with(common));
        assert!(after.contains("real_server 10.1.0.5 80 {"));
        assert_eq!(virtual_address(2276).to_string(), "10.2.8.229");
    }

    #[test]
    fn headings_are_no_destinations() {
        let table = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  \
                     -> RemoteAddress:Port Forward Weight ActiveConn InActConn\nTCP  0A020001:0050 rr  \n  \
                     -> 0A010001:0050      Masq    1      0          0         \n";
        assert_eq!(destinations(table), 1);
    }
}
