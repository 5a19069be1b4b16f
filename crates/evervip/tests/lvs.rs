//! Virtual servers in a kernel that has IPVS: what the kernel's table holds at each step, side by side with Debian's
//! keepalived; connections that are really balanced; checks of real servers, good and bad.

#[path = "lvs/balance.rs"]
mod balance;
#[path = "lvs/checks.rs"]
mod checks;
mod common;
#[path = "lvs/details.rs"]
mod details;
#[path = "lvs/hostile.rs"]
mod hostile;
#[path = "lvs/options.rs"]
mod options;
#[path = "lvs/samples.rs"]
mod samples;
#[path = "lvs/steps.rs"]
mod steps;
#[path = "lvs/table.rs"]
mod table;
#[path = "lvs/trouble.rs"]
mod trouble;
#[path = "lvs/world.rs"]
mod world;

use std::process::ExitCode;

use lab::scenario::{Scenario, Suite};

use world::{with_ipvs, with_modules, without_modules};

/// Each is a kernel of its own, which keeps a processor busy.
const JOBS: usize = 2;

fn main() -> ExitCode {
    Suite {
        scenarios: &SCENARIOS,
        jobs: JOBS,
        summary: |_| {},
    }
    .main()
}

const SCENARIOS: [Scenario; 34] = [
    ("plain", |lab| with_ipvs(lab, steps::plain)),
    ("inhibit", |lab| with_ipvs(lab, steps::inhibit)),
    ("sorry", |lab| with_ipvs(lab, steps::sorry)),
    ("quorum", |lab| with_ipvs(lab, steps::quorum)),
    ("alpha", |lab| with_ipvs(lab, steps::alpha)),
    ("quorum_of_two", |lab| with_ipvs(lab, steps::quorum_of_two)),
    ("leftovers_stay", |lab| {
        with_ipvs(lab, steps::leftovers_stay)
    }),
    ("flush_at_start", |lab| {
        with_ipvs(lab, steps::flush_at_start)
    }),
    ("flush_at_stop", |lab| with_ipvs(lab, steps::flush_at_stop)),
    ("flush_own_at_stop", |lab| {
        with_ipvs(lab, steps::flush_own_at_stop)
    }),
    ("nothing_released", |lab| {
        with_ipvs(lab, steps::nothing_released)
    }),
    ("forms", |lab| {
        with_modules(lab, &["ip_vs_pe_sip", "sctp"], steps::forms)
    }),
    ("tls_versions", |lab| with_ipvs(lab, checks::tls_versions)),
    ("hostile", |lab| with_ipvs(lab, hostile::hostile)),
    ("leaves_at_every_byte", |lab| {
        with_ipvs(lab, hostile::leaves_at_every_byte)
    }),
    ("behind_our_back", |lab| {
        with_ipvs(lab, trouble::behind_our_back)
    }),
    ("a_scheduler_that_is_missing", |lab| {
        with_ipvs(lab, trouble::a_scheduler_that_is_missing)
    }),
    ("killed", |lab| with_ipvs(lab, trouble::killed)),
    ("without_ipvs", |lab| {
        without_modules(lab, trouble::without_ipvs)
    }),
    ("lvs_sample", |lab| with_ipvs(lab, samples::lvs_sample)),
    ("concepts", |lab| {
        with_modules(lab, &["macvlan", "ipip"], samples::concepts)
    }),
    ("groups", |lab| with_ipvs(lab, options::groups)),
    ("schedulers", |lab| {
        with_modules(lab, &options::SCHEDULERS, options::schedulers)
    }),
    ("weights", |lab| with_ipvs(lab, options::weights)),
    ("suspended", |lab| with_ipvs(lab, options::suspended)),
    ("timeouts", |lab| with_ipvs(lab, options::timeouts)),
    ("another_namespace", |lab| {
        with_ipvs(lab, options::another_namespace)
    }),
    ("follows_the_master", |lab| {
        with_ipvs(lab, options::follows_the_master)
    }),
    ("balanced", |lab| {
        with_modules(lab, &balance::MODULES, balance::balanced)
    }),
    ("synchronized", |lab| {
        with_modules(lab, &balance::MODULES, balance::synchronized)
    }),
    ("last_errors", |lab| with_ipvs(lab, details::last_errors)),
    ("bytes_of_a_request", |lab| {
        with_ipvs(lab, details::bytes_of_a_request)
    }),
    ("every_check", |lab| with_ipvs(lab, checks::every_check)),
    ("reloads", |lab| with_ipvs(lab, steps::reloads)),
];
