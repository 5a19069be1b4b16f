//! Processes of the daemon that die while a session is up: who is told again, and what the neighbour sees of it.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, Pid, pause, wait_until};
use types::Family;

use crate::common::{SIGCONT, SIGKILL, SIGSTOP, SOON, gains, holds, loses, pid_in, script};
use crate::packets::{BEGIN, Control, DOWN, End, Moment, UP, Wire, gaps};
use crate::tracking::{VIP, instance, track};
use crate::world::{Hops, INTERVAL, MULTIPLIER, Program, Speaker, World, bfd_pid};

/// Ends the process whose number is in a file, and waits for its successor.
pub(crate) fn replace(host: &Host, file: &str) -> Result<()> {
    let number = || -> Result<Pid> { pid_in(&host.directory().join(file)) };
    let old = number()?;
    sys::process::kill(old, SIGKILL)?;
    wait_until(SOON, &format!("another process in {file}"), || {
        number().is_ok_and(|new| new != old)
    })
}

/// The VRRP process is another one; the session was up all the time, and it is told so. keepalived's waits for the next
/// change, and its instances stay in FAULT.
pub(crate) fn vrrp_process(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let more = instance(100, &track(""));
    let first = Speaker::start_with(ours, &world.first, &here, &more)?;
    let _peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    gains(&world.first, VIP)?;
    let (from, sessions) = (wire.now(), bfd_pid(&world.first)?);
    for round in 1..=2 {
        replace(&world.first, "vrrp.pid")?;
        let up = "Received BFD event: instance B is in state Up";
        wait_until(SOON, "the next one is told", || {
            first.times_said(up) > round
        })?;
        gains(&world.first, VIP)?;
    }
    // That nobody changes his mind takes a moment to show.
    pause(Duration::from_secs(1));
    ensure!(holds(&world.first, VIP));
    let faults = first.times_said("(VI) Entering FAULT STATE");
    ensure!(faults == 1, "{faults} faults, not only the first");
    ensure!(bfd_pid(&world.first)? == sessions, "nobody else has died");
    wire.stayed_up(End::First, from)
}

/// A session that is up, and an instance that needs it.
struct Scene<'a> {
    world: &'a World,
    wire: Wire,
    first: Speaker<'a>,
    peer: Speaker<'a>,
    /// From the first host, when it was up.
    before: Control,
}

impl<'a> Scene<'a> {
    fn new(world: &'a World, ours: Program, theirs: Program) -> Result<Self> {
        let wire = world.wire()?;
        let (here, there) = world.sessions()?;
        let more = instance(100, &track(""));
        let first = Speaker::start_with(ours, &world.first, &here, &more)?;
        let peer = Speaker::start(theirs, &world.second, &there)?;
        wire.both_up(BEGIN)?;
        gains(&world.first, VIP)?;
        let up = wire.now();
        for end in [End::First, End::Second] {
            wire.hear_many(end, up, 10, |packet| packet.state == UP && !packet.poll)?;
        }
        let before = wire.hear_up(End::First, up)?;
        Ok(Self {
            world,
            wire,
            first,
            peer,
            before,
        })
    }

    /// The successor begins anew, under another discriminator, and both are up again.
    fn begins_anew(&self, from: Moment) -> Result<()> {
        let new = self
            .wire
            .hear(End::First, from, "a new discriminator", |packet| {
                packet.mine != self.before.mine
            })?;
        ensure!(new.state == DOWN && new.yours == 0, "{new:?}");
        let up = self.wire.hear(End::First, from, "Up, newly", |packet| {
            packet.state == UP && packet.mine == new.mine
        })?;
        self.wire.hear(End::Second, from, "Up, newly", |packet| {
            packet.state == UP && packet.yours == up.mine
        })?;
        self.first.logs("(B) Entering Up state", 2)?;
        self.peer.logs("(B) Entering Up state", 2)?;
        gains(&self.world.first, VIP)
    }
}

const RESUMED: &str = "(B) was up before the restart and stays up";

