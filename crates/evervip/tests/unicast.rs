//! Adverts to single routers: who is listened to, from how far, with which checksum, and what a reload changes. That
//! evervip and keepalived agree in every other respect is told in `interop.rs`.

mod common;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Capture, Direction, ExitStatus, Host, Lab, pause, scenario, wait_until};
use sys::advert_socket::AdvertSender;
use sys::netlink::RouteSocket;
use types::{Centiseconds, Claim, Family, IfName, Version, Vrid};
use wire::vrrp::{Coverage, Message};

use common::packets::{Advert, adverts, longest_gap};
use common::{Counters, Daemon, SIGUSR1, SOON, evervip, gains, holds, keepalived, loses, program};

fn main() -> ExitCode {
    scenario::main(&[
        ("three_routers", three_routers),
        ("forged_sources", forged_sources),
        ("time_to_live", |lab| time_to_live(lab, &evervip())),
        ("time_to_live_of_keepalived", |lab| {
            time_to_live(lab, &keepalived()?)
        }),
        ("peers_come_and_go", peers_come_and_go),
        ("two_groups_of_one_vrid", two_groups_of_one_vrid),
        ("without_multicast", without_multicast),
        ("without_interface", without_interface),
        ("source_comes_and_goes", source_comes_and_goes),
        ("no_peer", no_peer),
        // keepalived 2.2.7 does not know this keyword.
        ("checksum_as_v2", |lab| {
            checksums(lab, &evervip(), Peers::No, AS_V2, Coverage::Message)
        }),
        ("checksum_as_v2_to_peers", |lab| {
            checksums(lab, &evervip(), Peers::Yes, AS_V2, Coverage::Message)
        }),
        ("old_checksum", |lab| {
            let other = keepalived()?;
            checksums(lab, &other, Peers::Yes, OLD, Coverage::PseudoHeader)
        }),
        ("old_checksum_is_found_out", old_checksum_is_found_out),
    ])
}

const VIP: &str = "198.18.0.100";
/// Half a second leaves a busy machine time to be late.
const INTERVAL: Duration = Duration::from_millis(500);
const VRID: u8 = 51;
const AS_V2: &str = "v3_checksum_as_v2";
const OLD: &str = "old_unicast_checksum";

/// Of the host with address 198.18.0.`me`; `more` are further lines.
fn configuration(me: u8, peers: &[&str], priority: u8, more: &str) -> String {
    let mut text = format!(
        "vrrp_instance VI {{\n interface eth0\n virtual_router_id {VRID}\n version 3\n advert_int 0.5\n \
         priority {priority}\n unicast_src_ip 198.18.0.{me}\n {more}\n unicast_peer {{\n"
    );
    for peer in peers {
        // Writing to a string cannot fail.
        if writeln!(text, "  198.18.0.{peer}").is_err() {
            continue;
        }
    }
    text + &format!(" }}\n virtual_ipaddress {{\n {VIP}/24\n }}\n}}\n")
}

fn host(address: &str) -> Result<IpAddr> {
    Ok(format!("198.18.0.{address}").parse()?)
}

/// A backup that hears `from` says so with `-D`.
fn hears(daemon: &Daemon, from: u8) -> Result<()> {
    daemon.says(&format!("master is 198.18.0.{from}"))
}

/// One node after the other fails; the last one is keepalived.
fn three_routers(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let c = common::host(lab, &lan, "c", 3)?;
    let capture = c.capture("eth0")?;
    let mut first = Daemon::start(&a, &evervip(), &configuration(1, &["2", "3"], 150, ""))?;
    gains(&a, VIP)?;
    let mut second = Daemon::start(&b, &evervip(), &configuration(2, &["1", "3"], 120, ""))?;
    let third = Daemon::start(&c, &keepalived, &configuration(3, &["1", "2"], 100, ""))?;
    hears(&second, 1)?;
    third.says("Entering BACKUP STATE")?;

    first.crash()?;
    gains(&b, VIP)?;
    let from = capture.count();
    pause(INTERVAL * 5);
    ensure!(!holds(&c, VIP), "keepalived does not hear the second one");
    ensure!(!adverts(&capture, from, Direction::In, VRID).is_empty());
    second.crash()?;
    gains(&c, VIP)?;

    let back = Daemon::start(&a, &evervip(), &configuration(1, &["2", "3"], 150, ""))?;
    loses(&c, VIP)?;
    gains(&a, VIP)?;
    let again = Daemon::start(&b, &evervip(), &configuration(2, &["1", "3"], 120, ""))?;
    hears(&again, 1)?;
    pause(INTERVAL * 5);
    ensure!(holds(&a, VIP) && !holds(&c, VIP));
    ensure!(back.times_said("Entering MASTER STATE") == 1);
    ensure!(again.times_said("Entering MASTER STATE") == 0);
    Ok(())
}

