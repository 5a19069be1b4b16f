//! What happens to interfaces under us, and packets that nobody should send: each is said in one line, and the rest goes on.

mod common;

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{
    Capture, Direction, Host, HostOptions, Lab, Process, Segment, pause, scenario, wait_until,
};
use sys::link_socket::LinkSocket;
use sys::netlink::RouteSocket;
use types::{Centiseconds, Claim, Family, IfName, MacAddress, Version, Vrid};
use wire::{ethernet, ipv4};

use common::packets::{adverts, longest_gap};
use common::{Daemon, SOON, evervip, gains, holds, loses};

fn main() -> ExitCode {
    scenario::main(&[
        ("a_renamed_interface", a_renamed_interface),
        ("a_deleted_interface", a_deleted_interface),
        (
            "an_interface_in_another_namespace",
            an_interface_in_another_namespace,
        ),
        ("an_mtu_that_is_too_small", an_mtu_that_is_too_small),
        ("forged_adverts", forged_adverts),
        ("a_flood_of_lesser_adverts", a_flood_of_lesser_adverts),
        ("a_flood_for_everybody", a_flood_for_everybody),
    ])
}

const VIP: &str = "198.18.0.100";
const OTHER_VIP: &str = "198.18.1.100";
/// Half a second leaves a busy machine time to be late.
const INTERVAL: Duration = Duration::from_millis(500);

fn instance(name: &str, interface: &str, addresses: &[&str]) -> String {
    format!(
        "vrrp_instance {name} {{\n interface {interface}\n virtual_router_id 51\n priority 150\n version 3\n \
         advert_int 0.5\n virtual_ipaddress {{\n {}\n }}\n}}\n",
        addresses.join("\n ")
    )
}

/// A host with a master on eth0, where something will happen, and another one on eth1, where nothing may.
struct Scene {
    host: Host,
    lan: Segment,
    other: Capture,
    daemon: Daemon,
}

impl Scene {
    fn new(lab: &Lab, addresses: &[&str]) -> Result<Self> {
        let (lan, elsewhere) = (lab.segment()?, lab.segment()?);
        let host = common::host(lab, &lan, "a", 1)?;
        host.connect(&elsewhere, "eth1")?;
        host.add_address("eth1", "198.18.1.1/24")?;
        let other = host.capture("eth1")?;
        let file = format!(
            "global_defs {{\n dynamic_interfaces\n}}\n{}{}",
            instance("VI", "eth0", addresses),
            instance("OTHER", "eth1", &["198.18.1.100/24"])
        );
        let daemon = Daemon::start(&host, &evervip(), &file)?;
        gains(&host, VIP)?;
        wait_until(SOON, "the other master", || has_other(&host))?;
        Ok(Self {
            host,
            lan,
            other,
            daemon,
        })
    }

    /// It is said once that eth0 is gone, with the instance's name, and the instance is in FAULT.
    fn is_in_fault(&self, times: usize) -> Result<()> {
        wait_until(SOON, "FAULT", || {
            self.daemon.times_said("(VI) Entering FAULT STATE") == times
        })?;
        ensure!(
            self.daemon
                .times_said("(VI) interface eth0 is down or missing")
                == times
        );
        Ok(())
    }

    /// The other instance has noticed nothing, and the daemon has said little.
    fn the_rest_went_on(&mut self) -> Result<()> {
        let from = self.other.count();
        wait_until(SOON, "five more adverts", || {
            adverts(&self.other, from, Direction::Out, 51).len() >= 5
        })?;
        let all = adverts(&self.other, 0, Direction::Out, 51);
        ensure!(all.iter().all(|advert| advert.claim != Claim::Leaving));
        let gap = longest_gap(&all);
        ensure!(gap < INTERVAL * 10, "{gap:?} without an advert");
        ensure!(has_other(&self.host));
        let counters = self.daemon.counters()?;
        ensure!(counters.get("OTHER", "Became master")? == 1);
        ensure!(counters.get("OTHER", "Released master")? == 0);
        ensure!(self.daemon.times_said("Respawning") == 0);
        let lines = self.daemon.process.output_so_far().lines().count();
        ensure!(lines < 40, "{lines} lines");
        Ok(())
    }
}