/// The BFD process is another one. keepalived's begins anew; ours goes on before the neighbour has missed it, and has it
/// confirm what it goes on with.
pub(crate) fn bfd_process(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let scene = Scene::new(&world, ours, theirs)?;
    let from = scene.wire.now();
    replace(&world.first, "bfd.pid")?;
    if ours == Program::Keepalived {
        return scene.begins_anew(from);
    }
    let mut socket = scene.before.from;
    for round in 0..2 {
        let poll = scene
            .wire
            .hear(End::First, from, "a question from a new socket", |packet| {
                packet.poll && packet.from != socket
            })?;
        socket = poll.from;
        scene.wire.hear(End::Second, from, "an answer", |packet| {
            packet.is_final && packet.at >= poll.at
        })?;
        // So it goes on for the next one.
        if round == 0 {
            scene.first.logs(RESUMED, 1)?;
            replace(&world.first, "bfd.pid")?;
        }
    }
    scene.first.logs(RESUMED, 2)?;
    let after = scene.wire.now();
    for end in [End::First, End::Second] {
        scene.wire.hear_many(end, after, 40, |_| true)?;
        scene.wire.stayed_up(end, from)?;
    }
    let said = scene.wire.said(End::First, from);
    ensure!(
        said.iter()
            .all(|packet| packet.mine == scene.before.mine && packet.yours == scene.before.yours),
        "another session"
    );
    let longest = gaps(&said).into_iter().max().unwrap_or_default();
    println!("the longest silence: {longest:?}");
    for speaker in [&scene.first, &scene.peer] {
        speaker.logs("(B) Entering Up state", 1)?;
    }
    ensure!(holds(&world.first, VIP));
    let faults = scene.first.times_said("(VI) Entering FAULT STATE");
    ensure!(faults == 1, "{faults} faults, not only the first");
    // It is a session as before: a loss is noticed.
    let mut peer = scene.peer;
    peer.crash()?;
    scene.first.logs("(B) Entering Down state", 1)?;
    loses(&world.first, VIP)
}

/// The same, when it hung for longer than the neighbour waits.
pub(crate) fn bfd_process_hangs(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let scene = Scene::new(&world, ours, theirs)?;
    let from = scene.wire.now();
    sys::process::kill(bfd_pid(&world.first)?, SIGSTOP)?;
    scene
        .wire
        .hear(End::Second, from, "Down", |packet| packet.state == DOWN)?;
    replace(&world.first, "bfd.pid")?;
    scene.begins_anew(from)
}

/// The process sleeps for longer than it would wait for the neighbour, which goes on speaking: nobody was silent.
pub(crate) fn asleep(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (mut here, there) = world.sessions()?;
    // The neighbour has more patience.
    here.multiplier = 250;
    let first = Speaker::start_with(ours, &world.first, &here, &instance(100, &track("")))?;
    let _peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    gains(&world.first, VIP)?;
    let up = wire.now();
    wire.hear_many(End::First, up, 10, |packet| !packet.poll)?;
    let from = wire.now();
    let pid = bfd_pid(&world.first)?;
    sys::process::kill(pid, SIGSTOP)?;
    let detection = Duration::from_millis(u64::from(INTERVAL) * u64::from(MULTIPLIER));
    pause(detection + Duration::from_secs(1));
    sys::process::kill(pid, SIGCONT)?;
    let awake = wire.now();
    wire.hear_many(End::First, awake, 30, |_| true)?;
    for end in [End::First, End::Second] {
        wire.stayed_up(end, from)?;
    }
    first.logs("(B) Entering Up state", 1)?;
    ensure!(bfd_pid(&world.first)? == pid && holds(&world.first, VIP));
    Ok(())
}

/// The name of the service in lines of the FIFO.
const VS: &str = "VS [198.18.0.200]:tcp:80";
/// The name of its only real server there.
const RS: &str = "RS [198.18.0.2]:tcp:80 [198.18.0.200]:tcp:80";

