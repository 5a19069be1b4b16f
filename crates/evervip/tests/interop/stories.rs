//! What happens to two routers of which one is evervip.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use lab::{Capture, Direction, Frame, Host, Lab, pause, wait_until};
use types::Claim;
use wire::ethernet;

use crate::common::packets::{self, Advert, adverts, announced, claims, judge};
use crate::common::{self, SIGCONT, SIGSTOP, SOON};
use crate::peers::{Expected, Router, VRID};
use crate::{Family, Peer, Port, Row, Version};

pub(crate) use crate::peers::Party;

/// How a master ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Without a word, as in a power cut.
    Crash,
    /// With an advert of priority 0.
    Stop,
}

/// Two hosts on a segment, and what passes the second one: what comes in there is from the first.
fn pair(lab: &Lab) -> Result<(Host, Host, Capture)> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let capture = b.capture("eth0")?;
    Ok((a, b, capture))
}

/// Of the first host.
const FIRST: Direction = Direction::In;
/// Of the second host.
const SECOND: Direction = Direction::Out;

/// A master with priority 150 and a backup with 100. The master ends, the backup takes over; the master comes back and
/// preempts.
pub(crate) fn master_dies(lab: &Lab, row: &Row, who: Party, end: End) -> Result<()> {
    let (a, b, capture) = pair(lab)?;
    let mut backup;
    let mut master = Router::start(who, row, &a, 1, 150)?;
    master.gains()?;
    capture.wait_for("the master's advert", SOON, |frame| {
        claims(frame, FIRST, 150)
    })?;
    backup = Router::start(who.other(), row, &b, 2, 100)?;
    backup.is_backup()?;
    announces(&capture, 0, FIRST, row)?;
    is_silent(&capture, FIRST, SECOND)?;
    ensure!(backup.held() == 0, "a backup with addresses");

    let before = capture.count();
    match end {
        End::Crash => {
            master.crash()?;
            capture.wait_for_since(before, "the backup as master", SOON, |frame| {
                claims(frame, SECOND, 100)
            })?;
        }
        End::Stop => {
            master.stop()?;
            match who {
                Party::We => ensure!(master.held() == 0, "the addresses are left behind"),
                Party::They => master.lets_go()?,
            }
            takes_over_at_once(&capture, before, row)?;
            if who == Party::We {
                let zeros = adverts(&capture, before, FIRST, VRID)
                    .iter()
                    .filter(|advert| advert.claim == Claim::Leaving)
                    .count();
                ensure!(zeros == 1, "{zeros} adverts with priority 0");
            }
        }
    }
    backup.gains()?;
    announces(&capture, before, SECOND, row)?;

    let back = capture.count();
    master.restart(1, 150)?;
    capture.wait_for_since(back, "the master back", SOON, |frame| {
        claims(frame, FIRST, 150)
    })?;
    backup.loses()?;
    master.gains()?;
    is_silent(&capture, FIRST, SECOND)?;
    let of_backup = adverts(&capture, before, SECOND, VRID);
    ensure!(
        of_backup
            .iter()
            .all(|advert| advert.claim != Claim::Leaving),
        "who is preempted leaves without a word"
    );

    backup.has_counted(&Expected {
        became_master: 1,
        released_master: 1,
        heard_goodbye: end == End::Stop,
        adverts_sent: Some(of_backup.len()),
    })?;
    master.has_counted(&Expected {
        became_master: 1,
        released_master: 0,
        heard_goodbye: false,
        adverts_sent: None,
    })?;
    let ours = match who {
        Party::We => FIRST,
        Party::They => SECOND,
    };
    judged(lab, row, &capture, ours)
}

/// With equal priorities there is one master; and when both have become it, the one with the higher address stays.
pub(crate) fn equal_priorities(lab: &Lab, row: &Row) -> Result<()> {
    let (a, b, capture) = pair(lab)?;
    let one = Router::start(Party::We, row, &a, 1, 100)?;
    let other = Router::start(Party::They, row, &b, 2, 100)?;
    let count = || (one.held(), other.held());
    wait_until(SOON, "there is a master", || count().0 + count().1 > 0)?;
    settled(&capture, row, &count)?;

    // Whoever is frozen is still master when it is thawed, and so is the other.
    let (frozen, free) = if count().0 == 2 {
        (&one, &other)
    } else {
        (&other, &one)
    };
    let speaks = if count().0 == 2 { SECOND } else { FIRST };
    let before = capture.count();
    let family = frozen.family()?;
    for pid in &family {
        sys::process::kill(*pid, SIGSTOP)?;
    }
    free.gains()?;
    capture.wait_for_since(before, "the other as master", SOON, |frame| {
        claims(frame, speaks, 100)
    })?;
    for pid in &family {
        sys::process::kill(*pid, SIGCONT)?;
    }
    wait_until(SOON, "one of them gives way", || {
        matches!(count(), (0, 2) | (2, 0))
    })?;
    settled(&capture, row, &count)?;

    let source = |direction| -> Result<IpAddr> {
        let all = adverts(&capture, 0, direction, VRID);
        Ok(all.first().context("it never was master")?.source)
    };
    let expected = if source(FIRST)? > source(SECOND)? {
        (2, 0)
    } else {
        (0, 2)
    };
    ensure!(count() == expected, "the lower address stays master");
    judged(lab, row, &capture, FIRST)
}

