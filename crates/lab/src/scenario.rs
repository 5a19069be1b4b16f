//! Runs the scenarios of a test binary that has no harness (`harness = false`), one process each, some at a time: a
//! scenario starts with a single thread, can enter a user namespace, and cannot harm the next one, whatever it leaves
//! behind.
//!
//! ```no_run
//! use evervip_lab::{Lab, scenario};
//!
//! fn two_hosts(lab: &mut Lab) -> anyhow::Result<()> {
//!     let lan = lab.segment()?;
//!     # drop(lan);
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     scenario::main(&[("two_hosts", two_hosts)])
//! }
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, fmt, fs, thread};

use anyhow::{Context, Result, bail};
use sys::process::{Pid, become_subreaper, kill, tie_to_spawner};

use crate::Lab;
use crate::directory::{Directory, PLACE_VARIABLE};
use crate::process::{descendants, is_alive};
use crate::wait::wait_until;

/// A name and what to do. The lab is new for each.
pub type Scenario = (&'static str, fn(&mut Lab) -> Result<()>);

/// What a scenario returns as its error when it cannot be run here. Printed, and not a failure unless the
/// environment has `EVERVIP_REQUIRE_ALL=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped(pub String);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {}", self.0)
    }
}

impl std::error::Error for Skipped {}

/// How the runner tells the process it starts which scenario it is.
pub(crate) const CHOSEN: &str = "EVERVIP_SCENARIO";

/// How the runner tells the process it starts which scenario it is to watch.
const WATCHED: &str = "EVERVIP_WATCHED_SCENARIO";

/// Scenarios at a time, unless the command line says otherwise: they mostly wait.
const JOBS: usize = 4;

/// Seconds that a scenario may take, if not 120.
const TIMEOUT: &str = "EVERVIP_SCENARIO_TIMEOUT";

/// If this variable is 1, a scenario that cannot be run is a failure: whoever sets it has installed everything.
const REQUIRE_ALL: &str = "EVERVIP_REQUIRE_ALL";

/// The status of a scenario that was skipped, as Automake has it.
pub(crate) const EXIT_SKIPPED: u8 = 77;

const SIGKILL: i32 = 9;

/// How long the processes of a scenario may take to vanish after it.
const AFTERMATH: Duration = Duration::from_secs(2);

/// The `main` of a test binary: runs the scenarios whose names contain one of the words on the command line,
/// or all. `--list`, `--exact`, `--skip WORD`, `--nocapture` and `--test-threads N` mean what they mean to cargo's own
/// harness.
pub fn main(scenarios: &[Scenario]) -> ExitCode {
    Suite {
        scenarios,
        jobs: JOBS,
        summary: |_| {},
    }
    .main()
}

/// Scenarios, and how they are run.
#[derive(Clone, Copy, Debug)]
pub struct Suite<'a> {
    /// All there are. Their names differ.
    pub scenarios: &'a [Scenario],
    /// How many at a time, unless the command line says otherwise.
    pub jobs: usize,
    /// What to do when all that were chosen have ended, before the failures are shown: to print a table.
    pub summary: fn(&BTreeMap<&'static str, Outcome>),
}

impl Suite<'_> {
    /// Like [`main`].
    pub fn main(&self) -> ExitCode {
        if let Some(name) = env::var_os(CHOSEN) {
            return match self.scenarios.iter().find(|(known, _)| name == *known) {
                Some(scenario) => perform(scenario),
                None => failed(&format!("there is no scenario {}", name.display())),
            };
        }
        let options = match Options::read(env::args().skip(1), self.jobs) {
            Ok(options) => options,
            Err(error) => return failed(&format!("{error:#}")),
        };
        match env::var(WATCHED) {
            Ok(name) => watch(&name, &options),
            Err(_) => run_all(self, &options),
        }
    }
}

fn failed(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}

