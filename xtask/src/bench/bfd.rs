//! What BFD costs, how soon it notices, and whether it notices what is not there.
//!
//! Two hosts with a cable between them (a veth pair, no switch) and many sessions, each between two addresses of its own:
//! [`pair`]. Each round starts fresh hosts, takes the time until all sessions are up at both ends and the memory of the process
//! that speaks BFD, and then:
//! - a quiet window: its CPU time, for each packet that left one host and came to the other; the way of a packet through a veth pair
//!   is accounted to its sender, so only the sum of both ends says something. And how many sessions went down, though nothing failed;
//! - a window with a process on every CPU that does nothing but use it: how many went down;
//! - silences: the process at the other end is stopped on its feet, again and again. How much later than the detection time a session
//!   is down is told by each program itself (`... usec overdue`), of all sessions; and seen from outside, of one that a virtual router
//!   tracks: from the last packet that came to the advert with which its master leaves.
//!
//! Where both programs are measured, they also speak with one another, and what each of the two processes used is told.

mod pair;

use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{Lab, Process, pause};

use self::pair::{DOWN, End, Pair};
use super::measure::{cpu_time, median, packets, pss, quantile};
use super::program::Program;
use super::{Row, Table, Target};

/// What to measure.
pub(super) struct Options {
    /// Sessions, and the milliseconds between two packets of each: one after the other.
    pub(super) cases: Vec<Case>,
    /// The length of each of the two windows.
    pub(super) seconds: u32,
    /// How often each program has its turn.
    pub(super) rounds: u32,
    /// How often the other end falls silent in each round.
    pub(super) silences: u32,
}

impl Default for Options {
    fn default() -> Self {
        let case = |sessions, interval| Case { sessions, interval };
        Self {
            cases: vec![case(1000, 100), case(200, 10), case(50, 10)],
            seconds: 60,
            rounds: 1,
            silences: 10,
        }
    }
}

/// So many sessions that send so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) sessions: u32,
    /// `min_rx` and `min_tx` of both ends, in milliseconds.
    pub(super) interval: u32,
}

impl Options {
    /// Refuses what cannot be measured.
    fn check(&self) -> Result<()> {
        for case in &self.cases {
            if !(1..=pair::MOST_SESSIONS).contains(&case.sessions) {
                let most = pair::MOST_SESSIONS;
                bail!("{} sessions: there is room for 1 to {most}", case.sessions);
            }
            if !(1..=1000).contains(&case.interval) {
                bail!("an interval of 1 to 1000 ms, not {}", case.interval);
            }
        }
        if self.seconds < 1 || self.rounds < 1 || self.silences < 1 {
            bail!("a window of at least 1 second, one round and one silence are needed");
        }
        Ok(())
    }
}

/// What the rounds of one program showed.
#[derive(Default)]
struct Findings {
    /// Seconds from the start of both ends until all sessions are up at both.
    up: Vec<f64>,
    /// KiB of one process that speaks BFD.
    pss: Vec<f64>,
    /// Microseconds of CPU time of both ends for each packet.
    per_packet: Vec<f64>,
    /// Sessions that went down in the quiet window, at either end.
    false_downs: Vec<f64>,
    /// The same under load.
    false_downs_loaded: Vec<f64>,
    /// Milliseconds, as the program says, of every session in every silence.
    overdue: Vec<f64>,
    /// Milliseconds from the end of the detection time to the advert with which the master leaves.
    reaction: Vec<f64>,
}

