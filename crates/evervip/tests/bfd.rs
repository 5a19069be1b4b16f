//! BFD beside other implementations: sessions come up, failures are noticed by both ends, and nobody can tell the packets
//! apart.
//!
//! A table as in `interop.rs`: who speaks, with whom, and the story, each cell a scenario of its own. With `EVERVIP_BFD_PEERS`
//! in the environment keepalived has rows as the speaker, too: what holds for it is known to be a fair demand. That is for whoever
//! writes a story; it says nothing about us.

#[path = "bfd/comes_up.rs"]
mod comes_up;
mod common;
#[path = "bfd/failures.rs"]
mod failures;
#[path = "bfd/packets.rs"]
mod packets;
#[path = "bfd/processes.rs"]
mod processes;
#[path = "bfd/reloads.rs"]
mod reloads;
#[path = "bfd/strangers.rs"]
mod strangers;
#[path = "bfd/tracking.rs"]
mod tracking;
#[path = "bfd/world.rs"]
mod world;

use std::env;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use lab::Lab;
use lab::scenario::{Scenario, Suite};
use types::Family;

use tracking::Tracker;
use world::{Hops, Program, Source};

/// Cells at a time: they mostly wait for somebody to be missed.
const JOBS: usize = 8;

/// Who speaks, and with whom.
const PAIRS: [(Program, Program); 3] = [
    (Program::Evervip, Program::Keepalived),
    (Program::Evervip, Program::Frr),
    (Program::Evervip, Program::Evervip),
];

/// The same of others.
const PEERS: [(Program, Program); 2] = [
    (Program::Keepalived, Program::Keepalived),
    (Program::Keepalived, Program::Frr),
];

/// A story of two speakers.
struct Story {
    title: &'static str,
    between: fn(Program, Program) -> bool,
    tell: fn(&Lab, Program, Program) -> Result<()>,
}

const ALL: fn(Program, Program) -> bool = |_, _| true;
/// What does not depend on whom it is about, or needs keywords of keepalived on both sides.
const NOT_FRR: fn(Program, Program) -> bool = |_, theirs| theirs != Program::Frr;
/// What happens on our host only, whoever is the other.
const ONE: fn(Program, Program) -> bool = |_, theirs| theirs == Program::Keepalived;
/// The same, where keepalived does otherwise or nothing: the stories say what.
const OURS: fn(Program, Program) -> bool =
    |ours, theirs| ours == Program::Evervip && theirs == Program::Keepalived;
/// What an operator can do with bfdd only.
const FRR: fn(Program, Program) -> bool = |_, theirs| theirs == Program::Frr;
/// keepalived 2.2.7 does not know the keyword `multihop`.
const MULTIHOP: fn(Program, Program) -> bool =
    |ours, theirs| ours != Program::Keepalived && theirs != Program::Keepalived;

