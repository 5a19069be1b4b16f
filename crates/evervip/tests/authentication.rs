//! Routers that prove who they are: signed adverts between two of ours, and somebody on the link who records, replays and
//! forges. That authentication headers are understood by keepalived, and its by us, is told in `interop.rs`.

mod common;

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Capture, Direction, Host, Lab, pause, scenario, wait_until};
use sys::link_socket::LinkSocket;
use sys::netlink::RouteSocket;
use types::{Centiseconds, Claim, Family, IfName, MacAddress, Version, Vrid};
use wire::{ethernet, ipv4};

use common::packets::{adverts, claims, longest_gap};
use common::{Daemon, SOON, evervip, gains, holds, keepalived, loses};

fn main() -> ExitCode {
    scenario::main(&[
        ("ah_with_another_password", ah_with_another_password),
        ("signed_v2", |lab| signed(lab, V2, VIP, None)),
        ("signed_v3", |lab| signed(lab, V3, VIP, None)),
        ("signed_v6", |lab| signed(lab, V3, VIP6, None)),
        ("signed_v2_to_peers", |lab| {
            signed(lab, V2, VIP, Some("198.18.0."))
        }),
        ("signed_v3_to_peers", |lab| {
            signed(lab, V3, VIP, Some("198.18.0."))
        }),
        ("signed_v6_to_peers", |lab| {
            signed(lab, V3, VIP6, Some("fd00:18::"))
        }),
        ("keys_are_rotated", keys_are_rotated),
        ("a_recording_is_not_heard", a_recording_is_not_heard),
        (
            "a_recording_of_headers_is_not_heard",
            a_recording_of_headers_is_not_heard,
        ),
        ("an_old_key_is_not_heard", an_old_key_is_not_heard),
        ("a_forger_in_each_mode", a_forger_in_each_mode),
        ("another_key", another_key),
    ])
}

const VRID: u8 = 51;
const VIP: &str = "198.18.0.100";
const VIP6: &str = "fe80::18:64";
const V2: &str = "version 2\n advert_int 1";
const V3: &str = "version 3\n advert_int 0.5";
/// Half a second leaves a busy machine time to be late.
const INTERVAL: Duration = Duration::from_millis(500);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

fn instance(priority: u8, keywords: &str, address: &str) -> String {
    let length = if address.contains(':') { 64 } else { 24 };
    format!(
        "vrrp_instance VI {{\n interface eth0\n virtual_router_id {VRID}\n priority {priority}\n {keywords}\n \
         virtual_ipaddress {{\n {address}/{length}\n }}\n}}\n"
    )
}

fn ah(priority: u8, password: &str) -> String {
    let keywords =
        format!("advert_int 1\n authentication {{\n auth_type AH\n auth_pass {password}\n }}\n");
    instance(priority, &keywords, VIP)
}

/// Keys 1 to 3 are the same everywhere; key 9 is not.
fn hmac(keys: &[u8], active: u8, mode: &str) -> String {
    let keys: String = keys
        .iter()
        .map(|id| format!("key {id} hex:{}\n ", format!("{id:02x}").repeat(32)))
        .collect();
    format!("auth_hmac {{\n {keys}active_key {active}\n mode {mode}\n }}\n")
}

fn fast(priority: u8, hmac: &str) -> String {
    instance(
        priority,
        &format!("version 3\n advert_int 0.5\n {hmac}"),
        VIP,
    )
}

fn pair(lab: &Lab) -> Result<(Host, Host, Capture)> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let capture = b.capture("eth0")?;
    Ok((a, b, capture))
}

fn ah_with_another_password(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, _capture) = pair(lab)?;
    let mut ours = Daemon::start(&a, &evervip(), &ah(150, "secret-7"))?;
    let mut theirs = Daemon::start(&b, &keepalived, &ah(100, "secret-8"))?;
    gains(&a, VIP)?;
    gains(&b, VIP)?;
    ours.says("not made with our password")?;
    pause(Duration::from_secs(3));
    ensure!(holds(&a, VIP) && holds(&b, VIP));
    let failure = "Authentication Errors/Failure";
    ensure!(theirs.counters()?.get("VI", failure)? > 1);
    // keepalived takes our adverts, which it refuses, for a reason to wait before it sends its own: there may be one only.
    ensure!(ours.counters()?.get("VI", failure)? > 0);
    Ok(())
}

