//! evervip and Debian's keepalived share virtual routers: whoever is to be master is, whatever happens to the other,
//! and nobody can tell their packets apart.

mod common;

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Capture, Direction, Host, Lab, pause, scenario, wait_until};
use types::Claim;

use common::packets::{self, adverts, announced, claims, judge};
use common::{Daemon, SIGCONT, SIGSTOP, SOON, evervip, gains, holds, keepalived, loses};

fn main() -> ExitCode {
    scenario::main(&[
        ("v2_evervip_is_master", |lab| evervip_is_master(lab, &V2)),
        ("v3_evervip_is_master", |lab| evervip_is_master(lab, &V3)),
        ("v6_evervip_is_master", |lab| evervip_is_master(lab, &V6)),
        ("v2_evervip_is_backup", |lab| evervip_is_backup(lab, &V2)),
        ("v3_evervip_is_backup", |lab| evervip_is_backup(lab, &V3)),
        ("v6_evervip_is_backup", |lab| evervip_is_backup(lab, &V6)),
        ("v2_clean_stops", |lab| clean_stops(lab, &V2)),
        ("v3_clean_stops", |lab| clean_stops(lab, &V3)),
        ("v6_clean_stops", |lab| clean_stops(lab, &V6)),
        ("v2_equal_priorities", |lab| equal_priorities(lab, &V2)),
        ("v3_equal_priorities", |lab| equal_priorities(lab, &V3)),
        ("v6_equal_priorities", |lab| equal_priorities(lab, &V6)),
        ("unicast_v2_evervip_is_master", |lab| {
            evervip_is_master(lab, &V2.to_peers())
        }),
        ("unicast_v3_evervip_is_master", |lab| {
            evervip_is_master(lab, &V3.to_peers())
        }),
        ("unicast_v6_evervip_is_master", |lab| {
            evervip_is_master(lab, &V6.to_peers())
        }),
        ("unicast_v2_evervip_is_backup", |lab| {
            evervip_is_backup(lab, &V2.to_peers())
        }),
        ("unicast_v3_evervip_is_backup", |lab| {
            evervip_is_backup(lab, &V3.to_peers())
        }),
        ("unicast_v6_evervip_is_backup", |lab| {
            evervip_is_backup(lab, &V6.to_peers())
        }),
        ("unicast_v2_clean_stops", |lab| {
            clean_stops(lab, &V2.to_peers())
        }),
        ("unicast_v3_clean_stops", |lab| {
            clean_stops(lab, &V3.to_peers())
        }),
        ("unicast_v6_clean_stops", |lab| {
            clean_stops(lab, &V6.to_peers())
        }),
        ("unicast_v2_equal_priorities", |lab| {
            equal_priorities(lab, &V2.to_peers())
        }),
        ("unicast_v3_equal_priorities", |lab| {
            equal_priorities(lab, &V3.to_peers())
        }),
        ("unicast_v6_equal_priorities", |lab| {
            equal_priorities(lab, &V6.to_peers())
        }),
    ])
}

/// A kind of virtual router.
struct Flavour {
    keywords: &'static str,
    interval: Duration,
    addresses: [&'static str; 2],
    /// Adverts go from host to host, not to the group: addresses of hosts begin so.
    hosts: Option<&'static str>,
}

const V2: Flavour = Flavour {
    keywords: "version 2\n advert_int 1\n authentication {\n auth_type PASS\n auth_pass secret-7\n }\n",
    interval: Duration::from_secs(1),
    addresses: ["198.18.0.100/24", "198.18.0.101/32"],
    hosts: None,
};

const V3: Flavour = Flavour {
    keywords: "version 3\n advert_int 0.2\n",
    interval: Duration::from_millis(200),
    addresses: ["198.18.0.100/24", "198.18.0.101/32"],
    hosts: None,
};

const V6: Flavour = Flavour {
    keywords: "version 3\n advert_int 0.2\n",
    interval: Duration::from_millis(200),
    addresses: ["fe80::18:64/64", "fd00:18::64/64"],
    hosts: None,
};

const VRID: u8 = 51;

impl Flavour {
    /// The same with adverts to single routers.
    fn to_peers(&self) -> Self {
        let hosts = if self.addresses == V6.addresses {
            "fd00:18::"
        } else {
            "198.18.0."
        };
        Self {
            hosts: Some(hosts),
            ..*self
        }
    }

