//! `cargo xtask test`: what CI runs, in the order in which it fails soonest.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::shell::{self, cargo};

/// How many worlds the full run simulates; `cargo test` alone does 300.
const WORLDS: &str = "10000";
/// The version of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "~0.20";
/// Crates that must not know an operating system.
const CORES: [&str; 3] = ["types", "wire", "vrrp"];

/// One step of a run.
struct Step {
    name: &'static str,
    what: &'static str,
    /// Whether it belongs to `--fast`.
    fast: bool,
    /// Whether it runs tests, which a filter can choose from.
    tests: bool,
    run: fn(Option<&str>) -> Result<()>,
}

const STEPS: [Step; 10] = [
    Step {
        name: "packages",
        what: "programs that the tests need",
        fast: false,
        tests: false,
        run: |_| packages::install_missing(),
    },
    Step {
        name: "fmt",
        what: "the code looks as rustfmt wants it",
        fast: true,
        tests: false,
        run: |_| shell::run(&mut cargo(&["fmt", "--all", "--check"])),
    },
    Step {
        name: "clippy",
        what: "no warning",
        fast: false,
        tests: false,
        run: |_| clippy(),
    },
    Step {
        name: "doc",
        what: "the documentation builds without a warning",
        fast: false,
        tests: false,
        run: |_| doc(),
    },
    Step {
        name: "deny",
        what: "licences, bans and sources of what we depend on",
        fast: false,
        tests: false,
        run: |_| deny(),
    },
    Step {
        name: "no-std",
        what: "the protocol cores know no operating system",
        fast: true,
        tests: false,
        run: |_| no_std(),
    },
    Step {
        name: "unit",
        what: "unit and property tests",
        fast: true,
        tests: true,
        run: |filter| test(&["--lib", "--bins"], filter, None),
    },
    Step {
        name: "simulation",
        what: "many worlds, broken hosts, and the fuzz corpus; with --fast 300 worlds",
        fast: true,
        tests: true,
        run: |filter| simulate(filter, WORLDS),
    },
    Step {
        name: "corpus",
        what: "what is said of real configurations, beside what keepalived says",
        fast: false,
        tests: false,
        run: |_| crate::corpus::step(),
    },
    Step {
        name: "everything",
        what: "the rest of `cargo test`: documentation examples, namespaces, the lab, interoperation",
        fast: false,
        tests: true,
        run: |filter| test(&[], filter, None),
    },
];

/// Test files of the daemon that one wants to look at alone, by the names of their own.
const SHOWN: [&str; 4] = ["bfd", "interop", "lvs", "reload"];

/// Runs the steps that the options ask for.
///
/// # Errors
/// When an option is unknown, or a step fails.
pub(crate) fn run(options: &[&str]) -> Result<()> {
    if let [name, words @ ..] = options
        && SHOWN.contains(name)
    {
        return show(name, words);
    }
    let mut fast = false;
    let mut filter = None;
    for option in options {
        match *option {
            "--fast" => fast = true,
            "--list" => {
                for step in &STEPS {
                    println!("{:<12}{}", step.name, step.what);
                }
                return Ok(());
            }
            unknown if unknown.starts_with('-') => bail!("test has no option {unknown}"),
            word if filter.is_none() => filter = Some(word),
            word => bail!("test takes one filter, {word} is another"),
        }
    }
    let (steps, filter) = choose(fast, filter);
    let mut taken = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        println!(
            "\n== {}/{} {}: {}",
            number + 1,
            steps.len(),
            step.name,
            step.what
        );
        let begin = now();
        let outcome = if fast && step.name == "simulation" {
            simulate(filter, "300")
        } else {
            (step.run)(filter)
        };
        let duration = begin.elapsed();
        outcome
            .with_context(|| format!("step {} FAILED after {}", step.name, seconds(duration)))?;
        taken.push((step.name, duration));
    }
    println!("\n== summary: all {} steps passed", taken.len());
    for (name, duration) in taken {
        println!("{name:<12}{:>9}", seconds(duration));
    }
    Ok(())
}

/// The steps to run, and the filter for their tests.
fn choose(fast: bool, filter: Option<&str>) -> (Vec<&'static Step>, Option<&str>) {
    let wanted: Vec<&Step> = STEPS.iter().filter(|step| step.fast || !fast).collect();
    let Some(word) = filter else {
        return (wanted, None);
    };
    let named: Vec<&Step> = STEPS
        .iter()
        .filter(|step| step.name.contains(word))
        .collect();
    if named.is_empty() {
        let tests = wanted.into_iter().filter(|step| step.tests).collect();
        (tests, Some(word))
    } else {
        (named, None)
    }
}

/// One test file, with the words and options for its runner, such as parts of the names of scenarios.
fn show(name: &str, words: &[&str]) -> Result<()> {
    let mut command = cargo(&["test", "--package", "evervip", "--test", name, "--"]);
    command.args(words);
    shell::run(&mut command)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a step takes on this machine is the question"
)]
fn now() -> Instant {
    Instant::now()
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn clippy() -> Result<()> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    shell::run(&mut cargo(&arguments))
}

