//! How long a new master needs for thousands of addresses.
//!
//! Two hosts on a segment run the same program with one virtual router that has one advertised and thousands of excluded
//! addresses. The master crashes; the backup announces each address five times, as is the default. Each round does this
//! twice on fresh hosts: once with a capture on the new master's interface, for the times and the order of its frames,
//! and once without, for its CPU time, of which a capture would have its share.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lab::{Capture, Direction, Host, HostOptions, Lab, Process, pause};

use super::frames::{Seen, is_advert, look, nanos};
use super::measure::{cpu_time, median, packets, quantile};
use super::program::Program;
use super::scale::addresses_held;
use super::{Row, Table, Target};

/// `garp_master_repeat` by default.
const REPEAT: u64 = 5;

/// Until all addresses are there, or all announcements are out: keepalived takes a quarter of a second.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nothing more leaves for so long: it is done.
const QUIET: Duration = Duration::from_secs(1);

/// What to measure.
pub(super) struct Options {
    /// Excluded addresses.
    pub(super) addresses: u32,
    /// How often each program has its turn.
    pub(super) rounds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addresses: 4000,
            rounds: 5,
        }
    }
}

#[derive(Default)]
struct Findings {
    /// Milliseconds from the first advert to the first gratuitous ARP.
    first: Vec<f64>,
    /// Milliseconds from the first advert until each address has been announced.
    all: Vec<f64>,
    /// Milliseconds of CPU time from the crash until all is quiet.
    cpu: Vec<f64>,
    /// Addresses that were announced before one that stands above them in the configuration.
    out_of_order: Vec<f64>,
}

/// Measures each program in turn.
///
/// # Errors
/// When a program does not take over, or leaves an address out.
pub(super) fn run(programs: &[Program], options: &Options) -> Result<Table> {
    if !(1..=10_000).contains(&options.addresses) || options.rounds < 1 {
        bail!("1 to 10000 addresses and at least one round are needed");
    }
    let lab = Lab::new("bench-takeover")?;
    let mut findings: Vec<Findings> = programs.iter().map(|_| Findings::default()).collect();
    for round in 1..=options.rounds {
        for (program, findings) in programs.iter().zip(&mut findings) {
            eprintln!("{}: round {round} of {}", program.name(), options.rounds);
            let context = || format!("takeover with {}", program.name());
            times(&lab, program, options, round, findings).with_context(context)?;
            cpu(&lab, program, options, round, findings).with_context(context)?;
        }
    }
    table(programs, &findings, options)
}

fn table(programs: &[Program], findings: &[Findings], options: &Options) -> Result<Table> {
    type Figure = fn(&Findings) -> Option<f64>;
    let third = Some(Target::Ratio(1.0 / 3.0));
    let figures: [(&str, &str, Option<Target>, Figure); 6] = [
        (
            "advert to first GARP, median",
            "ms",
            Some(Target::Most(2.0)),
            |f| median(&f.first),
        ),
        ("advert to first GARP, max", "ms", None, |f| {
            quantile(&f.first, 1000)
        }),
        ("all announced, median", "ms", third, |f| median(&f.all)),
        ("all announced, max", "ms", None, |f| quantile(&f.all, 1000)),
        (
            "cpu of the new master",
            "ms",
            Some(Target::Ratio(0.5)),
            |f| median(&f.cpu),
        ),
        ("out of order", "", Some(Target::Most(0.0)), |f| {
            quantile(&f.out_of_order, 1000)
        }),
    ];
    let mut rows = Vec::new();
    for (name, unit, target, figure) in figures {
        let figures: Option<Vec<f64>> = findings.iter().map(figure).collect();
        let figures = figures.context("nothing was measured")?;
        rows.push(Row::new(name, unit, target, programs, &figures));
    }
    Ok(Table {
        name: "takeover",
        heading: format!(
            "one virtual router with {} excluded addresses, each announced {REPEAT} times; {} rounds",
            options.addresses, options.rounds
        ),
        rows,
    })
}

/// A master that will crash, and the backup.
struct Pair {
    first: Host,
    second: Host,
    master: Process,
    backup: Process,
}

impl Pair {
    fn start(lab: &Lab, program: &Program, options: &Options, name: &str) -> Result<Self> {
        let lan = lab.segment()?;
        let host = |role: &str, address: &str| -> Result<Host> {
            let name = format!("{}-{role}-{name}", program.name());
            let host = lab.host(&name, HostOptions::default())?;
            host.connect(&lan, "eth0")?;
            host.add_address("eth0", address)?;
            Ok(host)
        };
        let (first, second) = (
            host("master", "198.18.0.1/16")?,
            host("backup", "198.18.0.2/16")?,
        );
        let master = program.start(&first, &configuration(150, options))?;
        wait_for_addresses(&first, options.addresses)
            .with_context(|| format!("the master says:\n{}", master.output_so_far()))?;
        wait_for_quiet(&first)?;
        let backup = program.start(&second, &configuration(100, options))?;
        wait_for_quiet(&second)?;
        ensure!(
            addresses_held(&second)? == 0,
            "the backup took over while the master was there:\n{}",
            backup.output_so_far()
        );
        Ok(Self {
            first,
            second,
            master,
            backup,
        })
    }
}