/// Sends one advert as somebody else.
fn forge(host: &Host, source: IpAddr, destination: IpAddr, ttl: u8, priority: u8) -> Result<()> {
    let message = Message {
        version: Version::V3,
        vrid: Vrid::new(VRID)?,
        claim: Claim::from_wire(priority),
        advert_int: Centiseconds::new(50),
        addresses: &[VIP.parse()?],
        auth_pass: None,
        family: Family::V4,
        between: (source, destination),
    };
    let message = message.encode();
    host.run(move || -> Result<()> {
        let eth0 = RouteSocket::new()?.link(&IfName::new("eth0")?)?;
        let eth0 = eth0.context("eth0")?.index;
        AdvertSender::new(Family::V4)?.send(eth0, source, destination, ttl, &message)?;
        Ok(())
    })?
}

/// A stranger gets nowhere, whatever it says, while `check_unicast_src` is set; nor does anybody who sends to the group.
fn forged_sources(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let c = common::host(lab, &lan, "c", 3)?;
    let capture = c.capture("eth0")?;
    let checks = "check_unicast_src";
    let mut master = Daemon::start(&a, &evervip(), &configuration(1, &["2"], 150, checks))?;
    gains(&a, VIP)?;
    let mut backup = Daemon::start(&b, &evervip(), &configuration(2, &["1"], 100, checks))?;
    hears(&backup, 1)?;
    let received = |daemon: &mut Daemon| daemon.counters()?.get("VI", "Advertisements/Received");
    ensure!(received(&mut master)? == 0);
    for priority in [255, 200, 0] {
        for to in ["1", "2"] {
            forge(&c, host("3")?, host(to)?, 255, priority)?;
            forge(&c, host("77")?, host(to)?, 255, priority)?;
            // To the group: an instance with peers does not listen there.
            forge(&c, host("3")?, Family::V4.vrrp_group(), 255, priority)?;
        }
    }
    master.says("packet from 198.18.0.3 ignored: the sender is none of the unicast peers")?;
    backup.says("the sender is none of the unicast peers")?;
    wait_until(SOON, "all six are counted", || {
        received(&mut master).is_ok_and(|count| count == 6)
    })?;
    pause(INTERVAL * 4);
    ensure!(holds(&a, VIP) && !holds(&b, VIP), "a forger was believed");
    ensure!(
        master.times_said("none of the unicast peers") == 1,
        "said once"
    );
    let counters = backup.counters()?;
    ensure!(counters.get("VI", "Priority Zero/Received")? == 0);
    ensure!(counters.get("VI", "Became master")? == 0);
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    let seen = adverts(&capture, 0, Direction::In, VRID);
    ensure!(
        seen.is_empty(),
        "what goes to a peer is no business of others: {seen:?}"
    );

    // Without the check, and without a peer's address, it would have been believed.
    backup.reload(&configuration(2, &["1"], 100, ""))?;
    master.reload(&configuration(1, &["2"], 150, ""))?;
    wait_until(SOON, "the check is gone", || {
        let dump = |text: &str| text.contains("Interfaces");
        master
            .dump(SIGUSR1, "keepalived.data", dump)
            .is_ok_and(|text| text.contains("Check unicast src : no"))
    })?;
    forge(&c, host("3")?, host("1")?, 255, 200)?;
    loses(&a, VIP)
}

