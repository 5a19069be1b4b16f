//! What thousands of virtual routers cost.
//!
//! A host that is master of all of them and one that is backup for all, cables between them (the two ends of
//! a veth pair each, no switch: its work would be accounted to the sender). Each round starts fresh hosts, takes the time
//! until all are elected, waits until the announcements are over, and then takes memory, a window of CPU time, and, with
//! a capture on the backup's side, a window of advert times.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{Capture, Host, HostOptions, Lab, Process, pause};
use sys::netlink::RouteSocket;
use types::IfName;

use super::frames::{Seen, look, nanos};
use super::measure::{Packets, cpu_time, median, packets, pss, quantile};
use super::program::Program;
use super::{Row, Table, Target};

/// VRIDs of one interface.
const MOST_PER_CABLE: u32 = 255;
/// Cables between the two hosts: so many, or more when there are more virtual routers.
const FEW_CABLES: u32 = 4;
const MANY_CABLES: u32 = 16;

/// keepalived takes eleven seconds for a thousand on an idle machine.
const ELECTION: Duration = Duration::from_secs(180);
/// Until the last announcements are out.
const SETTLING: Duration = Duration::from_secs(5);

/// What to measure.
pub(super) struct Options {
    /// Virtual routers, at most 4080.
    pub(super) instances: u32,
    /// The length of each of the two windows.
    pub(super) seconds: u32,
    /// How often each program has its turn.
    pub(super) rounds: u32,
    /// Whether instances differ in priority, which spreads their adverts over the second.
    pub(super) spread: bool,
    /// The advertisement interval, in milliseconds.
    pub(super) advert_int: u32,
    /// More lines of each `vrrp_instance`.
    pub(super) more: String,
}

impl Options {
    fn cables(&self) -> u32 {
        if self.instances <= FEW_CABLES * MOST_PER_CABLE {
            FEW_CABLES
        } else {
            MANY_CABLES
        }
    }

    /// Adverts in so many seconds.
    pub(super) fn adverts(&self, seconds: u32) -> u64 {
        u64::from(self.instances) * u64::from(seconds) * 1000 / u64::from(self.advert_int)
    }

    /// Refuses what cannot be measured.
    ///
    /// # Errors
    /// When there is no room for so many instances, or no time to measure.
    pub(super) fn check(&self) -> Result<()> {
        let most = MANY_CABLES * MOST_PER_CABLE;
        if !(1..=most).contains(&self.instances) {
            bail!(
                "{} instances: there is room for 1 to {most}",
                self.instances
            );
        }
        if self.seconds < 3 || self.rounds < 1 {
            bail!("a window of at least 3 seconds and at least one round are needed");
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            instances: 1000,
            seconds: 20,
            rounds: 2,
            spread: false,
            advert_int: 1000,
            more: String::new(),
        }
    }
}

/// What the rounds of one program showed.
#[derive(Default)]
pub(super) struct Findings {
    /// Seconds from the start of the first host until it is master of all.
    elected: Vec<f64>,
    /// Microseconds of CPU time on the master host for each advert it sent, one figure a round.
    pub(super) per_sent: Vec<f64>,
    /// Microseconds of CPU time on the backup host for each advert that came in.
    pub(super) per_received: Vec<f64>,
    /// KiB of all processes on the master host.
    master_pss: Vec<f64>,
    /// KiB of all processes on the backup host.
    backup_pss: Vec<f64>,
    /// How far from 1 s two adverts of the same virtual router were apart, in milliseconds: of all of them in all
    /// rounds.
    period_errors: Vec<f64>,
}

/// Measures each program in turn.
///
/// # Errors
/// When a program does not elect a master for every virtual router.
pub(super) fn run(programs: &[Program], options: &Options) -> Result<Table> {
    options.check()?;
    let lab = Lab::new("bench-scale")?;
    let mut findings: Vec<Findings> = programs.iter().map(|_| Findings::default()).collect();
    for round in 1..=options.rounds {
        for (program, findings) in programs.iter().zip(&mut findings) {
            eprintln!("{}: round {round} of {}", program.name(), options.rounds);
            take_turn(&lab, program, options, round, findings)
                .with_context(|| format!("scale with {}", program.name()))?;
        }
    }
    table(programs, &findings, options)
}