fn times(
    lab: &Lab,
    program: &Program,
    options: &Options,
    round: u32,
    findings: &mut Findings,
) -> Result<()> {
    let mut pair = Pair::start(lab, program, options, &format!("times-{round}"))?;
    let capture = pair.second.capture("eth0")?;
    pair.master.crash()?;
    wait_for_addresses(&pair.second, options.addresses)
        .with_context(|| format!("the backup says:\n{}", pair.backup.output_so_far()))?;
    wait_for_quiet(&pair.second)?;
    drop(pair.first);
    let announced = announcements(&capture)?;
    let wanted: Vec<Ipv4Addr> = (0..=options.addresses).map(virtual_address).collect();
    let mut first = i64::MAX;
    let mut all = 0;
    let mut out_of_order = 0;
    let mut before = 0;
    for address in &wanted {
        let at = *announced
            .get(address)
            .with_context(|| format!("{address} was never announced"))?;
        first = first.min(at);
        all = all.max(at);
        out_of_order += u32::from(at < before);
        before = before.max(at);
    }
    findings.first.push(first as f64 / 1e6);
    findings.all.push(all as f64 / 1e6);
    findings.out_of_order.push(out_of_order.into());
    Ok(())
}

/// When each address was announced for the first time: nanoseconds after the first advert of the new master.
fn announcements(capture: &Capture) -> Result<BTreeMap<Ipv4Addr, i64>> {
    ensure!(
        capture.lost() == 0,
        "the capture has lost {} frames",
        capture.lost()
    );
    let frames = capture.frames();
    let advert = frames
        .iter()
        .find(|frame| is_advert(frame, Direction::Out))
        .context("the backup sent no advert")?;
    let mut announced = BTreeMap::new();
    for frame in &frames {
        if frame.direction == Direction::Out
            && let Some(Seen::Garp(address)) = look(frame)
        {
            announced
                .entry(address)
                .or_insert_with(|| nanos(frame) - nanos(advert));
        }
    }
    Ok(announced)
}

fn cpu(
    lab: &Lab,
    program: &Program,
    options: &Options,
    round: u32,
    findings: &mut Findings,
) -> Result<()> {
    let mut pair = Pair::start(lab, program, options, &format!("cpu-{round}"))?;
    let processes = pair.backup.family()?;
    let (sent, used) = (packets(&pair.second)?.sent, cpu_time(&processes)?);
    pair.master.crash()?;
    let announcements = u64::from(options.addresses) * REPEAT;
    let mut looks = PATIENCE.as_millis() / LOOK.as_millis();
    while packets(&pair.second)?.sent < sent + announcements {
        pause(LOOK);
        looks -= 1;
        if looks == 0 {
            bail!(
                "the backup did not announce everything; it says:\n{}",
                pair.backup.output_so_far()
            );
        }
    }
    wait_for_quiet(&pair.second)?;
    let used = cpu_time(&processes)? - used;
    findings.cpu.push(used.as_secs_f64() * 1e3);
    Ok(())
}

const LOOK: Duration = Duration::from_millis(100);

fn wait_for_addresses(host: &Host, excluded: u32) -> Result<()> {
    let wanted = excluded + 1;
    for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
        if addresses_held(host)? == wanted {
            return Ok(());
        }
        pause(LOOK);
    }
    bail!("{wanted} addresses were not there in time")
}

/// Until a host sends hardly more than its adverts.
fn wait_for_quiet(host: &Host) -> Result<()> {
    for _ in 0..PATIENCE.as_secs() {
        let before = packets(host)?.sent;
        pause(QUIET);
        if packets(host)?.sent - before <= 5 {
            return Ok(());
        }
    }
    bail!("the host never stopped sending")
}

/// The advertised address, then the excluded ones.
fn virtual_address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0xc612_8000 + number) // 198.18.128.0 and up
}

fn configuration(priority: u8, options: &Options) -> String {
    let mut text = format!(
        "global_defs {{
    router_id bench
    vrrp_version 3
    vrrp_garp_master_delay 0
}}
vrrp_instance bench {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 1
    virtual_ipaddress {{
        {}/32
    }}
    virtual_ipaddress_excluded {{
",
        virtual_address(0)
    );
    for number in 1..=options.addresses {
        text.push_str(&format!("        {}/32\n", virtual_address(number)));
    }
    text.push_str("    }\n}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_in_the_configuration_once() {
        let options = Options::default();
        let text = configuration(100, &options);
        let addresses: std::collections::BTreeSet<_> = text
            .lines()
            .filter_map(|line| line.trim().strip_suffix("/32"))
            .collect();
        assert_eq!(addresses.len(), 4001);
        assert!(addresses.contains("198.18.128.0") && addresses.contains("198.18.143.160"));
    }
}
