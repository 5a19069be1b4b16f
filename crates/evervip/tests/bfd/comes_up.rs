//! A session comes up: with whom, over what, and what its packets look like.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Lab, pause, wait_until};
use types::Family;

use crate::common::packets::since;
use crate::common::{Daemon, SIGUSR1, SOON};
use crate::packets::{BEGIN, Control, DOWN, End, Form, UP, Wire, gaps, judge};
use crate::world::{Hops, INTERVAL, MULTIPLIER, Program, Source, Speaker, World};

/// What keepalived and evervip ask for while the session is not up, microseconds.
const IDLE_TX: u32 = 1_000_000;

/// The whole of it, watched from before the first packet.
pub(crate) fn comes_up(
    lab: &Lab,
    ours: Program,
    theirs: Program,
    (family, hops, source): (Family, Hops, Source),
) -> Result<()> {
    let world = World::new(lab, family, hops)?;
    let wire = world.wire()?;
    let (mut here, mut there) = world.sessions()?;
    here.source = source;
    there.source = source;
    let first = Speaker::start(ours, &world.first, &here)?;
    let _second = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    first.logs("(B) Entering Up state", 1)?;
    let up = wire.now();
    // Some more than a poll sequence takes.
    wire.hear_many(End::First, up, 20, |packet| packet.state == UP)?;
    wire.hear_many(End::Second, up, 20, |packet| packet.state == UP)?;
    begins_modestly(&wire)?;
    polls(&wire)?;
    wire.stayed_up(End::First, up)?;
    wire.stayed_up(End::Second, up)?;

    let form = Form {
        source: here.own,
        port: here.port(),
        // Seen on the other side of the router.
        ttl: match hops {
            Hops::One => 255,
            Hops::Routed | Hops::Multi => 254,
        },
        multiplier: MULTIPLIER,
        idle_tx: IDLE_TX,
        min_tx: INTERVAL * 1000,
        min_rx: INTERVAL * 1000,
        // keepalived leaves the choice to the kernel where no source is named; RFC 5881 4 does not.
        lowest_port: match (ours, source) {
            (Program::Keepalived, Source::Chosen) => 1024,
            _ => 49_152,
        },
    };
    judge(&wire.capture, &lab.directory().join("bfd.pcap"), &form)
}

/// The first packet speaks of Down, and knows nobody or whom it has heard; discriminators stay what they are.
fn begins_modestly(wire: &Wire) -> Result<()> {
    let said = wire.said(End::First, BEGIN);
    let begin = said.first().context("no packet")?;
    ensure!(begin.state == DOWN || begin.yours != 0, "{begin:?}");
    let theirs = wire.said(End::Second, BEGIN);
    let (mine, yours) = (begin.mine, theirs.first().context("no packet")?.mine);
    for packet in &said {
        ensure!(packet.mine == mine, "another discriminator: {packet:?}");
        let knows = packet.yours == yours || (packet.state == DOWN && packet.yours == 0);
        ensure!(knows, "a stranger's discriminator: {packet:?}");
        // Only AdminDown has a reason to be given here, and nobody said so.
        ensure!(packet.diagnostic == 0, "{packet:?}");
    }
    Ok(())
}

/// Intervals change when the session comes up, which takes a poll sequence (RFC 5880 6.8.3): each side's packets have P
/// until one with F comes. Each P is answered.
fn polls(wire: &Wire) -> Result<()> {
    let mut polls = 0;
    let mut slowest = Duration::ZERO;
    for end in [End::First, End::Second] {
        let finals: Vec<Control> = of(wire, end.other(), |packet| packet.is_final);
        let asked = of(wire, end, |packet| packet.poll);
        polls += asked.len();
        for poll in &asked {
            let answer = finals
                .iter()
                .map(|answer| since(answer.at, poll.at))
                .filter(|time| !time.is_zero())
                .min();
            slowest = slowest.max(answer.with_context(|| format!("no answer to {poll:?}"))?);
        }
        // After the answer there is no further question. One may have been under way.
        let Some(answer) = finals.first() else {
            continue;
        };
        let late = asked
            .iter()
            .filter(|poll| since(poll.at, answer.at) > Duration::from_millis(500))
            .count();
        ensure!(late == 0, "the {end:?} host asks again after the answer");
    }
    ensure!(polls > 0, "nobody has polled");
    println!("{polls} polls, the slowest answer after {slowest:?}");
    Ok(())
}

fn of(wire: &Wire, end: End, wanted: fn(&Control) -> bool) -> Vec<Control> {
    let mut said = wire.said(end, BEGIN);
    said.retain(wanted);
    said
}

