//! An oracle that cannot fail proves nothing: each rule is broken on purpose, and must be seen to be.

use std::collections::BTreeSet;
use std::time::Duration;

use evervip_sim::{
    ADVERTS_ARE_RIGHT, ANNOUNCEMENTS_KEEP_DISTANCE, ANNOUNCES_WHAT_IT_HOLDS, BEST_WINS,
    BLOCKS_WHAT_IT_MUST, EVERY_INTERVAL, EVERY_PEER, FAULTS_ARE_FAULTS, GOODBYE_MEANS_LEAVING,
    KEEPS_THE_BEAT, KERNEL_IS_KNOWN, LISTENS, MASTER_HOLDS_ALL, MASTERS_ADVERTISE,
    NEVER_SAID_TWICE, ONE_HOLDER, ONE_MASTER, ONE_RUN_AT_A_TIME, OTHERS_HOLD_NONE, STAYS_SO,
    Sabotage, World,
};

const SEEDS: u64 = 60;

/// The rules that worlds find broken when the first node's host is.
fn broken_by(sabotage: Sabotage) -> BTreeSet<&'static str> {
    (0..SEEDS)
        .filter_map(|seed| World::new(seed).with_sabotage(0, sabotage).run().err())
        .map(|failure| failure.violation.rule)
        .collect()
}

#[test]
fn each_broken_host_is_found_out() {
    let cases: [(Sabotage, &[&str]); 20] = [
        (Sabotage::Deaf, &[ONE_MASTER]),
        (Sabotage::DeafOnceAgreed, &[STAYS_SO]),
        (Sabotage::KeepsAddresses, &[OTHERS_HOLD_NONE]),
        (Sabotage::NeverBlocks, &[BLOCKS_WHAT_IT_MUST]),
        (Sabotage::SurvivesTheSwitch, &[ONE_HOLDER]),
        (Sabotage::LosesAddresses, &[ANNOUNCES_WHAT_IT_HOLDS]),
        (Sabotage::HoldsNothing, &[MASTER_HOLDS_ALL]),
        (
            Sabotage::SleepsLate(Duration::from_millis(3)),
            &[KEEPS_THE_BEAT],
        ),
        (Sabotage::Stutters, &[NEVER_SAID_TWICE]),
        (Sabotage::GarblesAdverts, &[ADVERTS_ARE_RIGHT]),
        (Sabotage::SaysGoodbye, &[GOODBYE_MEANS_LEAVING]),
        (Sabotage::AddsTwice, &[KERNEL_IS_KNOWN]),
        (Sabotage::NeverJoins, &[LISTENS]),
        (Sabotage::AdvertisesTwice, &[EVERY_INTERVAL]),
        (Sabotage::HearsBetter, &[BEST_WINS]),
        (Sabotage::AnnouncesTwice, &[ANNOUNCEMENTS_KEEP_DISTANCE]),
        (Sabotage::RunsTwice, &[ONE_RUN_AT_A_TIME]),
        (Sabotage::BlindToLinks, &[FAULTS_ARE_FAULTS]),
        (Sabotage::Parrots, &[MASTERS_ADVERTISE]),
        (Sabotage::ForgetsAPeer, &[EVERY_PEER]),
    ];
    for (sabotage, expected) in cases {
        let found = broken_by(sabotage);
        for rule in expected {
            assert!(
                found.contains(rule),
                "{sabotage:?} should break \"{rule}\", not {found:?}"
            );
        }
    }
}

#[test]
fn a_failure_says_how_to_see_it_again() {
    let run = |seed| {
        World::new(seed)
            .traced()
            .with_sabotage(0, Sabotage::KeepsAddresses)
            .run()
    };
    let failure = (0..SEEDS)
        .find_map(|seed| run(seed).err())
        .expect("some world notices");
    let text = failure.to_string();
    let replay = format!("EVERVIP_SIM_SEED={} cargo test", failure.seed);
    assert!(text.contains(&replay), "{text}");
    assert!(text.contains(OTHERS_HOLD_NONE), "{text}");
    assert!(text.lines().count() >= 50, "{text}");
}
