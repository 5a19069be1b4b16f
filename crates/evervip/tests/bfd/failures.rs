//! What is noticed, how soon, and what is said of it: the other end dies, freezes, is cut off, is switched off, or is
//! there again before it was missed.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, pause};
use types::Family;

use crate::common::packets::since;
use crate::packets::{
    ADMIN_DOWN, BEGIN, Control, DOWN, EXPIRED, End, Moment, NEIGHBOUR_DOWN, UP, Wire,
};
use crate::world::{Hops, INTERVAL, MULTIPLIER, Program, Speaker, World};

const DETECTION: Duration = Duration::from_millis(INTERVAL as u64 * MULTIPLIER as u64);

const EXPIRY: &str = "(B) Entering Down state (Local diagnostic - Control Detection Time Expired, \
                      Remote diagnostic - No Diagnostic)";
const TOLD: &str = "(B) Entering Down state (Local diagnostic - Neighbor Signaled Session Down, \
                    Remote diagnostic - ";
const ROSE: &str = "(B) Entering Up state";

/// A session that is up.
struct Scene<'a> {
    wire: Wire,
    first: Speaker<'a>,
    second: Speaker<'a>,
    /// The discriminators.
    ours: u32,
    theirs: u32,
}

impl<'a> Scene<'a> {
    fn new(world: &'a World, ours: Program, theirs: Program) -> Result<Self> {
        let wire = world.wire()?;
        let (here, there) = world.sessions()?;
        let first = Speaker::start(ours, &world.first, &here)?;
        let second = Speaker::start(theirs, &world.second, &there)?;
        wire.both_up(BEGIN)?;
        first.logs(ROSE, 1)?;
        // With the poll sequence over: before, detection takes as long as the idle interval makes it.
        let up = wire.now();
        for end in [End::First, End::Second] {
            wire.hear_many(end, up, 10, |packet| packet.state == UP && !packet.poll)?;
        }
        let mine = |end| -> Result<u32> { Ok(wire.hear_up(end, BEGIN)?.mine) };
        let (ours, theirs) = (mine(End::First)?, mine(End::Second)?);
        Ok(Self {
            wire,
            first,
            second,
            ours,
            theirs,
        })
    }

    /// Waits for the first packet of ours that is not Up, which is to say that nobody was heard, with a new
    /// discriminator and none of the other end's.
    fn is_missed(&self, from: Moment) -> Result<Control> {
        let down = self
            .wire
            .hear(End::First, from, "Down", |packet| packet.state == DOWN)?;
        self.first.logs(EXPIRY, 1)?;
        ensure!(down.diagnostic == EXPIRED, "{down:?}");
        ensure!(down.yours == 0, "it knows the lost one: {down:?}");
        ensure!(down.mine != self.ours, "the old discriminator: {down:?}");
        Ok(down)
    }

    /// Waits until it is up again since a moment, and gives the new packets.
    fn is_back(&self, from: Moment, times: usize) -> Result<(Control, Control)> {
        let first = self.wire.hear_up(End::First, from)?;
        let second = self.wire.hear_up(End::Second, from)?;
        self.first.logs(ROSE, times)?;
        Ok((first, second))
    }
}

fn one_segment(lab: &Lab) -> Result<World> {
    World::new(lab, Family::V4, Hops::One)
}

/// How long it was silent before it was missed: not less than the detection time.
fn in_time(scene: &Scene<'_>, down: &Control) -> Result<()> {
    let said = scene.wire.said(End::Second, BEGIN);
    let last = said
        .iter()
        .rfind(|packet| !since(down.at, packet.at).is_zero());
    let Some(last) = last else {
        anyhow::bail!("the second host said nothing before {down:?}");
    };
    let silence = since(down.at, last.at);
    println!("Down {silence:?} after the last packet, with a detection time of {DETECTION:?}");
    // The time starts when the packet is read, which is later than the capture has it.
    ensure!(silence > DETECTION - Duration::from_millis(20), "too early");
    Ok(())
}

/// Killed as a power cut would; then there is another one in its place.
pub(crate) fn killed(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = one_segment(lab)?;
    let mut scene = Scene::new(&world, ours, theirs)?;
    let from = scene.wire.now();
    scene.second.crash()?;
    let down = scene.is_missed(from)?;
    in_time(&scene, &down)?;
    // From here on it is slow.
    let slow = scene.wire.now();
    let said = scene.wire.hear_many(End::First, slow, 3, |_| true)?;
    for gap in crate::packets::gaps(&said) {
        ensure!(gap > Duration::from_millis(700), "{gap:?} while down");
    }
    let back = scene.wire.now();
    scene.second.start_again(theirs)?;
    let (first, second) = scene.is_back(back, 2)?;
    ensure!(second.mine != scene.theirs || theirs == Program::Keepalived);
    ensure!(first.yours == second.mine && second.yours == first.mine);
    Ok(())
}

