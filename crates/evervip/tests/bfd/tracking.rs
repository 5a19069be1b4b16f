//! What virtual routers make of a session: a fault, or another priority; and how long an address is nowhere when the
//! session of its holder goes down.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Host, Lab, pause};
use types::{Claim, Family};

use crate::common::packets::{self, Advert, since};
use crate::common::{self, Daemon, SOON, gains, holds, loses};
use crate::packets::{ADMIN_DOWN, BEGIN, End, Wire};
use crate::processes::replace;
use crate::world::{Hops, INTERVAL, NAME, Program, Speaker, World};

pub(crate) const VIP: &str = "198.18.0.100";
const VRID: u8 = 51;

/// The address' other home, with a priority of 90, is not told of sessions.
const OTHER: u8 = 90;

pub(crate) fn instance(priority: u8, more: &str) -> String {
    format!(
        "vrrp_instance VI {{\n interface eth0\n virtual_router_id {VRID}\n priority {priority}\n version 3\n \
         advert_int 0.2\n virtual_ipaddress {{\n {VIP}/24\n }}\n {more}\n}}\n"
    )
}

pub(crate) fn track(words: &str) -> String {
    format!("track_bfd {{\n {NAME} {words}\n }}")
}

/// The first host has an address as long as it sees the second; otherwise a third one has.
struct Scene<'a> {
    world: &'a World,
    wire: Wire,
    ours: Speaker<'a>,
    third: &'a Host,
    _other: Daemon,
}

impl<'a> Scene<'a> {
    /// Without the second speaker. `priority` is the first one's, `words` are those of `track_bfd`.
    fn new(
        world: &'a World,
        third: &'a Host,
        program: Program,
        priority: u8,
        words: &str,
    ) -> Result<Self> {
        let (here, _) = world.sessions()?;
        let instance = |priority, more: &str| instance(priority, more);
        let other = Daemon::start(third, &program.executable()?, &instance(OTHER, ""))?;
        gains(third, VIP)?;
        let wire = world.wire()?;
        let more = instance(priority, &track(words));
        let ours = Speaker::start_with(program, &world.first, &here, &more)?;
        Ok(Self {
            world,
            wire,
            ours,
            third,
            _other: other,
        })
    }

    /// Starts the second speaker, and waits until both are up.
    fn appears(&self, program: Program) -> Result<Speaker<'a>> {
        let (_, there) = self.world.sessions()?;
        let from = self.wire.now();
        let speaker = Speaker::start(program, &self.world.second, &there)?;
        self.wire.both_up(from)?;
        Ok(speaker)
    }

    /// The first host has the address and the third has not.
    fn is_first(&self) -> Result<()> {
        gains(&self.world.first, VIP)?;
        loses(self.third, VIP)
    }

    /// The other way round.
    fn is_third(&self) -> Result<()> {
        gains(self.third, VIP)?;
        loses(&self.world.first, VIP)
    }
}

fn hosts(lab: &Lab) -> Result<(World, Host)> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let third = common::host(lab, &world.lan, "c", 3)?;
    Ok((world, third))
}

/// Without a weight a session that is down is a fault.
pub(crate) fn fault(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let (world, third) = hosts(lab)?;
    let scene = Scene::new(&world, &third, ours, 100, "")?;
    scene
        .ours
        .says_one_of(&["Entering FAULT STATE", "entering FAULT state"])?;
    let mut peer = scene.appears(theirs)?;
    scene.is_first()?;
    // The session as others see it, from where its priority is heard.
    let from = scene.wire.now();
    peer.crash()?;
    scene.is_third()?;
    scene.ours.says_one_of(&["(VI) Entering FAULT STATE"])?;
    let last = scene.wire.said(End::Second, BEGIN);
    let last = last.last().context("the second host was silent")?;
    // It says goodbye, and so the third need not miss it.
    let advert = |what: &str, wanted: fn(&Advert) -> bool| -> Result<Advert> {
        let is_wanted = |frame: &lab::Frame| packets::advert(frame).filter(wanted);
        let capture = &scene.wire.capture;
        let frame =
            capture.wait_for_since(from.count, what, SOON, |frame| is_wanted(frame).is_some())?;
        is_wanted(&frame).context("an advert")
    };
    let goodbye = advert("a goodbye", |advert| advert.claim == Claim::Leaving)?;
    let taken = advert("the next master", |advert| {
        advert.source.to_string().ends_with(".3")
    })?;
    println!(
        "after the last packet of the session: goodbye {:?}, the new master {:?}",
        since(goodbye.at, last.at),
        since(taken.at, last.at)
    );
    // And back.
    let from = scene.wire.now();
    peer.start_again(theirs)?;
    scene.wire.both_up(from)?;
    scene.is_first()
}