fn has_other(host: &Host) -> bool {
    host.has_address("eth1", OTHER_VIP).unwrap_or(false)
}

fn a_renamed_interface(lab: &mut Lab) -> Result<()> {
    let mut scene = Scene::new(lab, &["198.18.0.100/24"])?;
    let host = &scene.host;
    for times in 1..=2 {
        host.call("ip link set eth0 down")?;
        host.call("ip link set eth0 name lan0")?;
        host.call("ip link set lan0 up")?;
        scene.is_in_fault(times)?;
        ensure!(
            !host.has_address("lan0", VIP)?,
            "the address is left on the renamed interface"
        );
        host.call("ip link set lan0 down")?;
        host.call("ip link set lan0 name eth0")?;
        host.call("ip link set eth0 up")?;
        gains(host, VIP)?;
    }
    // While it is up, where the kernel allows that.
    if host.call("ip link set eth0 name lan0").is_ok() {
        scene.is_in_fault(3)?;
        wait_until(SOON, "it lets go of the address", || {
            !host.has_address("lan0", VIP).unwrap_or(true)
        })?;
        host.call("ip link set lan0 name eth0")?;
        gains(host, VIP)?;
    }
    scene.the_rest_went_on()
}

fn a_deleted_interface(lab: &mut Lab) -> Result<()> {
    let mut scene = Scene::new(lab, &["198.18.0.100/24"])?;
    for times in 1..=2 {
        scene.host.delete_link("eth0")?;
        scene.is_in_fault(times)?;
        scene.host.connect(&scene.lan, "eth0")?;
        common::address(&scene.host, 1)?;
        gains(&scene.host, VIP)?;
    }
    scene.the_rest_went_on()
}

fn an_interface_in_another_namespace(lab: &mut Lab) -> Result<()> {
    let mut scene = Scene::new(lab, &["198.18.0.100/24"])?;
    let elsewhere = lab.host("elsewhere", HostOptions::default())?;
    let stays = |host: &Host| -> Result<Process> {
        let mut command = Command::new("sleep");
        host.spawn(command.arg("600"))
    };
    let (here, there) = (stays(&scene.host)?, stays(&elsewhere)?);
    for times in 1..=2 {
        let to = there.pid().get();
        scene.host.call(&format!("ip link set eth0 netns {to}"))?;
        scene.is_in_fault(times)?;
        ensure!(elsewhere.addresses("eth0")?.is_empty());
        let back = here.pid().get();
        elsewhere.call(&format!("ip link set eth0 netns {back}"))?;
        scene.host.link_up("eth0")?;
        common::address(&scene.host, 1)?;
        gains(&scene.host, VIP)?;
    }
    scene.the_rest_went_on()
}

/// An advert with forty addresses does not fit into 120 bytes. That is said, and when there is room again it goes on.
fn an_mtu_that_is_too_small(lab: &mut Lab) -> Result<()> {
    let addresses: Vec<String> = (100..140)
        .map(|number| format!("198.18.0.{number}/24"))
        .collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut scene = Scene::new(lab, &addresses)?;
    let capture = scene.host.capture("eth0")?;
    let sent = |from: usize| adverts(&capture, from, Direction::Out, 51).len();
    scene.host.call("ip link set eth0 mtu 120")?;
    scene.daemon.says("cannot send adverts to 224.0.0.18")?;
    pause(INTERVAL * 5);
    ensure!(scene.daemon.times_said("cannot send adverts") == 1);
    let from = capture.count();
    pause(INTERVAL * 3);
    ensure!(sent(from) == 0, "they did fit");
    scene.host.call("ip link set eth0 mtu 1500")?;
    wait_until(SOON, "adverts again", || sent(from) >= 3)?;
    ensure!(holds(&scene.host, VIP));
    ensure!(scene.daemon.counters()?.get("VI", "Released master")? == 0);
    scene.the_rest_went_on()
}