fn doc() -> Result<()> {
    let mut command = cargo(&["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    shell::run(&mut command)
}

fn deny() -> Result<()> {
    let ours = shell::root().join("target/tools");
    let binary = ours.join("bin/cargo-deny");
    let program = if shell::is_installed("cargo-deny") {
        Path::new("cargo-deny")
    } else {
        if !shell::is_executable(&binary) {
            println!(
                "cargo-deny is missing: it judges the licences and sources of everything that we link. Building it into \
                 {}, once; this takes minutes.",
                ours.display()
            );
            let mut install =
                cargo(&["install", "cargo-deny", "--locked", "--version", CARGO_DENY]);
            install.arg("--root").arg(&ours);
            shell::run(&mut install)?;
        }
        binary.as_path()
    };
    let mut command = Command::new(program);
    command
        .current_dir(shell::root())
        .args(["check", "licenses", "bans", "sources"]);
    shell::run(&mut command)
}

/// The cores say `no_std`, and ask for nobody's `std` feature.
///
/// The real proof is a build for a target that has no std. It is made when such a target is installed; a tool chain that
/// cannot be extended has none, and `wasm32-unknown-unknown` would prove nothing, for it has a std that fails at run time.
fn no_std() -> Result<()> {
    for core in CORES {
        let source = shell::root().join("crates").join(core).join("src/lib.rs");
        let text = std::fs::read_to_string(&source)
            .with_context(|| format!("cannot read {}", source.display()))?;
        if !text.lines().any(|line| line == "#![no_std]") {
            bail!("{} does not say #![no_std]", source.display());
        }
        if text.contains("extern crate std") {
            bail!("{} brings std back in", source.display());
        }
        let package = format!("evervip-{core}");
        let tree = shell::read(&mut cargo(&[
            "tree",
            "--package",
            &package,
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "none",
            "--format",
            "{p} features {f}",
        ]))?;
        if let Some(line) = tree.lines().find(|line| asks_for_std(line)) {
            bail!("{package} depends on std: {line}");
        }
        println!(
            "{package}: no_std, and {} dependencies without std",
            tree.lines().count()
        );
    }
    match bare_target() {
        Some(target) => {
            let mut command = cargo(&["check", "--target", &target]);
            for core in CORES {
                command.args(["--package", &format!("evervip-{core}")]);
            }
            shell::run(&mut command)
        }
        None => {
            println!("no target without std is installed: not built for one");
            Ok(())
        }
    }
}

/// `serde v1.0.0 features alloc,std`
fn asks_for_std(line: &str) -> bool {
    line.split_once(" features ")
        .is_some_and(|(_, features)| features.split([',', ' ']).any(|feature| feature == "std"))
}

/// An installed target that has no operating system, if rustup knows of one.
fn bare_target() -> Option<String> {
    let installed = shell::read(Command::new("rustup").args(["target", "list", "--installed"]));
    installed
        .ok()?
        .lines()
        .find(|target| target.contains("-none"))
        .map(str::to_owned)
}

fn simulate(filter: Option<&str>, worlds: &str) -> Result<()> {
    let targets = [
        "--test",
        "fuzz_corpus",
        "--test",
        "broken_hosts",
        "--test",
        "seeds",
    ];
    test(&targets, filter, Some(worlds))
}

fn test(arguments: &[&str], filter: Option<&str>, worlds: Option<&str>) -> Result<()> {
    let mut command = cargo(&["test", "--workspace"]);
    command.args(arguments);
    if let Some(worlds) = worlds {
        command.env("EVERVIP_SIM_SEEDS", worlds);
    }
    if let Some(filter) = filter {
        command.args(["--", filter]);
    }
    shell::run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(fast: bool, filter: Option<&'static str>) -> (String, Option<&'static str>) {
        let (steps, filter) = choose(fast, filter);
        let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
        (names.join(" "), filter)
    }

    #[test]
    fn options_choose_steps_or_tests() {
        let fast = String::from("fmt no-std unit simulation");
        assert_eq!(names(true, None), (fast, None));
        assert_eq!(names(false, None).0.split(' ').count(), STEPS.len());
        assert_eq!(names(false, Some("deny")), (String::from("deny"), None));
        assert_eq!(
            names(true, Some("garp")),
            (String::from("unit simulation"), Some("garp"))
        );
        assert!(run(&["--quickly"]).is_err());
        assert!(run(&["one", "two"]).is_err());
    }

    #[test]
    fn std_is_seen_in_a_list_of_features() {
        assert!(asks_for_std("serde v1.0.0 features alloc,std"));
        assert!(asks_for_std("a v1 (/path) features std"));
        assert!(!asks_for_std("std-less v1.0.0 features alloc"));
        assert!(!asks_for_std("serde v1.0.0 features alloc,stdx"));
    }
}
