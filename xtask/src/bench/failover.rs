//! How long a failover takes beyond what the protocol demands.
//!
//! Two hosts on a segment run the same program. The master is crashed (all of its processes stopped, then killed, so
//! that none says goodbye), and the backup's interface tells when the last advert of the master came in, when the
//! first of the backup went out, and when its first gratuitous ARP did.
//!
//! Detection overhead is what remains of the time between the two adverts when Master_Down_Interval (RFC 9568 6.1)
//! is taken away: 3 x 0.1 s + (256 - 100) x 0.1 s / 256.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{Capture, Direction, Frame, Host, HostOptions, Lab, Process, pause};
use types::Claim;

use super::frames::{Seen, is_advert, look, nanos};
use super::measure::{median, quantile};
use super::program::Program;
use super::{Row, Table, Target};

const MASTER_PRIORITY: u8 = 150;
const BACKUP_PRIORITY: u8 = 100;

/// The advertisement interval, in nanoseconds: 0.1 s.
const ADVERT_INT: i64 = 100_000_000;
const MASTER_DOWN: i64 = 3 * ADVERT_INT + (256 - BACKUP_PRIORITY as i64) * ADVERT_INT / 256;

const VIRTUAL_ADDRESS: &str = "198.18.0.100";

/// Crashes of one program before the other has its turn, so that a busy spell of the machine hits both.
const TURN: usize = 5;

/// keepalived takes a second or two to be there again.
const RECOVERY: Duration = Duration::from_secs(30);
/// Longer than any Master_Down_Interval of the configuration, shorter than patience.
const TAKEOVER: Duration = Duration::from_secs(5);

/// What one crash showed, in milliseconds.
struct Crash {
    /// From the last advert of the master to the first of the backup, less Master_Down_Interval.
    overhead: f64,
    /// From the first advert of the backup to its first gratuitous ARP.
    garp: f64,
}

/// Crashes the master `crashes` times with each program.
///
/// # Errors
/// When a program does not take over, or does not come back.
pub(super) fn run(programs: &[Program], crashes: usize) -> Result<Table> {
    let lab = Lab::new("bench-failover")?;
    let mut seen: Vec<Vec<Crash>> = programs.iter().map(|_| Vec::new()).collect();
    while seen.iter().any(|seen| seen.len() < crashes) {
        for (program, seen) in programs.iter().zip(&mut seen) {
            let turn = TURN.min(crashes - seen.len());
            let fresh = take_turn(&lab, program, turn, seen.len())
                .with_context(|| format!("failover with {}", program.name()))?;
            seen.extend(fresh);
            eprintln!("{}: {} of {crashes} crashes", program.name(), seen.len());
        }
    }
    table(programs, &seen, crashes)
}

fn table(programs: &[Program], seen: &[Vec<Crash>], crashes: usize) -> Result<Table> {
    let mut rows = Vec::new();
    for (name, figure, target) in [
        (
            "detection overhead",
            (|crash| crash.overhead) as fn(&Crash) -> f64,
            Target::Ratio(1.0),
        ),
        ("advert to GARP", |crash| crash.garp, Target::Most(0.3)),
    ] {
        let of_all: Vec<Vec<f64>> = seen
            .iter()
            .map(|seen| seen.iter().map(figure).collect())
            .collect();
        for (kind, statistic, target) in [
            ("median", median as fn(&[f64]) -> Option<f64>, Some(target)),
            ("p90", |values| quantile(values, 900), None),
            ("max", |values| quantile(values, 1000), None),
        ] {
            let figures: Option<Vec<f64>> = of_all.iter().map(|values| statistic(values)).collect();
            let figures = figures.context("no crash was made")?;
            rows.push(Row::new(
                &format!("{name}, {kind}"),
                "ms",
                target,
                programs,
                &figures,
            ));
        }
    }
    Ok(Table {
        name: "failover",
        heading: format!(
            "{crashes} crashes each, in turns of {TURN}; advert_int 0.1 s, priorities {MASTER_PRIORITY} and {BACKUP_PRIORITY}"
        ),
        rows,
    })
}

