//! What nobody sends or writes on purpose, and what somebody might: packets, files, and a machine that refuses.

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use lab::{Capture, Direction, ExitStatus, Host, Lab, Process, pause, scenario, wait_until};
use sys::link_socket::LinkSocket;
use sys::netlink::RouteSocket;
use types::{Centiseconds, Claim, Family, IfName, MacAddress, Version, Vrid};
use wire::{ethernet, ipv4, ipv6};

use common::packets::{adverts, longest_gap};
use common::{
    Counters, Daemon, SIGTERM, SOON, evervip, gains, holds, is_real_root, keepalived, program,
};

fn main() -> ExitCode {
    scenario::main(&[
        ("flood_of_bad_packets", flood_of_bad_packets),
        ("flood_of_random_packets", flood_of_random_packets),
        (
            "each_bad_packet_is_counted_once",
            each_bad_packet_is_counted_once,
        ),
        (
            "files_that_are_no_configuration",
            files_that_are_no_configuration,
        ),
        ("files_without_sense", files_without_sense),
        ("missing_interface", missing_interface),
        ("refused_address", refused_address),
        (
            "address_that_is_there_already",
            address_that_is_there_already,
        ),
        ("no_permission", no_permission),
    ])
}

const VIP: &str = "198.18.0.100";
const VIP6: &str = "fe80::18:64";
/// Half a second leaves a busy machine time to be late.
const INTERVAL: Duration = Duration::from_millis(500);

/// Packets per second.
const RATE: u32 = 20_000;

/// Two virtual routers, one of each version: together they have every check that there is.
fn configuration(priority: u8) -> String {
    format!(
        "vrrp_instance NEW {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n version 3\n \
         advert_int 0.5\n virtual_ipaddress {{\n 198.18.0.100/24\n }}\n}}\n\
         vrrp_instance OLD {{\n interface eth0\n virtual_router_id 52\n priority {priority}\n version 2\n \
         advert_int 1\n authentication {{\n auth_type PASS\n auth_pass secret-7\n }}\n \
         virtual_ipaddress {{\n 198.18.0.101/24\n }}\n}}\n"
    )
}

/// A kind of bad packet.
struct Kind {
    name: &'static str,
    frame: Vec<u8>,
    /// The counter that it raises; `None`: keepalived's files have none for it.
    counter: Option<(&'static str, &'static str)>,
}

const ATTACKER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 3);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// An advert that both nodes would listen to.
fn good_message(
    version: Version,
    vrid: u8,
    address: [u8; 4],
    password: &[u8; 8],
) -> Result<Vec<u8>> {
    Ok(wire::vrrp::Message {
        version,
        vrid: Vrid::new(vrid).context("a VRID")?,
        claim: Claim::from_wire(254),
        advert_int: Centiseconds::new(if version == Version::V2 { 100 } else { 50 }),
        addresses: &[IpAddr::from(address)],
        auth_pass: (version == Version::V2).then_some(password),
        family: Family::V4,
        between: (ATTACKER.into(), GROUP.into()),
    }
    .encode())
}

