//! What virtual servers cost, in a kernel that has IPVS: the time until thousands of them are in the kernel, a reload that
//! adds one real server, the CPU time of a check, and memory.
//!
//! A director and a host that is all the real servers: every address of 10.1.0.0/16 is its own, and one server answers on
//! all of them. Each round starts a director afresh and, when it has been measured, ends it as a power cut would and empties
//! the kernel's table, so that nobody pays for what another one leaves.
//!
//! The kernel is User Mode Linux with one processor; what it costs to look is paid by those who are looked at. So the
//! table is looked at by its last service, ten times a second, and once as a whole when that is there. The CPU time of a
//! check is that of the director's processes, divided by the connections that the servers have counted meanwhile.

mod changes;
mod site;

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::backend::{Backend, http};
use lab::uml::{self, UmlJob, UmlOutput};
use lab::{Lab, Pid, pause};

use self::changes::Changes;
use self::site::{Site, configuration};
use super::measure::{cpu_time, median, pss};
use super::program::Program;
use super::{Row, Table, Target};

/// Kernel modules of a director.
const MODULES: [&str; 3] = ["ip_vs", "ip_vs_rr", "nlmon"];

/// Memory of the machine, in MiB: a table of tens of thousands of destinations and both programs.
const MEMORY: u32 = 2048;

/// All rounds of both programs, by a wide margin.
const TIMEOUT: Duration = Duration::from_secs(5400);

/// Until everything is in the kernel.
const ARRIVAL: Duration = Duration::from_secs(180);

/// Until a program that has got its table there has nothing more to do.
const SETTLING: Duration = Duration::from_secs(3);

/// Real servers of each virtual server of the large table.
const REAL_SERVERS: usize = 16;

/// Real servers with a web check, every so many seconds.
const WEB: usize = 500;
const WEB_EVERY: u64 = 2;

/// Real servers with a check of their port, every so many seconds.
const PORTS: usize = 8000;
const PORTS_EVERY: u64 = 20;

/// What to measure.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// Virtual servers of the large table.
    pub(super) services: usize,
    /// How often each program has its turn.
    pub(super) rounds: u32,
    /// Which part alone.
    pub(super) part: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            services: 2277,
            rounds: 3,
            part: None,
        }
    }
}

/// The parts, which can be measured alone.
pub(super) const PARTS: [&str; 4] = ["table", "memory", "web", "ports"];

impl Options {
    fn has(&self, part: &str) -> bool {
        self.part.as_deref().is_none_or(|only| only == part)
    }
}

/// Does the same in a kernel of its own, and prints what comes of it.
///
/// # Errors
/// When the kernel is not installed, or the run fails in it.
pub(super) fn outside(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command.arg("bench").args(arguments);
    let UmlOutput { output, status } = uml::run(&UmlJob {
        modules: &MODULES,
        command: &command,
        timeout: TIMEOUT,
        memory: MEMORY,
    })?;
    print!("{output}");
    if status != 0 {
        bail!("inside User Mode Linux it ended with status {status}");
    }
    Ok(())
}

/// What the rounds of one program showed.
#[derive(Default)]
struct Findings {
    /// Seconds from the start until everything is in the kernel.
    start: Vec<f64>,
    /// Seconds from the signal until one more real server is there.
    reload: Vec<f64>,
    /// Seconds of CPU time for all of that reload.
    reload_cpu: Vec<f64>,
    /// Commands that change the kernel's table, sent by that reload.
    changes: Vec<f64>,
    /// KiB of all its processes then, without checks and with them.
    without: Vec<f64>,
    with: Vec<f64>,
    /// Milliseconds of CPU time for a web check.
    web: Vec<f64>,
    /// The same for a check of a port, and what part of them was done in their time, in per cent.
    port: Vec<f64>,
    kept_up: Vec<f64>,
}

