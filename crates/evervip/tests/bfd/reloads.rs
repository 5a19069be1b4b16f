//! What a reload does to sessions that are up, and which of them it does not touch.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Lab, pause, wait_until};
use types::Family;

use crate::common::packets::since;
use crate::common::{self, Daemon, SOON, evervip, gains};
use crate::packets::{BEGIN, Control, DOWN, End, Moment, UP, Wire, control, gaps};
use crate::tracking::{VIP, instance, track};
use crate::world::{Hops, INTERVAL, Program, Session, Speaker, World, bfd_pid};

const ROSE: &str = "(B) Entering Up state";

/// Waits until the process that speaks BFD has reloaded so often.
fn reloaded(speaker: &Speaker<'_>, program: Program, times: usize) -> Result<()> {
    let line = match program {
        Program::Evervip => "Reload complete",
        Program::Keepalived | Program::Frr => "Reloading",
    };
    wait_until(SOON, &format!("{times} times {line}"), || {
        speaker.times_said(line) >= times
    })
}

/// The session is not touched, however often it is reloaded, and whatever else changes.
pub(crate) fn unchanged(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let mut first = Speaker::start_with(ours, &world.first, &here, &instance(100, &track("")))?;
    let _peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    gains(&world.first, VIP)?;
    let settled = wire.now();
    let before = wire.hear(End::First, settled, "a packet", |packet| !packet.poll)?;
    let pid = bfd_pid(&world.first)?;
    for round in 1..=5 {
        let other = instance(100 + u8::try_from(round)?, &track(""));
        first.daemon()?.reload(&(here.block() + &other))?;
        reloaded(&first, ours, round)?;
        let after = wire.now();
        wire.hear_many(End::First, after, 10, |_| true)?;
    }
    wire.stayed_up(End::First, settled)?;
    wire.stayed_up(End::Second, settled)?;
    let said = wire.said(End::First, settled);
    let other = said
        .iter()
        .find(|packet| packet.mine != before.mine || packet.poll);
    ensure!(other.is_none(), "{other:?}");
    if ours == Program::Evervip {
        let moved = said.iter().find(|packet| packet.from != before.from);
        ensure!(moved.is_none(), "another port: {moved:?}");
        // Nothing is sent twice, and nothing left out.
        let gaps = gaps(&said);
        let longest = gaps.iter().max().copied().unwrap_or_default();
        println!("the longest silence: {longest:?}");
    }
    first.logs(ROSE, 1)?;
    ensure!(first.times_said("FAULT") <= 1, "only at first");
    ensure!(bfd_pid(&world.first)? == pid, "the process is the same");
    Ok(())
}

/// Other intervals are agreed on while the session is up, slower ones only when the neighbour knows (RFC 5880 6.8.3).
pub(crate) fn intervals(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (mut here, there) = world.sessions()?;
    let mut first = Speaker::start(ours, &world.first, &here)?;
    let _peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    let up = wire.now();
    wire.hear_many(End::First, up, 15, |packet| !packet.poll)?;
    let settled = wire.now();
    for (round, interval) in [(1, INTERVAL * 3), (2, INTERVAL)] {
        let from = wire.now();
        here.interval = interval;
        first.daemon()?.reload(&here.block())?;
        let asked = |packet: &Control| packet.min_tx == interval * 1000 && packet.poll;
        let poll = wire.hear(End::First, from, "a question", asked)?;
        ensure!(poll.min_rx == interval * 1000, "{poll:?}");
        let answer = wire.hear(End::Second, from, "an answer", |packet| packet.is_final)?;
        println!(
            "round {round}: answered after {:?}",
            since(answer.at, poll.at)
        );
        let after = wire.now();
        let packets = wire.hear_many(End::First, after, 20, |packet| {
            !packet.poll && !packet.is_final && packet.min_tx == interval * 1000
        })?;
        let mut gaps = gaps(&packets);
        gaps.sort();
        let median = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
        let least = Duration::from_millis(u64::from(interval)) * 7 / 10;
        println!("then {median:?} between packets");
        ensure!(median > least && median < least * 2, "{median:?}");
        // The neighbour goes by what we can take.
        let theirs: Vec<Control> = wire.hear_many(End::Second, after, 20, |_| true)?;
        let mut gaps = crate::packets::gaps(&theirs);
        gaps.sort();
        let median = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
        ensure!(median > least && median < least * 2, "theirs: {median:?}");
    }
    wire.stayed_up(End::First, settled)?;
    wire.stayed_up(End::Second, settled)?;
    first.logs(ROSE, 1)
}