/// A frame to the group.
fn frame(ttl: u8, message: &[u8]) -> Result<Vec<u8>> {
    let mut header = ipv4::Header {
        source: ATTACKER,
        destination: GROUP,
        ttl,
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
    Ok([&ethernet.encode()[..], &header, message].concat())
}

/// The message with one byte replaced.
fn with(message: &[u8], position: usize, value: u8) -> Result<Vec<u8>> {
    let mut changed = message.to_vec();
    *changed.get_mut(position).context("a byte of the message")? = value;
    Ok(changed)
}

fn kinds() -> Result<Vec<Kind>> {
    let new = good_message(Version::V3, 51, [198, 18, 0, 100], &[0; 8])?;
    let old = good_message(Version::V2, 52, [198, 18, 0, 101], b"secret-7")?;
    let wrong_password = good_message(Version::V2, 52, [198, 18, 0, 101], b"secret-8")?;
    let truncated = new.get(..9).context("a part of it")?;
    let oversized = [&old[..], &[0; 1000]].concat();
    let wrong_sum = with(&new, 7, new.get(7).context("the checksum")? ^ 1)?;
    let kind = |name, ttl, message: &[u8], counter| -> Result<Kind> {
        let frame = frame(ttl, message)?;
        Ok(Kind {
            name,
            frame,
            counter,
        })
    };
    Ok(vec![
        kind(
            "truncated",
            255,
            truncated,
            Some(("NEW", "Packet Errors/Length")),
        )?,
        kind(
            "oversized",
            255,
            &oversized,
            Some(("OLD", "Packet Errors/Length")),
        )?,
        kind("wrong version", 255, &with(&new, 0, 0x41)?, None)?,
        kind("wrong checksum", 255, &wrong_sum, None)?,
        kind("wrong TTL", 254, &new, Some(("NEW", "Packet Errors/TTL")))?,
        kind(
            "wrong type",
            255,
            &with(&new, 0, 0x32)?,
            Some(("NEW", "Packet Errors/Invalid Type")),
        )?,
        kind("wrong VRID", 255, &with(&new, 1, 77)?, None)?,
        kind(
            "wrong password",
            255,
            &wrong_password,
            Some(("OLD", "Authentication Errors/Failure")),
        )?,
        kind(
            "no password",
            255,
            &with(&old, 4, 0)?,
            Some(("OLD", "Authentication Errors/Type Mismatch")),
        )?,
        kind(
            "unknown authentication",
            255,
            &with(&old, 4, 9)?,
            Some(("OLD", "Authentication Errors/Invalid Type")),
        )?,
        kind(
            "wrong interval",
            255,
            &with(&old, 5, 3)?,
            Some(("OLD", "Packet Errors/Advertisement Interval")),
        )?,
        kind("too short for a VRID", 255, &[0x31], None)?,
    ])
}

/// A master, a backup, and somebody who sends what he likes.
struct Scene {
    a: Host,
    b: Host,
    c: Host,
    master: Daemon,
    backup: Daemon,
    /// What passes the attacker's interface.
    capture: Capture,
}

impl Scene {
    fn new(lab: &Lab) -> Result<Self> {
        let lan = lab.segment()?;
        let host = |name: &str, number: u8| common::host(lab, &lan, name, number);
        let (a, b, c) = (host("a", 1)?, host("b", 2)?, host("c", 3)?);
        let capture = c.capture("eth0")?;
        let master = Daemon::start(&a, &evervip(), &configuration(150))?;
        gains(&a, VIP)?;
        gains(&a, "198.18.0.101")?;
        let backup = Daemon::start(&b, &evervip(), &configuration(100))?;
        wait_until(SOON, "the backup knows both masters", || {
            backup.times_said("master is 198.18.0.1") == 2
        })?;
        Ok(Self {
            a,
            b,
            c,
            master,
            backup,
            capture,
        })
    }

    /// Sends frames, one after the other and from the beginning again, for some seconds at [`RATE`].
    /// How often each was sent.
    fn send(&self, frames: Vec<Vec<u8>>, seconds: u32) -> Result<Vec<u64>> {
        self.c.run(move || -> Result<Vec<u64>> {
            let eth0 = RouteSocket::new()?.link(&IfName::new("eth0")?)?;
            let eth0 = eth0.context("eth0")?.index;
            let socket = LinkSocket::new()?;
            let mut counts = vec![0; frames.len()];
            let begin = sys::clock::now();
            let total = u64::from(RATE * seconds);
            let mut sent: u64 = 0;
            let mut around = frames.iter().zip(0..).cycle();
            while sent < total {
                let elapsed = sys::clock::now().since(begin).as_micros();
                let due = u64::try_from(elapsed)? * u64::from(RATE) / 1_000_000;
                while sent < due.min(total) {
                    let (frame, number) = around.next().context("frames")?;
                    // A full queue is the kernel's way to say "later".
                    while socket.send(eth0, frame).is_err() {
                        pause(Duration::from_millis(1));
                    }
                    let count: &mut u64 = counts.get_mut::<usize>(number).context("a count")?;
                    *count += 1;
                    sent += 1;
                }
                pause(Duration::from_millis(1));
            }
            Ok(counts)
        })?
    }

    /// Neither node has noticed anything, as far as others can see. `from`: frames captured before.
    fn nothing_has_happened(&mut self, from: usize) -> Result<(Counters, Counters)> {
        let of_master = |vrid| -> Vec<common::packets::Advert> {
            let mut all = adverts(&self.capture, from, Direction::In, vrid);
            all.retain(|advert| advert.source != IpAddr::V4(ATTACKER));
            all
        };
        for (vrid, interval) in [(51, INTERVAL), (52, Duration::from_secs(1))] {
            let adverts = of_master(vrid);
            let gap = longest_gap(&adverts);
            ensure!(
                gap < interval * 3,
                "virtual router {vrid} was silent for {gap:?}"
            );
            ensure!(
                adverts
                    .iter()
                    .all(|advert| advert.claim == Claim::from_wire(150)
                        && advert.source.to_string() == "198.18.0.1"),
                "somebody else spoke for virtual router {vrid}"
            );
        }
        let length = of_master(51).len();
        ensure!(length > 3, "{length} adverts");
        ensure!(self.capture.lost() == 0);
        for (host, expected) in [(&self.a, true), (&self.b, false)] {
            ensure!(holds(host, VIP) == expected && holds(host, "198.18.0.101") == expected);
        }
        let (master, backup) = (self.master.counters()?, self.backup.counters()?);
        for name in ["NEW", "OLD"] {
            ensure!(master.get(name, "Became master")? == 1);
            ensure!(master.get(name, "Released master")? == 0);
            ensure!(
                master.get(name, "Advertisements/Received")? == 0,
                "one was believed"
            );
            ensure!(backup.get(name, "Became master")? == 0);
            let believed = backup.get(name, "Advertisements/Received")?;
            ensure!(
                believed <= master.get(name, "Advertisements/Sent")? + 1,
                "one was believed"
            );
        }
        for daemon in [&self.master, &self.backup] {
            ensure!(daemon.times_said("Respawning") == 0, "a process has died");
            let lines = daemon.process.output_so_far().lines().count();
            ensure!(lines < 200, "{lines} log lines");
        }
        Ok((master, backup))
    }
}

/// Packets that a host's raw sockets had no room for.
fn dropped(host: &Host) -> Result<u64> {
    let table = host.run(|| fs::read_to_string("/proc/thread-self/net/raw"))??;
    table
        .lines()
        .skip(1)
        .map(|line| -> Result<u64> {
            let last = line.split_whitespace().next_back().context("a column")?;
            Ok(last.parse()?)
        })
        .sum()
}

fn flood_of_bad_packets(lab: &mut Lab) -> Result<()> {
    let mut scene = Scene::new(lab)?;
    let kinds = kinds()?;
    let from = scene.capture.count();
    let frames = kinds.iter().map(|kind| kind.frame.clone()).collect();
    let sent = scene.send(frames, 3)?;
    pause(INTERVAL * 2);
    let (master, backup) = scene.nothing_has_happened(from)?;
    for (host, counters) in [(&scene.a, master), (&scene.b, backup)] {
        let dropped = dropped(host)?;
        println!("{} had no room for {dropped} packets", host.name());
        let mut explained = Vec::new();
        for (kind, sent) in kinds.iter().zip(&sent) {
            let Some((instance, key)) = kind.counter else {
                continue;
            };
            explained.push(key);
            let counted = counters.get(instance, key)?;
            ensure!(
                counted <= *sent && sent - counted <= dropped,
                "{}, {}: {sent} sent, {counted} counted, {dropped} dropped by the kernel",
                host.name(),
                kind.name
            );
        }
        for (key, count) in counters.errors() {
            ensure!(explained.contains(&key.as_str()), "{count} of {key}");
        }
    }
    Ok(())
}

/// A frame to a neighbour or to the group, its checksum right or not.
fn frame_v6(to: Ipv6Addr, mac: MacAddress, hop_limit: u8, good: bool) -> Result<Vec<u8>> {
    let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 3);
    let mut message = wire::vrrp::Message {
        version: Version::V3,
        vrid: Vrid::new(53)?,
        claim: Claim::from_wire(254),
        advert_int: Centiseconds::new(50),
        addresses: &[VIP6.parse()?],
        auth_pass: None,
        family: Family::V6,
        between: (source.into(), to.into()),
    }
    .encode();
    // A sender leaves it to its kernel; nobody does it for us.
    let sum = wire::checksum::Checksum::new()
        .with(&message)
        .with_pseudo_header(
            source.into(),
            to.into(),
            wire::vrrp::PROTOCOL,
            message.len(),
        )
        .finish();
    let field = message.get_mut(6..8).context("the checksum")?;
    field.copy_from_slice(&(sum ^ u16::from(!good)).to_be_bytes());
    let header = ipv6::Header {
        source,
        destination: to,
        hop_limit,
        next_header: wire::vrrp::PROTOCOL,
        payload_length: u16::try_from(message.len())?,
    };
    let ethernet = ethernet::Header {
        destination: mac,
        source: MacAddress([2, 0, 0, 0, 0, 3]),
        ethertype: ethernet::IPV6,
    };
    Ok([&ethernet.encode()[..], &header.encode(), &message].concat())
}

