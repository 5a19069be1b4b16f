//! Sync groups beside Debian's keepalived: whatever happens to one member, all of them move, and no host ever keeps one
//! address of two. And both tell it in the same order.

mod common;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Capture, Direction, Host, Lab, Segment, pause, scenario, wait_until};
use types::Claim;

use common::packets::{adverts, claims};
use common::{Daemon, SOON, evervip, keepalived};

fn main() -> ExitCode {
    scenario::main(&[
        ("evervip_leads", |lab| {
            moves(lab, &evervip(), &keepalived()?)
        }),
        ("keepalived_leads", |lab| {
            moves(lab, &keepalived()?, &evervip())
        }),
        ("told_in_keepaliveds_order", told_in_keepaliveds_order),
        ("a_new_member_joins_the_masters", a_new_member_joins),
    ])
}

/// Half a second leaves a busy machine time to be late.
const INTERVAL: Duration = Duration::from_millis(500);
const LINKS: [&str; 2] = ["eth0", "eth1"];
const ADDRESSES: [&str; 2] = ["198.18.0.100", "198.19.0.100"];
/// Of the member that a reload adds, on the first link.
const THIRD: &str = "198.18.0.103";

fn member(name: &str, link: &str, vrid: u8, priority: u8, address: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n interface {link}\n virtual_router_id {vrid}\n priority {priority}\n version 3\n \
         advert_int 0.5\n virtual_ipaddress {{\n {address}/32\n }}\n}}\n"
    )
}

fn group(members: &str) -> String {
    format!("vrrp_sync_group G {{\n group {{\n {members}\n }}\n}}\n")
}

fn two(priority: u8) -> String {
    let [outer, inner] = ADDRESSES;
    member("OUTER", "eth0", 51, priority, outer)
        + &member("INNER", "eth1", 52, priority, inner)
        + &group("OUTER\n INNER")
}

fn three(priority: u8) -> String {
    let [outer, inner] = ADDRESSES;
    member("OUTER", "eth0", 51, priority, outer)
        + &member("INNER", "eth1", 52, priority, inner)
        + &member("THIRD", "eth0", 53, priority, THIRD)
        + &group("OUTER\n INNER\n THIRD")
}

/// A host with both links.
fn host(lab: &Lab, lans: &[Segment; 2], name: &str, number: u8) -> Result<Host> {
    let [outer, inner] = lans;
    let host = common::host(lab, outer, name, number)?;
    host.connect(inner, "eth1")?;
    host.add_address("eth1", &format!("198.19.0.{number}/24"))?;
    Ok(host)
}

/// How many of the two addresses a host has.
fn held(host: &Host) -> usize {
    let has = |(link, address): (&str, &str)| host.has_address(link, address).unwrap_or(false);
    LINKS
        .into_iter()
        .zip(ADDRESSES)
        .filter(|one| has(*one))
        .count()
}

/// Waits until one host has everything and the other one nothing.
fn all_on(holder: &Host, other: &Host, why: &str) -> Result<()> {
    let counts = || (held(holder), held(other));
    wait_until(SOON, why, || counts() == (2, 0)).with_context(|| format!("{:?}", counts()))
}

/// Waits until a host advertises on both links. (A host that has crashed keeps its addresses, so they say nothing.)
fn advertises(
    captures: &[Capture; 2],
    since: [usize; 2],
    from: Direction,
    priority: u8,
) -> Result<()> {
    for (capture, since) in captures.iter().zip(since) {
        capture.wait_for_since(since, "its adverts", SOON, |frame| {
            claims(frame, from, priority)
        })?;
    }
    Ok(())
}

/// Losing one link moves both addresses, and so does a crash; both come back.
fn moves(lab: &mut Lab, leader: &Path, follower: &Path) -> Result<()> {
    let lans = [lab.segment()?, lab.segment()?];
    let a = host(lab, &lans, "a", 1)?;
    let b = host(lab, &lans, "b", 2)?;
    let captures = [b.capture("eth0")?, b.capture("eth1")?];
    let now = || captures.each_ref().map(Capture::count);
    let mut leading = Daemon::start(&a, leader, &two(150))?;
    wait_until(SOON, "a has both", || held(&a) == 2)?;
    let mut following = Daemon::start(&b, follower, &two(100))?;
    following.says("(INNER) Entering BACKUP STATE")?;
    pause(INTERVAL * 6);
    all_on(&a, &b, "the better one stays master")?;

    for link in LINKS {
        a.pull_cable(link)?;
        all_on(&b, &a, "both move")?;
        a.plug_cable(link)?;
        all_on(&a, &b, "both return")?;
    }
    // A follower that is faulty is nobody's business.
    b.pull_cable("eth1")?;
    following.says("Syncing instances to FAULT state")?;
    all_on(&a, &b, "nothing moves")?;
    b.plug_cable("eth1")?;
    pause(INTERVAL * 6);
    all_on(&a, &b, "nothing moves")?;

    let crash = now();
    leading.crash()?;
    advertises(&captures, crash, Direction::Out, 100)?;
    wait_until(SOON, "b has both", || held(&b) == 2)?;
    let back = now();
    let _leading = Daemon::start(&a, leader, &two(150))?;
    advertises(&captures, back, Direction::In, 150)?;
    all_on(&a, &b, "both return")?;
    following.crash()?;
    pause(INTERVAL * 6);
    all_on(&a, &b, "the other one's end changes nothing")
}