const ATTACKER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 3);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// A frame with an advert that is right in every respect but one: who sent it had no business to.
fn forged(source: Ipv4Addr, vrid: u8, priority: u8, addresses: &[IpAddr]) -> Result<Vec<u8>> {
    let message = wire::vrrp::Message {
        version: Version::V3,
        vrid: Vrid::new(vrid).context("a VRID")?,
        claim: Claim::from_wire(priority),
        advert_int: Centiseconds::new(50),
        addresses,
        auth_pass: None,
        family: Family::V4,
        between: (source.into(), GROUP.into()),
    }
    .encode();
    let mut header = ipv4::Header {
        source,
        destination: GROUP,
        ttl: 255,
        protocol: wire::vrrp::PROTOCOL,
        identification: 1,
        payload_length: u16::try_from(message.len())?,
    }
    .encode();
    let sum = wire::checksum::Checksum::new().with(&header).finish();
    let field = header.get_mut(10..12).context("the checksum")?;
    field.copy_from_slice(&sum.to_be_bytes());
    let ethernet = ethernet::Header {
        destination: MacAddress([0x01, 0x00, 0x5e, 0, 0, 18]),
        source: MacAddress([2, 0, 0, 0, 0, 3]),
        ethertype: ethernet::IPV4,
    };
    Ok([&ethernet.encode()[..], &header, &message].concat())
}

/// Sends frames from a host, around and around, `total` in all and at most so many per second.
fn send(from: &Host, frames: Vec<Vec<u8>>, total: u64, rate: u64) -> Result<()> {
    from.run(move || -> Result<()> {
        let eth0 = RouteSocket::new()?.link(&IfName::new("eth0")?)?;
        let eth0 = eth0.context("eth0")?.index;
        let socket = LinkSocket::new()?;
        let begin = sys::clock::now();
        let mut around = frames.iter().cycle();
        let mut sent: u64 = 0;
        while sent < total {
            let elapsed = sys::clock::now().since(begin).as_micros();
            let due = u64::try_from(elapsed)? * rate / 1_000_000 + 1;
            while sent < due.min(total) {
                let frame = around.next().context("a frame")?;
                // A full queue is the kernel's way to say "later".
                while socket.send(eth0, frame).is_err() {
                    pause(Duration::from_millis(1));
                }
                sent += 1;
            }
            pause(Duration::from_millis(1));
        }
        Ok(())
    })?
}

/// A master at `a`, a backup at `b` and somebody at `c`.
fn three(lab: &Lab) -> Result<(Host, Daemon, Host, Daemon, Host)> {
    let lan = lab.segment()?;
    let host = |name: &str, number: u8| common::host(lab, &lan, name, number);
    let (a, b, c) = (host("a", 1)?, host("b", 2)?, host("c", 3)?);
    let file = instance("VI", "eth0", &["198.18.0.100/24"]);
    let master = Daemon::start(&a, &evervip(), &file)?;
    gains(&a, VIP)?;
    let backup = Daemon::start(
        &b,
        &evervip(),
        &file.replace("priority 150", "priority 100"),
    )?;
    backup.says("master is 198.18.0.1")?;
    Ok((a, master, b, backup, c))
}

/// Without any address, with 255, with the master's own address as sender, and the master's own words again.
fn forged_adverts(lab: &mut Lab) -> Result<()> {
    let (a, mut master, b, mut backup, c) = three(lab)?;
    let many: Vec<IpAddr> = (0..255).map(|n| IpAddr::from([198, 18, 5, n])).collect();
    let vip: IpAddr = VIP.parse()?;
    let own = Ipv4Addr::new(198, 18, 0, 1);
    let capture = c.capture("eth0")?;
    for (what, frame, on_master, on_backup) in [
        (
            "no address",
            forged(ATTACKER, 51, 120, &[])?,
            "(VI) the advert of 198.18.0.3 does not list our 198.18.0.100",
            "",
        ),
        (
            "255 addresses",
            forged(ATTACKER, 51, 120, &many)?,
            "(VI) the advert of 198.18.0.3 does not list our 198.18.0.100",
            "",
        ),
        // The kernel takes nothing from itself; the backup takes it for what it says.
        ("our own address", forged(own, 51, 150, &[vip])?, "", ""),
        ("a replay", forged(own, 51, 150, &[vip])?, "", ""),
    ] {
        println!("{what}");
        let from = capture.count();
        send(&c, vec![frame], 20, 100)?;
        wait_until(SOON, "five more adverts of the master", || {
            let all = adverts(&capture, from, Direction::In, 51);
            all.iter()
                .filter(|advert| advert.source == IpAddr::V4(own))
                .count()
                >= 5
        })?;
        for (daemon, line) in [(&master, on_master), (&backup, on_backup)] {
            ensure!(
                line.is_empty() || daemon.times_said(line) == 1,
                "{what}: '{line}' was said {} times",
                daemon.times_said(line)
            );
        }
        ensure!(holds(&a, VIP) && !holds(&b, VIP), "{what}");
    }
    ensure!(master.counters()?.get("VI", "Released master")? == 0);
    ensure!(backup.counters()?.get("VI", "Became master")? == 0);
    for daemon in [&master, &backup] {
        let lines = daemon.process.output_so_far().lines().count();
        ensure!(lines < 60, "{lines} lines");
    }
    Ok(())
}