fn table(programs: &[Program], findings: &[Findings], options: &Options) -> Result<Table> {
    type Figure = fn(&Findings) -> Option<f64>;
    let half = Some(Target::Ratio(0.5));
    let not_above = Some(Target::Ratio(1.0));
    let figures: [(&str, &str, Option<Target>, Figure); 8] = [
        ("all elected", "s", half, |f| median(&f.elected)),
        ("cpu per advert sent", "us", half, |f| median(&f.per_sent)),
        ("cpu per advert received", "us", half, |f| {
            median(&f.per_received)
        }),
        ("pss on the master host", "KiB", not_above, |f| {
            median(&f.master_pss)
        }),
        ("pss on the backup host", "KiB", not_above, |f| {
            median(&f.backup_pss)
        }),
        ("period error, p50", "ms", None, |f| {
            quantile(&f.period_errors, 500)
        }),
        ("period error, p99", "ms", Some(Target::Most(1.0)), |f| {
            quantile(&f.period_errors, 990)
        }),
        ("period error, max", "ms", None, |f| {
            quantile(&f.period_errors, 1000)
        }),
    ];
    let mut rows = Vec::new();
    for (name, unit, target, figure) in figures {
        let figures: Option<Vec<f64>> = findings.iter().map(figure).collect();
        let figures = figures.context("nothing was measured")?;
        rows.push(Row::new(name, unit, target, programs, &figures));
    }
    Ok(Table {
        name: "scale",
        heading: format!(
            "{} virtual routers on {} interfaces{}, advert_int 1 s, windows of {} s, {} rounds",
            options.instances,
            options.cables(),
            if options.spread {
                " of different priorities"
            } else {
                ""
            },
            options.seconds,
            options.rounds
        ),
        rows,
    })
}

fn take_turn(
    lab: &Lab,
    program: &Program,
    options: &Options,
    round: u32,
    findings: &mut Findings,
) -> Result<()> {
    let pair = Pair::start(lab, program, options, &round.to_string(), findings)?;
    let (masters, backups) = (pair.master.family()?, pair.backup.family()?);
    findings.master_pss.push(pss(&masters)? as f64);
    findings.backup_pss.push(pss(&backups)? as f64);
    pair.measure_cpu(options, findings)?;
    measure_periods(&pair.second, options, findings)
}

/// Two hosts with the same virtual routers.
pub(super) struct Pair {
    pub(super) first: Host,
    pub(super) second: Host,
    /// On the first host.
    pub(super) master: Process,
    /// On the second host.
    pub(super) backup: Process,
}

impl Pair {
    /// Starts a program on fresh hosts, and waits until the first is master of everything and all is calm.
    ///
    /// # Errors
    /// When that does not happen.
    pub(super) fn start(
        lab: &Lab,
        program: &Program,
        options: &Options,
        name: &str,
        findings: &mut Findings,
    ) -> Result<Self> {
        let host = |role: Role| -> Result<Host> {
            let name = format!("{}-{role:?}-{name}", program.name()).to_lowercase();
            lab.host(&name, HostOptions::default())
        };
        let (first, second) = (host(Role::Master)?, host(Role::Backup)?);
        lay_cables(&first, &second, options.cables())?;
        let started = sys::clock::now();
        let master = program.start(&first, &configuration(Role::Master, options))?;
        // One after the other. When both start at once on a busy machine, keepalived's backup takes over while its
        // master is busy with announcements, which makes for more of them, and so on without end.
        wait_for_addresses(&first, options.instances)
            .with_context(|| format!("the master says:\n{}", tail(&master)))?;
        let elected = sys::clock::now().since(started);
        findings.elected.push(elected.as_secs_f64());
        wait_for_master(&first, &second, options)
            .with_context(|| format!("the master says:\n{}", tail(&master)))?;
        let backup = program.start(&second, &configuration(Role::Backup, options))?;
        pause(SETTLING);
        wait_for_master(&first, &second, options).with_context(|| {
            format!(
                "the master says:\n{}\nthe backup says:\n{}",
                tail(&master),
                tail(&backup)
            )
        })?;
        pause(SETTLING);
        Ok(Self {
            first,
            second,
            master,
            backup,
        })
    }