    /// Of host `me`, 1 or 2, with the other one as its peer.
    fn configuration(&self, me: u8, priority: u8) -> String {
        let [one, two] = self.addresses;
        let peers = self.hosts.map_or_else(String::new, |hosts| {
            let other = 3 - me;
            format!("unicast_src_ip {hosts}{me}\n unicast_peer {{\n {hosts}{other}\n }}\n ")
        });
        format!(
            "vrrp_instance VI {{\n interface eth0\n virtual_router_id {VRID}\n priority {priority}\n {peers}{}\
             virtual_ipaddress {{\n {one}\n {two}\n }}\n}}\n",
            self.keywords
        )
    }

    /// The virtual addresses without their lengths.
    fn virtual_addresses(&self) -> impl Iterator<Item = &'static str> {
        self.addresses
            .iter()
            .map(|text| text.split('/').next().unwrap_or(text))
    }

    fn gained_by(&self, host: &Host) -> Result<()> {
        self.virtual_addresses()
            .try_for_each(|address| gains(host, address))
    }

    fn lost_by(&self, host: &Host) -> Result<()> {
        self.virtual_addresses()
            .try_for_each(|address| loses(host, address))
    }

    fn held_by(&self, host: &Host) -> usize {
        self.virtual_addresses()
            .filter(|address| holds(host, address))
            .count()
    }

    /// Every address was announced in this direction.
    fn announced(&self, capture: &Capture, since: usize, direction: Direction) -> Result<()> {
        for address in self.virtual_addresses() {
            let address: IpAddr = address.parse()?;
            capture.wait_for_since(since, &format!("{address} announced"), SOON, |frame| {
                frame.direction == direction && announced(frame) == Some(address)
            })?;
        }
        Ok(())
    }
}

/// Two hosts on a segment, and what passes the second one.
fn pair(lab: &Lab) -> Result<(Host, Host, Capture)> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let capture = b.capture("eth0")?;
    Ok((a, b, capture))
}

/// evervip has the higher priority, crashes, and comes back.
fn evervip_is_master(lab: &mut Lab, flavour: &Flavour) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, capture) = pair(lab)?;
    let mut ours = Daemon::start(&a, &evervip(), &flavour.configuration(1, 150))?;
    flavour.gained_by(&a)?;
    let mut theirs = Daemon::start(&b, &keepalived, &flavour.configuration(2, 100))?;
    theirs.says("Entering BACKUP STATE")?;
    flavour.announced(&capture, 0, Direction::In)?;
    pause(flavour.interval * 2);
    ensure!(
        adverts(&capture, 0, Direction::Out, VRID).is_empty() && flavour.held_by(&b) == 0,
        "keepalived wants to be master, too"
    );

    let crash = capture.count();
    ours.crash()?;
    flavour.gained_by(&b)?;
    ensure!(
        flavour.held_by(&a) == 2,
        "a crash leaves the addresses, and keepalived does not mind"
    );
    let mut ours = Daemon::start(&a, &evervip(), &flavour.configuration(1, 150))?;
    capture.wait_for_since(crash, "keepalived as master", SOON, |frame| {
        claims(frame, Direction::Out, 100)
    })?;
    flavour.lost_by(&b)?;
    flavour.gained_by(&a)?;
    ensure!(
        adverts(&capture, crash, Direction::Out, VRID)
            .iter()
            .all(|advert| advert.claim != Claim::Leaving),
        "who is preempted leaves without a word"
    );

    let seen = adverts(&capture, crash, Direction::In, VRID).len();
    let counters = ours.counters()?;
    let sent = counters.get("VI", "Advertisements/Sent")?;
    ensure!(
        u64::try_from(seen)? <= sent,
        "{seen} adverts seen, {sent} counted"
    );
    wait_until(SOON, "every advert that was counted is seen", || {
        u64::try_from(adverts(&capture, crash, Direction::In, VRID).len()).is_ok_and(|n| n >= sent)
    })?;
    ensure!(counters.get("VI", "Became master")? == 1);
    ensure!(counters.get("VI", "Released master")? == 0);
    ensure!(counters.get("VI", "Advertisements/Received")? > 0);
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    let counters = theirs.counters()?;
    ensure!(counters.get("VI", "Released master")? == 1);
    ensure!(counters.get("VI", "Advertisements/Received")? > 0);
    ensure!(
        counters.errors().is_empty(),
        "keepalived: {:?}",
        counters.errors()
    );
    judge(&capture, &lab.directory().join("b.pcap"))
}

