//! What happens to a master from outside: addresses that somebody takes, another master, a late start, a long sleep.

mod common;

use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Capture, Direction, Host, HostOptions, Lab, pause, scenario, wait_until};
use sys::netlink::{AddressChange, Changed, KernelAddress, RouteSocket};
use types::{Claim, IfName, Prefix};

use common::packets::{adverts, announced, first_block, since, was_announced};
use common::{Daemon, SIGCONT, SIGSTOP, SOON, evervip, gains, holds, keepalived, loses, program};

fn main() -> ExitCode {
    scenario::main(&[
        ("lost_addresses_are_put_back", lost_addresses_are_put_back),
        (
            "a_network_that_goes_with_its_first_address",
            a_network_that_goes_with_its_first_address,
        ),
        ("a_fight_is_given_up", a_fight_is_given_up),
        ("two_masters_are_named", two_masters_are_named),
        ("a_delayed_start", a_delayed_start),
        ("a_sleeper_yields", a_sleeper_yields),
        ("further_interfaces", further_interfaces),
        ("an_address_of_somebody_else", an_address_of_somebody_else),
    ])
}

const VIP: &str = "198.18.0.100";

/// An instance that advertises twice a second, with further lines and these addresses.
fn instance(priority: u8, lines: &str, addresses: &[&str]) -> String {
    format!(
        "vrrp_instance VI {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n version 3\n \
         advert_int 0.5\n garp_master_delay 0\n {lines}\n virtual_ipaddress {{\n {}\n }}\n}}\n",
        addresses.join("\n ")
    )
}

fn master(lab: &Lab, lines: &str, addresses: &[&str]) -> Result<(Host, Capture, Daemon)> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let capture = host.capture("eth0")?;
    let daemon = Daemon::start(&host, &evervip(), &instance(150, lines, addresses))?;
    daemon.says("Entering MASTER STATE")?;
    Ok((host, capture, daemon))
}

fn goodbyes(capture: &Capture, since: usize) -> usize {
    adverts(capture, since, Direction::Out, 51)
        .iter()
        .filter(|advert| advert.claim == Claim::Leaving)
        .count()
}

/// Removes an address and keeps the socket, so that its owner can be found.
fn take(host: &Host, address: &'static str) -> Result<RouteSocket> {
    host.run(move || -> Result<RouteSocket> {
        let mut socket = RouteSocket::new()?;
        let eth0 = socket.link(&IfName::new("eth0")?)?.context("eth0")?.index;
        let (ip, length) = address.split_once('/').context("a prefix")?;
        let prefix = Prefix::new(ip.parse()?, length.parse()?).context("a prefix")?;
        let change = AddressChange::Remove {
            interface: eth0,
            address: KernelAddress::new(prefix),
        };
        for result in socket.change_addresses(&[change])? {
            ensure!(result? == Changed::Now, "{address} was not there");
        }
        Ok(socket)
    })?
}

/// One is taken, it comes back by itself and is announced, the other stays, and nobody says goodbye. The log knows who it
/// was.
fn lost_addresses_are_put_back(lab: &mut Lab) -> Result<()> {
    let addresses = [
        "198.18.0.100/24",
        "198.18.0.101/32",
        "fd00:18::100/64",
        "198.18.0.102/32 no_track",
    ];
    let v4 = [addresses[0], addresses[1], addresses[3]];
    let lines = format!("virtual_ipaddress_excluded {{\n {}\n }}", addresses[2]);
    let (host, capture, mut daemon) = master(lab, &lines, &v4)?;
    for address in [VIP, "198.18.0.101", "198.18.0.102", "fd00:18::100"] {
        gains(&host, address)?;
        first_block(&capture, address.parse()?)?;
    }
    let before = capture.count();
    let socket = take(&host, "198.18.0.101/32")?;
    daemon.says("(VI) somebody removed 198.18.0.101/32 from eth0: it is put back; it was ")?;
    gains(&host, "198.18.0.101")?;
    let said = daemon.process.output_so_far();
    let pid = format!("process {}", std::process::id());
    ensure!(said.contains(&pid), "{pid} is not named");
    drop(socket);
    drop(take(&host, "fd00:18::100/64")?);
    daemon.says("(VI) somebody removed fd00:18::100/64 from eth0: it is put back")?;
    gains(&host, "fd00:18::100")?;
    // Nobody cares for this one.
    drop(take(&host, "198.18.0.102/32")?);
    capture.wait_for_since(before, "both are announced", SOON, |frame| {
        announced(frame) == Some(IpAddr::from([0xfd00, 0x18, 0, 0, 0, 0, 0, 0x100]))
    })?;
    ensure!(was_announced(
        &capture,
        before,
        Direction::Out,
        "198.18.0.101".parse()?
    ));
    ensure!(!was_announced(
        &capture,
        before,
        Direction::Out,
        VIP.parse()?
    ));
    ensure!(goodbyes(&capture, before) == 0);
    ensure!(!holds(&host, "198.18.0.102") && holds(&host, VIP));
    ensure!(daemon.times_said("198.18.0.102") == 0);
    let counters = daemon.counters()?;
    ensure!(counters.get("VI", "Became master")? == 1);
    ensure!(counters.get("VI", "Released master")? == 0);
    Ok(())
}

