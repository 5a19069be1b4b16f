//! Processes of the daemon that die while a session is up: who is told again, and what the neighbour sees of it.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, Pid, pause, wait_until};
use types::Family;

use crate::common::{SIGKILL, SOON, gains, holds, loses, pid_in, script};
use crate::packets::{DOWN, End};
use crate::tracking::{VIP, instance, track};
use crate::world::{Hops, Program, Speaker, World, bfd_pid};

/// Ends the process whose number is in a file, and waits for its successor.
fn replace(host: &Host, file: &str) -> Result<()> {
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
    wire.both_up(0)?;
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

/// The BFD process is another one: it begins anew, under another discriminator, and both are up again.
pub(crate) fn bfd_process(lab: &Lab, ours: Program, theirs: Program) -> Result<()> {
    let world = World::new(lab, Family::V4, Hops::One)?;
    let wire = world.wire()?;
    let (here, there) = world.sessions()?;
    let more = instance(100, &track(""));
    let first = Speaker::start_with(ours, &world.first, &here, &more)?;
    let peer = Speaker::start(theirs, &world.second, &there)?;
    wire.both_up(0)?;
    gains(&world.first, VIP)?;
    let before = wire.hear_up(End::First, 0)?;
    let from = wire.now();
    replace(&world.first, "bfd.pid")?;
    let new = wire.hear(End::First, from, "a new discriminator", |packet| {
        packet.mine != before.mine
    })?;
    ensure!(new.state == DOWN && new.yours == 0, "{new:?}");
    let up = wire.hear_up(End::First, from).and_then(|_| {
        wire.hear(End::First, from, "Up, newly", |packet| {
            packet.state == crate::packets::UP && packet.mine == new.mine
        })
    })?;
    wire.hear(End::Second, from, "Up, newly", |packet| {
        packet.state == crate::packets::UP && packet.yours == up.mine
    })?;
    peer.logs("(B) Entering Up state", 2)?;
    first.logs("(B) Entering Up state", 2)?;
    gains(&world.first, VIP)
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
    wire.both_up(0)?;
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
    wire.both_up(0)?;
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