/// Waits until only one of them speaks, for longer than anybody would wait for it, and has all addresses.
fn settled(capture: &Capture, row: &Row, count: &impl Fn() -> (usize, usize)) -> Result<()> {
    let mut seen = String::new();
    wait_until(SOON, "there is one master", || {
        let from = capture.count();
        pause(row.interval() * 4);
        let ours = adverts(capture, from, FIRST, VRID).len();
        let theirs = adverts(capture, from, SECOND, VRID).len();
        let held = count();
        seen = format!("{ours} adverts from evervip, {theirs} from the peer; addresses: {held:?}");
        match (ours, theirs) {
            (1.., 0) => held == (2, 0),
            (0, 1..) => held == (0, 2),
            _ => false,
        }
    })
    .context(seen)
}

/// Three adverts come from one side; none comes from the other.
fn is_silent(capture: &Capture, speaks: Direction, silent: Direction) -> Result<()> {
    let from = capture.count();
    wait_until(SOON, "the master goes on", || {
        adverts(capture, from, speaks, VRID).len() >= 3
    })?;
    let loud = adverts(capture, from, silent, VRID);
    ensure!(loud.is_empty(), "the backup speaks: {loud:?}");
    Ok(())
}

/// Every address was announced to the neighbours.
fn announces(capture: &Capture, since: usize, who: Direction, row: &Row) -> Result<()> {
    for address in row.bare_addresses() {
        let address: IpAddr = address.parse()?;
        capture.wait_for_since(since, &format!("{address} announced"), SOON, |frame| {
            frame.direction == who && announced(frame) == Some(address)
        })?;
    }
    Ok(())
}

/// The master says that it leaves; the backup speaks up before three intervals have passed.
fn takes_over_at_once(capture: &Capture, since: usize, row: &Row) -> Result<()> {
    let goodbye =
        capture.wait_for_since(since, "priority 0", SOON, |frame| claims(frame, FIRST, 0))?;
    let is_hello = |frame: &Frame| {
        packets::advert(frame).is_some_and(|Advert { direction, .. }| direction == SECOND)
    };
    let hello = capture.wait_for_since(since, "an advert of the backup", SOON, |frame| {
        frame.at > goodbye.at && is_hello(frame)
    })?;
    let waited = packets::since(hello.at, goodbye.at);
    ensure!(
        waited < row.interval() * 3,
        "it waited for {waited:?}, as if nobody had said goodbye"
    );
    Ok(())
}

/// Nothing was wrong with anybody's packets.
fn judged(lab: &Lab, row: &Row, capture: &Capture, ours: Direction) -> Result<()> {
    for frame in capture.frames() {
        let Some(advert) = packets::advert(&frame) else {
            continue;
        };
        // FRR has an interface with the virtual MAC address in any case.
        let is_virtual =
            row.port == Port::Vmac || (row.peer == Peer::Frr && advert.direction != ours);
        let sender = ethernet::Header::parse(&frame.bytes).map(|(header, _)| header.source);
        ensure!(
            (sender == Some(row.virtual_mac())) == is_virtual,
            "an advert of {} comes from {sender:?}",
            advert.source
        );
    }
    match (row.peer, row.version, row.family) {
        // No standard says what that is, and Wireshark expects another checksum than the kernel's.
        (_, Version::V2, Family::V6) => Ok(()),
        // Its adverts are none of keepalived's: other flags, for a start.
        (Peer::Frr, _, _) => {
            packets::judge_apart(capture, &lab.directory().join("b.pcap")).map(|_| ())
        }
        (Peer::Keepalived, _, _) => judge(capture, &lab.directory().join("b.pcap")),
    }
}