/// With `promote_secondaries` off, the kernel removes all IPv4 addresses of a network with the first. Two instances share a
/// network; when the one that was first goes, the other one keeps its address.
fn a_network_that_goes_with_its_first_address(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    host.run(|| std::fs::write("/proc/sys/net/ipv4/conf/eth0/promote_secondaries", "0"))??;
    let first = instance(150, "", &["198.18.7.100/24"]);
    let second = first
        .replace("vrrp_instance VI", "vrrp_instance OTHER")
        .replace("router_id 51", "router_id 52")
        .replace("198.18.7.100", "198.18.7.101");
    let mut daemon = Daemon::start(&host, &evervip(), &first)?;
    gains(&host, "198.18.7.100")?;
    daemon.reload(&format!("{first}{second}"))?;
    gains(&host, "198.18.7.101")?;
    daemon.reload(&second)?;
    loses(&host, "198.18.7.100")?;
    daemon.says(
        "(OTHER) somebody removed 198.18.7.101/24 from eth0: it is put back; the kernel took it along with another \
         address of its network",
    )?;
    gains(&host, "198.18.7.101")?;
    ensure!(daemon.counters()?.get("OTHER", "Released master")? == 0);
    Ok(())
}

/// Somebody removes the address as fast as it can. After five times the instance leaves, and from then on it happens once a
/// second at most; when it is over all is well.
fn a_fight_is_given_up(lab: &mut Lab) -> Result<()> {
    let (host, capture, mut daemon) = master(lab, "", &["198.18.0.100/24"])?;
    gains(&host, VIP)?;
    let goes_on = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&goes_on);
    let before = capture.count();
    let begin = sys::clock::now();
    let taken = std::thread::scope(|scope| -> Result<u32> {
        let fighter = scope.spawn(|| {
            host.run(move || -> Result<u32> {
                let mut socket = RouteSocket::new()?;
                let eth0 = socket.link(&IfName::new("eth0")?)?.context("eth0")?.index;
                let address = KernelAddress::new(Prefix::new(VIP.parse()?, 24).context("24")?);
                let mut taken = 0;
                while flag.load(Ordering::Relaxed) {
                    let change = AddressChange::Remove {
                        interface: eth0,
                        address: address.clone(),
                    };
                    for result in socket.change_addresses(&[change])? {
                        taken += u32::from(result? == Changed::Now);
                    }
                    pause(Duration::from_millis(1));
                }
                Ok(taken)
            })?
        });
        let said = daemon
            .says("(VI) somebody keeps removing 198.18.0.100/24 from eth0: leaving MASTER for a while")
            .and_then(|()| {
                wait_until(SOON, "it comes back and leaves again", || {
                    daemon.times_said("keeps removing") >= 3
                })
            });
        goes_on.store(false, Ordering::Relaxed);
        let taken = fighter.join().ok().context("the fighter")??;
        said.map(|()| taken)
    })?;
    let seconds = u32::try_from(sys::clock::now().since(begin).as_secs())?;
    println!("taken {taken} times in {seconds} s");
    ensure!(
        taken >= 8 && taken <= 5 + seconds + 3,
        "{taken} in {seconds} s"
    );
    ensure!(daemon.times_said("it is put back") == 5);
    wait_until(SOON, "a goodbye each time", || {
        goodbyes(&capture, before) >= 3
    })?;
    wait_until(SOON, "peace", || holds(&host, VIP))?;
    let masters = daemon.counters()?.get("VI", "Became master")?;
    pause(Duration::from_secs(2));
    ensure!(holds(&host, VIP) && daemon.counters()?.get("VI", "Became master")? == masters);
    Ok(())
}