    /// CPU time per advert on both sides, in a window in which nobody captures.
    ///
    /// # Errors
    /// When other adverts were sent than were due.
    pub(super) fn measure_cpu(&self, options: &Options, findings: &mut Findings) -> Result<()> {
        let (masters, backups) = (self.master.family()?, self.backup.family()?);
        let look = || -> Result<_> {
            Ok((
                (packets(&self.first)?, cpu_time(&masters)?),
                (packets(&self.second)?, cpu_time(&backups)?),
            ))
        };
        let ((sent_before, master_before), (received_before, backup_before)) = look()?;
        pause(Duration::from_secs(options.seconds.into()));
        let ((sent_after, master_after), (received_after, backup_after)) = look()?;
        let sent = sent_after.sent - sent_before.sent;
        let received = received_after.received - received_before.received;
        let expected = options.adverts(options.seconds);
        if sent.abs_diff(expected) > expected / 10 || received.abs_diff(expected) > expected / 10 {
            bail!(
                "{sent} packets were sent and {received} received, where {expected} adverts were due"
            );
        }
        let micros = |time: Duration, count: u64| time.as_secs_f64() * 1e6 / count as f64;
        findings
            .per_sent
            .push(micros(master_after - master_before, sent));
        findings
            .per_received
            .push(micros(backup_after - backup_before, received));
        Ok(())
    }
}

fn tail(process: &Process) -> String {
    let output = process.output_so_far();
    let lines: Vec<&str> = output.lines().collect();
    lines
        .get(lines.len().saturating_sub(20)..)
        .unwrap_or_default()
        .join("\n")
}

fn measure_periods(backup: &Host, options: &Options, findings: &mut Findings) -> Result<()> {
    let captures: Vec<Capture> = (0..options.cables())
        .map(|cable| backup.capture(&format!("eth{cable}")))
        .collect::<Result<_>>()?;
    pause(Duration::from_secs(options.seconds.into()));
    for capture in captures {
        let mut last: BTreeMap<u8, i64> = BTreeMap::new();
        for frame in capture.frames() {
            if let Some(Seen::Advert { vrid, .. }) = look(&frame)
                && let Some(before) = last.insert(vrid, nanos(&frame))
            {
                let error = (nanos(&frame) - before - 1_000_000_000).abs();
                findings.period_errors.push(error as f64 / 1e6);
            }
        }
    }
    Ok(())
}

/// Virtual addresses that a host has.
pub(super) fn addresses_held(host: &Host) -> Result<u32> {
    let held = host.run(|| -> Result<usize> {
        let addresses = RouteSocket::new()?.addresses()?;
        let virtual_ones = addresses.iter().filter(|held| held.prefix.length() == 32);
        Ok(virtual_ones.count())
    })??;
    Ok(u32::try_from(held)?)
}

fn wait_for_addresses(host: &Host, wanted: u32) -> Result<()> {
    const LOOK: Duration = Duration::from_millis(100);
    for _ in 0..ELECTION.as_millis() / LOOK.as_millis() {
        if addresses_held(host)? == wanted {
            return Ok(());
        }
        pause(LOOK);
    }
    bail!(
        "{wanted} addresses were not there within {} s",
        ELECTION.as_secs()
    )
}