/// `(NAME) STATE` for each thing that a program tells, in its order.
fn story(text: &str, told: impl Fn(&str) -> Option<String>) -> Vec<String> {
    text.lines().filter_map(told).collect()
}

/// keepalived's FIFO: `INSTANCE "A" MASTER 150`.
fn from_fifo(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().skip(1);
    let (name, state) = (words.next()?, words.next()?);
    Some(format!("{} {state}", name.trim_matches('"')))
}

/// Our log, which derives from the same announcements as all that is to come.
fn from_log(line: &str) -> Option<String> {
    let (_, line) = line.split_once(": ")?;
    if let Some(rest) = line.strip_prefix("VRRP_Group(") {
        let (name, rest) = rest.split_once(") Syncing instances to ")?;
        return Some(format!("{name} {}", rest.strip_suffix(" state")?));
    }
    let (name, rest) = line.strip_prefix('(')?.split_once(") ")?;
    if rest == "Stopping" {
        return Some(format!("{name} STOP"));
    }
    let state = rest.strip_prefix("Entering ")?.split(' ').next()?;
    Some(format!("{name} {state}"))
}

/// Both programs meet with the same, each alone: they begin, become master, lose a link, get it back, and are stopped.
fn told_in_keepaliveds_order(lab: &mut Lab) -> Result<()> {
    let theirs = tell(lab, "theirs", &keepalived()?)?;
    let ours = tell(lab, "ours", &evervip())?;
    ensure!(theirs.len() == 24, "keepalived tells {theirs:?}");
    ensure!(
        ours == theirs,
        "keepalived tells {theirs:?}, we tell {ours:?}"
    );
    Ok(())
}

fn tell(lab: &Lab, name: &str, program: &Path) -> Result<Vec<String>> {
    let lans = [lab.segment()?, lab.segment()?];
    let host = host(lab, &lans, name, 1)?;
    let fifo = host.directory().join("fifo");
    let is_ours = program == evervip();
    let [outer, inner] = ADDRESSES;
    // The one that waits longest is neither the first nor the last in the list.
    let mut configuration = member("A", "eth0", 51, 150, outer)
        + &member("B", "eth1", 52, 50, inner)
        + &member("C", "eth0", 53, 250, THIRD)
        + &group("A\n B\n C");
    let mut reader = None;
    if !is_ours {
        host.call(&format!("mkfifo {}", fifo.display()))?;
        reader = Some(host.spawn(Command::new("cat").arg(&fifo))?);
        configuration =
            format!("global_defs {{\n vrrp_notify_fifo {}\n}}\n", fifo.display()) + &configuration;
    }
    let mut daemon = Daemon::start(&host, program, &configuration)?;
    let so_far = |daemon: &Daemon| match &reader {
        Some(reader) => story(&reader.output_so_far(), from_fifo),
        None => story(&daemon.process.output_so_far(), from_log),
    };
    let reaches = |daemon: &Daemon, times: usize, state: &str| {
        let line = format!("G {state}");
        let count = || so_far(daemon).iter().filter(|told| **told == line).count();
        wait_until(
            SOON,
            &format!("{name} is {state} for the {times}. time"),
            || count() >= times,
        )
        .with_context(|| format!("{:?}", so_far(daemon)))
    };
    reaches(&daemon, 1, "MASTER")?;
    host.pull_cable("eth1")?;
    reaches(&daemon, 1, "FAULT")?;
    host.plug_cable("eth1")?;
    reaches(&daemon, 2, "MASTER")?;
    daemon.stop()?;
    reaches(&daemon, 1, "STOP")?;
    Ok(so_far(&daemon))
}

/// A member is added to a group of masters: it is master at once, and nobody else notices. (keepalived sends all of them to
/// BACKUP.)
fn a_new_member_joins(lab: &mut Lab) -> Result<()> {
    let lans = [lab.segment()?, lab.segment()?];
    let a = host(lab, &lans, "a", 1)?;
    let b = host(lab, &lans, "b", 2)?;
    let captures = [b.capture("eth0")?, b.capture("eth1")?];
    let mut ours = Daemon::start(&a, &evervip(), &two(150))?;
    wait_until(SOON, "a has both", || held(&a) == 2)?;
    let mut theirs = Daemon::start(&b, &keepalived()?, &two(100))?;
    theirs.says("(INNER) Entering BACKUP STATE")?;
    pause(INTERVAL * 3);
    let before = captures.each_ref().map(Capture::count);
    ours.reload(&three(150))?;
    common::gains(&a, THIRD)?;
    pause(INTERVAL * 6);
    for ((capture, since), vrid) in captures.iter().zip(before).zip([51, 52]) {
        let said = adverts(capture, since, Direction::In, vrid);
        ensure!(
            said.iter().all(|advert| advert.claim != Claim::Leaving),
            "a goodbye of {vrid}"
        );
        let answers = adverts(capture, since, Direction::Out, vrid);
        ensure!(
            answers.is_empty(),
            "keepalived took over {vrid}: {answers:?}"
        );
    }
    ensure!(ours.times_said("(OUTER) Entering") == 2 && ours.times_said("(INNER) Entering") == 2);
    ensure!(ours.times_said("(THIRD) Entering MASTER STATE") == 1);

    theirs.reload(&three(100))?;
    theirs.says("(THIRD) Entering BACKUP STATE")?;
    a.pull_cable("eth1")?;
    all_on(&b, &a, "all move")?;
    common::gains(&b, THIRD)?;
    common::loses(&a, THIRD)
}