/// In the process of one scenario.
fn perform((name, scenario): &Scenario) -> ExitCode {
    let result = Lab::new(name).and_then(|mut lab| {
        // Caught, so that the lab is cleaned up; the panic has printed itself.
        catch_unwind(AssertUnwindSafe(|| scenario(&mut lab)))
            .unwrap_or_else(|_| bail!("the scenario panicked"))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Skipped>() {
            Some(Skipped(reason)) => {
                println!("{reason}");
                ExitCode::from(EXIT_SKIPPED)
            }
            None => failed(&format!("{error:#}")),
        },
    }
}

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    words: Vec<String>,
    skip: Vec<String>,
    list: bool,
    exact: bool,
    no_capture: bool,
    jobs: usize,
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>, default_jobs: usize) -> Result<Self> {
        let mut options = Self {
            words: Vec::new(),
            skip: Vec::new(),
            list: false,
            exact: false,
            no_capture: false,
            jobs: default_jobs,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            if let Some(number) = argument.strip_prefix("--test-threads=") {
                options.jobs = jobs(number)?;
                continue;
            }
            match argument.as_str() {
                "--list" => options.list = true,
                "--exact" => options.exact = true,
                "--nocapture" | "--no-capture" => options.no_capture = true,
                "--skip" => options
                    .skip
                    .push(arguments.next().context("--skip needs a word")?),
                "--test-threads" => {
                    options.jobs = jobs(&arguments.next().unwrap_or_default())?;
                }
                // There is one way to print.
                "--quiet" | "-q" | "--include-ignored" | "--show-output" => {}
                "--format" | "--color" => drop(arguments.next()),
                option if option.starts_with("--format=") || option.starts_with("--color=") => {}
                option if option.starts_with('-') => bail!("unknown option {option}"),
                word => options.words.push(word.to_owned()),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        let matches = |word: &String| {
            if self.exact {
                name == word
            } else {
                name.contains(word.as_str())
            }
        };
        (self.words.is_empty() || self.words.iter().any(matches)) && !self.skip.iter().any(matches)
    }
}

fn jobs(number: &str) -> Result<usize> {
    number
        .parse()
        .ok()
        .filter(|jobs| *jobs > 0)
        .with_context(|| format!("--test-threads needs a number above 0, not {number:?}"))
}

/// How a scenario ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// It cannot be run here; why.
    Skipped(String),
    /// What it said.
    Failed(String),
}

