//! `cargo xtask bench failover|takeover|scale|loaded|hmac|bfd|lvs|checks|https|config`: evervip and Debian's keepalived measured side by side.
//!
//! Absolute figures say more about the machine than about the program, and on a busy machine little about either. So
//! both programs are measured in one run, in turn, on the same kind of hosts (network namespaces of the crate `lab`)
//! with the same configuration file, and what counts is the ratio of their medians. Every round starts from fresh
//! hosts, so that nothing one program leaves behind meets the other.
//!
//! - [`failover`]: how much longer than Master_Down_Interval a backup takes to notice a crash, and how soon after its
//!   first advert its first gratuitous ARP follows. Times are the kernel's stamps of frames on the backup's interface.
//! - [`takeover`]: how long a new master takes to announce thousands of addresses, and its CPU time.
//! - [`scale`]: many instances: CPU time per advert sent and received, memory, and how regular the adverts are.
//!   Whoever captures on an interface adds to the CPU time of whoever sends through it, so CPU time is measured while
//!   nobody captures (adverts are counted by the interfaces), and regularity afterwards in a window of its own.
//! - [`loaded`]: whether anybody takes over by mistake while other processes keep all CPUs busy.
//! - [`hmac`]: what signed adverts cost more than others.
//! - [`bfd`]: sessions of BFD: CPU time of a packet, memory, false failures on a busy machine, how late a real one is noticed.
//! - [`lvs`]: virtual servers, in a kernel of their own, because few machines' kernels have IPVS: the time until thousands
//!   are in the kernel, a reload that adds one, the CPU time of a check, memory.
//! - [`config`]: how long the test of a large configuration takes, and how much memory.
//!
//! A table is printed for people, then one `result:` line for each of its rows for programs. A missed target is
//! marked, but is no failure: the machine may have been busy.

mod bfd;
mod checks;
mod config;
mod failover;
mod frames;
mod hmac;
mod loaded;
mod lvs;
mod measure;
mod program;
mod scale;
mod takeover;

use std::path::PathBuf;
use std::process::Command;
use std::{env, fmt};

use anyhow::{Context, Result, bail};

use self::program::Program;

/// How to call this.
const USAGE: &str = "\
usage:
cargo xtask bench failover [--crashes N]
    crashes of the master, of each program (20)
cargo xtask bench takeover [--addresses N] [--rounds N]
    excluded addresses (4000), rounds of each program (5)
cargo xtask bench scale [--instances N] [--seconds N] [--rounds N] [--spread]
    virtual routers (1000; at most 255 on an interface, of which there are 4, for more than 1020 instances 16),
    seconds per window (20), rounds of each program (2);
    --spread: different priorities, so that they do not all become master at the same time
cargo xtask bench loaded [--instances N] [--seconds N]
    virtual routers (1000) at advert_int 0.1, seconds under load (60); evervip alone, but for --only keepalived
cargo xtask bench hmac [--instances N] [--seconds N] [--rounds N]
    virtual routers (1000), seconds per window (20), rounds with and without (3); evervip alone
cargo xtask bench bfd [--sessions N --interval MS] [--seconds N] [--rounds N] [--silences N]
    sessions, at most 1024, that send so often (1000 at 100 ms, 200 and 50 at 10 ms), seconds per window, one quiet and
    one with both CPUs kept busy (60), rounds of each program (1), silences of the other end per round (10)
cargo xtask bench checks [--checks N] [--every SECONDS] [--seconds N] [--rounds N]
    TCP checks (20000), each so often (1), seconds per window (5), rounds (3); evervip alone
cargo xtask bench https [--checks N] [--every SECONDS] [--seconds N] [--rounds N]
    SSL_GETs of the daemon (1000), each so often (1), seconds per window (10), rounds (3); evervip alone
cargo xtask bench config [--services N] [--rounds N]
    virtual servers in the file (2277), tests of it by each program (11)
