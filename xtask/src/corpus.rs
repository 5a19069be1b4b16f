//! `cargo xtask corpus`: real configurations, what keepalived says of each, and what evervip says.
//!
//! Every file is checked on a host of its own (crate `lab`) that has the interfaces the corpus' index names. Two things are
//! compared with keepalived's recorded answer: the exit status of `-t`, and which kind of message names which line.
//! [`expected`] reads the recordings, [`follow_ups`] leaves out what keepalived says only because an unknown block or a
//! brace made it lose its place, [`parity`] compares.
//!
//! Differences are listed; so many of them that the aim is missed are a failure.

mod expected;
mod follow_ups;
mod ours;
mod parity;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use lab::{HostOptions, Lab, Segment};

use self::expected::{Ending, Expected};
use self::ours::Ours;
use self::parity::Parity;
use crate::shell::{self, cargo};

/// How to call this.
const USAGE: &str = "\
usage:
cargo xtask corpus [--dir DIR] [TEXT]
    compares with keepalived on the corpus in DIR (../shared/corpus); TEXT: only the files with this in their name";

/// How many statuses may differ, each with its reason in docs/differences.md.
const EXCEPTIONS: usize = 6;
/// How many of keepalived's messages ours are to cover, in percent.
const COVERED: usize = 95;
/// The commands that the recordings suppose; a script that is not there changes what is said.
const COMMANDS: [&str; 15] = [
    "bash",
    "sh",
    "test",
    "echo",
    "kill",
    "killall",
    "pidof",
    "pgrep",
    "pkill",
    "curl",
    "ip",
    "service",
    "systemctl",
    "touch",
    "python3",
];
/// keepalived needs milliseconds, and so do we; whoever needs longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Compares the files that `arguments` (what follows `corpus`) choose. To be called before any thread is started.
///
/// # Errors
/// When the arguments are wrong, there is no corpus, no hosts can be made, or the aim is missed for the whole corpus on a
/// machine like the one of the recordings.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    use lexopt::prelude::{Long, Short, Value, ValueExt as _};

    let mut directory = shell::root().join("../shared/corpus");
    let mut filter = String::new();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("dir") => directory = parser.value()?.into(),
            Value(text) if filter.is_empty() => filter = text.string()?,
            other @ (Short(_) | Long(_) | Value(_)) => bail!("{}\n{USAGE}", other.unexpected()),
        }
    }
    let directory = directory
        .canonicalize()
        .with_context(|| format!("no corpus at {}\n{USAGE}", directory.display()))?;
    let entries: Vec<Entry> = index(&directory)?
        .into_iter()
        // The index names included files, too; those are no tests of their own.
        .filter(|entry| Expected::is_recorded(&directory, &entry.file))
        .filter(|entry| entry.file.contains(&filter))
        .collect();
    let evervip = build()?;
    let room = Room::new(directory, evervip)?;
    let mut results = Vec::with_capacity(entries.len());
    for entry in entries {
        results.push(room.compare(entry)?);
    }
    print!("{}", table(&results));
    print!("{}", misses(&results));
    print!("{}", summary(&results));
    let missing: Vec<&str> = COMMANDS
        .into_iter()
        .filter(|command| !shell::is_installed(command))
        .collect();
    if !missing.is_empty() {
        println!(
            "not judged: the recordings suppose commands that this machine lacks: {}",
            missing.join(", ")
        );
    } else if filter.is_empty() && !Totals::of(&results).are_good() {
        bail!("the aim is missed");
    }
    Ok(())
}

/// The step of `cargo xtask test`: only where there is a corpus.
///
/// # Errors
/// As [`run`].
pub(crate) fn step() -> Result<()> {
    let directory = shell::root().join("../shared/corpus");
    if !directory.is_dir() {
        println!(
            "skipped: no corpus at {}, so there is nothing to compare with",
            directory.display()
        );
        return Ok(());
    }
    run(&[])
}

/// What is counted over all files.
struct Totals {
    different: usize,
    all: usize,
    covered: usize,
}

impl Totals {
    fn of(results: &[Compared]) -> Self {
        Self {
            different: results.iter().filter(|one| !one.is_same()).count(),
            all: results.iter().map(|one| one.parity.all).sum(),
            covered: results.iter().map(|one| one.parity.covered()).sum(),
        }
    }

    const fn statuses_are_good(&self) -> bool {
        self.different <= EXCEPTIONS
    }

    const fn messages_are_good(&self) -> bool {
        self.covered * 100 >= self.all * COVERED
    }

    const fn are_good(&self) -> bool {
        self.statuses_are_good() && self.messages_are_good()
    }
}

/// A line of the corpus' index.
struct Entry {
    file: String,
    interfaces: Vec<String>,
}

/// The outcome for one file.
struct Compared {
    file: String,
    theirs: Ending,
    ours: i32,
    parity: Parity,
}

impl Compared {
    fn is_same(&self) -> bool {
        self.theirs.is_met_by(self.ours)
    }
}

fn index(directory: &Path) -> Result<Vec<Entry>> {
    let path = directory.join("INDEX.tsv");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let column = |name: &str| {
        head.split('\t')
            .position(|title| title == name)
            .with_context(|| format!("{} has no column {name}", path.display()))
    };
    let (file, interfaces) = (column("file")?, column("interfaces")?);
    Ok(lines
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let cell = |number: usize| cells.get(number).copied().unwrap_or_default();
            Entry {
                file: cell(file).to_owned(),
                interfaces: cell(interfaces)
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect(),
            }
        })
        .collect())
}