/// With a weight the priority differs.
pub(crate) fn weights(
    lab: &Lab,
    (ours, theirs): (Program, Program),
    priority: u8,
    words: &str,
    (down, up): (u8, u8),
) -> Result<()> {
    let (world, third) = hosts(lab)?;
    let scene = Scene::new(&world, &third, ours, priority, words)?;
    let expect = |priority: u8| -> Result<()> {
        if priority > OTHER {
            scene.is_first()
        } else {
            scene.is_third()
        }
    };
    let says = |from: u8, to: u8, times: usize| {
        let line = format!("(VI) Changing effective priority from {from} to {to}");
        scene.ours.logs(&line, times)
    };
    if priority != down {
        says(priority, down, 1)?;
    }
    expect(down)?;
    let mut peer = scene.appears(theirs)?;
    says(down, up, 1)?;
    expect(up)?;
    peer.crash()?;
    says(up, down, if priority == up { 2 } else { 1 })?;
    expect(down)?;
    ensure!(scene.ours.times_said("FAULT") == 0, "no fault");
    Ok(())
}

/// `reverse` without a weight that counts: the session that is up is the fault.
pub(crate) fn reverse(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let (world, third) = hosts(lab)?;
    let scene = Scene::new(&world, &third, ours, 100, "weight 0 reverse")?;
    scene.is_first()?;
    let mut peer = scene.appears(theirs)?;
    scene.is_third()?;
    scene.ours.says_one_of(&["(VI) Entering FAULT STATE"])?;
    peer.crash()?;
    scene.is_first()
}

/// All members of a group go when the session of one goes, and so they do when it is the group that tracks it.
pub(crate) fn groups(lab: &Lab, ours: Program, theirs: Program, tracker: Tracker) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let (of_group, of_member) = match tracker {
        Tracker::Group => (track(""), String::new()),
        Tracker::Member => (String::new(), track("")),
    };
    let second = instance(100, "")
        .replace("VI ", "VJ ")
        .replace(&format!("id {VRID}"), "id 52")
        .replace(VIP, "198.18.0.101");
    let more = format!(
        "vrrp_sync_group G {{\n group {{\n VI\n VJ\n }}\n {of_group}\n}}\n{}{second}",
        instance(100, &of_member)
    );
    let first = Speaker::start_with(ours, &world.first, &here, &more)?;
    first.says_one_of(&["FAULT STATE", "FAULT state"])?;
    pause(Duration::from_secs(1));
    let both = [VIP, "198.18.0.101"];
    ensure!(both.iter().all(|address| !holds(&world.first, address)));
    let mut peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    for address in both {
        gains(&world.first, address)?;
    }
    peer.crash()?;
    for address in both {
        loses(&world.first, address)?;
    }
    peer.start_again(theirs)?;
    for address in both {
        gains(&world.first, address)?;
    }
    Ok(())
}

/// Who of a sync group has `track_bfd`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tracker {
    Group,
    Member,
}

/// The neighbour's operator switches the session off: that is no failure, and nobody moves (section 6.8.16 of RFC 5880 and
/// section 3.2 of RFC 5882 leave it to the client; keepalived's clients hear nothing).
pub(crate) fn switched_off(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let (world, third) = hosts(lab)?;
    let mut scene = Scene::new(&world, &third, ours, 100, "")?;
    let mut peer = scene.appears(theirs)?;
    scene.is_first()?;
    let from = scene.wire.now();
    peer.tell_peer("shutdown")?;
    scene.wire.hear(End::Second, from, "AdminDown", |packet| {
        packet.state == ADMIN_DOWN
    })?;
    scene.ours.logs("(B) Entering Down state", 1)?;
    // For longer than the session would need to be missed.
    pause(Duration::from_millis(u64::from(INTERVAL) * 60));
    ensure!(holds(&world.first, VIP) && !holds(&third, VIP), "it moved");
    let faults = scene.ours.times_said("(VI) Entering FAULT STATE");
    // Nor when it is told anew, to the same process or another.
    if ours == Program::Evervip {
        let file = scene.ours.daemon()?.file();
        let text = std::fs::read_to_string(file)?;
        scene.ours.daemon()?.reload_whole(&text)?;
        let from = scene.wire.now();
        replace(&world.first, "bfd.pid")?;
        scene.wire.hear_many(End::First, from, 2, |_| true)?;
        pause(Duration::from_secs(1));
        ensure!(holds(&world.first, VIP) && !holds(&third, VIP), "it moved");
    }
    let from = scene.wire.now();
    peer.tell_peer("no shutdown")?;
    scene.wire.both_up(from)?;
    pause(Duration::from_secs(1));
    ensure!(holds(&world.first, VIP) && !holds(&third, VIP), "it moved");
    ensure!(scene.ours.times_said("(VI) Entering FAULT STATE") == faults);
    // A failure is one as before.
    peer.crash()?;
    scene.is_third()
}

/// Sessions whose events go to the checkers only are none that a virtual router could track.
pub(crate) fn for_checkers_only(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (mut here, there) = world.sessions()?;
    here.more = "checker".to_owned();
    let more = instance(100, &track("weight 10"));
    let mut first = Speaker::start_with(ours, &world.first, &here, &more)?;
    let _peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    gains(&world.first, VIP)?;
    ensure!(first.times_said("Changing effective priority") == 0);
    here.more = "vrrp".to_owned();
    first.daemon()?.reload(&(here.block() + &more))?;
    first.logs("(VI) Changing effective priority from 100 to 110", 1)
}
