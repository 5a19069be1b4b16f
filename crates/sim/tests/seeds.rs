//! Many worlds. `EVERVIP_SIM_SEEDS` says how many, `EVERVIP_SIM_SEED` asks for one with its whole trace.

use evervip_sim::{Fault, Summary, World, check_seed};

#[test]
fn worlds_keep_every_rule() {
    if let Ok(seed) = std::env::var("EVERVIP_SIM_SEED") {
        let seed = seed.parse().expect("EVERVIP_SIM_SEED is a number");
        let trace = match World::new(seed).traced().run() {
            Ok((_, trace)) => trace,
            Err(failure) => {
                println!("{}", failure.trace.lines().join("\n"));
                panic!("{failure}");
            }
        };
        println!("{}", trace.lines().join("\n"));
        return;
    }
    let seeds: u64 = std::env::var("EVERVIP_SIM_SEEDS").map_or(300, |count| {
        count.parse().expect("EVERVIP_SIM_SEEDS is a number")
    });
    let mut failures = Vec::new();
    let mut total = Summary::default();
    for seed in 0..seeds {
        match check_seed(seed) {
            Ok(summary) => {
                total.changes += summary.changes;
                total.arrivals += summary.arrivals;
                for (fault, count) in summary.faults {
                    *total.faults.entry(fault).or_default() += count;
                }
            }
            Err(failure) => failures.push(failure),
        }
    }
    println!("{seeds} seeds: {total:?}");
    if let Some(first) = failures.first() {
        let some: Vec<String> = failures
            .iter()
            .take(20)
            .map(|failure| format!("{}: {}", failure.seed, failure.violation))
            .collect();
        panic!(
            "{} of {seeds} seeds fail, the first of them:\n{}\n\n{first}",
            failures.len(),
            some.join("\n")
        );
    }
    // A world in which nothing happens keeps every rule, too.
    if seeds >= 300 {
        for fault in Fault::ALL {
            assert!(
                total.faults.contains_key(&fault),
                "{fault:?} never happened"
            );
        }
        assert!(total.changes > 10 * seeds, "{} changes", total.changes);
        assert!(total.arrivals > 100 * seeds, "{} packets", total.arrivals);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let once = World::new(seed).traced().run();
        let again = World::new(seed).traced().run();
        assert_eq!(once, again, "seed {seed}");
        let silent = World::new(seed).run().map(|(summary, _)| summary);
        let traced = once.map(|(summary, trace)| {
            assert!(trace.lines().len() > 100);
            summary
        });
        assert_eq!(
            silent.map_err(|failure| failure.violation),
            traced.map_err(|failure| failure.violation),
            "seed {seed}: a trace changes nothing"
        );
    }
}