/// Two that sign; with `hosts`, what the addresses of hosts begin with, adverts go from one to the other.
fn signed(lab: &mut Lab, keywords: &str, address: &str, hosts: Option<&str>) -> Result<()> {
    let (a, b, capture) = pair(lab)?;
    let configuration = |me: u8, priority| {
        let peers = hosts.map_or_else(String::new, |hosts| {
            let other = 3 - me;
            format!("unicast_src_ip {hosts}{me}\n unicast_peer {{\n {hosts}{other}\n }}\n ")
        });
        let keywords = format!("{keywords}\n {peers}{}", hmac(&[1], 1, "enforce"));
        instance(priority, &keywords, address)
    };
    let mut first = Daemon::start(&a, &evervip(), &configuration(1, 150))?;
    gains(&a, address)?;
    let mut second = Daemon::start(&b, &evervip(), &configuration(2, 100))?;
    second.says("Entering BACKUP STATE")?;
    pause(Duration::from_secs(5));
    ensure!(
        !holds(&b, address),
        "the backup does not believe the master"
    );
    first.crash()?;
    gains(&b, address)?;
    let mut first = Daemon::start(&a, &evervip(), &configuration(1, 150))?;
    loses(&b, address)?;
    gains(&a, address)?;
    first.stop()?;
    gains(&b, address)?;
    let all: Vec<_> = [Direction::In, Direction::Out]
        .into_iter()
        .flat_map(|direction| adverts(&capture, 0, direction, VRID))
        .collect();
    ensure!(all.len() > 5 && all.iter().all(|advert| advert.key_id == Some(1)));
    let counters = second.counters()?;
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    ensure!(counters.get("VI", "Priority Zero/Received")? == 1);
    Ok(())
}

/// From one key to another by reloads alone: nobody misses an advert.
fn keys_are_rotated(lab: &mut Lab) -> Result<()> {
    let (a, b, capture) = pair(lab)?;
    let mut first = Daemon::start(&a, &evervip(), &fast(150, &hmac(&[1], 1, "enforce")))?;
    gains(&a, VIP)?;
    let mut second = Daemon::start(&b, &evervip(), &fast(100, &hmac(&[1], 1, "enforce")))?;
    second.says("Entering BACKUP STATE")?;
    let from = capture.count();
    for (keys, active) in [(&[1_u8, 2][..], 1), (&[1, 2], 2), (&[2], 2)] {
        for (daemon, priority) in [(&mut second, 100), (&mut first, 150)] {
            daemon.reload_whole(&fast(priority, &hmac(keys, active, "enforce")))?;
            pause(INTERVAL * 3);
        }
    }
    let sent = adverts(&capture, from, Direction::In, VRID);
    let ids: Vec<_> = sent.iter().filter_map(|advert| advert.key_id).collect();
    ensure!(ids.len() == sent.len() && ids.is_sorted());
    ensure!(ids.first() == Some(&1) && ids.last() == Some(&2));
    ensure!(
        longest_gap(&sent) < INTERVAL * 3,
        "a gap of {:?}",
        longest_gap(&sent)
    );
    ensure!(adverts(&capture, from, Direction::Out, VRID).is_empty());
    let counters = second.counters()?;
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    ensure!(counters.get("VI", "Became master")? == 0);

    // Whoever still has the old key only is heard by nobody.
    first.reload(&fast(150, &hmac(&[1], 1, "enforce")))?;
    gains(&b, VIP)?;
    second.says("signed with key 1, which we do not have")?;
    ensure!(
        second
            .counters()?
            .get("VI", "Authentication Extension Errors/Unknown Key")?
            > 0
    );
    // And comes back when it has the new one.
    first.reload(&fast(150, &hmac(&[2], 2, "enforce")))?;
    loses(&b, VIP)
}