fn run_all(suite: &Suite<'_>, options: &Options) -> ExitCode {
    let (chosen, left_out): (Vec<_>, Vec<_>) = suite
        .scenarios
        .iter()
        .partition(|(name, _)| options.wants(name));
    if options.list {
        for (name, _) in &chosen {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    let begin = sys::clock::now();
    let mut outcomes = BTreeMap::new();
    let todo = Mutex::new(chosen.iter().map(|(name, _)| *name));
    let (report, reports) = channel();
    thread::scope(|scope| {
        for _ in 0..options.jobs {
            let (todo, report) = (&todo, report.clone());
            scope.spawn(move || {
                // Not a `while let`: that would keep the lock for as long as the scenario runs.
                loop {
                    let next = todo.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(name) = next else { return };
                    let outcome = have_watched(name, options)
                        .unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
                    if report.send((name, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(report);
        for (name, outcome) in reports {
            match &outcome {
                Outcome::Passed => println!("test {name} ... ok"),
                Outcome::Skipped(reason) => println!("test {name} ... ignored, {}", reason.trim()),
                Outcome::Failed(_) => println!("test {name} ... FAILED"),
            }
            outcomes.insert(name, outcome);
        }
    });
    (suite.summary)(&outcomes);
    let (mut passed, mut skipped, mut failures) = (0, 0, Vec::new());
    for (name, outcome) in &outcomes {
        match outcome {
            Outcome::Passed => passed += 1,
            Outcome::Skipped(_) => skipped += 1,
            Outcome::Failed(text) => failures.push((name, text)),
        }
    }
    if !failures.is_empty() {
        println!("\nfailures:");
        for (name, text) in &failures {
            println!("\n---- {name} ----\n{}", text.trim_end());
        }
    }
    println!(
        "\ntest result: {}. {passed} passed; {} failed; {skipped} ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failures.is_empty() { "ok" } else { "FAILED" },
        failures.len(),
        left_out.len(),
        sys::clock::now().since(begin).as_secs_f64(),
    );
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Starts this program again to watch one scenario: what a scenario orphans comes to the process that watches it,
/// which must not watch another one at the same time.
fn have_watched(name: &str, options: &Options) -> Result<Outcome> {
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command
        .env(WATCHED, name)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if options.no_capture {
        command.arg("--nocapture").stdout(Stdio::inherit());
    }
    tie_to_spawner(&mut command, SIGKILL);
    let output = command
        .output()
        .context("cannot start this program again")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(match output.status.code() {
        Some(0) => Outcome::Passed,
        Some(code) if code == i32::from(EXIT_SKIPPED) => Outcome::Skipped(said),
        _ => Outcome::Failed(said),
    })
}

/// In the process that watches one scenario.
fn watch(name: &str, options: &Options) -> ExitCode {
    match run_one(name, options).unwrap_or_else(|error| Outcome::Failed(format!("{error:#}"))) {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Skipped(reason) => {
            println!("{reason}");
            ExitCode::from(EXIT_SKIPPED)
        }
        Outcome::Failed(text) => {
            println!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Starts this program again for one scenario, and sees to it that nothing remains of it.
fn run_one(name: &str, options: &Options) -> Result<Outcome> {
    // What a scenario orphans comes to us, where it can be seen and ended.
    become_subreaper()?;
    let directory = Directory::create("runner")?;
    let path = directory.path().join("output");
    let output = File::create(&path)?;
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command
        .env(CHOSEN, name)
        .env(PLACE_VARIABLE, directory.path())
        .stdin(Stdio::null());
    if !options.no_capture {
        command.stdout(output.try_clone()?).stderr(output);
    }
    tie_to_spawner(&mut command, SIGKILL);
    let mut child = command.spawn().context("cannot start this program again")?;
    let timeout = timeout()?;
    let ended = wait_until(timeout, "the scenario ends", || {
        !matches!(child.try_wait(), Ok(None))
    });
    if ended.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let remains = end_remains()?;
    let said =
        fs::read_to_string(&path).unwrap_or_else(|error| format!("(its output is lost: {error})"));
    Ok(if let Err(error) = ended {
        Outcome::Failed(format!("{said}{error}"))
    } else if status.code() == Some(i32::from(EXIT_SKIPPED)) {
        if env::var_os(REQUIRE_ALL).is_some_and(|value| value == "1") {
            Outcome::Failed(format!("{said}skipped, although {REQUIRE_ALL} is set"))
        } else {
            Outcome::Skipped(said)
        }
    } else if !status.success() {
        Outcome::Failed(format!("{said}{status}"))
    } else if remains > 0 {
        Outcome::Failed(format!("{said}it left {remains} processes behind"))
    } else {
        Outcome::Passed
    })
}

fn timeout() -> Result<Duration> {
    match env::var(TIMEOUT) {
        Ok(seconds) => Ok(Duration::from_secs(
            seconds
                .parse()
                .with_context(|| format!("{TIMEOUT}={seconds}"))?,
        )),
        Err(_) => Ok(Duration::from_secs(120)),
    }
}

/// Waits for what the scenario left to vanish by itself, as it should; kills what does not and counts it.
fn end_remains() -> Result<usize> {
    let own = Pid::own();
    let reap = || while matches!(sys::process::reap(), Ok(Some(_))) {};
    let vanished = wait_until(AFTERMATH, "all its processes end", || {
        reap();
        descendants(own).is_ok_and(|left| left.is_empty())
    });
    if vanished.is_ok() {
        return Ok(0);
    }
    let left = descendants(own)?;
    for pid in &left {
        kill(*pid, SIGKILL)?;
    }
    wait_until(AFTERMATH, "killed processes end", || {
        reap();
        left.iter().all(|pid| !is_alive(*pid))
    })?;
    Ok(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Options> {
        Options::read(words.iter().map(ToString::to_string), JOBS)
    }

    #[test]
    fn words_choose_scenarios() {
        assert!(read(&[]).unwrap().wants("anything"));
        let options = read(&["two", "--skip", "slow", "--test-threads=1", "--nocapture"]).unwrap();
        assert!(options.wants("the_two_hosts"));
        assert!(!options.wants("one_host"));
        assert!(!options.wants("two_slow_hosts"));
        assert!(!read(&["--exact", "two"]).unwrap().wants("two_hosts"));
        assert_eq!(read(&["--test-threads", "3"]).unwrap().jobs, 3);
        assert!(read(&["--test-threads=0"]).is_err());
        assert!(read(&["--no-such-option"]).is_err());
    }
}