/// The nodes do not hear one another, then only one hears the other, then both do.
fn two_masters_are_named(lab: &mut Lab) -> Result<()> {
    program("nft")?;
    let lan = lab.segment()?;
    let host = |name: &str, number: u8| common::host(lab, &lan, name, number);
    let (a, b) = (host("a", 1)?, host("b", 2)?);
    let deafen = |host: &Host| -> Result<()> {
        host.call("nft add table ip deaf")?;
        host.call("nft add chain ip deaf in { type filter hook input priority 0 ; }")?;
        host.call("nft add rule ip deaf in ip protocol 112 drop")?;
        Ok(())
    };
    let hear = |host: &Host| host.call("nft delete table ip deaf");
    // As in strict mode: nothing is sent because of a lesser master.
    let lines = "lower_prio_no_advert\n garp_lower_prio_repeat 0";
    let mut winner = Daemon::start(&a, &evervip(), &instance(150, lines, &["198.18.0.100/24"]))?;
    gains(&a, VIP)?;
    deafen(&a)?;
    deafen(&b)?;
    let loser = Daemon::start(&b, &evervip(), &instance(100, lines, &["198.18.0.100/24"]))?;
    gains(&b, VIP)?;
    ensure!(winner.times_said("two masters") == 0);

    hear(&a)?;
    winner.says("(VI) two masters: 198.18.0.2 is MASTER, too, with priority 100, ours is 150")?;
    let capture = a.capture("eth0")?;
    // Five of its adverts are no five events, and are not answered with announcements.
    let from = capture.count();
    wait_until(SOON, "five more adverts", || {
        adverts(&capture, from, Direction::In, 51).len() >= 5
    })?;
    ensure!(winner.times_said("two masters") == 1);
    ensure!(!was_announced(&capture, from, Direction::Out, VIP.parse()?));

    hear(&b)?;
    loses(&b, VIP)?;
    winner.says("s: 198.18.0.2 is silent; we stay MASTER and announce our addresses")?;
    capture.wait_for_since(from, "the announcement", SOON, |frame| {
        announced(frame) == VIP.parse().ok()
    })?;
    ensure!(winner.times_said("two masters") == 2, "begin and end");
    ensure!(loser.times_said("(VI) giving way to 198.18.0.1") == 1);
    ensure!(winner.counters()?.get("VI", "Released master")? == 0);

    // The lesser one of two that hear each other badly sees the end from the other side.
    deafen(&b)?;
    gains(&b, VIP)?;
    wait_until(SOON, "it is said again", || {
        winner.times_said("two masters: 198.18.0.2 is MASTER, too") == 2
    })?;
    hear(&b)?;
    loses(&b, VIP)
}

/// Nothing leaves before the delay is over, and the wait for a master counts from there; keepalived does the same.
fn a_delayed_start(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let delay = "global_defs {\n vrrp_startup_delay 2.5\n}\n";
    let file = format!("{delay}{}", instance(90, "", &["198.18.0.100/24"]));
    // Three intervals, and (256 - 90)/256 of one.
    let wait = Duration::from_millis(2_500 + 1_500 + 324);
    for (name, program) in [("a", evervip()), ("b", keepalived)] {
        let lan = lab.segment()?;
        let host = common::host(lab, &lan, name, 1)?;
        let capture = host.capture("eth0")?;
        let begin = sys::clock::wall();
        let daemon = Daemon::start(&host, &program, &file)?;
        gains(&host, VIP)?;
        daemon.says("Delaying startup for 2.5 seconds")?;
        if program == evervip() {
            // 2.2.7 does not say so; 2.4.3 does.
            daemon.says("Delayed start completed")?;
        }
        wait_until(SOON, "an advert", || {
            !adverts(&capture, 0, Direction::Out, 51).is_empty()
        })?;
        let first = adverts(&capture, 0, Direction::Out, 51);
        let first = first.first().context("an advert")?;
        let waited = since(first.at, begin);
        println!("{}: {waited:?}", program.display());
        ensure!(waited >= wait, "{waited:?} instead of {wait:?}");
        ensure!(waited <= wait + SOON);
    }
    // With the machine up for long enough there is nothing to wait for.
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "c", 1)?;
    let file = file.replace("vrrp_startup_delay 2.5", "vrrp_delay_after_boot 0.1");
    let daemon = Daemon::start(&host, &evervip(), &file)?;
    gains(&host, VIP)?;
    ensure!(daemon.times_said("elayed start") == 0);
    Ok(())
}