/// The limits of `min_ttl` and `max_ttl`, for the adverts of `sender`.
fn time_to_live(lab: &mut Lab, sender: &Path) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let near = configuration(1, &["2"], 150, "unicast_ttl 10");
    let _master = Daemon::start(&a, sender, &near)?;
    gains(&a, VIP)?;
    let within = configuration(2, &["1 min_ttl 10 max_ttl 10"], 100, "");
    let mut backup = Daemon::start(&b, &evervip(), &within)?;
    hears(&backup, 1)?;
    pause(INTERVAL * 5);
    ensure!(!holds(&b, VIP));
    ensure!(backup.counters()?.errors().is_empty());

    backup.reload(&configuration(2, &["1 min_ttl 11"], 100, ""))?;
    gains(&b, VIP)?;
    backup.says("TTL or hop limit 10, 11 to 255 expected from this peer")?;
    let counters = backup.counters()?;
    let (name, refused) = counters
        .errors()
        .first()
        .cloned()
        .context("no error counted")?;
    ensure!(
        name == "Packet Errors/TTL" && refused > 1,
        "{name}: {refused}"
    );
    ensure!(
        counters.get("VI", "Advertisements/Received")? > refused,
        "they count as received, too"
    );

    backup.reload(&within)?;
    loses(&b, VIP)
}

/// The master's file gets a third router, and loses it again: nobody else notices.
fn peers_come_and_go(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let c = common::host(lab, &lan, "c", 3)?;
    let (at_b, at_c) = (b.capture("eth0")?, c.capture("eth0")?);
    let mut master = Daemon::start(&a, &evervip(), &configuration(1, &["2"], 150, ""))?;
    gains(&a, VIP)?;
    let backup = Daemon::start(&b, &evervip(), &configuration(2, &["1", "3"], 100, ""))?;
    hears(&backup, 1)?;
    pause(INTERVAL * 3);
    ensure!(adverts(&at_c, 0, Direction::In, VRID).is_empty());
    let from = at_b.count();

    master.reload(&configuration(1, &["2", "3"], 150, ""))?;
    let heard = |capture: &Capture, since| adverts(capture, since, Direction::In, VRID).len();
    wait_until(SOON, "the new peer hears adverts", || heard(&at_c, 0) > 3)?;
    let third = Daemon::start(&c, &evervip(), &configuration(3, &["1", "2"], 50, ""))?;
    hears(&third, 1)?;
    master.reload(&configuration(1, &["2"], 150, ""))?;
    gains(&c, VIP)?;
    let silent = at_c.count();
    pause(INTERVAL * 3);
    ensure!(heard(&at_c, silent) == 0, "it still gets adverts");

    let all: Vec<Advert> = adverts(&at_b, from, Direction::In, VRID)
        .into_iter()
        .filter(|advert| advert.claim == Claim::from_wire(150))
        .collect();
    let gap = longest_gap(&all);
    ensure!(
        all.len() > 10 && gap < INTERVAL * 3,
        "{} adverts, {gap:?} of silence",
        all.len()
    );
    ensure!(backup.times_said("Entering MASTER STATE") == 0);
    ensure!(master.times_said("Entering BACKUP STATE") == 1);
    Ok(())
}

/// One VRID on one interface, twice, with other peers: a in the middle is master of one and backup of the other.
fn two_groups_of_one_vrid(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let c = common::host(lab, &lan, "c", 3)?;
    let second = |text: String| text.replace("VI {", "OTHER {").replace(VIP, "198.18.0.101");
    let both = configuration(1, &["2"], 150, "") + &second(configuration(1, &["3"], 100, ""));
    let mut middle = Daemon::start(&a, &evervip(), &both)?;
    let _one = Daemon::start(&b, &keepalived, &configuration(2, &["1"], 120, ""))?;
    let _two = Daemon::start(&c, &keepalived, &second(configuration(3, &["1"], 120, "")))?;
    gains(&a, VIP)?;
    gains(&c, "198.18.0.101")?;
    loses(&a, "198.18.0.101")?;
    pause(INTERVAL * 5);
    ensure!(holds(&a, VIP) && !holds(&b, VIP));
    ensure!(holds(&c, "198.18.0.101") && !holds(&a, "198.18.0.101"));
    let counters = middle.counters()?;
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    wait_until(SOON, "four adverts of the second group", || {
        let heard = |counters: Counters| counters.get("OTHER", "Advertisements/Received");
        middle
            .counters()
            .and_then(heard)
            .is_ok_and(|count| count > 3)
    })?;
    Ok(())
}

