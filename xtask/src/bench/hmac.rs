//! What signed adverts (`auth_hmac`) cost more than others.
//!
//! evervip alone, as no released keepalived of a distribution has them: virtual routers without a signature and with one
//! take turns, and the figures are medians of CPU time per advert on either side, as [`super::scale`] takes them.

use anyhow::{Context as _, Result};
use lab::Lab;

use super::measure::median;
use super::program::Program;
use super::scale::{Findings, Options, Pair};
use super::{Row, Table, Target};

/// Microseconds more that a signature may cost.
const MOST: f64 = 1.5;

/// 1000 virtual routers, three rounds of each kind.
pub(super) fn options() -> Options {
    Options {
        rounds: 3,
        ..Options::default()
    }
}

/// Measures evervip, the first of `programs`, in turns with and without signatures.
///
/// # Errors
/// When it does not elect a master for every virtual router.
pub(super) fn run(programs: &[Program], options: &Options) -> Result<Table> {
    options.check()?;
    let program = programs
        .iter()
        .find(|program| program.name() == "evervip")
        .context("keepalived has no signatures here: measure evervip")?;
    let signed = Options {
        more: format!(
            "auth_hmac {{\n key 1 hex:{}\n active_key 1\n mode enforce\n }}\n    ",
            "5a".repeat(32)
        ),
        ..*options
    };
    let lab = Lab::new("bench-hmac")?;
    let (mut without, mut with) = (Findings::default(), Findings::default());
    for round in 1..=options.rounds {
        for (name, options, findings) in [
            ("plain", options, &mut without),
            ("signed", &signed, &mut with),
        ] {
            eprintln!("{name}: round {round} of {}", options.rounds);
            let pair = Pair::start(&lab, program, options, &format!("{name}-{round}"), findings)?;
            pair.measure_cpu(options, findings)?;
        }
    }
    let mut rows = Vec::new();
    for (what, without, with) in [
        ("sent", &without.per_sent, &with.per_sent),
        ("received", &without.per_received, &with.per_received),
    ] {
        let figures = (median(without), median(with));
        let (Some(without), Some(with)) = figures else {
            continue;
        };
        for (name, target, figure) in [
            ("plain", None, without),
            ("signed", None, with),
            ("more", Some(Target::Most(MOST)), with - without),
        ] {
            let only = std::slice::from_ref(program);
            rows.push(Row::new(
                &format!("cpu per advert {what}, {name}"),
                "us",
                target,
                only,
                &[figure],
            ));
        }
    }
    Ok(Table {
        name: "hmac",
        heading: format!(
            "{} virtual routers, advert_int 1 s, windows of {} s, {} rounds of each",
            options.instances, options.seconds, options.rounds
        ),
        rows,
    })
}