/// 20 000 valid adverts a second, each worse than the master's: it answers at its own rate, says little, and goes on.
fn a_flood_of_lesser_adverts(lab: &mut Lab) -> Result<()> {
    let (a, mut master, b, mut backup, c) = three(lab)?;
    let vip: IpAddr = VIP.parse()?;
    let capture = b.capture("eth0")?;
    let frames = (3..13)
        .map(|host| forged(Ipv4Addr::new(198, 18, 0, host), 51, 50, &[vip]))
        .collect::<Result<Vec<_>>>()?;
    let begin = sys::clock::now();
    send(&c, frames, 60_000, 20_000)?;
    let intervals = sys::clock::now().since(begin).as_millis() / INTERVAL.as_millis();
    pause(INTERVAL * 3);
    let all = capture.frames();
    let own: Vec<_> = adverts(&capture, 0, Direction::In, 51)
        .into_iter()
        .filter(|advert| advert.source == IpAddr::from([198, 18, 0, 1]))
        .collect();
    let announced = all
        .iter()
        .filter(|frame| common::packets::announced(frame) == Some(vip))
        .count();
    println!(
        "{} adverts and {announced} announcements in {intervals} intervals",
        own.len()
    );
    let most = usize::try_from(intervals)? * 11 + 20;
    ensure!(own.len() <= most, "{} adverts, {most} at most", own.len());
    ensure!(announced <= most * 5, "{announced} announcements");
    let gap = longest_gap(&own);
    ensure!(gap < INTERVAL * 3, "{gap:?} without an advert");
    ensure!(holds(&a, VIP) && !holds(&b, VIP));
    ensure!(master.counters()?.get("VI", "Released master")? == 0);
    ensure!(backup.counters()?.get("VI", "Became master")? == 0);
    ensure!(master.times_said("two masters") <= 2);
    let lines = master.process.output_so_far().lines().count();
    // One line for each time that the notify scripts would run.
    ensure!(lines <= most + 40, "{lines} lines");
    let lines = backup.process.output_so_far().lines().count();
    ensure!(lines < 60, "{lines} lines");
    Ok(())
}

/// The same for every virtual router that there can be: only one is ours.
fn a_flood_for_everybody(lab: &mut Lab) -> Result<()> {
    let (a, mut master, b, mut backup, c) = three(lab)?;
    let vip: IpAddr = VIP.parse()?;
    let capture = b.capture("eth0")?;
    let frames = (1..=255)
        .map(|vrid| forged(ATTACKER, vrid, 50, &[vip]))
        .collect::<Result<Vec<_>>>()?;
    send(&c, frames, 60_000, 20_000)?;
    pause(INTERVAL * 3);
    let mut own = adverts(&capture, 0, Direction::In, 51);
    own.retain(|advert| advert.source == IpAddr::from([198, 18, 0, 1]));
    let gap = longest_gap(&own);
    ensure!(gap < INTERVAL * 3, "{gap:?} without an advert");
    ensure!(holds(&a, VIP) && !holds(&b, VIP));
    ensure!(master.counters()?.get("VI", "Released master")? == 0);
    ensure!(backup.counters()?.get("VI", "Became master")? == 0);
    ensure!(loses(&b, VIP).is_ok());
    Ok(())
}