/// One packet of each kind to a master, and what its statistics say after each.
fn each_bad_packet_is_counted_once(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let c = common::host(lab, &lan, "c", 3)?;
    let six = format!(
        "vrrp_instance SIX {{\n interface eth0\n virtual_router_id 53\n priority 150\n version 3\n advert_int 0.5\n \
         virtual_ipaddress {{\n {VIP6}/64\n }}\n}}\n"
    );
    let mut master = Daemon::start(&a, &evervip(), &(configuration(150) + &six))?;
    for address in [VIP, "198.18.0.101", VIP6] {
        gains(&a, address)?;
    }
    let ours: Ipv6Addr = "fd00:18::1".parse()?;
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
    let group_mac = MacAddress([0x33, 0x33, 0, 0, 0, 0x12]);
    let our_mac = a.link("eth0")?.mac.context("a MAC address")?;
    let mut kinds = kinds()?;
    for (name, frame, counter) in [
        (
            "wrong hop limit over IPv6",
            frame_v6(group, group_mac, 254, true)?,
            Some(("SIX", "Packet Errors/TTL")),
        ),
        (
            "to one address over IPv6",
            frame_v6(ours, our_mac, 255, true)?,
            Some(("SIX", "Packet Errors/Address List")),
        ),
        (
            "wrong checksum over IPv6",
            frame_v6(group, group_mac, 255, false)?,
            None,
        ),
    ] {
        kinds.push(Kind {
            name,
            frame,
            counter,
        });
    }
    let mut before = errors(&mut master)?;
    for kind in kinds {
        let frame = kind.frame;
        let sent = c.run(move || -> Result<()> {
            let eth0 = RouteSocket::new()?.link(&IfName::new("eth0")?)?;
            LinkSocket::new()?.send(eth0.context("eth0")?.index, &frame)?;
            Ok(())
        })?;
        sent.with_context(|| kind.name.to_owned())?;
        let mut expected = before.clone();
        if let Some((instance, key)) = kind.counter {
            *expected.entry((instance, key.to_owned())).or_default() += 1;
        } else {
            // Nothing tells that it has arrived, and that nothing was counted.
            pause(INTERVAL);
        }
        let what = format!("{} is counted: {expected:?}", kind.name);
        wait_until(SOON, &what, || {
            errors(&mut master).is_ok_and(|now| now != before) || kind.counter.is_none()
        })?;
        let now = errors(&mut master)?;
        ensure!(now == expected, "{}: {now:?}, not {expected:?}", kind.name);
        before = now;
    }
    // That is not because nothing is heard at all.
    let good = good_message(Version::V3, 51, [198, 18, 0, 100], &[0; 8])?;
    let good = frame(255, &good)?;
    c.run(move || -> Result<()> {
        let eth0 = RouteSocket::new()?.link(&IfName::new("eth0")?)?;
        LinkSocket::new()?.send(eth0.context("eth0")?.index, &good)?;
        Ok(())
    })??;
    master.says("(NEW) giving way to 198.18.0.3")?;
    let counters = master.counters()?;
    for (name, heard) in [("NEW", 1), ("OLD", 0), ("SIX", 0)] {
        ensure!(counters.get(name, "Advertisements/Received")? == heard);
    }
    Ok(())
}

