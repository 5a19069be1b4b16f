//! Connections that are really balanced: a client, a director and two servers, which say who they are.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::backend::{Act, Backend};
use lab::{Host, HostOptions, Lab};

use crate::common::Daemon;
use crate::world::{Program, SOON, SYNC_DAEMONS, look_until, no_sync_daemon, programs, shows};

/// Modules besides those of every director: tunnels at the servers, and marks on what comes in.
pub(crate) const MODULES: [&str; 7] = [
    "ipip",
    "ip_gre",
    "fou",
    "ip6_tunnel",
    "sch_ingress",
    "cls_u32",
    "act_skbedit",
];

/// A client that reaches virtual addresses through the first director, and servers that answer a tunnelled or routed packet
/// from the virtual address directly, and any other through the first director.
struct Site {
    client: Host,
    directors: Vec<Host>,
    servers: Vec<Host>,
}

/// Virtual addresses by what is done with them.
const NAT: &str = "10.0.0.1";
const WEIGHTED: &str = "10.0.0.2";
const PERSISTENT: &str = "10.0.0.3";
const ROUTED: &str = "10.0.0.4";
const TUNNELLED: &str = "10.0.0.5";
const GUE: &str = "10.0.0.6";
const MARKED: &str = "10.0.0.7";
const GRE: &str = "10.0.0.8";
/// Its servers are known by IPv6 addresses.
const MIXED: &str = "10.0.0.9";
const ALL: [&str; 9] = [
    NAT, WEIGHTED, PERSISTENT, ROUTED, TUNNELLED, GUE, MARKED, GRE, MIXED,
];
/// Its number.
const MARK: u32 = 7;

/// How often a client comes, of each kind.
const VISITS: usize = 8;

impl Site {
    fn new(lab: &Lab, name: &str, directors: u8) -> Result<Self> {
        let lan = lab.segment()?;
        let host = |role: &str| -> Result<Host> {
            let host = lab.host(&format!("{name}-{role}"), HostOptions::default())?;
            host.connect(&lan, "eth0")?;
            Ok(host)
        };
        let client = host("client")?;
        client.add_address("eth0", "10.2.0.50/24")?;
        client.add_address("eth0", "fd00:2::50/64")?;
        client.call("ip route add 10.0.0.0/24 via 10.2.0.1")?;
        client.call("ip -6 route add fd00::/64 via fd00:2::1")?;
        let mut all = Vec::new();
        for number in 1..=directors {
            let director = host(&format!("director{number}"))?;
            director.add_address("eth0", &format!("10.1.0.{}/16", 99 + number))?;
            director.add_address("eth0", &format!("10.2.0.{number}/24"))?;
            director.add_address("eth0", &format!("fd00:1::{}/64", 99 + number))?;
            director.add_address("eth0", &format!("fd00:2::{number}/64"))?;
            for address in ALL {
                director.add_address("lo", &format!("{address}/32"))?;
            }
            director.add_address("lo", "fd00::1/128")?;
            for setting in [
                "net.ipv4.ip_forward=1",
                "net.ipv6.conf.all.forwarding=1",
                "net.ipv4.conf.all.send_redirects=0",
                "net.ipv4.conf.eth0.send_redirects=0",
            ] {
                director.call(&format!("busybox sysctl -w {setting}"))?;
            }
            director.call("tc qdisc add dev eth0 ingress")?;
            director.call(&format!(
                "tc filter add dev eth0 parent ffff: protocol ip u32 match ip dst {MARKED}/32 action skbedit mark {MARK}"
            ))?;
            all.push(director);
        }
        let mut servers = Vec::new();
        for number in 1..=2 {
            let server = host(&format!("server{number}"))?;
            server.add_address("eth0", &format!("10.1.0.{number}/16"))?;
            server.add_address("eth0", &format!("fd00:1::{number}/64"))?;
            for line in [
                "ip route add default via 10.1.0.100",
                "ip -6 route add default via fd00:1::100",
                "ip rule add from 10.0.0.0/24 table 100",
                "ip route add 10.2.0.0/24 dev eth0 table 100",
                "ip link set tunl0 up",
                "ip link set gre0 up",
                "ip fou add port 5555 gue",
            ] {
                server.call(line)?;
            }
            let local = format!("local fd00:1::{number} remote ::");
            server.call(&format!("ip link add six type ip6tnl mode any {local}"))?;
            server.call("ip link set six up")?;
            for address in [ROUTED, TUNNELLED, GUE, MARKED, GRE, MIXED] {
                server.add_address("lo", &format!("{address}/32"))?;
            }
            servers.push(server);
        }
        Ok(Self {
            client,
            directors: all,
            servers,
        })
    }