/// Sends frames from a third host.
fn send_from(host: &Host, frames: Vec<Vec<u8>>, every: Duration) -> Result<()> {
    host.run(move || -> Result<()> {
        let name = IfName::new("eth0")?;
        let links = RouteSocket::new()?.links()?;
        let interface = links
            .into_iter()
            .find(|link| link.name == name)
            .context("eth0")?
            .index;
        let socket = LinkSocket::new()?;
        for frame in frames {
            socket.send(interface, &frame)?;
            pause(every);
        }
        Ok(())
    })?
}

/// What the master said a moment ago, said again by somebody else, neither keeps it alive nor disturbs anybody.
fn a_recording_is_not_heard(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let c = common::host(lab, &lan, "c", 3)?;
    let capture = c.capture("eth0")?;
    let mut first = Daemon::start(&a, &evervip(), &fast(150, &hmac(&[1], 1, "enforce")))?;
    gains(&a, VIP)?;
    let mut second = Daemon::start(&b, &evervip(), &fast(100, &hmac(&[1], 1, "enforce")))?;
    second.says("Entering BACKUP STATE")?;
    let recorded = || -> Vec<Vec<u8>> {
        let frames = capture.frames().into_iter();
        frames
            .filter(|frame| claims(frame, Direction::In, 150))
            .map(|frame| frame.bytes)
            .collect()
    };
    wait_until(SOON, "four adverts", || recorded().len() >= 4)?;
    let recorded = recorded();
    first.crash()?;
    // Again and again, far more often than the backup would need to hear them.
    wait_until(SOON, "the recording does not keep the backup quiet", || {
        let again = recorded.iter().cycle().take(10).cloned().collect();
        send_from(&c, again, Duration::from_millis(50)).is_ok() && holds(&b, VIP)
    })?;
    let replayed = "Authentication Extension Errors/Replay";
    ensure!(second.counters()?.get("VI", replayed)? > 10);
    ensure!(second.times_said("Entering MASTER STATE") == 1);
    // When it is older than the window, its time alone gives it away.
    pause(Duration::from_secs(6));
    send_from(&c, recorded, Duration::from_millis(10))?;
    second.says("an old recording, or a wrong clock")?;
    let stale = "Authentication Extension Errors/Stale";
    ensure!(second.counters()?.get("VI", stale)? >= 4);
    ensure!(holds(&b, VIP) && second.times_said("Entering BACKUP STATE") == 1);
    Ok(())
}

/// The same with authentication headers: their numbers are used up.
fn a_recording_of_headers_is_not_heard(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let c = common::host(lab, &lan, "c", 3)?;
    let capture = c.capture("eth0")?;
    let mut first = Daemon::start(&a, &evervip(), &ah(150, "secret-7"))?;
    gains(&a, VIP)?;
    let mut second = Daemon::start(&b, &evervip(), &ah(100, "secret-7"))?;
    second.says("master is 198.18.0.1")?;
    let recorded = || -> Vec<Vec<u8>> {
        let frames = capture.frames().into_iter();
        frames
            .filter(|frame| claims(frame, Direction::In, 150))
            .map(|frame| frame.bytes)
            .collect()
    };
    wait_until(SOON, "four adverts", || recorded().len() >= 4)?;
    let recorded = recorded();
    first.crash()?;
    // Again and again, far more often than the backup would need to hear them.
    wait_until(SOON, "the recording does not keep the backup quiet", || {
        let again = recorded.iter().cycle().take(10).cloned().collect();
        send_from(&c, again, Duration::from_millis(200)).is_ok() && holds(&b, VIP)
    })?;
    ensure!(
        second
            .counters()?
            .get("VI", "Authentication Errors/Failure")?
            > 10
    );
    ensure!(second.times_said("Entering BACKUP STATE") == 1);
    second.says("was there before")
}