/// A second session, over IPv6, between the same two.
fn over_ipv6(world: &World, name: &str) -> Result<(String, String)> {
    let (mut here, mut there) = world.sessions()?;
    (here.neighbour, here.own) = ("fd00:18::2".parse()?, "fd00:18::1".parse()?);
    (there.neighbour, there.own) = (here.own, here.neighbour);
    let named = |session: &Session| {
        session
            .block()
            .replace("_instance B ", &format!("_instance {name} "))
    };
    Ok((named(&here), named(&there)))
}

/// What one end has said over one family since a moment.
fn said_over(wire: &Wire, end: End, since: Moment, ipv6: bool) -> Vec<Control> {
    let mut said = wire.said(end, since);
    said.retain(|packet| packet.from.is_ipv6() == ipv6);
    said
}

/// Sessions are added, removed and renamed beside one that stays; the last one takes the process with it.
pub(crate) fn come_and_go(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let (second_here, second_there) = over_ipv6(&world, "C")?;
    // Something that does not end with the sessions.
    let rest = instance(100, "");
    let mut first = Speaker::start_with(ours, &world.first, &here, &rest)?;
    let _peer = Speaker::start_with(theirs, &world.second, &there, &second_there)?;
    wire.hear(End::First, BEGIN, "Up over IPv4", |packet| {
        packet.from.is_ipv4() && packet.state == UP
    })?;
    wire.hear(End::Second, BEGIN, "Up over IPv4", |packet| {
        packet.from.is_ipv4() && packet.state == UP
    })?;
    let settled = wire.now();
    let up_over_ipv6 = |from: Moment| -> Result<u32> {
        for end in [End::First, End::Second] {
            wire.hear(end, from, "Up over IPv6", |packet| {
                packet.from.is_ipv6() && packet.state == UP
            })?;
        }
        let up = wire.hear(End::First, from, "Up over IPv6", |packet| {
            packet.from.is_ipv6() && packet.state == UP
        })?;
        Ok(up.mine)
    };
    // Added.
    let both = here.block() + &second_here + &rest;
    first.daemon()?.reload(&both)?;
    let old = up_over_ipv6(settled)?;
    first.logs("(C) Entering Up state", 1)?;
    // Removed: it stops, and is missed.
    let from = wire.now();
    first.daemon()?.reload(&(here.block() + &rest))?;
    wire.hear(End::Second, from, "Down over IPv6", |packet| {
        packet.from.is_ipv6() && packet.state == DOWN
    })?;
    let down = wire.now();
    wire.hear_many(End::First, down, 30, |_| true)?;
    ensure!(said_over(&wire, End::First, down, true).is_empty());
    // Again, and under another name: it begins anew.
    first.daemon()?.reload(&both)?;
    let again = up_over_ipv6(down)?;
    ensure!(
        again != old || ours == Program::Keepalived,
        "the old discriminator"
    );
    first.logs("(C) Entering Up state", 2)?;
    let from = wire.now();
    let (renamed, _) = over_ipv6(&world, "D")?;
    first.daemon()?.reload(&(here.block() + &renamed + &rest))?;
    wire.hear(End::First, from, "a new discriminator", |packet| {
        packet.from.is_ipv6() && packet.mine != again
    })?;
    first.logs("(D) Entering Up state", 1)?;
    // Nothing of this concerned the first.
    for end in [End::First, End::Second] {
        let said = said_over(&wire, end, settled, false);
        let other = said.iter().find(|packet| packet.state != UP);
        ensure!(other.is_none() && !said.is_empty(), "{other:?}");
    }
    first.logs(ROSE, 1)?;
    // keepalived's process outlives its sessions.
    if ours == Program::Keepalived {
        return Ok(());
    }
    let pid = bfd_pid(&world.first)?;
    first.daemon()?.reload(&rest)?;
    wait_until(SOON, "the process and its pid file are gone", || {
        !Path::new(&format!("/proc/{pid}")).exists() && bfd_pid(&world.first).is_err()
    })?;
    gains(&world.first, VIP)?;
    // And back.
    first.daemon()?.reload(&(here.block() + &rest))?;
    first.logs(ROSE, 2)
}