/// Measures each program in turn, then both with one another.
///
/// # Errors
/// When evervip does not bring all sessions up. When keepalived does not, its figures are missing.
pub(super) fn run(programs: &[Program], options: &Options) -> Result<Table> {
    options.check()?;
    let lab = Lab::new("bench-bfd")?;
    let mut rows = Vec::new();
    for case in &options.cases {
        let mut findings: Vec<Findings> = programs.iter().map(|_| Findings::default()).collect();
        for round in 1..=options.rounds {
            for (program, findings) in programs.iter().zip(&mut findings) {
                let name = program.name();
                eprintln!(
                    "{name}: {} sessions at {} ms, round {round} of {}",
                    case.sessions, case.interval, options.rounds
                );
                let outcome = take_turn(&lab, program, *case, options, round, findings);
                unless_ours(program, outcome)?;
            }
        }
        rows.extend(rows_of(programs, &findings, *case));
        if let [first, second] = programs {
            eprintln!("{} with {}", first.name(), second.name());
            // Whose fault it is, if this fails, is not said.
            match beside(&lab, (first, second), *case, options) {
                Ok(more) => rows.extend(more),
                Err(problem) => eprintln!("not measured: {problem:#}"),
            }
        }
    }
    Ok(Table {
        name: "bfd",
        heading: format!(
            "two hosts, the same intervals both ways, multiplier {}, windows of {} s, {} silences, rounds: {}",
            pair::MULTIPLIER,
            options.seconds,
            options.silences,
            options.rounds
        ),
        rows,
    })
}

/// keepalived may have more than it can cope with: that is a finding.
fn unless_ours(program: &Program, outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(problem) if program.name() == "keepalived" => {
            // Its log goes with the problem.
            let problem = format!("{problem:#}");
            let first = problem.lines().next().unwrap_or_default();
            eprintln!("keepalived does not cope: {first}");
            Ok(())
        }
        other => other.with_context(|| format!("bfd with {}", program.name())),
    }
}

fn rows_of(programs: &[Program], findings: &[Findings], case: Case) -> Vec<Row> {
    type Figure = fn(&Findings) -> Option<f64>;
    let not_above = Some(Target::Ratio(1.0));
    let none = Some(Target::Most(0.0));
    let figures: [(&str, &str, Option<Target>, Figure); 9] = [
        ("all up", "s", None, |f| median(&f.up)),
        ("pss", "KiB", not_above, |f| median(&f.pss)),
        ("cpu per packet", "us", not_above, |f| median(&f.per_packet)),
        ("false downs", "", none, |f| quantile(&f.false_downs, 1000)),
        ("false downs, loaded", "", none, |f| {
            quantile(&f.false_downs_loaded, 1000)
        }),
        ("overdue, median", "ms", not_above, |f| median(&f.overdue)),
        ("overdue, max", "ms", None, |f| quantile(&f.overdue, 1000)),
        ("reaction, median", "ms", not_above, |f| median(&f.reaction)),
        ("reaction, max", "ms", None, |f| quantile(&f.reaction, 1000)),
    ];
    let row = |(name, unit, target, figure): (&str, &'static str, Option<Target>, Figure)| {
        let of = |wanted: &str| {
            let mut both = programs.iter().zip(findings);
            let (_, findings) = both.find(|(program, _)| program.name() == wanted)?;
            figure(findings)
        };
        Row {
            name: named(case, name),
            unit,
            evervip: of("evervip"),
            keepalived: of("keepalived"),
            target,
        }
    };
    figures.into_iter().map(row).collect()
}

fn named(case: Case, figure: &str) -> String {
    format!("{} at {} ms: {figure}", case.sessions, case.interval)
}

fn take_turn(
    lab: &Lab,
    program: &Program,
    case: Case,
    options: &Options,
    round: u32,
    findings: &mut Findings,
) -> Result<()> {
    let name = format!("{}-{round}", case.interval);
    let (pair, up) = Pair::start(lab, (program, program), case, &name)?;
    findings.up.push(up.as_secs_f64());
    let both = [pair.here.bfd, pair.there.bfd];
    findings.pss.push(pss(&both)? as f64 / 2.0);

    let quiet = window(&pair, options.seconds)?;
    findings.per_packet.push(quiet.per_packet());
    findings.false_downs.push(quiet.downs());

    let busy = (0..available_parallelism()?.get())
        .map(|_| {
            let mut command = Command::new("sh");
            pair.here
                .host
                .spawn(command.args(["-c", "while :; do :; done"]))
        })
        .collect::<Result<Vec<Process>>>()?;
    let loaded = window(&pair, options.seconds)?;
    drop(busy);
    findings.false_downs_loaded.push(loaded.downs());
    pair.wait_until_up()?;
    for silence in 0..options.silences {
        let silence = pair.silence(silence)?;
        findings.reaction.push(silence.reaction);
        findings.overdue.extend(silence.overdue);
    }
    Ok(())
}