/// Adverts signed with a key that is no longer ours: of no use to whoever has recorded them.
fn an_old_key_is_not_heard(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let c = common::host(lab, &lan, "c", 3)?;
    let capture = c.capture("eth0")?;
    // Of a second router with this key, which is better than the first.
    let b = common::host(lab, &lan, "b", 2)?;
    let mut better = Daemon::start(&b, &evervip(), &fast(200, &hmac(&[1], 1, "enforce")))?;
    capture.wait_for("an advert of the better one", SOON, |frame| {
        claims(frame, Direction::In, 200)
    })?;
    better.crash()?;
    let recorded: Vec<Vec<u8>> = capture
        .frames()
        .into_iter()
        .filter(|frame| claims(frame, Direction::In, 200))
        .map(|frame| frame.bytes)
        .collect();
    ensure!(!recorded.is_empty());

    let mut master = Daemon::start(&a, &evervip(), &fast(150, &hmac(&[2], 2, "enforce")))?;
    gains(&a, VIP)?;
    let said = u64::try_from(recorded.len())? * 20;
    let again = recorded.iter().cycle().take(recorded.len() * 20).cloned();
    send_from(&c, again.collect(), Duration::from_millis(5))?;
    // Its time is looked at before its key.
    let refused = |master: &mut Daemon| -> Result<u64> {
        let counters = master.counters()?;
        let key = counters.get("VI", "Authentication Extension Errors/Unknown Key")?;
        Ok(key + counters.get("VI", "Authentication Extension Errors/Stale")?)
    };
    wait_until(SOON, "all of them are refused", || {
        refused(&mut master).is_ok_and(|refused| refused == said)
    })?;
    ensure!(holds(&a, VIP) && master.times_said("Entering BACKUP STATE") == 1);
    ensure!(master.counters()?.get("VI", "Advertisements/Received")? == 0);
    Ok(())
}

/// An unsigned advert of the highest priority.
fn forged() -> Result<Vec<u8>> {
    let source = Ipv4Addr::new(198, 18, 0, 3);
    let vip: IpAddr = VIP.parse()?;
    let message = wire::vrrp::Message {
        version: Version::V3,
        vrid: Vrid::new(VRID)?,
        claim: Claim::from_wire(254),
        advert_int: Centiseconds::new(50),
        addresses: &[vip],
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

/// Only who insists on signatures is safe from somebody without a key.
fn a_forger_in_each_mode(lab: &mut Lab) -> Result<()> {
    for (mode, believes, signs) in [
        ("enforce", false, true),
        ("permissive", true, true),
        ("receive-only", true, false),
    ] {
        let lan = lab.segment()?;
        let a = common::host(lab, &lan, &format!("a-{mode}"), 1)?;
        let c = common::host(lab, &lan, &format!("c-{mode}"), 3)?;
        let capture = c.capture("eth0")?;
        let mut master = Daemon::start(&a, &evervip(), &fast(150, &hmac(&[1, 2], 2, mode)))?;
        gains(&a, VIP)?;
        send_from(&c, vec![forged()?; 20], Duration::from_millis(100))?;
        let gave_way = master.times_said("Entering BACKUP STATE") > 1;
        ensure!(gave_way == believes, "{mode}: gave way: {gave_way}");
        let missing = "Authentication Extension Errors/Missing";
        let counted = master.counters()?.get("VI", missing)?;
        ensure!(
            (counted > 0) != believes,
            "{mode}: {counted} without a signature"
        );
        gains(&a, VIP)?;
        let sent = adverts(&capture, 0, Direction::In, VRID);
        let expected = signs.then_some(2);
        ensure!(
            sent.iter().all(|advert| advert.key_id == expected),
            "{mode}: {sent:?}"
        );
        if mode == "enforce" {
            ensure!(
                longest_gap(&sent) < INTERVAL * 3,
                "the forger silences the master"
            );
        }
    }
    Ok(())
}

/// Keys of the same number that differ: two masters, and both say why.
fn another_key(lab: &mut Lab) -> Result<()> {
    let (a, b, _capture) = pair(lab)?;
    let other = hmac(&[1], 1, "enforce").replace("hex:01", "hex:11");
    let mut first = Daemon::start(&a, &evervip(), &fast(150, &hmac(&[1], 1, "enforce")))?;
    let mut second = Daemon::start(&b, &evervip(), &fast(100, &other))?;
    gains(&a, VIP)?;
    gains(&b, VIP)?;
    first.says("its signature with key 1 is wrong")?;
    second.says("its signature with key 1 is wrong")?;
    let wrong = "Authentication Extension Errors/Invalid HMAC";
    ensure!(first.counters()?.get("VI", wrong)? > 0);
    ensure!(second.counters()?.get("VI", wrong)? > 0);
    Ok(())
}