    fn director(&self) -> Result<&Host> {
        self.directors.first().context("there is a director")
    }

    /// Each says its number and closes.
    fn answering(&self) -> Result<Vec<Backend<'_>>> {
        (1..)
            .zip(&self.servers)
            .map(|(number, host)| {
                let script = vec![Act::Send(format!("{number}").into_bytes())];
                Backend::start(host, "[::]:80".parse()?, script)
            })
            .collect()
    }

    /// Who answers when the client comes so often: how many times server 1, and server 2.
    fn visit(&self, address: &str) -> Result<[usize; 2]> {
        let address: SocketAddr = address.parse()?;
        let mut counts = BTreeMap::new();
        for _ in 0..VISITS {
            let answer = self.client.run(move || -> std::io::Result<String> {
                let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                Ok(answer)
            })?;
            let answer = answer.with_context(|| format!("{address} does not answer"))?;
            *counts.entry(answer).or_insert(0) += 1;
        }
        let of = |name: &str| counts.get(name).copied().unwrap_or_default();
        Ok([of("1"), of("2")])
    }

    /// Visits until the servers' shares are these: from one moment on they are, however late it comes.
    fn shares(&self, address: &str, wanted: [usize; 2]) -> Result<()> {
        let mut last = Ok([0, 0]);
        look_until(&format!("{address} is answered {wanted:?}"), || {
            last = self.visit(address);
            Ok(last.as_ref().is_ok_and(|found| *found == wanted))
        })
        .with_context(|| format!("the last answers were {last:?}"))
    }
}

fn configuration(more: &str) -> String {
    let mut text = format!("global_defs {{\n {more}\n}}\n");
    for (address, algorithm, method, options, weight) in [
        (NAT, "rr", "NAT", "", 1),
        (WEIGHTED, "wrr", "NAT", "", 3),
        (PERSISTENT, "rr", "NAT", "persistence_timeout 300", 1),
        (ROUTED, "rr", "DR", "", 1),
        (TUNNELLED, "rr", "TUN", "", 1),
        (GUE, "rr", "TUN type gue port 5555", "", 1),
        (GRE, "rr", "TUN type gre", "", 1),
        (MIXED, "rr", "TUN", "", 1),
        ("fd00::1", "rr", "NAT", "", 1),
        ("fwmark", "rr", "DR", "", 1),
    ] {
        let name = match address {
            "fwmark" => format!("fwmark {MARK}"),
            address => format!("{address} 80\n protocol TCP"),
        };
        let (head, rest) = name.split_once('\n').unwrap_or((&name, ""));
        let network = if address.contains(':') || address == MIXED {
            "fd00:1::"
        } else {
            "10.1.0."
        };
        text += &format!(
            "virtual_server {head} {{\n{rest}\n delay_loop 1\n warmup 0\n lvs_sched {algorithm}\n lvs_method {method}\n \
             {options}\n"
        );
        for (number, weight) in [(1, weight), (2, 1)] {
            text += &format!(
                " real_server {network}{number} 80 {{\n  weight {weight}\n  TCP_CHECK {{\n   retry 0\n   connect_port \
                 80\n  }}\n }}\n"
            );
        }
        text += "}\n";
    }
    text
}

/// Over NAT, direct routing and all tunnels, by address and by mark, in both families; and when a server fails.
pub(crate) fn balanced(lab: &mut Lab) -> Result<()> {
    for program in programs()? {
        let site = Site::new(lab, program.name, 1)?;
        balance(&site, &program).with_context(|| program.name.to_owned())?;
    }
    Ok(())
}

