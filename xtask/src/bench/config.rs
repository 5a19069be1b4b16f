//! How long the test of a large configuration takes, and how much memory.
//!
//! The file is made here: virtual servers with sixteen real servers each and a TCP check for each of those. `-t` reads,
//! checks and ends, so what is measured is the reading. The programs take turns, so that a busy spell of the machine hits
//! both; and both read a file of ten times the size, which shows whether the time grows with the file or faster.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, process};

use anyhow::{Context, Result, bail};

use super::measure::median;
use super::program::Program;
use super::{Row, Table, Target};

/// Virtual servers of the larger file, in multiples of the smaller one's.
const TIMES: usize = 10;
/// Real servers of each virtual server.
const REAL_SERVERS: usize = 16;
/// Rounds with the larger file; each lasts ten times as long.
const LONG_ROUNDS: u32 = 3;

/// What to do.
pub(super) struct Options {
    /// Virtual servers.
    pub(super) services: usize,
    /// Runs of each program.
    pub(super) rounds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            services: 2277,
            rounds: 11,
        }
    }
}

/// What the runs of one program showed.
#[derive(Default)]
struct Seen {
    /// Wall time of each run with the file, in milliseconds.
    wall: Vec<f64>,
    /// The same with the larger file.
    wall_of_larger: Vec<f64>,
    /// Most resident memory of each run, in KiB.
    memory: Vec<f64>,
    memory_of_larger: Vec<f64>,
}

/// Runs the programs' tests of a generated file.
///
/// # Errors
/// When a file cannot be written, or a program crashes.
pub(super) fn run(programs: &[Program], options: &Options) -> Result<Table> {
    let directory = env::temp_dir().join(format!("evervip-bench-config-{}", process::id()));
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let outcome = measure(programs, options, &directory);
    fs::remove_dir_all(&directory)
        .with_context(|| format!("cannot remove {}", directory.display()))?;
    let seen = outcome?;

    let figures = |pick: fn(&Seen) -> &Vec<f64>| -> Result<Vec<f64>> {
        seen.iter()
            .map(|seen| median(pick(seen)).context("nothing was measured"))
            .collect()
    };
    let wall = figures(|seen| &seen.wall)?;
    let larger = figures(|seen| &seen.wall_of_larger)?;
    let growth: Vec<f64> = larger
        .iter()
        .zip(&wall)
        .map(|(ten, one)| ten / one)
        .collect();
    let memory = figures(|seen| &seen.memory)?;
    let memory_of_larger = figures(|seen| &seen.memory_of_larger)?;
    let row =
        |name: &str, unit, target, figures: &[f64]| Row::new(name, unit, target, programs, figures);
    Ok(Table {
        name: "config",
        heading: format!(
            "-t of {} virtual servers with {REAL_SERVERS} real servers each, medians of {} runs; ten times as many, {LONG_ROUNDS} runs",
            options.services, options.rounds
        ),
        rows: vec![
            row("wall time", "ms", Some(Target::Ratio(0.5)), &wall),
            row("peak memory", "KiB", Some(Target::Ratio(1.0)), &memory),
            row(
                "wall time, ten times the file",
                "ms",
                Some(Target::Ratio(0.5)),
                &larger,
            ),
            row(
                "peak memory, ten times the file",
                "KiB",
                Some(Target::Ratio(1.0)),
                &memory_of_larger,
            ),
            // A little is for caches that the larger file does not fit into.
            row("growth of the time", "x", Some(Target::Most(11.0)), &growth),
        ],
    })
}

fn measure(programs: &[Program], options: &Options, directory: &Path) -> Result<Vec<Seen>> {
    let file = directory.join("bench.conf");
    let larger = directory.join("bench-larger.conf");
    write(&file, options.services)?;
    write(&larger, options.services * TIMES)?;
    let mut seen: Vec<Seen> = programs.iter().map(|_| Seen::default()).collect();
    // The first run of each only fills caches.
    for program in programs {
        test(program, &file)?;
    }
    for round in 0..options.rounds.max(1) {
        for (program, seen) in programs.iter().zip(&mut seen) {
            let (wall, memory) = test(program, &file)?;
            seen.wall.push(wall);
            seen.memory.push(memory);
            if round < LONG_ROUNDS {
                let (wall, memory) = test(program, &larger)?;
                seen.wall_of_larger.push(wall);
                seen.memory_of_larger.push(memory);
            }
        }
        eprintln!("{} of {} rounds", round + 1, options.rounds.max(1));
    }
    Ok(seen)
}

/// One test: wall time in milliseconds and most resident memory in KiB.
fn test(program: &Program, file: &Path) -> Result<(f64, f64)> {
    let before = sys::clock::now();
    let child = Command::new(program.binary())
        .arg("-t")
        .arg("-f")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.name()))?;
    let finished = sys::process::wait_measured(child)?;
    let wall = sys::clock::now().since(before);
    // What the test finds is not the question here, but it must have come to its end.
    if !matches!(finished.status, Some(0 | 5)) {
        bail!("{} -t ended with {:?}", program.name(), finished.status);
    }
    let memory = u32::try_from(finished.peak_memory).unwrap_or(u32::MAX);
    Ok((wall.as_secs_f64() * 1000.0, f64::from(memory)))
}

/// Writes a configuration. It is never whole in memory: what is resident when a program is started counts as that
/// program's.
fn write(file: &Path, services: usize) -> Result<()> {
    let written = fs::File::create(file).and_then(|file| {
        let mut out = BufWriter::new(file);
        configuration(&mut out, services)?;
        out.flush()
    });
    written.with_context(|| format!("cannot write {}", file.display()))
}

/// A configuration of so many virtual servers.
fn configuration(out: &mut impl io::Write, services: usize) -> io::Result<()> {
    for service in 0..services {
        let [_, _, a, b] = address(service);
        writeln!(
            out,
            "virtual_server 10.{}.{a}.{b} 80 {{\n delay_loop 10\n lb_algo rr\n lb_kind NAT\n protocol TCP",
            service >> 16
        )?;
        for server in 0..REAL_SERVERS {
            let [_, _, a, b] = address(service * REAL_SERVERS + server);
            writeln!(
                out,
                " real_server 192.168.{a}.{b} 80 {{\n  weight 1\n  TCP_CHECK {{\n   connect_timeout 3\n  }}\n }}"
            )?;
        }
        writeln!(out, "}}")?;
    }
    Ok(())
}

/// The lowest bytes of a number, the highest first.
fn address(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_as_many_services_as_asked_for() {
        let mut bytes = Vec::new();
        configuration(&mut bytes, 300).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("virtual_server ").count(), 300);
        assert_eq!(text.matches("real_server ").count(), 300 * REAL_SERVERS);
        assert!(text.contains("virtual_server 10.0.1.43 80 {\n"));
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }

    #[test]
    fn a_program_that_crashes_is_no_result() {
        let program = Program::new("false", "/bin/false".into());
        assert!(test(&program, Path::new("/dev/null")).is_err());
        let program = Program::new("true", "/bin/true".into());
        let (wall, memory) = test(&program, Path::new("/dev/null")).unwrap();
        assert!(wall > 0.0 && memory > 0.0);
    }
}