/// Another neighbour under the same name is another session: the state of the old one says nothing of it. keepalived takes
/// it for the same.
pub(crate) fn another_neighbour(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let third = common::host(lab, &world.lan, "c", 3)?;
    let wire = world.wire()?;
    let (mut here, mut there) = world.sessions()?;
    let rest = instance(100, &track(""));
    let mut first = Speaker::start_with(ours, &world.first, &here, &rest)?;
    let _peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    gains(&world.first, VIP)?;
    here.neighbour = "198.18.0.3".parse()?;
    first.daemon()?.reload(&(here.block() + &rest))?;
    // Nobody is there yet.
    first.says_one_of(&["another neighbor or port has this name now: beginning anew"])?;
    common::loses(&world.first, VIP)?;
    there.own = here.neighbour;
    let capture = third.capture("eth0")?;
    let _other = Speaker::start(theirs, &third, &there)?;
    first.logs(ROSE, 2)?;
    gains(&world.first, VIP)?;
    let wrong = capture.frames().iter().filter_map(control).find(|packet| {
        packet.direction == lab::Direction::In && packet.to.ip() == here.neighbour && {
            packet.state == UP && packet.yours == 0
        }
    });
    ensure!(wrong.is_none(), "{wrong:?}");
    Ok(())
}

/// `passive`: not a word before the neighbour's first, nor after its last.
pub(crate) fn passive(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (mut here, there) = world.sessions()?;
    here.more = "passive".to_owned();
    let first = Speaker::start(ours, &world.first, &here)?;
    wait_until(SOON, "the process runs", || bfd_pid(&world.first).is_ok())?;
    // An active one would have spoken twice.
    pause(Duration::from_secs(2));
    ensure!(wire.said(End::First, BEGIN).is_empty(), "it speaks");
    let mut peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    first.logs(ROSE, 1)?;
    let from = wire.now();
    peer.crash()?;
    first.logs("(B) Entering Down state", 1)?;
    // It may say so, for as long as it takes to forget the neighbour.
    pause(Duration::from_secs(1));
    let quiet = wire.now();
    pause(Duration::from_secs(3));
    let said = wire.said(End::First, quiet);
    ensure!(said.is_empty(), "{said:?}");
    ensure!(
        wire.said(End::First, from)
            .iter()
            .all(|packet| packet.state != 2)
    );
    let back = wire.now();
    peer.start_again(theirs)?;
    wire.both_up(back)?;
    first.logs(ROSE, 2)
}

/// `-B`: no process, no packets, and who tracks the session is told that it is down, or nothing.
pub(crate) fn without_a_process(lab: &Lab, _: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let configuration = here.block() + &instance(100, &track("weight 10"));
    let mut daemon = Daemon::start_with(&world.first, &evervip(), &configuration, &["-B"])?;
    let _peer = Speaker::start(theirs, &world.second, &there)?;
    gains(&world.first, VIP)?;
    wire.hear_many(End::Second, BEGIN, 2, |packet| packet.state == DOWN)?;
    ensure!(!daemon.has_file("bfd.pid"));
    ensure!(wire.said(End::First, BEGIN).is_empty());
    daemon.reload_whole(&configuration)?;
    ensure!(!daemon.has_file("bfd.pid"));
    ensure!(daemon.times_said("Changing effective priority") == 0);
    daemon.stop()
}