/// Both programs with one another: what each of them needs, and whether it goes down.
///
/// # Errors
/// When they do not bring all sessions up.
fn beside(
    lab: &Lab,
    programs: (&Program, &Program),
    case: Case,
    options: &Options,
) -> Result<Vec<Row>> {
    let (pair, _) = Pair::start(lab, programs, case, "beside")
        .with_context(|| format!("{} with {}", programs.0.name(), programs.1.name()))?;
    let seen = window(&pair, options.seconds)?;
    let row = |name: &str, unit, target, figure: fn(&Side) -> f64| Row {
        name: named(case, name),
        unit,
        evervip: Some(figure(&seen.here)),
        keepalived: Some(figure(&seen.there)),
        target: Some(target),
    };
    Ok(vec![
        row(
            "together, cpu per packet sent",
            "us",
            Target::Ratio(1.0),
            |side| side.cpu.as_secs_f64() * 1e6 / side.sent as f64,
        ),
        row("together, false downs", "", Target::Most(0.0), |side| {
            side.downs as f64
        }),
    ])
}

/// What happened in some time.
struct Window {
    here: Side,
    there: Side,
}

/// At one end, until now or in some time.
struct Side {
    /// Of the process that speaks BFD.
    cpu: Duration,
    /// Packets.
    sent: u64,
    /// Sessions that went down.
    downs: usize,
}

impl Side {
    fn until_now(end: &End) -> Result<Self> {
        Ok(Self {
            cpu: cpu_time(&[end.bfd])?,
            sent: packets(&end.host)?.sent,
            downs: end.times_said(DOWN),
        })
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            sent: self.sent.saturating_sub(before.sent),
            downs: self.downs.saturating_sub(before.downs),
        }
    }
}

impl Window {
    /// Microseconds of CPU time of both ends for each packet that one of them sent to the other.
    fn per_packet(&self) -> f64 {
        let cpu = self.here.cpu + self.there.cpu;
        cpu.as_secs_f64() * 1e6 / (self.here.sent + self.there.sent) as f64
    }

    fn downs(&self) -> f64 {
        (self.here.downs + self.there.downs) as f64
    }
}

fn window(pair: &Pair, seconds: u32) -> Result<Window> {
    let look = || -> Result<[Side; 2]> {
        Ok([Side::until_now(&pair.here)?, Side::until_now(&pair.there)?])
    };
    let [here_before, there_before] = look()?;
    pause(Duration::from_secs(seconds.into()));
    let [here, there] = look()?;
    Ok(Window {
        here: here.since(&here_before),
        there: there.since(&there_before),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_paid_for_by_both_ends() {
        let side = |millis, sent, downs| Side {
            cpu: Duration::from_millis(millis),
            sent,
            downs,
        };
        let window = Window {
            here: side(30, 2000, 2).since(&side(10, 1000, 1)),
            there: side(40, 3000, 0),
        };
        assert_eq!((window.per_packet(), window.downs()), (15.0, 1.0));
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        let of = |sessions, interval| Options {
            cases: vec![Case { sessions, interval }],
            ..Options::default()
        };
        assert!(Options::default().check().is_ok());
        assert!(of(pair::MOST_SESSIONS, 1).check().is_ok());
        assert!(of(pair::MOST_SESSIONS + 1, 1).check().is_err());
        assert!(of(1, 0).check().is_err());
    }
}