/// The network of many a cloud: the interface knows no multicast.
fn without_multicast(lab: &mut Lab) -> Result<()> {
    let ip = program("ip")?;
    let keepalived = keepalived()?;
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    for host in [&a, &b] {
        let words = ["link", "set", "eth0", "multicast", "off"];
        let status = host
            .spawn(Command::new(&ip).args(words))?
            .wait_timeout(SOON)?;
        ensure!(status == ExitStatus::Code(0), "{status:?}");
    }
    let mut ours = Daemon::start(&a, &evervip(), &configuration(1, &["2"], 150, ""))?;
    gains(&a, VIP)?;
    let _theirs = Daemon::start(&b, &keepalived, &configuration(2, &["1"], 100, ""))?;
    ours.crash()?;
    gains(&b, VIP)?;
    let ours = Daemon::start(&a, &evervip(), &configuration(1, &["2"], 150, ""))?;
    loses(&b, VIP)?;
    ours.says("Entering MASTER STATE")
}

/// Where adverts leave and come in is left to the routes.
fn without_interface(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let text = |me, peer, priority| {
        configuration(me, &[peer], priority, "")
            .replace(" interface eth0\n", "")
            .replace("/24", "/24 dev eth0")
    };
    let mut master = Daemon::start(&a, &evervip(), &text(1, "2", 150))?;
    gains(&a, VIP)?;
    let mut backup = Daemon::start(&b, &evervip(), &text(2, "1", 100))?;
    hears(&backup, 1)?;
    pause(INTERVAL * 4);
    ensure!(!holds(&b, VIP));
    master.crash()?;
    gains(&b, VIP)?;
    let counters = backup.counters()?;
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    let _again = Daemon::start(&a, &evervip(), &text(1, "2", 150))?;
    loses(&b, VIP)
}

/// `track_src_ip`: without its address on the host the instance is in FAULT; when it is back the neighbours are told.
fn source_comes_and_goes(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let capture = b.capture("eth0")?;
    a.add_address("eth0", "198.18.0.7/24")?;
    let master = Daemon::start(
        &a,
        &evervip(),
        &configuration(7, &["2"], 150, "track_src_ip"),
    )?;
    gains(&a, VIP)?;
    let _backup = Daemon::start(&b, &evervip(), &configuration(2, &["7"], 100, ""))?;
    a.remove_address("eth0", "198.18.0.7/24")?;
    master.says("the source address 198.18.0.7 is not on this host")?;
    master.says("Entering FAULT STATE")?;
    gains(&b, VIP)?;
    let from = capture.count();
    a.add_address("eth0", "198.18.0.7/24")?;
    loses(&b, VIP)?;
    gains(&a, VIP)?;
    ensure!(
        common::packets::was_announced(&capture, from, Direction::In, host("7")?),
        "the neighbours were not told"
    );
    Ok(())
}