/// Measures each program in turn, where there is IPVS.
///
/// # Errors
/// When a program does not get its table into the kernel.
pub(super) fn run(programs: &[Program], options: &Options) -> Result<Table> {
    let lab = Lab::new("bench")?;
    let site = Site::new(&lab)?;
    let server = Backend::start(site.servers(), "0.0.0.0:80".parse()?, Vec::new())?;
    let mut seen: Vec<Findings> = programs.iter().map(|_| Findings::default()).collect();
    for round in 0..options.rounds.max(1) {
        for (program, seen) in programs.iter().zip(&mut seen) {
            let name = program.name();
            eprintln!("round {} of {}: {name}", round + 1, options.rounds.max(1));
            if options.has("table") {
                table(&site, program, options, seen).with_context(|| format!("{name}: table"))?;
            }
            if options.has("memory") {
                let figure = memory(&site, program, options);
                seen.with
                    .push(figure.with_context(|| format!("{name}: memory"))?);
            }
            if options.has("web") {
                server.answer(http(200, b"good"));
                let (per_check, _) = checks(&site, &server, program, &WEB_CHECKS)
                    .with_context(|| format!("{name}: web"))?;
                seen.web.push(per_check);
            }
            if options.has("ports") {
                server.answer(Vec::new());
                let (per_check, done) = checks(&site, &server, program, &PORT_CHECKS)
                    .with_context(|| format!("{name}: ports"))?;
                seen.port.push(per_check);
                seen.kept_up.push(done);
            }
        }
    }
    let large = options.services * REAL_SERVERS;
    let mut rows = Vec::new();
    let mut row = |name: String, unit, target, pick: fn(&Findings) -> &Vec<f64>| {
        let figures: Option<Vec<f64>> = seen.iter().map(|seen| median(pick(seen))).collect();
        // Of a part that was left out there is none.
        if let Some(figures) = figures {
            rows.push(Row::new(&name, unit, Some(target), programs, &figures));
        }
    };
    row(
        format!("{large} in the kernel"),
        "s",
        Target::Ratio(0.5),
        |seen| &seen.start,
    );
    row(
        "reload adding one".to_owned(),
        "s",
        Target::Ratio(0.25),
        |seen| &seen.reload,
    );
    row(
        "cpu of that reload".to_owned(),
        "s",
        Target::Ratio(0.25),
        |seen| &seen.reload_cpu,
    );
    row(
        "changes sent by it".to_owned(),
        "",
        Target::Most(1.0),
        |seen| &seen.changes,
    );
    row(
        format!("memory of {large}"),
        "KiB",
        Target::Ratio(1.0),
        |seen| &seen.without,
    );
    row(
        "memory of them with checks".to_owned(),
        "KiB",
        Target::Ratio(1.0),
        |seen| &seen.with,
    );
    row(
        "cpu per HTTP_GET".to_owned(),
        "ms",
        Target::Ratio(0.5),
        |seen| &seen.web,
    );
    row(
        "cpu per TCP_CHECK".to_owned(),
        "ms",
        Target::Ratio(0.5),
        |seen| &seen.port,
    );
    row(
        format!("of {PORTS} TCP_CHECKs done in time"),
        "%",
        Target::Least(95.0),
        |seen| &seen.kept_up,
    );
    Ok(Table {
        name: "lvs",
        heading: format!(
            "{} virtual servers with {REAL_SERVERS} real servers each; {WEB} HTTP_GETs every {WEB_EVERY} s; {PORTS} \
             TCP_CHECKs every {PORTS_EVERY} s; medians of {} rounds in User Mode Linux",
            options.services,
            options.rounds.max(1)
        ),
        rows,
    })
}

/// The large table without checks: start, memory, and a reload that adds one real server.
fn table(site: &Site, program: &Program, options: &Options, seen: &mut Findings) -> Result<()> {
    let host = site.director();
    let mut servers = vec![REAL_SERVERS; options.services];
    let before = sys::clock::now();
    let mut process = program.start(host, &configuration(&servers, "", ""))?;
    let arrived = site.arrived(&servers, ARRIVAL)?;
    seen.start.push(arrived.since(before).as_secs_f64());
    pause(SETTLING);
    let family = process.family()?;
    seen.without.push(kibibytes(pss(&family)?));

    if let Some(last) = servers.last_mut() {
        *last += 1;
    }
    let changes = Changes::start(host)?;
    program.configure(host, &configuration(&servers, "", ""))?;
    let (cpu, before) = (cpu_time(&family)?, sys::clock::now());
    process.kill(SIGHUP)?;
    let arrived = site.arrived(&servers, ARRIVAL)?;
    seen.reload.push(arrived.since(before).as_secs_f64());
    let cpu = settled(&family)?.saturating_sub(cpu);
    seen.reload_cpu.push(cpu.as_secs_f64());
    seen.changes.push(changes.count()?);
    process.crash()?;
    site.clear()
}

