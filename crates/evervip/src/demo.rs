//! `evervip demo`: two routers, one address, and what a client sees when a router dies. Everything is real (daemons, files,
//! packets) and happens in namespaces of this program's own; nothing of the machine is touched, nothing is left.
//!
//! This file is the way in and the way out. What is done, step by step, is in `story`; the hosts are in `network`; the facts
//! are collected by `observer` into a `record`, and turned into a drawing by `timeline` and into words by `moments`.

mod configuration;
mod moments;
mod network;
mod observer;
mod prober;
mod record;
mod screen;
mod story;
mod style;
mod timeline;

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, ArgMatches, Command};
use lab::Lab;
use sys::signals::SignalSet;

use self::network::Network;
use self::observer::Observer;
use self::screen::Screen;
use self::story::Story;
use self::style::Style;

use crate::exit::Exit;

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

const ABOUT: &str = "\
Starts two routers and a client in namespaces of their own, takes the routers
away in several ways, and shows how the virtual address moves and what the
client notices. Needs no root and no other program; changes nothing on this
machine. Takes half a minute.";

/// The command line.
pub(crate) fn command(command: Command) -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    command
        .before_help(ABOUT)
        .arg(switch("fast", "No pauses for reading"))
        .arg(switch(
            "plain",
            "Lines only: no colours, nothing that moves (also whenever the output is no terminal;\n\
             colours alone: set NO_COLOR)",
        ))
}

/// Runs the demonstration. To be called while the process has a single thread.
pub(crate) fn run(matches: &ArgMatches) -> Exit {
    let options = Options::from(matches);
    // Everything is taken down when it returns, however it returns.
    match show(options) {
        Ok(()) => Exit::Success,
        Err(error) => match error.downcast_ref::<Interrupted>() {
            Some(interrupted) => {
                eprintln!("\nevervip demo: {interrupted}");
                Exit::Status(interrupted.status())
            }
            None => {
                eprintln!("\nevervip demo: {error:#}");
                Exit::Fatal
            }
        },
    }
}

/// How to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    fast: bool,
    plain: bool,
}

impl From<&ArgMatches> for Options {
    fn from(matches: &ArgMatches) -> Self {
        Self {
            fast: matches.get_flag("fast"),
            plain: matches.get_flag("plain"),
        }
    }
}

/// Somebody wants it to end.
#[derive(Clone, Copy, Debug)]
struct Interrupted {
    signal: i32,
}

impl Interrupted {
    /// As a shell says it of a program that a signal ended.
    fn status(self) -> u8 {
        u8::try_from(self.signal).map_or(u8::MAX, |number| number.saturating_add(128))
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; everything it started is gone again")
    }
}

impl std::error::Error for Interrupted {}

fn show(options: Options) -> Result<()> {
    // Before the first thread, so that every thread leaves them alone.
    let signals = SignalSet::block_and_listen(&[SIGHUP, SIGINT, SIGTERM])?;
    let style = if options.plain || !io::stdout().is_terminal() {
        Style::PLAIN
    } else {
        Style::of_terminal(|name| std::env::var_os(name))
    };
    let prepare = || -> Result<(Network, Observer)> {
        let lab = Lab::new("demo")?;
        tidy_up_after_panics(lab.directory().to_owned());
        let network = Network::new(lab)?;
        let observer = Observer::start(network.client())?;
        Ok((network, observer))
    };
    let (network, observer) = prepare().context(
        "cannot make the hosts (where ordinary users may not make namespaces, root may)",
    )?;
    let screen = Screen::new(style);
    Story::new(screen, signals, options.fast, observer, network).tell()
}

/// Where a panic unwinds, everything is dropped. Where it aborts, the kernel kills our daemons with us; the terminal and
/// the files are left to this.
fn tidy_up_after_panics(directory: PathBuf) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if cfg!(panic = "abort") {
            if io::stdout().is_terminal() {
                screen::restore();
            }
            if let Err(error) = std::fs::remove_dir_all(&directory) {
                eprintln!("cannot remove {}: {error}", directory.display());
            }
        }
        report(panic);
    }));
}

#[cfg(test)]
mod tests;