cargo xtask bench lvs [--services N] [--rounds N] [--part table|memory|web|ports]
    virtual servers of the large table (2277), rounds of each program (3), one part alone
each with --only evervip|keepalived
    measures one of them alone";

/// Runs the benchmark that `arguments` (what follows `bench`) name.
///
/// # Errors
/// When the arguments are wrong, a program is missing, or the programs under test do not do their work.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    use lexopt::prelude::{Long, Short, Value, ValueExt as _};

    if let ["checks", options @ ..] = arguments {
        return checks::run("attempts", options);
    }
    if let ["https", options @ ..] = arguments {
        return checks::run("https", options);
    }
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut which = None;
    let mut crashes = 20;
    let mut takeover = takeover::Options::default();
    let mut instances: Option<u32> = None;
    let mut seconds: Option<u32> = None;
    let mut rounds: Option<u32> = None;
    let mut spread = false;
    let mut config = config::Options::default();
    let mut lvs = lvs::Options::default();
    let mut services: Option<usize> = None;
    let mut bfd = bfd::Options::default();
    let mut sessions: Option<u32> = None;
    let mut interval: Option<u32> = None;
    let mut only: Option<String> = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("crashes") => crashes = parser.value()?.parse()?,
            Long("instances") => instances = Some(parser.value()?.parse()?),
            Long("seconds") => seconds = Some(parser.value()?.parse()?),
            Long("rounds") => rounds = Some(parser.value()?.parse()?),
            Long("addresses") => takeover.addresses = parser.value()?.parse()?,
            Long("services") => services = Some(parser.value()?.parse()?),
            Long("sessions") => sessions = Some(parser.value()?.parse()?),
            Long("interval") => interval = Some(parser.value()?.parse()?),
            Long("silences") => bfd.silences = parser.value()?.parse()?,
            Long("part") => {
                let part: String = parser.value()?.parse()?;
                if !lvs::PARTS.contains(&part.as_str()) {
                    bail!("{part} is none of {}", lvs::PARTS.join(", "));
                }
                lvs.part = Some(part);
            }
            Long("spread") => spread = true,
            Long("only") => only = Some(parser.value()?.parse()?),
            Value(name) if which.is_none() => which = Some(name.string()?),
            other @ (Short(_) | Long(_) | Value(_)) => bail!("{}\n{USAGE}", other.unexpected()),
        }
    }
    let which = match which.as_deref() {
        Some("failover") => Benchmark::Failover,
        Some("takeover") => Benchmark::Takeover,
        Some("loaded") => Benchmark::Loaded,
        Some("hmac") => Benchmark::Hmac,
        Some("bfd") => Benchmark::Bfd,
        Some("scale") => Benchmark::Scale,
        Some("lvs") => Benchmark::Lvs,
        Some("config") => Benchmark::Config,
        Some(other) => bail!("there is no benchmark {other}\n{USAGE}"),
        None => bail!("which benchmark?\n{USAGE}"),
    };
    let programs: Vec<Program> = match only.as_deref() {
        None => vec![evervip()?, keepalived()?],
        Some("evervip") => vec![evervip()?],
        Some("keepalived") => vec![keepalived()?],
        Some(other) => bail!("{other} is neither evervip nor keepalived"),
    };
    takeover.rounds = rounds.unwrap_or(takeover.rounds);
    config.rounds = rounds.unwrap_or(config.rounds);
    config.services = services.unwrap_or(config.services);
    lvs.rounds = rounds.unwrap_or(lvs.rounds);
    lvs.services = services.unwrap_or(lvs.services);
    bfd.rounds = rounds.unwrap_or(bfd.rounds);
    bfd.seconds = seconds.unwrap_or(bfd.seconds);
    if sessions.is_some() || interval.is_some() {
        bfd.cases = vec![bfd::Case {
            sessions: sessions.unwrap_or(1000),
            interval: interval.unwrap_or(100),
        }];
    }
    let of = |usual: scale::Options| scale::Options {
        instances: instances.unwrap_or(usual.instances),
        seconds: seconds.unwrap_or(usual.seconds),
        rounds: rounds.unwrap_or(usual.rounds),
        spread,
        ..usual
    };
    let table = match which {
        Benchmark::Takeover => takeover::run(&programs, &takeover)?,
        // keepalived does not get as far as an election on a machine that is busy already.
        Benchmark::Loaded => {
            let first = programs.get(..1).unwrap_or_default();
            loaded::run(first, &of(loaded::options()))?
        }
        Benchmark::Hmac => hmac::run(&programs, &of(hmac::options()))?,
        Benchmark::Bfd => bfd::run(&programs, &bfd)?,
        Benchmark::Failover => failover::run(&programs, crashes)?,
        Benchmark::Scale => scale::run(&programs, &of(scale::Options::default()))?,
        Benchmark::Lvs if lab::uml::is_inside() => return lvs::inside(&programs, &lvs),
        Benchmark::Lvs => lvs::run(&programs, &lvs)?,
        Benchmark::Config => config::run(&programs, &config)?,
    };
    print!("{table}");
    Ok(())
}