/// Stopped on its feet, and let go on.
pub(crate) fn frozen(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = one_segment(lab)?;
    let scene = Scene::new(&world, ours, theirs)?;
    let from = scene.wire.now();
    scene.second.freeze()?;
    let down = scene.is_missed(from)?;
    in_time(&scene, &down)?;
    let back = scene.wire.now();
    scene.second.thaw()?;
    // What it says first is from before.
    scene
        .wire
        .hear(End::Second, back, "not Up", |packet| packet.state != UP)?;
    let back = scene.wire.now();
    scene.is_back(back, 2)?;
    Ok(())
}

/// The cable of one of the hosts is pulled: both notice.
pub(crate) fn cut_off(
    lab: &Lab,
    ours: Program,
    theirs: Program,
    whose: fn(&World) -> &Host,
) -> Result<()> {
    let world = one_segment(lab)?;
    let scene = Scene::new(&world, ours, theirs)?;
    let from = scene.wire.now();
    whose(&world).pull_cable("eth0")?;
    scene.first.logs(EXPIRY, 1)?;
    scene.second.logs(EXPIRY, 1)?;
    if theirs == Program::Frr {
        lab::wait_until(crate::common::SOON, "bfdd misses us", || {
            scene
                .second
                .peers_of_frr()
                .is_ok_and(|text| text.contains("Status: down"))
        })?;
        let text = scene.second.peers_of_frr()?;
        ensure!(
            text.contains("Diagnostics: control detection time expired"),
            "{text}"
        );
    }
    whose(&world).plug_cable("eth0")?;
    // Packets of the old session that waited for the other's MAC address come first, and do no harm.
    let first = scene.wire.hear(End::First, from, "Up, newly", |packet| {
        packet.state == UP && packet.mine != scene.ours
    })?;
    let second = scene.wire.hear(End::Second, from, "Up, newly", |packet| {
        packet.state == UP && packet.yours == first.mine
    })?;
    // bfdd keeps its own.
    ensure!(
        theirs == Program::Frr || second.mine != scene.theirs,
        "the old discriminator: {second:?}"
    );
    let up = scene.wire.now();
    for end in [End::First, End::Second] {
        scene.wire.hear_many(end, up, 20, |_| true)?;
        scene.wire.stayed_up(end, up)?;
    }
    scene.first.logs(ROSE, 2)?;
    scene.second.logs(ROSE, 2)
}

/// There again before it was missed: it does not know of the session, says so, and is believed at once.
pub(crate) fn restarted(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = one_segment(lab)?;
    let mut scene = Scene::new(&world, ours, theirs)?;
    let from = scene.wire.now();
    scene.second.restart_at_once(theirs)?;
    let fresh = scene
        .wire
        .hear(End::Second, from, "a new session", |packet| {
            packet.mine != scene.theirs
        })?;
    ensure!(fresh.state == DOWN && fresh.yours == 0, "{fresh:?}");
    let down = scene
        .wire
        .hear(End::First, from, "not Up", |packet| packet.state != UP)?;
    ensure!(
        down.state == DOWN && down.diagnostic == NEIGHBOUR_DOWN && down.mine != scene.ours,
        "{down:?}"
    );
    println!(
        "Down {:?} after the first packet of the new one",
        since(down.at, fresh.at)
    );
    scene.first.logs(TOLD, 1)?;
    let (first, second) = scene.is_back(from, 2)?;
    let (first, second) = (
        scene.wire.hear(End::First, from, "Up, newly", |packet| {
            packet.state == UP && packet.mine == down.mine
        })?,
        if second.mine == fresh.mine {
            second
        } else {
            ensure!(first.mine == scene.ours, "{first:?}");
            scene.wire.hear(End::Second, from, "Up, newly", |packet| {
                packet.state == UP && packet.mine == fresh.mine
            })?
        },
    );
    ensure!(first.yours == second.mine, "{first:?} {second:?}");
    Ok(())
}

/// Stopped as an operator would: nobody takes leave, and so it is missed.
pub(crate) fn stopped(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = one_segment(lab)?;
    let mut scene = Scene::new(&world, ours, theirs)?;
    let from = scene.wire.now();
    scene.second.stop()?;
    scene.is_missed(from)?;
    let said = scene.wire.said(End::Second, from);
    ensure!(said.iter().all(|packet| packet.state == UP), "{said:?}");
    // So it is when the one that is stopped is ours.
    let back = scene.wire.now();
    scene.second.start_again(theirs)?;
    scene.is_back(back, 2)?;
    let from = scene.wire.now();
    scene.first.stop()?;
    scene
        .wire
        .hear(End::Second, from, "Down", |packet| packet.state == DOWN)?;
    let said = scene.wire.said(End::First, from);
    ensure!(said.iter().all(|packet| packet.state == UP), "{said:?}");
    Ok(())
}