/// The counters of errors that are not zero, of each instance.
fn errors(daemon: &mut Daemon) -> Result<BTreeMap<(&'static str, String), u64>> {
    let counters = daemon.counters()?;
    let mut found = BTreeMap::new();
    for instance in ["NEW", "OLD", "SIX"] {
        for (key, count) in counters.errors_of(instance) {
            found.insert((instance, key), count);
        }
    }
    Ok(found)
}

fn flood_of_random_packets(lab: &mut Lab) -> Result<()> {
    let mut scene = Scene::new(lab)?;
    // Always the same numbers: xorshift64.
    let mut state: u64 = 0x5eed_0fe7_e471_2345;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = |length: usize| -> Vec<u8> {
        let words = std::iter::repeat_with(&mut random);
        words.flat_map(u64::to_le_bytes).take(length).collect()
    };
    let mut frames = Vec::new();
    for number in 0..5000_usize {
        let mut message = bytes(number % 60 + 2);
        // Most for virtual routers that somebody here runs, and with the right first byte as often as not.
        for (position, value) in [(1, [51, 52, 53]), (0, [0x31, 0x21, 0x37])] {
            let value = value.get(number % 3).context("a value")?;
            if number % 5 != 4 - position {
                *message.get_mut(position).context("two bytes")? = *value;
            }
        }
        frames.push(frame(255, &message)?);
        // And a frame of which only the beginning makes sense.
        let mut whole = frame(255, &[])?;
        whole.truncate(14 + number % 21);
        whole.extend(bytes(number % 70 + 20));
        frames.push(whole);
    }
    let from = scene.capture.count();
    let sent: u64 = scene.send(frames, 3)?.iter().sum();
    pause(INTERVAL * 2);
    let (master, backup) = scene.nothing_has_happened(from)?;
    for counters in [master, backup] {
        let errors: u64 = counters.errors().iter().map(|(_, count)| count).sum();
        ensure!(
            errors > 0 && errors < sent,
            "{errors} errors, {sent} packets"
        );
    }
    Ok(())
}

