//! An oracle that cannot fail proves nothing: each rule is broken on purpose, and must be seen to be.

use std::collections::BTreeSet;
use std::time::Duration;

use evervip_sim::{
    ADDRESSES_STAY, ADVERTS_ARE_RIGHT, ALL_ARE_ANNOUNCED, ANNOUNCEMENTS_KEEP_DISTANCE,
    ANNOUNCES_WHAT_IT_HOLDS, BEST_WINS, BLOCKS_WHAT_IT_MUST, EVERY_INTERVAL, EVERY_PEER,
    FAULTS_ARE_FAULTS, GOODBYE_MEANS_LEAVING, GROUPS_ARE_ONE, KEEPS_THE_BEAT, KERNEL_IS_KNOWN,
    LISTENS, MASTER_HOLDS_ALL, MASTERS_ADVERTISE, NEVER_SAID_TWICE, ONE_HOLDER, ONE_MASTER,
    ONE_RUN_AT_A_TIME, OTHERS_HOLD_NONE, RELOAD_IS_INVISIBLE, ROUTES_FOLLOW, STAYS_SO, Sabotage,
    World,
};

/// More than any of the breaches needs to be seen.
const SEEDS: u64 = 1_000;

/// Runs worlds whose first node's host is broken until a rule is found broken; else says which were.
fn is_found_out(sabotage: Sabotage, rule: &str) -> Result<(), BTreeSet<&'static str>> {
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        if let Err(failure) = World::new(seed).with_sabotage(0, sabotage).run() {
            found.insert(failure.violation.rule);
            if failure.violation.rule == rule {
                return Ok(());
            }
        }
    }
    Err(found)
}

#[test]
fn each_broken_host_is_found_out() {
    let cases: [(Sabotage, &str); 26] = [
        (Sabotage::Deaf, ONE_MASTER),
        (Sabotage::DeafOnceAgreed, STAYS_SO),
        (Sabotage::KeepsAddresses, OTHERS_HOLD_NONE),
        (Sabotage::NeverBlocks, BLOCKS_WHAT_IT_MUST),
        (Sabotage::LosesRoutes, ROUTES_FOLLOW),
        (Sabotage::KeepsRoutes, ROUTES_FOLLOW),
        (Sabotage::SurvivesTheSwitch, ONE_HOLDER),
        (Sabotage::LosesAddresses, ANNOUNCES_WHAT_IT_HOLDS),
        (Sabotage::HoldsNothing, MASTER_HOLDS_ALL),
        (
            Sabotage::SleepsLate(Duration::from_millis(3)),
            KEEPS_THE_BEAT,
        ),
        (Sabotage::Stutters, NEVER_SAID_TWICE),
        (Sabotage::GarblesAdverts, ADVERTS_ARE_RIGHT),
        (Sabotage::SaysGoodbye, GOODBYE_MEANS_LEAVING),
        (Sabotage::AddsTwice, KERNEL_IS_KNOWN),
        (Sabotage::NeverJoins, LISTENS),
        (Sabotage::AdvertisesTwice, EVERY_INTERVAL),
        (Sabotage::HearsBetter, BEST_WINS),
        (Sabotage::AnnouncesTwice, ANNOUNCEMENTS_KEEP_DISTANCE),
        (Sabotage::RunsTwice, ONE_RUN_AT_A_TIME),
        (Sabotage::BlindToLinks, FAULTS_ARE_FAULTS),
        (Sabotage::Parrots, MASTERS_ADVERTISE),
        (Sabotage::ForgetsAPeer, EVERY_PEER),
        (Sabotage::ReloadsByRestart, RELOAD_IS_INVISIBLE),
        (Sabotage::ReloadsAddresses, ADDRESSES_STAY),
        (Sabotage::ForgetsGroups, GROUPS_ARE_ONE),
        (Sabotage::NeverAnnounces, ALL_ARE_ANNOUNCED),
    ];
    for (sabotage, rule) in cases {
        if let Err(found) = is_found_out(sabotage, rule) {
            panic!("{sabotage:?} should break \"{rule}\", not {found:?}");
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