/// Transmissions are 10 to 25 % early, each by an amount of its own (RFC 5880 6.8.7).
pub(crate) fn jitter(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    const SPACING: u32 = 100;
    const COUNT: usize = 80;
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (mut here, mut there) = world.sessions()?;
    for session in [&mut here, &mut there] {
        session.interval = SPACING;
        session.multiplier = 20;
    }
    let _first = Speaker::start(ours, &world.first, &here)?;
    let _second = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    // The poll sequence with its answers outside the schedule.
    pause(Duration::from_secs(1));
    let up = wire.now();
    let packets = wire.hear_many(End::First, up, COUNT, |packet| packet.state == UP)?;
    let mut gaps: Vec<f64> = gaps(&packets)
        .iter()
        .map(|gap| gap.as_secs_f64() * 1000.0 / f64::from(SPACING))
        .collect();
    gaps.sort_by(f64::total_cmp);
    let at = |share: usize| {
        let place = (gaps.len() - 1) * share / 100;
        gaps.get(place).copied().unwrap_or_default()
    };
    println!(
        "of {} intervals: least {:.3}, quarter {:.3}, half {:.3}, three quarters {:.3}, most {:.3}",
        gaps.len(),
        at(0),
        at(25),
        at(50),
        at(75),
        at(100)
    );
    // What was sent late makes the next one look early, by as much as the machine was busy.
    ensure!(at(5) > 0.70, "earlier than 25 %");
    ensure!(at(25) > 0.74 && at(50) < 0.95, "not between 75 and 90 %");
    ensure!(at(75) - at(25) > 0.02, "all alike");
    Ok(())
}

/// A packet from behind a router that `max_hops` does not allow is no packet: its session does not come up.
pub(crate) fn too_far(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::Routed)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let block = here.block().replace(" max_hops 1\n", "");
    let mut first = Speaker::start(ours, &world.first, &here)?;
    let _second = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    let up = wire.now();
    // The same with another limit, after a reload: what was up expires.
    first.daemon()?.reload(&block)?;
    let down = wire.hear(End::First, up, "Down", |packet| packet.state == DOWN)?;
    ensure!(down.diagnostic == crate::packets::EXPIRED, "{down:?}");
    let since = wire.now();
    // It goes on to say so, and hears nothing.
    wire.hear_many(End::First, since, 2, |packet| {
        packet.state == DOWN && packet.yours == 0
    })?;
    ensure!(
        wire.said(End::First, since)
            .iter()
            .all(|packet| packet.state == DOWN)
    );
    Ok(())
}

/// Over IPv6 without `hoplimit`: 64 is sent and demanded, which keeps other daemons of the same kind together.
pub(crate) fn hop_limit_of_ipv6(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V6, Hops::One)?;
    let wire = world.wire()?;
    let (mut here, mut there) = world.sessions()?;
    (here.hop_limit, there.hop_limit) = (None, None);
    let _first = Speaker::start(ours, &world.first, &here)?;
    let _second = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    for end in [End::First, End::Second] {
        let other = wire
            .said(end, BEGIN)
            .into_iter()
            .find(|packet| packet.ttl != 64);
        ensure!(other.is_none(), "{other:?}");
    }
    Ok(())
}

/// Many sessions between the same two hosts: all come up, and none goes down again.
pub(crate) fn many(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    const COUNT: u8 = 60;
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (mut here, mut there) = (String::new(), String::new());
    let (session, _) = world.sessions()?;
    for number in 0..COUNT {
        let (own, other) = (
            format!("198.18.0.{}", 60 + number),
            format!("198.18.0.{}", 160 + number),
        );
        world.first.add_address("eth0", &format!("{own}/24"))?;
        world.second.add_address("eth0", &format!("{other}/24"))?;
        for (text, own, neighbour) in [(&mut here, &own, &other), (&mut there, &other, &own)] {
            let mut session = session.clone();
            (session.own, session.neighbour) = (own.parse()?, neighbour.parse()?);
            *text += &session
                .block()
                .replace("_instance B ", &format!("_instance B{number} "));
        }
    }
    let first = Daemon::start(&world.first, &ours.executable()?, &here)?;
    let second = Daemon::start(&world.second, &theirs.executable()?, &there)?;
    let rose = |daemon: &Daemon| daemon.times_said(") Entering Up state");
    wait_until(SOON * 2, "all are up", || {
        rose(&first) >= usize::from(COUNT) && rose(&second) >= usize::from(COUNT)
    })?;
    let from = wire.now();
    // As many as two seconds have.
    wire.hear_many(End::First, from, 45 * usize::from(COUNT), |_| true)?;
    let said = wire.said(End::First, from);
    let discriminators: BTreeSet<u32> = said.iter().map(|packet| packet.mine).collect();
    ensure!(
        discriminators.len() == usize::from(COUNT),
        "{}",
        discriminators.len()
    );
    wire.stayed_up(End::First, from)?;
    for daemon in [&first, &second] {
        ensure!(rose(daemon) == usize::from(COUNT), "one went down");
    }
    Ok(())
}

/// What the daemon writes of its sessions when it is asked.
pub(crate) fn dump(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let mut first = Speaker::start(ours, &world.first, &here)?;
    let _second = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    let up = wire.now();
    wire.hear_many(End::First, up, 10, |packet| !packet.poll)?;
    let packet = wire.hear_up(End::First, up)?;
    let text = first
        .daemon()?
        .dump(SIGUSR1, "keepalived_bfd.data", |text| {
            text.contains("last seen = ")
        })?;
    for line in [
        "BFD Instance = B".to_owned(),
        "Neighbor IP = 198.18.0.2".to_owned(),
        "local state = Up".to_owned(),
        "remote state = Up".to_owned(),
        format!("local discriminator = {:#x}", packet.mine),
        format!("remote discriminator = {:#x}", packet.yours),
        "local tx intv = 50000 us".to_owned(),
    ] {
        ensure!(text.contains(&line), "{line:?} in {text}");
    }
    Ok(())
}