enum Benchmark {
    Failover,
    Takeover,
    Loaded,
    Hmac,
    Bfd,
    Lvs,
    Scale,
    Config,
}

fn evervip() -> Result<Program> {
    Ok(Program::new("evervip", build_evervip()?))
}

fn keepalived() -> Result<Program> {
    let binary = lab::packages::require("keepalived")?;
    Ok(Program::new("keepalived", binary))
}

/// Builds the release binary and tells where it is. In a kernel of its own a benchmark finds it built.
fn build_evervip() -> Result<PathBuf> {
    if !lab::uml::is_inside() {
        build_release()?;
    }
    // Ours is target/debug/xtask or the like.
    let own = env::current_exe().context("cannot find this program")?;
    let binary = own
        .ancestors()
        .nth(2)
        .with_context(|| format!("{} is not in a target directory", own.display()))?
        .join("release/evervip");
    if !binary.is_file() {
        bail!("cargo did not build {}", binary.display());
    }
    Ok(binary)
}

fn build_release() -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "evervip"])
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("evervip does not build");
    }
    Ok(())
}

/// What was measured.
struct Table {
    /// The first word of the result lines.
    name: &'static str,
    /// How it was measured, for the heading.
    heading: String,
    rows: Vec<Row>,
}

/// One figure of both programs.
struct Row {
    name: String,
    unit: &'static str,
    /// Of evervip; absent when it was not measured.
    evervip: Option<f64>,
    /// Of keepalived; absent when it was not measured.
    keepalived: Option<f64>,
    target: Option<Target>,
}

/// What evervip's figure should be.
#[derive(Clone, Copy)]
enum Target {
    /// At most this many times keepalived's.
    Ratio(f64),
    /// At most this, in the row's unit.
    Most(f64),
    /// At least this, in the row's unit.
    Least(f64),
}

impl Row {
    /// The row of one figure, from what was measured of each program, in the order of `programs`.
    fn new(
        name: &str,
        unit: &'static str,
        target: Option<Target>,
        programs: &[Program],
        figures: &[f64],
    ) -> Self {
        let figure = |wanted: &str| {
            programs
                .iter()
                .zip(figures)
                .find(|(program, _)| program.name() == wanted)
                .map(|(_, figure)| *figure)
        };
        Self {
            name: name.to_owned(),
            unit,
            evervip: figure("evervip"),
            keepalived: figure("keepalived"),
            target,
        }
    }

    /// How many times keepalived's figure ours is; absent when either is missing or has no size to compare.
    fn ratio(&self) -> Option<f64> {
        match (self.evervip, self.keepalived) {
            (Some(ours), Some(theirs)) if theirs > 0.0 => Some(ours / theirs),
            _ => None,
        }
    }