/// Runs a program on a configuration until it ends by itself.
fn outcome(host: &Host, program: &Path, options: &[&str], file: &Path) -> Result<(i32, String)> {
    let mut process = launch(host, program, options, file)?;
    match process.wait_timeout(SOON)? {
        ExitStatus::Code(code) => Ok((code, process.output_so_far())),
        ExitStatus::Signal(signal) => bail!("{} died of signal {signal}", program.display()),
    }
}

fn launch(host: &Host, program: &Path, options: &[&str], file: &Path) -> Result<Process> {
    let mut command = Command::new(program);
    command.args(options).arg("-f").arg(file);
    for (option, name) in [
        ("-p", "parent"),
        ("-r", "vrrp"),
        ("-c", "checkers"),
        ("-b", "bfd"),
    ] {
        command.arg(option).arg(host.directory().join(name));
    }
    host.spawn(&mut command)
}

const RUN: [&str; 2] = ["-n", "-l"];

/// Files that cannot be read, or are no text files to begin with: keepalived's statuses (its test finds nothing wrong with most
/// of them), and one line that names the file.
fn files_that_are_no_configuration(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let setpriv = program("setpriv")?;
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let place = |name: &str| host.directory().join(name);
    fs::create_dir(place("directory"))?;
    let good = configuration(100);
    for (name, mode) in [("unreadable", 0o000), ("executable", 0o755)] {
        fs::write(place(name), &good)?;
        fs::set_permissions(place(name), fs::Permissions::from_mode(mode))?;
    }
    let mut fifo = host.spawn(Command::new("mkfifo").arg(place("fifo")))?;
    ensure!(fifo.wait_timeout(SOON)? == ExitStatus::Code(0));
    for (name, test_status) in [
        ("missing", 0),
        ("directory", 0),
        ("unreadable", 4),
        ("executable", 0),
        ("fifo", 0),
    ] {
        let file = place(name);
        let run = |program: &Path, options: &[&str]| -> Result<(i32, String)> {
            // Root reads everything, unless it gives that up.
            let mut words = vec![
                "--bounding-set=-dac_override,-dac_read_search",
                program.to_str().context("a path")?,
            ];
            words.extend(options);
            outcome(&host, &setpriv, &words, &file)
        };
        let (status, said) = run(&evervip(), &RUN)?;
        let (theirs, _) = run(&keepalived, &RUN)?;
        ensure!(
            (status, theirs) == (6, 6),
            "{name}: {status}, keepalived {theirs}\n{said}"
        );
        names_once(&said, &file)?;
        let (status, said) = run(&evervip(), &["-t"])?;
        let (theirs, _) = run(&keepalived, &["-t"])?;
        ensure!(
            (status, theirs) == (test_status, test_status),
            "{name}: -t {status}, keepalived {theirs}\n{said}"
        );
        names_once(&said, &file)?;
    }

    // Too long to be anybody's configuration: not read at all. keepalived takes it for an unknown keyword and runs with
    // nothing.
    let file = place("long");
    let mut writer = File::create(&file)?;
    for _ in 0..100 {
        writer.write_all(&[b'x'; 1_000_000])?;
    }
    drop(writer);
    let (status, said) = outcome(&host, &evervip(), &RUN, &file)?;
    ensure!(status == 6, "{status}: {said}");
    names_once(&said, &file)?;
    let (status, said) = outcome(&host, &evervip(), &["-t"], &file)?;
    names_once(&said, &file)?;
    // A hundredth of it: it has a message for each kilobyte, and needs long for them.
    let short = place("short");
    fs::write(&short, [b'x'; 1_000_000])?;
    let (theirs, _) = outcome(&host, &keepalived, &["-t"], &short)?;
    ensure!(
        (status, theirs) == (5, 5),
        "-t {status}, keepalived {theirs}\n{said}"
    );
    Ok(())
}