/// Builds the binary that stands beside this one and tells where it is.
fn build() -> Result<PathBuf> {
    let release = !cfg!(debug_assertions);
    let mut words = vec!["build", "--quiet", "--package", "evervip"];
    words.extend(release.then_some("--release"));
    shell::run(&mut cargo(&words))?;
    let own = env::current_exe().context("cannot find this program")?;
    let binary = own.with_file_name("evervip");
    if !binary.is_file() {
        bail!("cargo did not build {}", binary.display());
    }
    Ok(binary)
}

/// Where the files are checked.
struct Room {
    directory: PathBuf,
    evervip: PathBuf,
    lab: Lab,
    lan: Segment,
}

impl Room {
    fn new(directory: PathBuf, evervip: PathBuf) -> Result<Self> {
        let lab = Lab::new("corpus")?;
        let lan = lab.segment()?;
        Ok(Self {
            directory,
            evervip,
            lab,
            lan,
        })
    }

    fn compare(&self, entry: Entry) -> Result<Compared> {
        let context = || format!("checking {}", entry.file);
        let expected = Expected::read(&self.directory, &entry.file).with_context(context)?;
        let ours = self.check(&entry).with_context(context)?;
        let mut sources: BTreeMap<String, String> = BTreeMap::new();
        for said in &expected.messages {
            if !sources.contains_key(&said.file) {
                let path = self.directory.join(&said.file);
                let bytes =
                    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                sources.insert(said.file.clone(), text);
            }
        }
        let parity = parity::compare(&expected, &sources, &ours);
        Ok(Compared {
            file: entry.file,
            theirs: expected.ending,
            ours: ours.test_status,
            parity,
        })
    }

    /// What evervip says on a fresh host.
    fn check(&self, entry: &Entry) -> Result<Ours> {
        let number = entry.file.split('-').next().unwrap_or("file");
        let options = HostOptions {
            private_tmp: true,
            ..HostOptions::default()
        };
        let host = self.lab.host(number, options)?;
        for interface in &entry.interfaces {
            host.connect(&self.lan, interface)?;
        }
        let mut command = Command::new(&self.evervip);
        command
            .args(["check", "--format", "json", &entry.file])
            .current_dir(&self.directory)
            .env("LANG", "C");
        let mut process = host.spawn(&mut command)?;
        process.wait_timeout(PATIENCE)?;
        Ours::parse(&process.output_so_far(), &self.directory)
    }
}

fn table(results: &[Compared]) -> String {
    let width = results.iter().map(|one| one.file.len()).max().unwrap_or(4);
    let mut text = format!(
        "{:width$}  keepalived  evervip  same?      messages\n",
        "file"
    );
    for one in results {
        let same = if one.is_same() { "same" } else { "DIFFERENT" };
        text.push_str(&format!(
            "{:width$}  {:>10}  {:>7}  {same:9}  {} of {}\n",
            one.file,
            one.theirs.to_string(),
            one.ours,
            one.parity.covered(),
            one.parity.all
        ));
    }
    text
}

/// keepalived's messages that ours do not cover, one line each, with what we say of the same line.
fn misses(results: &[Compared]) -> String {
    let mut text = String::from("\nMessages of keepalived's that evervip does not have:\n");
    for one in results {
        for miss in &one.parity.misses {
            text.push_str(&format!("{miss}\n"));
        }
    }
    text
}

fn summary(results: &[Compared]) -> String {
    let totals = Totals::of(results);
    let Totals {
        different,
        all,
        covered,
    } = totals;
    let sum = |of: fn(&Parity) -> usize| results.iter().map(|one| of(&one.parity)).sum::<usize>();
    let mut by_class: BTreeMap<&str, usize> = BTreeMap::new();
    for miss in results.iter().flat_map(|one| &one.parity.misses) {
        *by_class.entry(miss.class()).or_default() += 1;
    }
    let by_class: Vec<String> = by_class
        .iter()
        .map(|(class, number)| format!("{number} {class}"))
        .collect();
    let other_class = results
        .iter()
        .flat_map(|one| &one.parity.misses)
        .filter(|miss| miss.has_other_class())
        .count();
    let verdict = |good: bool| if good { "as wanted" } else { "MISSED" };
    format!(
        "\nstatuses: {} of {} the same, {different} different (at most {EXCEPTIONS}: {})\n\
         messages: {covered} of {all} covered, {}.{} % (at least {COVERED} %: {})\n\
         not compared: {} repeats, {} follow-ups of an unknown block or a brace\n\
         missing: {}; {other_class} of them on a line of which evervip says something else\n",
        results.len() - different,
        results.len(),
        verdict(totals.statuses_are_good()),
        permille(covered, all) / 10,
        permille(covered, all) % 10,
        verdict(totals.messages_are_good()),
        sum(|parity| parity.repeats),
        sum(|parity| parity.follow_ups),
        if by_class.is_empty() {
            "nothing".to_owned()
        } else {
            by_class.join(", ")
        },
    )
}

/// Of nothing, everything is covered.
fn permille(part: usize, whole: usize) -> usize {
    (part * 1000).checked_div(whole).unwrap_or(1000)
}
