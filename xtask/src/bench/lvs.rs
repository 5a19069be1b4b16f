//! What virtual servers cost, in a kernel that has IPVS: the time until thousands of them are in the kernel, a reload that
//! adds one real server, the CPU time of a check, and memory.
//!
//! A director and a host that is all the real servers: every address of 10.1.0.0/16 is its own, and one server answers on
//! all of them. Each part of each round of each program has a kernel of its own: for two minutes IPVS keeps every destination
//! that was removed, and looks through all of them whenever one is added, so that whoever is second would wait for seconds.
//!
//! The kernel is User Mode Linux with one processor; what it costs to look is paid by those who are looked at. So the
//! table is looked at by its last service, fifty times a second and without starting a program, and once as a whole when
//! that is there. The CPU time of a check is that of the director's processes, divided by the connections that the servers
//! have counted meanwhile.

mod changes;
mod site;

use std::collections::BTreeMap;
use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lab::backend::{Act, Backend, http};
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

/// One part of one program, by a wide margin.
const TIMEOUT: Duration = Duration::from_secs(900);

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

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    /// From the start until everything is in the kernel.
    Start,
    /// From the signal until one more real server is there.
    Reload,
    /// CPU time for all of that reload.
    ReloadCpu,
    /// Commands that change the kernel's table, sent by that reload.
    Changes,
    /// Of all its processes then, without checks.
    Memory,
    /// With a check of each.
    MemoryWithChecks,
    /// CPU time for a web check.
    Web,
    /// For a check of a port.
    Port,
    /// What part of these were done in their time.
    KeptUp,
}

/// A figure as it stands in the table.
struct Known {
    figure: Figure,
    /// How it is called from one kernel to the other.
    word: &'static str,
    /// Its row; `{}`: so many real servers.
    row: &'static str,
    unit: &'static str,
    target: Target,
}

/// The rows of the table.
const FIGURES: [Known; 9] = [
    known(
        Figure::Start,
        "start",
        "{} in the kernel",
        "s",
        Target::Ratio(0.5),
    ),
    known(
        Figure::Reload,
        "reload",
        "reload adding one",
        "s",
        Target::Ratio(0.25),
    ),
    known(
        Figure::ReloadCpu,
        "reload-cpu",
        "cpu of that reload",
        "s",
        Target::Ratio(0.25),
    ),
    known(
        Figure::Changes,
        "changes",
        "changes sent by it",
        "",
        Target::Most(1.0),
    ),
    known(
        Figure::Memory,
        "memory",
        "memory of {}",
        "KiB",
        Target::Ratio(1.0),
    ),
    known(
        Figure::MemoryWithChecks,
        "checked",
        "memory of them with checks",
        "KiB",
        Target::Ratio(1.0),
    ),
    known(
        Figure::Web,
        "web",
        "cpu per HTTP_GET",
        "ms",
        Target::Ratio(0.5),
    ),
    known(
        Figure::Port,
        "port",
        "cpu per TCP_CHECK",
        "ms",
        Target::Ratio(0.5),
    ),
    known(
        Figure::KeptUp,
        "in-time",
        "TCP_CHECKs done in time",
        "%",
        Target::Least(95.0),
    ),
];

const fn known(
    figure: Figure,
    word: &'static str,
    row: &'static str,
    unit: &'static str,
    target: Target,
) -> Known {
    Known {
        figure,
        word,
        row,
        unit,
        target,
    }
}

/// What a line begins with that holds a figure.
const FIGURE: &str = "figure: ";

/// Measures each program in turn, each time in a kernel of its own.
///
/// # Errors
/// When the kernel is not installed, or a program does not get its table into it.
pub(super) fn run(programs: &[Program], options: &Options) -> Result<Table> {
    let rounds = options.rounds.max(1);
    let mut seen: BTreeMap<(Figure, &str), Vec<f64>> = BTreeMap::new();
    let parts = PARTS
        .iter()
        .filter(|part| options.part.as_deref().is_none_or(|only| only == **part));
    for part in parts {
        for round in 1..=rounds {
            for program in programs {
                let name = program.name();
                eprint!("{part}, round {round} of {rounds}, {name}:");
                let figures = in_a_kernel(name, part, options.services)
                    .with_context(|| format!("{name}: {part}"))?;
                for (known, value) in figures {
                    eprint!(" {} {value:.3}", known.word);
                    seen.entry((known.figure, name)).or_default().push(value);
                }
                eprintln!();
            }
        }
    }
    let large = (options.services * REAL_SERVERS).to_string();
    let mut rows = Vec::new();
    for known in FIGURES {
        let figures: Option<Vec<f64>> = programs
            .iter()
            .map(|program| median(seen.get(&(known.figure, program.name()))?))
            .collect();
        // Of a part that was left out there is none.
        if let Some(figures) = figures {
            let name = known.row.replace("{}", &large);
            rows.push(Row::new(
                &name,
                known.unit,
                Some(known.target),
                programs,
                &figures,
            ));
        }
    }
    Ok(Table {
        name: "lvs",
        heading: format!(
            "{} virtual servers with {REAL_SERVERS} real servers each; {WEB} HTTP_GETs every {WEB_EVERY} s; {PORTS} \
             TCP_CHECKs every {PORTS_EVERY} s; medians of {rounds} rounds in User Mode Linux",
            options.services,
        ),
        rows,
    })
}