/// Little is said, and one line of it tells what is wrong with the file.
fn names_once(said: &str, file: &Path) -> Result<()> {
    let name = format!("'{}'", file.display());
    ensure!(said.len() < 2000, "{} bytes of messages", said.len());
    ensure!(
        said.matches(&name).count() == 1,
        "{name} is not named once: {said}"
    );
    Ok(())
}

/// Files that can be read and make no sense: everything that is wrong is said in few words. Where something is left of
/// it, the daemon runs with that, as keepalived does.
fn files_without_sense(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let place = |name: &str| -> PathBuf { host.directory().join(name) };
    fs::write(
        place("binary"),
        (0..=255).cycle().take(20_000).collect::<Vec<u8>>(),
    )?;
    fs::write(place("long line"), [b'x'; 5_000_000])?;
    fs::write(place("braces"), "{\n".repeat(20_000))?;
    for name in ["binary", "long line", "braces"] {
        let file = place(name);
        let (status, said) = outcome(&host, &evervip(), &["-t"], &file)?;
        let (theirs, _) = outcome(&host, &keepalived, &["-t"], &file)?;
        ensure!(
            (status, theirs) == (5, 5),
            "{name}: -t {status}, keepalived {theirs}"
        );
        ensure!(
            said.contains(&file.display().to_string()),
            "{name} is not named"
        );
        ensure!(
            said.len() < 1_000_000,
            "{name}: {} bytes of messages",
            said.len()
        );
        let mut daemon = launch(&host, &evervip(), &RUN, &file)?;
        if name == "binary" {
            // keepalived runs with whatever it makes of it; nobody can have meant that.
            ensure!(daemon.wait_timeout(SOON)? == ExitStatus::Code(2));
            ensure!(daemon.output_so_far().contains("this is not a text file"));
            continue;
        }
        daemon.wait_for_output("No VRRP instance is configured", SOON)?;
        daemon.kill(SIGTERM)?;
        ensure!(daemon.wait_timeout(SOON)? == ExitStatus::Code(0));
    }
    Ok(())
}

fn missing_interface(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let file = host.directory().join("keepalived.conf");
    let text = configuration(100);
    let (_, only_new) = (
        "",
        text.split("vrrp_instance OLD").next().unwrap_or_default(),
    );
    fs::write(&file, only_new.replace("eth0", "eth7"))?;
    let (status, said) = outcome(&host, &evervip(), &RUN, &file)?;
    let (theirs, _) = outcome(&host, &keepalived, &RUN, &file)?;
    ensure!((status, theirs) == (2, 2), "{status}, keepalived {theirs}");
    ensure!(
        said.matches("interface eth7 does not exist").count() == 1,
        "{said}"
    );
    ensure!(said.lines().count() < 15, "{said}");
    Ok(())
}