fn balance(site: &Site, program: &Program) -> Result<()> {
    let servers = site.answering()?;
    let mut daemon = Daemon::start(site.director()?, &program.binary, &configuration(""))?;
    let half = [VISITS / 2, VISITS / 2];
    let everywhere = [NAT, ROUTED, TUNNELLED, GUE, MARKED, GRE, MIXED];
    for address in everywhere {
        site.shares(&format!("{address}:80"), half)?;
    }
    site.shares("[fd00::1]:80", half)?;
    site.shares(&format!("{WEIGHTED}:80"), [VISITS / 4 * 3, VISITS / 4])?;
    // Each answers by its own way, and not by another that would do as well.
    let forwarded = site.director()?.call("ipvsadm -Sn")?;
    for (service, method) in [
        (format!("-t {NAT}:80"), "-m -w 1"),
        (format!("-t {PERSISTENT}:80"), "-m -w 1"),
        (format!("-t {ROUTED}:80"), "-g -w 1"),
        (format!("-t {TUNNELLED}:80"), "-i -w 1 --tun-type ipip"),
        (format!("-t {GUE}:80"), "-i -w 1 --tun-type gue"),
        (format!("-t {GRE}:80"), "-i -w 1 --tun-type gre"),
        (format!("-f {MARK}"), "-g -w 1"),
    ] {
        let rows = forwarded.lines().filter(|row| {
            row.starts_with(&format!("-a {service} -r 10.1.0."))
                && row.contains(&format!(" {method}"))
        });
        ensure!(rows.count() == 2, "{service} has not {method}: {forwarded}");
    }
    // Whoever answers first answers always.
    let [one, two] = site.visit(&format!("{PERSISTENT}:80"))?;
    ensure!(one == VISITS || two == VISITS, "{one} and {two}");

    let first = servers.first().context("there are two")?;
    first.down()?;
    for address in everywhere.into_iter().chain([WEIGHTED]) {
        site.shares(&format!("{address}:80"), [0, VISITS])?;
    }
    site.shares("[fd00::1]:80", [0, VISITS])?;
    first.up()?;
    for address in everywhere {
        site.shares(&format!("{address}:80"), half)?;
    }
    daemon.stop()?;
    ensure!(site.visit(&format!("{NAT}:80")).is_err(), "still balanced");
    Ok(())
}

/// Two directors: what one balances, the other knows.
pub(crate) fn synchronized(lab: &mut Lab) -> Result<()> {
    for program in programs()? {
        let site = Site::new(lab, program.name, 2)?;
        synchronize(&site, &program).with_context(|| program.name.to_owned())?;
    }
    Ok(())
}

fn synchronize(site: &Site, program: &Program) -> Result<()> {
    let talking = vec![Act::Send(b"hello".to_vec()), Act::Hold];
    let servers: Vec<Backend<'_>> = site
        .servers
        .iter()
        .map(|host| Backend::start(host, "[::]:80".parse()?, talking.clone()))
        .collect::<Result<_>>()?;
    let text = configuration("lvs_sync_daemon eth0 id 21");
    let mut daemons = Vec::new();
    for director in &site.directors {
        daemons.push(Daemon::start(director, &program.binary, &text)?);
    }
    for director in &site.directors {
        for state in ["master", "backup"] {
            let wanted = format!("{state} sync daemon (mcast=eth0, syncid=21");
            shows(director, SYNC_DAEMONS, &wanted)?;
        }
    }
    let address: SocketAddr = format!("{NAT}:80").parse()?;
    let second = site.directors.get(1).context("there are two")?;
    // A connection is told of when its packets pass a threshold; so they come until it has been.
    let mut connections = Vec::new();
    look_until(
        "the second director knows a connection of the first",
        || {
            let stream = site.client.run(move || -> std::io::Result<TcpStream> {
                let mut stream = TcpStream::connect_timeout(&address, SOON)?;
                stream.set_read_timeout(Some(SOON))?;
                stream.read_exact(&mut [0; 5])?;
                Ok(stream)
            })?;
            connections.push(stream?);
            let known = second.call("ipvsadm -Lnc")?;
            Ok(known
                .lines()
                .any(|line| line.contains("ESTABLISHED") && line.contains("10.2.0.50:")))
        },
    )?;
    drop(connections);
    drop(servers);
    for mut daemon in daemons {
        daemon.stop()?;
    }
    for director in &site.directors {
        no_sync_daemon(director)?;
    }
    Ok(())
}