/// One part of one program, once.
fn in_a_kernel(program: &str, part: &str, services: usize) -> Result<Vec<(Known, f64)>> {
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command.args(["bench", "lvs", "--only", program, "--part", part]);
    command.args(["--services", &services.to_string()]);
    let UmlOutput { output, status } = uml::run(&UmlJob {
        modules: &MODULES,
        command: &command,
        timeout: TIMEOUT,
        memory: MEMORY,
    })?;
    if status != 0 {
        bail!("inside User Mode Linux it ended with status {status}: {output}");
    }
    let figures = output.lines().filter_map(|line| line.strip_prefix(FIGURE));
    let figures: Vec<(Known, f64)> = figures
        .map(|line| {
            let (word, value) = line.split_once(' ').context("half a figure")?;
            let known = FIGURES
                .into_iter()
                .find(|known| known.word == word)
                .with_context(|| format!("there is no figure {word}"))?;
            Ok((known, value.parse()?))
        })
        .collect::<Result<_>>()?;
    let wanted = match part {
        "table" => 5,
        "ports" => 2,
        _ => 1,
    };
    ensure!(
        figures.len() == wanted,
        "{} figures of {wanted} arrived: {output}",
        figures.len()
    );
    Ok(figures)
}

/// The same within that kernel: prints what it finds for [`in_a_kernel`] to read.
///
/// # Errors
/// When the program does not get its table into the kernel.
pub(super) fn inside(programs: &[Program], options: &Options) -> Result<()> {
    let ([program], Some(part)) = (programs, options.part.as_deref()) else {
        bail!("a kernel is for one part of one program");
    };
    let lab = Lab::new("bench")?;
    let site = Site::new(&lab)?;
    let figures = match part {
        "table" => table(&site, program, options)?,
        "memory" => vec![(Figure::MemoryWithChecks, memory(&site, program, options)?)],
        "web" => {
            let (per_check, _) = checks(&site, program, &WEB_CHECKS)?;
            vec![(Figure::Web, per_check)]
        }
        _ => {
            let (per_check, done) = checks(&site, program, &PORT_CHECKS)?;
            vec![(Figure::Port, per_check), (Figure::KeptUp, done)]
        }
    };
    for (figure, value) in figures {
        if let Some(known) = FIGURES.into_iter().find(|known| known.figure == figure) {
            println!("{FIGURE}{} {value}", known.word);
        }
    }
    Ok(())
}

/// The large table without checks: start, memory, and a reload that adds one real server.
fn table(site: &Site, program: &Program, options: &Options) -> Result<Vec<(Figure, f64)>> {
    let host = site.director();
    let mut servers = vec![REAL_SERVERS; options.services];
    let before = sys::clock::now();
    let mut process = program.start(host, &configuration(&servers, "", ""))?;
    let start = site.arrived(&servers, ARRIVAL)?.since(before);
    pause(SETTLING);
    let family = process.family()?;
    let memory = kibibytes(pss(&family)?);

    if let Some(last) = servers.last_mut() {
        *last += 1;
    }
    let changes = Changes::start(host)?;
    program.configure(host, &configuration(&servers, "", ""))?;
    let (cpu, before) = (cpu_time(&family)?, sys::clock::now());
    process.kill(SIGHUP)?;
    let reload = site.arrived(&servers, ARRIVAL)?.since(before);
    let cpu = settled(&family)?.saturating_sub(cpu);
    let changes = changes.count()?;
    process.crash()?;
    Ok(vec![
        (Figure::Start, start.as_secs_f64()),
        (Figure::Memory, memory),
        (Figure::Reload, reload.as_secs_f64()),
        (Figure::ReloadCpu, cpu.as_secs_f64()),
        (Figure::Changes, changes),
    ])
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
    let _server = Backend::start(site.servers(), "0.0.0.0:80".parse()?, Vec::new())?;
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
    Ok(kibibytes(figure))
}

/// Real servers that are checked while we look.
struct Watched {
    count: usize,
    /// Seconds.
    every: u64,
    check: &'static str,
    /// What the servers do with a connection.
    answer: fn() -> Vec<Act>,
}

const WEB_CHECKS: Watched = Watched {
    count: WEB,
    every: WEB_EVERY,
    check: "HTTP_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 3\n }",
    answer: || http(200, b"good"),
};

const PORT_CHECKS: Watched = Watched {
    count: PORTS,
    every: PORTS_EVERY,
    check: "TCP_CHECK {\n connect_timeout 3\n }",
    answer: Vec::new,
};

/// Milliseconds of CPU time for each check, and what per cent of them was done in their time.
fn checks(site: &Site, program: &Program, watched: &Watched) -> Result<(f64, f64)> {
    let server = Backend::start(site.servers(), "0.0.0.0:80".parse()?, (watched.answer)())?;
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