/// Waits until the one sends for all and the other for none, for two seconds on end.
fn wait_for_master(master: &Host, backup: &Host, options: &Options) -> Result<()> {
    let look = || -> Result<(Packets, Packets)> { Ok((packets(master)?, packets(backup)?)) };
    let instances = options.instances;
    let all = options.adverts(1);
    let mut good = 0;
    let mut shown = String::new();
    for _ in 0..ELECTION.as_secs() {
        let before = look()?;
        pause(Duration::from_secs(1));
        let after = look()?;
        let (sends, replies) = (after.0.sent - before.0.sent, after.1.sent - before.1.sent);
        let held = addresses_held(master)?.saturating_sub(addresses_held(backup)?);
        // A second on the clock is rarely one to the millisecond: adverts of a burst may fall out of it.
        let all_send = sends.abs_diff(all) <= all / 10;
        good = if held == instances && all_send && replies <= all / 100 {
            good + 1
        } else {
            0
        };
        if good == 2 {
            return Ok(());
        }
        shown = format!("{held} addresses, {sends} packets a second, {replies} of the backup");
    }
    bail!(
        "{instances} instances were not elected within {} s: {shown}",
        ELECTION.as_secs()
    )
}

/// Cables between two hosts, from `eth0` to `eth0` and so on, with an address at each end.
///
/// # Errors
/// When the kernel does not make them.
pub(super) fn lay_cables(first: &Host, second: &Host, cables: u32) -> Result<()> {
    for cable in 0..cables {
        let interface = format!("eth{cable}");
        let name = IfName::new(&interface)?;
        let far_end = second.run(|| File::open("/proc/thread-self/ns/net"))??;
        first.run(move || -> Result<()> {
            Ok(RouteSocket::new()?.add_veth(&name, &name, Some(far_end.as_fd()))?)
        })??;
        for (host, number) in [(first, 1), (second, 2)] {
            host.link_up(&interface)?;
            host.add_address(&interface, &format!("198.19.{cable}.{number}/24"))?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Master,
    Backup,
}

fn configuration(role: Role, options: &Options) -> String {
    let mut text = String::from(
        "global_defs {
    router_id bench
    vrrp_version 3
    vrrp_garp_master_repeat 1
    vrrp_garp_master_delay 0
}
",
    );
    let (more, interval) = (&options.more, f64::from(options.advert_int) / 1e3);
    for number in 0..options.instances {
        let (cable, vrid) = (number % options.cables(), number / options.cables() + 1);
        // Skew_Time comes from the priority, and with it the time of the first advert.
        let above = if options.spread { number * 7 % 100 } else { 0 };
        let priority = match role {
            Role::Master => 150 + above,
            Role::Backup => 10 + above,
        };
        let address = Ipv4Addr::from(0xc612_8000 + number + 1); // 198.18.128.1 and up
        text.push_str(&format!(
            "vrrp_instance i{number} {{
    state BACKUP
    interface eth{cable}
    virtual_router_id {vrid}
    priority {priority}
    advert_int {interval}
    {more}virtual_ipaddress {{
        {address}/32
    }}
}}
"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instance_has_a_place_of_its_own() {
        let options = Options {
            instances: FEW_CABLES * MOST_PER_CABLE,
            spread: true,
            ..Options::default()
        };
        let text = configuration(Role::Master, &options);
        let of = |keyword: &str| -> Vec<&str> {
            text.lines()
                .filter_map(|line| line.trim().strip_prefix(keyword))
                .collect()
        };
        let (cables, vrids, priorities) =
            (of("interface "), of("virtual_router_id "), of("priority "));
        let places: std::collections::BTreeSet<_> = cables.iter().zip(&vrids).collect();
        assert_eq!(places.len(), 1020);
        let vrids: Vec<u8> = vrids.iter().map(|vrid| vrid.parse().unwrap()).collect();
        assert_eq!(
            (vrids.iter().min(), vrids.iter().max()),
            (Some(&1), Some(&255))
        );
        let priorities: Vec<u8> = priorities.iter().map(|p| p.parse().unwrap()).collect();
        assert_eq!(
            (priorities.iter().min(), priorities.iter().max()),
            (Some(&150), Some(&249))
        );
    }
}