/// A master whose process stands still while the other one takes over says nothing when it goes on.
fn a_sleeper_yields(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = |name: &str, number: u8| common::host(lab, &lan, name, number);
    let (a, b) = (host("a", 1)?, host("b", 2)?);
    let lines = "state BACKUP\n nopreempt\n timer_expired_backup";
    let mut sleeper = Daemon::start(&a, &evervip(), &instance(150, lines, &["198.18.0.100/24"]))?;
    gains(&a, VIP)?;
    let other = Daemon::start(&b, &evervip(), &instance(100, lines, &["198.18.0.100/24"]))?;
    other.says("master is 198.18.0.1")?;
    let child = sleeper.vrrp_pid()?;
    let capture = a.capture("eth0")?;
    sys::process::kill(child, SIGSTOP)?;
    gains(&b, VIP)?;
    pause(Duration::from_millis(500));
    let from = capture.count();
    sys::process::kill(child, SIGCONT)?;
    sleeper.says("for this process was not scheduled: giving way to whoever took over")?;
    loses(&a, VIP)?;
    pause(Duration::from_secs(1));
    ensure!(adverts(&capture, from, Direction::Out, 51).is_empty());
    ensure!(!was_announced(&capture, from, Direction::Out, VIP.parse()?));
    ensure!(holds(&b, VIP) && other.times_said("two masters") == 0);
    ensure!(sleeper.counters()?.get("VI", "Became master")? == 1);
    Ok(())
}

/// `garp_extra_if`: an address on another interface is announced there again and again; those of the interface that
/// adverts leave by are not.
fn further_interfaces(lab: &mut Lab) -> Result<()> {
    let (lan, other) = (lab.segment()?, lab.segment()?);
    let host = common::host(lab, &lan, "a", 1)?;
    host.connect(&other, "eth1")?;
    let (near, far) = (host.capture("eth0")?, host.capture("eth1")?);
    let lines = "garp_extra_if all 1\n garp_master_repeat 1";
    let addresses = ["198.18.0.100/24", "198.18.1.100/24 dev eth1"];
    let _daemon = Daemon::start(&host, &evervip(), &instance(150, lines, &addresses))?;
    gains(&host, VIP)?;
    let count = |capture: &Capture, address: &str| {
        let address = address.parse::<IpAddr>().ok();
        let frames = capture.frames();
        let told = frames.iter().filter(|frame| announced(frame) == address);
        told.count()
    };
    wait_until(SOON, "four rounds", || count(&far, "198.18.1.100") >= 4)?;
    ensure!(count(&near, VIP) == 1, "once, when it became master");
    Ok(())
}

/// Duplicate address detection (`-nodad`): an address that another host has is not announced, and that is said once. When
/// the other one has let go of it, removing it here is all that is to be done.
fn an_address_of_somebody_else(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let other = lab.host("b", HostOptions::default())?;
    other.connect(&lan, "eth0")?;
    other.add_address("eth0", "fd00:18::100/64")?;
    let host = lab.host("a", HostOptions::default())?;
    host.connect(&lan, "eth0")?;
    common::address(&host, 1)?;
    host.run(|| -> Result<()> {
        std::fs::write("/proc/sys/net/ipv6/conf/eth0/accept_dad", "1")?;
        std::fs::write("/proc/sys/net/ipv6/conf/all/accept_dad", "1")?;
        Ok(())
    })??;
    let capture = other.capture("eth0")?;
    let lines =
        "virtual_ipaddress_excluded {\n fd00:18::100/64 -nodad\n fd00:18::101/64 -nodad\n }";
    let mut daemon = Daemon::start(
        &host,
        &evervip(),
        &instance(150, lines, &["198.18.0.100/24"]),
    )?;
    daemon.says("(VI) another host has fd00:18::100/64, too: it is not announced on eth0")?;
    let told = |address: &str| -> Result<bool> {
        Ok(was_announced(&capture, 0, Direction::In, address.parse()?))
    };
    wait_until(SOON, "the other one is announced", || {
        told("fd00:18::101").unwrap_or(false)
    })?;
    ensure!(told(VIP)?);
    ensure!(!told("fd00:18::100")?);
    ensure!(daemon.times_said("another host has") == 1);
    other.remove_address("eth0", "fd00:18::100/64")?;
    host.remove_address("eth0", "fd00:18::100/64")?;
    wait_until(SOON, "it is announced at last", || {
        told("fd00:18::100").unwrap_or(false)
    })?;
    ensure!(daemon.counters()?.get("VI", "Released master")? == 0);
    Ok(())
}
