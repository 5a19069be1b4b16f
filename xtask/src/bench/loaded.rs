//! Whether anybody takes over by mistake on a busy machine.
//!
//! A thousand virtual routers that advertise ten times a second, and for every CPU a process that does nothing but use
//! it. Whatever the backup sends in that time is a takeover that nothing called for.

use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Lab, Process, pause};

use super::measure::packets;
use super::program::Program;
use super::scale::{Findings, Options, Pair, addresses_held};
use super::{Row, Table, Target};

/// 1000 virtual routers, a minute.
pub(super) fn options() -> Options {
    Options {
        seconds: 60,
        rounds: 1,
        advert_int: 100,
        ..Options::default()
    }
}

/// Measures each program in turn.
///
/// # Errors
/// When a program does not elect a master for every virtual router before the load comes.
pub(super) fn run(programs: &[Program], options: &Options) -> Result<Table> {
    options.check()?;
    let lab = Lab::new("bench-loaded")?;
    let cpus = available_parallelism()?.get();
    let mut adverts: Vec<f64> = Vec::new();
    let mut missed: Vec<f64> = Vec::new();
    let mut kept: Vec<f64> = Vec::new();
    for program in programs {
        eprintln!("{}: {} s under load", program.name(), options.seconds);
        let mut findings = Findings::default();
        let pair = Pair::start(&lab, program, options, "loaded", &mut findings)
            .with_context(|| format!("loaded with {}", program.name()))?;
        let look = || -> Result<_> { Ok((packets(&pair.first)?, packets(&pair.second)?)) };
        let before = look()?;
        let busy: Vec<Process> = (0..cpus)
            .map(|_| {
                pair.first
                    .spawn(Command::new("sh").args(["-c", "while :; do :; done"]))
            })
            .collect::<Result<_>>()?;
        pause(Duration::from_secs(options.seconds.into()));
        let after = look()?;
        drop(busy);
        adverts.push((after.1.sent - before.1.sent) as f64);
        let due = options.adverts(options.seconds) as f64;
        missed.push(100.0 - (after.0.sent - before.0.sent) as f64 * 100.0 / due);
        kept.push(f64::from(
            options.instances - addresses_held(&pair.first)?.min(options.instances),
        ));
    }
    let none = Some(Target::Most(0.0));
    Ok(Table {
        name: "loaded",
        heading: format!(
            "{} virtual routers, advert_int {} ms, {cpus} busy processes on as many CPUs for {} s",
            options.instances, options.advert_int, options.seconds
        ),
        rows: vec![
            Row::new("packets of the backup", "", none, programs, &adverts),
            Row::new("addresses that moved", "", none, programs, &kept),
            Row::new(
                "adverts of the master missing",
                "%",
                None,
                programs,
                &missed,
            ),
        ],
    })
}