/// The CPU time of processes that have come to rest: what they had to do is done.
fn settled(family: &[Pid]) -> Result<Duration> {
    let mut last = cpu_time(family)?;
    for _ in 0..REST_LOOKS {
        pause(SETTLING);
        let next = cpu_time(family)?;
        if next.saturating_sub(last) < AT_REST {
            return Ok(next);
        }
        last = next;
    }
    bail!("the program does not come to rest")
}

/// What a program at rest may use in [`SETTLING`].
const AT_REST: Duration = Duration::from_millis(50);

/// How often it is looked at before that is an error.
const REST_LOOKS: u32 = 40;

/// Asks the daemon to load again.
const SIGHUP: i32 = 1;

/// The large table with a check of each, none of which has run.
fn memory(site: &Site, program: &Program, options: &Options) -> Result<f64> {
    let servers = vec![REAL_SERVERS; options.services];
    // The first check is at a random time within the interval.
    let text = configuration(
        &servers,
        "delay_loop 100000",
        "TCP_CHECK {\n connect_timeout 3\n }",
    );
    let mut process = program.start(site.director(), &text)?;
    site.arrived(&servers, ARRIVAL)?;
    pause(SETTLING);
    let figure = pss(&process.family()?)?;
    process.crash()?;
    site.clear()?;
    Ok(kibibytes(figure))
}

/// Real servers that are checked while we look.
struct Watched {
    count: usize,
    /// Seconds.
    every: u64,
    check: &'static str,
}

const WEB_CHECKS: Watched = Watched {
    count: WEB,
    every: WEB_EVERY,
    check: "HTTP_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 3\n }",
};

const PORT_CHECKS: Watched = Watched {
    count: PORTS,
    every: PORTS_EVERY,
    check: "TCP_CHECK {\n connect_timeout 3\n }",
};

/// Milliseconds of CPU time for each check, and what per cent of them was done in their time.
fn checks(
    site: &Site,
    server: &Backend<'_>,
    program: &Program,
    watched: &Watched,
) -> Result<(f64, f64)> {
    let every = watched.every;
    let servers = vec![REAL_SERVERS; watched.count.div_ceil(REAL_SERVERS)];
    let count: usize = servers.iter().sum();
    let text = configuration(&servers, &format!("delay_loop {every}"), watched.check);
    let mut process = program.start(site.director(), &text)?;
    site.arrived(&servers, ARRIVAL)?;
    // The first ones are spread over the interval.
    pause(Duration::from_secs(every + 2) + SETTLING);
    let window = Duration::from_secs((2 * every).max(20));
    let family = process.family()?;
    let (cpu, connections, begin) = (cpu_time(&family)?, server.connections(), sys::clock::now());
    pause(window);
    let taken = sys::clock::now().since(begin);
    let (cpu, connections) = (
        cpu_time(&family)?.saturating_sub(cpu),
        server.connections() - connections,
    );
    process.crash()?;
    site.clear()?;
    if connections == 0 {
        bail!("nothing was checked");
    }
    let done = f64::from(u32::try_from(connections)?);
    let due = f64::from(u32::try_from(count)?) * taken.as_secs_f64()
        / Duration::from_secs(every).as_secs_f64();
    Ok((cpu.as_secs_f64() * 1000.0 / done, done / due * 100.0))
}

/// More than fits would be more than the machine has.
fn kibibytes(figure: u64) -> f64 {
    f64::from(u32::try_from(figure).unwrap_or(u32::MAX))
}