/// The kernel does not take one of the addresses: that is said, and the others are served.
fn refused_address(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    host.run(|| fs::write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1"))??;
    let more = "virtual_ipaddress_excluded {\n fd00:18::100/64\n }\n virtual_ipaddress {";
    let configuration = configuration(150).replacen("virtual_ipaddress {", more, 1);
    let mut daemon = Daemon::start(&host, &evervip(), &configuration)?;
    gains(&host, VIP)?;
    gains(&host, "198.18.0.101")?;
    daemon.says("fd00:18::100/64")?;
    let said = daemon.process.output_so_far();
    let line = said.lines().find(|line| line.contains("fd00:18::100/64"));
    let line = line.context("a line")?;
    ensure!(line.contains("eth0"), "the interface is not named: {line}");
    pause(INTERVAL * 5);
    ensure!(
        daemon.times_said("fd00:18::100/64") <= 2,
        "it is said again and again"
    );
    let counters = daemon.counters()?;
    ensure!(
        counters.get("NEW", "Became master")? == 1 && counters.get("NEW", "Released master")? == 0
    );
    daemon.stop()?;
    ensure!(!holds(&host, VIP));
    Ok(())
}

/// A crash, or an operator, has left a virtual address behind.
fn address_that_is_there_already(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    host.add_address("eth0", "198.18.0.100/24")?;
    let mut daemon = Daemon::start(&host, &evervip(), &configuration(150))?;
    daemon.says("(NEW) Entering BACKUP STATE")?;
    common::loses(&host, VIP)?;
    gains(&host, VIP)?;
    // One that is put back while it is served does no harm.
    host.add_address("eth0", "198.18.0.100/24")?;
    pause(INTERVAL * 3);
    ensure!(holds(&host, VIP) && daemon.times_said("(NEW) Entering MASTER STATE") == 1);
    daemon.stop()?;
    ensure!(!holds(&host, VIP));
    Ok(())
}

/// Without the rights that it needs: one sentence, and status 4.
fn no_permission(lab: &mut Lab) -> Result<()> {
    let setpriv = program("setpriv")?;
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    // Where anybody can run it and write its pid files.
    let open = host.directory().join("open");
    fs::create_dir(&open)?;
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777))?;
    let binary = open.join("evervip");
    fs::copy(evervip(), &binary)?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
    let file = open.join("keepalived.conf");
    fs::write(&file, configuration(150))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;

    let powerless = ["--bounding-set=-all", "--inh-caps=-all"];
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut ways = vec![
        (&powerless[..], open.clone()),
        (&powerless[..], PathBuf::from("/proc")),
    ];
    if is_real_root()? {
        // Pid files can be written here, and cannot there.
        ways.push((&nobody[..], open.clone()));
        ways.push((&nobody[..], host.directory().to_owned()));
    }
    for (options, pid_files) in ways {
        let mut command = Command::new(&setpriv);
        command
            .args(options)
            .arg(&binary)
            .args(RUN)
            .arg("-f")
            .arg(&file);
        for (option, name) in [("-p", "parent.pid"), ("-r", "vrrp.pid")] {
            command.arg(option).arg(pid_files.join(name));
        }
        let mut process = host.spawn(&mut command)?;
        let status = process.wait_timeout(SOON)?;
        let said = process.output_so_far();
        println!("{options:?} {}:\n{said}", pid_files.display());
        ensure!(!holds(&host, VIP));
        if pid_files == Path::new("/proc") {
            // Nobody can make files there, however mighty.
            ensure!(status != ExitStatus::Code(0));
            continue;
        }
        ensure!(status == ExitStatus::Code(4), "{status:?}\n{said}");
        for name in ["parent.pid", "vrrp.pid"] {
            ensure!(!pid_files.join(name).exists(), "{name} is left behind");
        }
        ensure!(
            said.matches("CAP_NET_ADMIN").count() == 1,
            "what is missing is not said once: {said}"
        );
    }
    Ok(())
}