const STORIES: &[Story] = &[
    Story {
        title: "up-ipv4",
        between: ALL,
        tell: |lab, ours, theirs| {
            comes_up::comes_up(lab, ours, theirs, (Family::V4, Hops::One, Source::Named))
        },
    },
    Story {
        title: "up-ipv4-any-source",
        between: ALL,
        tell: |lab, ours, theirs| {
            comes_up::comes_up(lab, ours, theirs, (Family::V4, Hops::One, Source::Chosen))
        },
    },
    Story {
        title: "up-ipv4-routed",
        between: NOT_FRR,
        tell: |lab, ours, theirs| {
            comes_up::comes_up(
                lab,
                ours,
                theirs,
                (Family::V4, Hops::Routed, Source::Chosen),
            )
        },
    },
    Story {
        title: "up-ipv4-multihop",
        between: MULTIHOP,
        tell: |lab, ours, theirs| {
            comes_up::comes_up(lab, ours, theirs, (Family::V4, Hops::Multi, Source::Named))
        },
    },
    Story {
        title: "up-ipv6",
        between: ALL,
        tell: |lab, ours, theirs| {
            comes_up::comes_up(lab, ours, theirs, (Family::V6, Hops::One, Source::Named))
        },
    },
    Story {
        title: "up-ipv6-any-source",
        between: ALL,
        tell: |lab, ours, theirs| {
            comes_up::comes_up(lab, ours, theirs, (Family::V6, Hops::One, Source::Chosen))
        },
    },
    Story {
        title: "up-ipv6-routed",
        between: NOT_FRR,
        tell: |lab, ours, theirs| {
            comes_up::comes_up(lab, ours, theirs, (Family::V6, Hops::Routed, Source::Named))
        },
    },
    Story {
        title: "up-ipv6-multihop",
        between: MULTIHOP,
        tell: |lab, ours, theirs| {
            comes_up::comes_up(lab, ours, theirs, (Family::V6, Hops::Multi, Source::Chosen))
        },
    },
    Story {
        title: "jitter",
        between: NOT_FRR,
        tell: comes_up::jitter,
    },
    Story {
        title: "too-far",
        between: NOT_FRR,
        tell: comes_up::too_far,
    },
    Story {
        title: "killed",
        between: ALL,
        tell: failures::killed,
    },
    Story {
        title: "frozen",
        between: ALL,
        tell: failures::frozen,
    },
    Story {
        title: "cut-off-here",
        between: ALL,
        tell: |lab, ours, theirs| failures::cut_off(lab, ours, theirs, |world| &world.first),
    },
    Story {
        title: "cut-off-there",
        between: NOT_FRR,
        tell: |lab, ours, theirs| failures::cut_off(lab, ours, theirs, |world| &world.second),
    },
    Story {
        title: "restarted",
        between: ALL,
        tell: failures::restarted,
    },
    Story {
        title: "stopped",
        between: ALL,
        tell: failures::stopped,
    },
    Story {
        title: "switched-off",
        between: FRR,
        tell: failures::switched_off,
    },
    Story {
        title: "up-ipv6-default-hop-limit",
        between: NOT_FRR,
        tell: comes_up::hop_limit_of_ipv6,
    },
    Story {
        title: "many",
        between: NOT_FRR,
        tell: comes_up::many,
    },
    Story {
        title: "dump",
        between: ONE,
        tell: comes_up::dump,
    },
    Story {
        title: "interface-down",
        between: ALL,
        tell: failures::interface_down,
    },
    Story {
        title: "own-address-comes",
        between: OURS,
        tell: failures::own_address_comes,
    },
    Story {
        title: "port-is-taken",
        between: OURS,
        tell: failures::port_is_taken,
    },
    Story {
        title: "track-fault",
        between: ALL,
        tell: tracking::fault,
    },
    Story {
        title: "track-weight-plus",
        between: ONE,
        tell: |lab, ours, theirs| {
            tracking::weights(lab, (ours, theirs), 80, "weight 20", (80, 100))
        },
    },
    Story {
        title: "track-weight-minus",
        between: ONE,
        tell: |lab, ours, theirs| {
            tracking::weights(lab, (ours, theirs), 100, "weight -20", (80, 100))
        },
    },
    Story {
        title: "track-weight-plus-reverse",
        between: ONE,
        tell: |lab, ours, theirs| {
            tracking::weights(lab, (ours, theirs), 100, "weight 20 reverse", (100, 80))
        },
    },
    Story {
        title: "track-weight-minus-reverse",
        between: ONE,
        tell: |lab, ours, theirs| {
            tracking::weights(lab, (ours, theirs), 80, "weight -20 reverse", (100, 80))
        },
    },
    Story {
        title: "track-reverse",
        between: ONE,
        tell: tracking::reverse,
    },
    Story {
        title: "track-group",
        between: ONE,
        tell: |lab, ours, theirs| tracking::groups(lab, ours, theirs, Tracker::Group),
    },
    Story {
        title: "track-member",
        between: ONE,
        tell: |lab, ours, theirs| tracking::groups(lab, ours, theirs, Tracker::Member),
    },
    Story {
        title: "track-switched-off",
        between: FRR,
        tell: tracking::switched_off,
    },
    Story {
        title: "track-checkers-only",
        between: ONE,
        tell: tracking::for_checkers_only,
    },
    Story {
        title: "vrrp-process-dies",
        between: OURS,
        tell: processes::vrrp_process,
    },
    Story {
        title: "bfd-process-dies",
        between: ALL,
        tell: processes::bfd_process,
    },
    Story {
        title: "bfd-process-hangs",
        between: ONE,
        tell: processes::bfd_process_hangs,
    },
    Story {
        title: "asleep",
        between: OURS,
        tell: processes::asleep,
    },
    Story {
        title: "real-server",
        between: OURS,
        tell: |lab, ours, theirs| processes::real_server(lab, ours, theirs, false),
    },
    Story {
        title: "real-server-alpha",
        between: OURS,
        tell: |lab, ours, theirs| processes::real_server(lab, ours, theirs, true),
    },
    Story {
        title: "both-are-told",
        between: OURS,
        tell: processes::both_are_told,
    },
    Story {
        title: "reload-unchanged",
        between: ALL,
        tell: reloads::unchanged,
    },
    Story {
        title: "reload-intervals",
        between: ALL,
        tell: reloads::intervals,
    },
    Story {
        title: "reload-come-and-go",
        between: ONE,
        tell: reloads::come_and_go,
    },
    Story {
        title: "reload-another-neighbour",
        between: OURS,
        tell: reloads::another_neighbour,
    },
    Story {
        title: "passive",
        between: ALL,
        tell: reloads::passive,
    },
    Story {
        title: "without-a-process",
        between: OURS,
        tell: reloads::without_a_process,
    },
    Story {
        title: "bad-packets",
        between: ALL,
        tell: strangers::bad_packets,
    },
    Story {
        title: "demand",
        between: ONE,
        tell: strangers::demand,
    },
];

fn main() -> ExitCode {
    let scenarios: Vec<Scenario> = cells()
        .map(|(ours, theirs, story)| -> Scenario { (name(ours, theirs, story).leak(), perform) })
        .collect();
    Suite {
        scenarios: &scenarios,
        jobs: JOBS,
        summary: |_| {},
    }
    .main()
}

/// All cells that hold a scenario.
fn cells() -> impl Iterator<Item = (Program, Program, &'static Story)> {
    let peers = env::var_os("EVERVIP_BFD_PEERS").map(|_| PEERS);
    let pairs = PAIRS.into_iter().chain(peers.into_iter().flatten());
    pairs.flat_map(|(ours, theirs)| {
        STORIES
            .iter()
            .filter(move |story| (story.between)(ours, theirs))
            .map(move |story| (ours, theirs, story))
    })
}

fn name(ours: Program, theirs: Program, story: &Story) -> String {
    format!("{}-{}-{}", ours.word(), theirs.word(), story.title)
}

/// The scenario of the cell that this lab is named after.
fn perform(lab: &mut Lab) -> Result<()> {
    let (ours, theirs, story) = cells()
        .find(|(ours, theirs, story)| name(*ours, *theirs, story) == lab.name())
        .with_context(|| format!("there is no cell {}", lab.name()))?;
    (story.tell)(lab, ours, theirs)
}