/// `turn` crashes with fresh hosts; `number` counts those before.
fn take_turn(lab: &Lab, program: &Program, turn: usize, number: usize) -> Result<Vec<Crash>> {
    let lan = lab.segment()?;
    let host = |role: &str, address: &str| -> Result<Host> {
        let host = lab.host(
            &format!("{}-{role}-{number}", program.name()),
            HostOptions::default(),
        )?;
        host.connect(&lan, "eth0")?;
        host.add_address("eth0", address)?;
        Ok(host)
    };
    let (first, second) = (
        host("master", "198.18.0.1/24")?,
        host("backup", "198.18.0.2/24")?,
    );
    let backup = program.start(&second, &configuration(BACKUP_PRIORITY))?;
    let mut crashes = Vec::new();
    for crash in 0..turn {
        let capture = second.capture("eth0")?;
        let mut master = program.start(&first, &configuration(MASTER_PRIORITY))?;
        settle(&capture, &master, &backup)?;
        // Crashes at another time of the advertisement interval each, but at the same ones for both programs.
        let phase = u64::try_from((number + crash) * 37 % 100)?;
        pause(Duration::from_millis(phase));
        let before = capture.count();
        master.crash()?;
        crashes.push(watch(&capture, before)?);
        // The dead host would not have kept the address either.
        first.remove_address("eth0", &format!("{VIRTUAL_ADDRESS}/32"))?;
    }
    Ok(crashes)
}

/// Waits until the master sends and the backup does not.
fn settle(capture: &Capture, master: &Process, backup: &Process) -> Result<()> {
    let mut looks = RECOVERY.as_millis() / LOOK.as_millis();
    loop {
        let before = capture.count();
        pause(LOOK);
        let fresh = capture.frames_since(before);
        let count = |direction| {
            fresh
                .iter()
                .filter(|frame| is_advert(frame, direction))
                .count()
        };
        if count(Direction::In) >= 5 && count(Direction::Out) == 0 {
            return Ok(());
        }
        looks = looks.saturating_sub(1);
        if looks == 0 {
            bail!(
                "the host with the higher priority did not become master\nit says:\n{}\nthe other says:\n{}",
                master.output_so_far(),
                backup.output_so_far()
            );
        }
    }
}

/// Six to eight adverts.
const LOOK: Duration = Duration::from_millis(700);

/// Waits for the backup to take over, and measures how it did. `before` the crash there were so many frames.
fn watch(capture: &Capture, before: usize) -> Result<Crash> {
    let is_garp = |frame: &Frame| {
        frame.direction == Direction::Out && matches!(look(frame), Some(Seen::Garp(_)))
    };
    let advert = capture.wait_for_since(before, "an advert of the backup", TAKEOVER, |frame| {
        is_advert(frame, Direction::Out)
    })?;
    let frames = capture.frames();
    let last = frames
        .iter()
        .rfind(|frame| is_advert(frame, Direction::In))
        .context("the master was never heard")?;
    if matches!(
        look(last),
        Some(Seen::Advert {
            claim: Claim::Leaving,
            ..
        })
    ) {
        bail!("the crashed master said goodbye");
    }
    let garp = capture.wait_for("a gratuitous ARP of the backup", TAKEOVER, |frame| {
        is_garp(frame) && nanos(frame) > nanos(last)
    })?;
    Ok(Crash {
        overhead: millis(nanos(&advert) - nanos(last) - MASTER_DOWN),
        garp: millis(nanos(&garp) - nanos(&advert)),
    })
}

fn millis(nanos: i64) -> f64 {
    nanos as f64 / 1e6
}

fn configuration(priority: u8) -> String {
    format!(
        "global_defs {{
    router_id bench
    vrrp_version 3
}}
vrrp_instance bench {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 0.1
    virtual_ipaddress {{
        {VIRTUAL_ADDRESS}/32
    }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn master_down_interval_is_that_of_the_configuration() {
        assert_eq!(MASTER_DOWN, 360_937_500);
    }
}