    fn verdict(&self) -> &'static str {
        let met = match (self.target, self.evervip, self.keepalived) {
            (Some(Target::Ratio(most)), Some(ours), Some(theirs)) => ours <= theirs * most,
            (Some(Target::Most(most)), Some(ours), _) => ours <= most,
            (Some(Target::Least(least)), Some(ours), _) => ours >= least,
            _ => return "",
        };
        if met { "met" } else { "MISSED" }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(most) => write!(f, "ratio <= {most}"),
            Self::Most(most) => write!(f, "<= {most}"),
            Self::Least(least) => write!(f, ">= {least}"),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure =
            |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |n| format!("{n:.3}"));
        writeln!(f, "{}: {}\n", self.name, self.heading)?;
        writeln!(
            f,
            "{:<44} {:<5} {:>10} {:>10} {:>7}  {:<14}",
            "", "unit", "evervip", "keepalived", "ratio", "target"
        )?;
        for row in &self.rows {
            let ratio = row
                .ratio()
                .map_or_else(|| "-".to_owned(), |n| format!("{n:.2}"));
            let target = row
                .target
                .map(|target| target.to_string())
                .unwrap_or_default();
            let line = format!(
                "{:<44} {:<5} {:>10} {:>10} {:>7}  {:<14} {}",
                row.name,
                row.unit,
                figure(row.evervip),
                figure(row.keepalived),
                ratio,
                target,
                row.verdict(),
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        let missed = self.rows.iter().filter(|row| row.verdict() == "MISSED");
        for row in missed {
            writeln!(f, "target missed: {}", row.name)?;
        }
        writeln!(f)?;
        for row in &self.rows {
            writeln!(
                f,
                "result: {} {} evervip {}{unit} keepalived {}{unit} ratio {}",
                self.name,
                row.name.replace([' ', ','], "_").replace("__", "_"),
                figure(row.evervip),
                figure(row.keepalived),
                row.ratio()
                    .map_or_else(|| "-".to_owned(), |n| format!("{n:.3}")),
                unit = row.unit,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(evervip: f64, keepalived: f64, target: Target) -> Row {
        let programs = [
            Program::new("keepalived", PathBuf::new()),
            Program::new("evervip", PathBuf::new()),
        ];
        Row::new(
            "cpu, sent",
            "us",
            Some(target),
            &programs,
            &[keepalived, evervip],
        )
    }

    #[test]
    fn targets_are_judged() {
        assert_eq!(row(4.0, 8.0, Target::Ratio(0.5)).verdict(), "met");
        assert_eq!(row(4.1, 8.0, Target::Ratio(0.5)).verdict(), "MISSED");
        assert_eq!(row(0.3, 0.1, Target::Most(0.3)).verdict(), "met");
        assert_eq!(row(0.4, 0.5, Target::Most(0.3)).verdict(), "MISSED");
        assert_eq!(row(95.0, 1.0, Target::Least(95.0)).verdict(), "met");
        assert_eq!(row(94.9, 1.0, Target::Least(95.0)).verdict(), "MISSED");
        assert_eq!(row(1.0, 0.0, Target::Ratio(1.0)).ratio(), None);
    }

    #[test]
    fn result_lines_are_made_of_words() {
        let table = Table {
            name: "scale",
            heading: "two hosts".to_owned(),
            rows: vec![row(4.0, 8.0, Target::Ratio(0.5))],
        };
        let text = table.to_string();
        assert!(
            text.ends_with(
                "\nresult: scale cpu_sent evervip 4.000us keepalived 8.000us ratio 0.500\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_program_that_was_not_measured_is_left_out() {
        let programs = [Program::new("keepalived", PathBuf::new())];
        let row = Row::new("pss", "KiB", Some(Target::Ratio(1.0)), &programs, &[5.0]);
        assert_eq!((row.evervip, row.keepalived), (None, Some(5.0)));
        assert_eq!((row.ratio(), row.verdict()), (None, ""));
    }
}