/// keepalived has the higher priority, crashes, and comes back.
fn evervip_is_backup(lab: &mut Lab, flavour: &Flavour) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, capture) = pair(lab)?;
    let mut theirs = Daemon::start(&a, &keepalived, &flavour.configuration(1, 150))?;
    flavour.gained_by(&a)?;
    let mut ours = Daemon::start(&b, &evervip(), &flavour.configuration(2, 100))?;
    ours.says("Entering BACKUP STATE")?;
    pause(flavour.interval * 2);
    ensure!(
        adverts(&capture, 0, Direction::Out, VRID).is_empty() && flavour.held_by(&b) == 0,
        "evervip wants to be master, too"
    );

    let crash = capture.count();
    theirs.crash()?;
    capture.wait_for_since(crash, "evervip as master", SOON, |frame| {
        claims(frame, Direction::Out, 100)
    })?;
    flavour.gained_by(&b)?;
    flavour.announced(&capture, crash, Direction::Out)?;

    let back = capture.count();
    let _theirs = Daemon::start(&a, &keepalived, &flavour.configuration(1, 150))?;
    capture.wait_for_since(back, "keepalived as master", SOON, |frame| {
        claims(frame, Direction::In, 150)
    })?;
    flavour.lost_by(&b)?;
    flavour.gained_by(&a)?;
    let yielded = capture.count();
    pause(flavour.interval * 3);
    ensure!(
        adverts(&capture, yielded, Direction::Out, VRID).is_empty(),
        "a backup is silent"
    );
    let all = adverts(&capture, crash, Direction::Out, VRID);
    ensure!(
        all.iter().all(|advert| advert.claim != Claim::Leaving),
        "who is preempted leaves without a word"
    );

    let counters = ours.counters()?;
    ensure!(counters.get("VI", "Advertisements/Sent")? == u64::try_from(all.len())?);
    ensure!(counters.get("VI", "Became master")? == 1);
    ensure!(counters.get("VI", "Released master")? == 1);
    ensure!(counters.get("VI", "Advertisements/Received")? > 0);
    ensure!(counters.get("VI", "Priority Zero/Sent")? == 0);
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    judge(&capture, &lab.directory().join("b.pcap"))
}

/// Each stops cleanly while it is master: the other does not wait until it is missed.
fn clean_stops(lab: &mut Lab, flavour: &Flavour) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, capture) = pair(lab)?;
    let mut ours = Daemon::start(&a, &evervip(), &flavour.configuration(1, 150))?;
    flavour.gained_by(&a)?;
    let mut theirs = Daemon::start(&b, &keepalived, &flavour.configuration(2, 100))?;
    theirs.says("Entering BACKUP STATE")?;
    pause(flavour.interval * 2);

    let before = capture.count();
    ours.stop()?;
    ensure!(flavour.held_by(&a) == 0, "the addresses are left behind");
    takes_over(&capture, before, flavour, Direction::In, Direction::Out)?;
    flavour.gained_by(&b)?;
    let zeros = adverts(&capture, before, Direction::In, VRID)
        .iter()
        .filter(|advert| advert.claim == Claim::Leaving)
        .count();
    ensure!(zeros == 1, "{zeros} adverts with priority 0");

    let mut ours = Daemon::start(&a, &evervip(), &flavour.configuration(1, 50))?;
    ours.says("Entering BACKUP STATE")?;
    pause(flavour.interval * 2);
    let before = capture.count();
    theirs.stop()?;
    takes_over(&capture, before, flavour, Direction::Out, Direction::In)?;
    flavour.gained_by(&a)?;
    flavour.announced(&capture, before, Direction::In)?;
    let counters = ours.counters()?;
    ensure!(counters.get("VI", "Priority Zero/Received")? >= 1);
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    judge(&capture, &lab.directory().join("b.pcap"))
}