/// `unicast_fault_no_peer`: FAULT, and a word that says why, until a reload brings a peer.
fn no_peer(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let capture = a.capture("eth0")?;
    let mut daemon = Daemon::start(
        &a,
        &evervip(),
        &configuration(1, &[], 150, "unicast_fault_no_peer"),
    )?;
    daemon.says("there are no unicast peers")?;
    daemon.says("Entering FAULT STATE")?;
    pause(INTERVAL * 5);
    ensure!(!holds(&a, VIP));
    ensure!(adverts(&capture, 0, Direction::Out, VRID).is_empty());
    let complete = |text: &str| text.contains("Interfaces");
    let dump = daemon.dump(SIGUSR1, "keepalived.data", complete)?;
    for line in [
        "   State = FAULT",
        "     Using unicast",
        "     If unicast go to fault state if no peers",
        "     config error",
    ] {
        ensure!(
            dump.lines().any(|known| known == line),
            "no '{line}' in\n{dump}"
        );
    }
    daemon.reload(&configuration(1, &["2"], 150, "unicast_fault_no_peer"))?;
    gains(&a, VIP)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Peers {
    Yes,
    No,
}

impl Peers {
    /// An instance with a further keyword, to its peer or to the group.
    fn configuration(self, me: u8, priority: u8, keyword: &str) -> String {
        let peer = (3 - me).to_string();
        let text = configuration(me, &[&peer], priority, keyword);
        match self {
            Self::Yes => text,
            Self::No => text
                .replace(&format!(" unicast_peer {{\n  198.18.0.{peer}\n }}\n"), "")
                .replace("unicast_src_ip", "mcast_src_ip"),
        }
    }
}

/// evervip and another daemon have a keyword that changes checksums: they hear one another. What evervip sends is as
/// `coverage` says, with the group as its destination.
fn checksums(
    lab: &mut Lab,
    other: &Path,
    peers: Peers,
    keyword: &str,
    coverage: Coverage,
) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let capture = b.capture("eth0")?;
    let _other = Daemon::start(&a, other, &peers.configuration(1, 150, keyword))?;
    gains(&a, VIP)?;
    let mut evervip = Daemon::start(&b, &evervip(), &peers.configuration(2, 100, keyword))?;
    hears(&evervip, 1)?;
    pause(INTERVAL * 5);
    ensure!(!holds(&b, VIP), "the other one is not heard");
    let from = capture.count();
    evervip.reload(&peers.configuration(2, 200, keyword))?;
    gains(&b, VIP)?;
    // Only an advert that it takes makes it give way.
    loses(&a, VIP)?;
    pause(INTERVAL * 5);
    ensure!(!holds(&a, VIP), "evervip is not heard");
    let counters = evervip.counters()?;
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    ensure!(evervip.times_said("wrong checksum") == 0);
    wait_until(SOON, "four adverts", || {
        adverts(&capture, from, Direction::Out, VRID).len() > 3
    })?;
    let sent = sums(&capture, from, Direction::Out, coverage)?;
    ensure!(
        sent.len() > 3 && sent.iter().all(|right| *right),
        "{sent:?}"
    );
    Ok(())
}

/// For each captured advert: whether its checksum covers this much, with the group as destination.
fn sums(
    capture: &Capture,
    from: usize,
    direction: Direction,
    coverage: Coverage,
) -> Result<Vec<bool>> {
    let mut all = Vec::new();
    for frame in capture.frames_since(from) {
        if frame.direction != direction || common::packets::advert(&frame).is_none() {
            continue;
        }
        let (_, packet) = wire::ethernet::Header::parse(&frame.bytes).context("Ethernet")?;
        let datagram = wire::ipv4::Datagram::parse(packet).context("IPv4")?;
        let length = usize::from(datagram.header.payload_length);
        let message = datagram.payload.get(..length).context("a whole message")?;
        let advert = wire::vrrp::Advert::parse(Family::V4, message)?;
        let source = datagram.header.source.into();
        all.push(advert.checksum_covers(coverage, source, Family::V4.vrrp_group()));
    }
    Ok(all)
}

/// A peer that still computes old checksums is heard, and named; 'never' refuses it.
fn old_checksum_is_found_out(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let old = configuration(1, &["2"], 150, "old_unicast_checksum");
    let _old = Daemon::start(&a, &keepalived, &old)?;
    gains(&a, VIP)?;
    let mut backup = Daemon::start(&b, &evervip(), &configuration(2, &["1"], 100, ""))?;
    backup.says("198.18.0.1 computes checksums as keepalived before 1.3.7 did")?;
    pause(INTERVAL * 5);
    ensure!(!holds(&b, VIP));
    let complete = |text: &str| text.contains("Interfaces");
    let dump = backup.dump(SIGUSR1, "keepalived.data", complete)?;
    ensure!(
        dump.contains("Unicast checksum compatibility = auto"),
        "{dump}"
    );
    backup.reload(&configuration(2, &["1"], 100, "old_unicast_checksum never"))?;
    gains(&b, VIP)?;
    backup.says("packet from 198.18.0.1 ignored: wrong checksum")
}