/// A service with one real server that goes by the session, and a FIFO whose lines go to a file.
fn service(host: &Host, more: &str) -> Result<String> {
    script(host.directory(), "reader", "exec cat \"$2\" >>\"$1\"")?;
    let at = host.directory().display();
    Ok(format!(
        "global_defs {{\n script_user root\n lvs_notify_fifo {at}/lvs\n lvs_notify_fifo_script \"{at}/reader {at}/lines\"\n}}\n\
         virtual_server 198.18.0.200 80 {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n {more}\n \
         real_server 198.18.0.2 80 {{\n BFD_CHECK {{\n name B\n }}\n }}\n}}\n"
    ))
}

/// The lines of the FIFO until now.
fn lines(host: &Host) -> Vec<String> {
    let text = fs::read_to_string(host.directory().join("lines")).unwrap_or_default();
    let lines = text.split(['\0', '\n']).filter(|line| !line.is_empty());
    lines
        .map(|line| line.replace(RS, "RS").replace(VS, "VS"))
        .collect()
}

/// Waits until they are these.
fn expect(host: &Host, wanted: &[&str]) -> Result<()> {
    wait_until(SOON, &format!("{wanted:?}"), || lines(host) == wanted)
        .map_err(|error| error.context(format!("{:?}", lines(host))))
}

/// How often the check was said to be in a state.
fn checks(speaker: &Speaker<'_>, state: &str) -> usize {
    speaker
        .output()
        .lines()
        .filter(|line| {
            line.contains("BFD check of [B] RS([198.18.0.2]:tcp:80") && line.ends_with(state)
        })
        .count()
}

/// A real server comes and goes with the session.
pub(crate) fn real_server(lab: &Lab, ours: Program, theirs: Program, alpha: bool) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let host = &world.first;
    let more = service(host, if alpha { "alpha" } else { "" })?;
    let first = Speaker::start_with(ours, host, &here, &more)?;
    // No session is up at first, so the server is not taken for good until it is; keepalived does so, for some moments,
    // unless it has `alpha`.
    let mut said = vec!["RS DOWN"];
    expect(host, &said)?;
    let mut peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    said.extend(["RS UP", "VS UP"]);
    expect(host, &said)?;
    ensure!((checks(&first, "DOWN"), checks(&first, "UP")) == (1, 1));
    // The next process takes over what is there; what it is told is not news.
    replace(host, "checkers.pid")?;
    let told = first.times_said("Received BFD event: instance B is in state Up");
    wait_until(SOON, "it is told", || {
        first.times_said("Received BFD event: instance B is in state Up") > told.min(1)
    })?;
    pause(Duration::from_secs(1));
    let after = lines(host);
    println!("of the new process: {:?}", after.get(said.len()..));
    ensure!(
        !after
            .iter()
            .skip(said.len())
            .any(|line| line.ends_with("DOWN")),
        "{after:?}"
    );
    ensure!(checks(&first, "DOWN") == 1, "it was taken for down");
    let mut said = after;
    peer.crash()?;
    said.extend(["RS DOWN".to_owned(), "VS DOWN".to_owned()]);
    let wanted: Vec<&str> = said.iter().map(String::as_str).collect();
    expect(host, &wanted)?;
    ensure!(checks(&first, "DOWN") == 2);
    peer.start_again(theirs)?;
    said.extend(["RS UP".to_owned(), "VS UP".to_owned()]);
    let wanted: Vec<&str> = said.iter().map(String::as_str).collect();
    expect(host, &wanted)
}

const DOWN_EVENT: &str = "Received BFD event: instance B is in state Down";

/// Both processes go by the same session, and both are told.
pub(crate) fn both_are_told(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let more = service(&world.first, "")? + &instance(100, &track(""));
    let first = Speaker::start_with(ours, &world.first, &here, &more)?;
    let mut peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(BEGIN)?;
    wait_until(SOON, "the server is in", || checks(&first, "UP") == 1)?;
    gains(&world.first, VIP)?;
    let heard = first.times_said(DOWN_EVENT);
    peer.crash()?;
    loses(&world.first, VIP)?;
    wait_until(SOON, "each has heard", || {
        first.times_said(DOWN_EVENT) == heard + 2
    })?;
    wait_until(SOON, "the server is out", || checks(&first, "DOWN") == 2)
}