/// One says that it leaves; the other speaks up before three intervals have passed.
fn takes_over(
    capture: &Capture,
    since: usize,
    flavour: &Flavour,
    leaves: Direction,
    comes: Direction,
) -> Result<()> {
    let goodbye =
        capture.wait_for_since(since, "priority 0", SOON, |frame| claims(frame, leaves, 0))?;
    let hello = capture.wait_for_since(since, "an advert of the other", SOON, |frame| {
        frame.at > goodbye.at
            && packets::advert(frame).is_some_and(|advert| advert.direction == comes)
    })?;
    let waited = packets::since(hello.at, goodbye.at);
    ensure!(
        waited < flavour.interval * 3,
        "it waited for {waited:?}, as if nobody had said goodbye"
    );
    Ok(())
}

/// With equal priorities there is one master; and when both have become it, the higher address stays.
fn equal_priorities(lab: &mut Lab, flavour: &Flavour) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, capture) = pair(lab)?;
    let mut ours = Daemon::start(&a, &evervip(), &flavour.configuration(1, 100))?;
    let mut theirs = Daemon::start(&b, &keepalived, &flavour.configuration(2, 100))?;
    let count = || (flavour.held_by(&a), flavour.held_by(&b));
    wait_until(SOON, "there is a master", || count().0 + count().1 > 0)?;
    settled(&capture, flavour, &count)?;

    // Whoever is frozen is still master when it is thawed, and so is the other.
    let (frozen, other) = if count().0 == 2 {
        (&mut ours.process, &b)
    } else {
        (&mut theirs.process, &a)
    };
    let family = frozen.family()?;
    for pid in &family {
        sys::process::kill(*pid, SIGSTOP)?;
    }
    flavour.gained_by(other)?;
    for pid in &family {
        sys::process::kill(*pid, SIGCONT)?;
    }
    wait_until(SOON, "one of them gives way", || {
        matches!(count(), (0, 2) | (2, 0))
    })?;
    settled(&capture, flavour, &count)?;
    // The addresses of the hosts decide, 198.18.0.1 and 198.18.0.2; link-local addresses are made of random MACs.
    if flavour.hosts.is_some() || flavour.addresses == V3.addresses {
        ensure!(count() == (0, 2), "the lower address stays master");
    } else {
        let higher = |host: &Host| -> Result<Option<IpAddr>> {
            let is_source = |address: &IpAddr| {
                address.to_string().starts_with("fe80::") && address.to_string() != "fe80::18:64"
            };
            let addresses = host.addresses("eth0")?;
            Ok(addresses
                .iter()
                .map(|prefix| prefix.address())
                .find(is_source))
        };
        let expected = if higher(&a)? > higher(&b)? {
            (2, 0)
        } else {
            (0, 2)
        };
        ensure!(count() == expected, "the lower address stays master");
    }
    judge(&capture, &lab.directory().join("b.pcap"))
}

/// From now on only one of them speaks, and has all addresses.
fn settled(
    capture: &Capture,
    flavour: &Flavour,
    count: &impl Fn() -> (usize, usize),
) -> Result<()> {
    pause(flavour.interval * 2);
    let from = capture.count();
    pause(flavour.interval * 4);
    let ours = adverts(capture, from, Direction::In, VRID).len();
    let theirs = adverts(capture, from, Direction::Out, VRID).len();
    ensure!(
        (ours == 0) != (theirs == 0),
        "{ours} adverts from evervip, {theirs} from keepalived"
    );
    let expected = if ours > 0 { (2, 0) } else { (0, 2) };
    ensure!(count() == expected, "{:?} addresses of 2 each", count());
    Ok(())
}