/// Switched off by its operator (bfdd only): we are down at once, stay so, and come back when it does.
pub(crate) fn switched_off(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = one_segment(lab)?;
    let scene = Scene::new(&world, ours, theirs)?;
    let from = scene.wire.now();
    scene.second.tell_peer("shutdown")?;
    let off = scene.wire.hear(End::Second, from, "AdminDown", |packet| {
        packet.state == ADMIN_DOWN
    })?;
    let down = scene
        .wire
        .hear(End::First, from, "not Up", |packet| packet.state != UP)?;
    println!(
        "Down {:?} after the first AdminDown",
        since(down.at, off.at)
    );
    ensure!(
        down.state == DOWN && down.diagnostic == NEIGHBOUR_DOWN && down.mine != scene.ours,
        "{down:?}"
    );
    scene.first.logs(TOLD, 1)?;
    // It stays so for longer than anything takes that could have been begun.
    let off = scene.wire.now();
    pause(DETECTION);
    scene.wire.hear_many(End::First, off, 3, |_| true)?;
    ensure!(
        scene
            .wire
            .said(End::First, off)
            .iter()
            .all(|packet| packet.state == DOWN)
    );
    scene.first.logs(ROSE, 1)?;
    let back = scene.wire.now();
    scene.second.tell_peer("no shutdown")?;
    scene.is_back(back, 2)?;
    Ok(())
}

/// The own interface is switched off for longer than the neighbour waits: no packet can be sent, which is said once.
pub(crate) fn interface_down(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = one_segment(lab)?;
    let scene = Scene::new(&world, ours, theirs)?;
    let from = scene.wire.now();
    world.first.link_down("eth0")?;
    scene.first.logs(EXPIRY, 1)?;
    scene
        .wire
        .hear(End::Second, from, "Down", |packet| packet.state == DOWN)?;
    // Some more attempts.
    pause(Duration::from_secs(2));
    world.first.link_up("eth0")?;
    scene.wire.hear(End::First, from, "Up, newly", |packet| {
        packet.state == UP && packet.mine != scene.ours
    })?;
    scene.first.logs(ROSE, 2)?;
    if ours == Program::Evervip {
        scene.first.logs("(B) Error sending packet", 1)?;
        scene.first.logs("(B) packets are sent again", 1)?;
    }
    Ok(())
}

/// The own address is not there yet; when it comes, the session begins. And when it goes, it ends.
pub(crate) fn own_address_comes(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    const OWN: &str = "198.18.0.77";
    let world = one_segment(lab)?;
    let wire = world.wire()?;
    let (mut here, mut there) = world.sessions()?;
    (here.own, there.neighbour) = (OWN.parse()?, OWN.parse()?);
    let first = Speaker::start(ours, &world.first, &here)?;
    let _second = Speaker::start(theirs, &world.second, &there)?;
    first.says_one_of(&["(B) Entering AdminDown state: no socket to send from"])?;
    // Some more attempts.
    pause(Duration::from_secs(3));
    first.logs("(B) Entering AdminDown state", 1)?;
    ensure!(wire.said(End::First, BEGIN).is_empty());
    world.first.add_address("eth0", &format!("{OWN}/24"))?;
    wire.both_up(BEGIN)?;
    first.logs("(B) there is a socket to send from now", 1)?;
    first.logs(ROSE, 1)?;
    let from = wire.now();
    world.first.remove_address("eth0", &format!("{OWN}/24"))?;
    wire.hear(End::Second, from, "Down", |packet| packet.state == DOWN)?;
    first.says_one_of(&[EXPIRY])?;
    world.first.add_address("eth0", &format!("{OWN}/24"))?;
    first.logs(ROSE, 2)
}

/// Another daemon has the port. When it is gone, the session comes up; until then it is said once that it cannot.
pub(crate) fn port_is_taken(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = one_segment(lab)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let mut other = here.clone();
    other.neighbour = "198.18.0.99".parse()?;
    let mut squatter = Speaker::start(Program::Frr, &world.first, &other)?;
    let first = Speaker::start(ours, &world.first, &here)?;
    let _second = Speaker::start(theirs, &world.second, &there)?;
    first.says_one_of(&["another BFD daemon may run here"])?;
    pause(Duration::from_secs(3));
    first.logs("another BFD daemon may run here", 1)?;
    first.logs(ROSE, 0)?;
    squatter.stop()?;
    first.says_one_of(&["are heard now"])?;
    wire.both_up(BEGIN)?;
    first.logs(ROSE, 1)
}
