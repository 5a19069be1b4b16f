//! What every child process does the same way, whatever its protocol: how it begins, what it is told to do, how it is
//! scheduled, the programs it starts, the FIFOs and dumps it writes, the files it watches.

pub(crate) mod beginning;
pub(crate) mod dump_file;
pub(crate) mod fifo;
pub(crate) mod files;
pub(crate) mod line;
pub(crate) mod looks;
pub(crate) mod orders;
pub(crate) mod scripts;
pub(crate) mod sessions;
pub(crate) mod tuning;

use std::time::Duration;

use anyhow::Result;
use log::{error, info};
use sys::channel::Channel;
use sys::event_loop::EventLoop;
use sys::process;
use types::Instant;

use self::beginning::{Beginning, wait_for_start};
use self::line::Line;
use self::orders::{Order, Orders};
use crate::bfd_process::BfdProcess;
use crate::checker_process::CheckerProcess;
use crate::exit::{Exit, NEEDED_RIGHTS};
use crate::messages::Role;
use crate::vrrp_process::VrrpProcess;

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const SIGCHLD: i32 = 17;
/// Those that ask for a dump.
const DUMP_SIGNALS: [i32; 5] = [10, 12, 36, 37, 63];

/// How long notify scripts may take when the daemon stops (keepalived: 1 s).
pub(crate) const PARTING_TIME: Duration = Duration::from_secs(1);

/// How often to look then whether what was written to FIFOs has been read.
pub(crate) const READING_TIME: Duration = Duration::from_millis(10);

/// Runs a child until its parent stops it. `channel` is the parent's.
pub(crate) fn run(channel: Channel) -> Exit {
    match wait_for_start(channel) {
        Ok(Some(beginning)) => match beginning.start.role {
            Role::Vrrp => run_as::<VrrpProcess>(beginning),
            Role::Checkers => run_as::<CheckerProcess>(beginning),
            Role::Bfd => run_as::<BfdProcess>(beginning),
        },
        // The parent went away before it had said anything.
        Ok(None) => Exit::Success,
        Err(problem) => cannot_start("child process", &problem),
    }
}

/// A child process, whatever its protocol.
pub(crate) trait ChildProcess: Sized {
    /// What it is, in words.
    const NAME: &'static str;

    /// Sets everything up.
    fn begin(beginning: Beginning) -> Result<Self>;

    /// Works until it is to end.
    fn serve(&mut self) -> Result<()>;

    /// What signals and the parent speak through.
    fn ears(&mut self) -> (&mut Orders, &mut Line, &EventLoop);

    /// Does what it is told.
    fn obey(&mut self, now: Instant, order: Order) -> Result<()>;

    /// Does what signals tell it.
    fn hear_signals(&mut self, now: Instant) -> Result<()> {
        loop {
            let (orders, line, _) = self.ears();
            let Some(order) = orders.next_of_signals(line)? else {
                return Ok(());
            };
            self.obey(now, order)?;
        }
    }

    /// Does what its parent tells it.
    fn hear_parent(&mut self, now: Instant) -> Result<()> {
        loop {
            let (orders, line, events) = self.ears();
            let Some(order) = orders.next_of_parent(line, events)? else {
                return Ok(());
            };
            self.obey(now, order)?;
        }
    }
}

fn run_as<Process: ChildProcess>(beginning: Beginning) -> Exit {
    match Process::begin(beginning) {
        Ok(mut process) => match process.serve() {
            Ok(()) => Exit::Success,
            // Not one of the statuses that the parent takes as final: a new process may have better luck.
            Err(problem) => {
                error!("{}: {problem:#}", Process::NAME);
                Exit::Internal
            }
        },
        Err(problem) => cannot_start(Process::NAME, &problem),
    }
}

/// A child could not begin.
fn cannot_start(what: &str, problem: &anyhow::Error) -> Exit {
    error!("{what} cannot start: {problem:#}");
    match problem.downcast_ref::<sys::Error>() {
        Some(problem) if problem.is_permission() => {
            error!("{NEEDED_RIGHTS}");
            Exit::MissingPermission
        }
        _ => Exit::Fatal,
    }
}

/// The last words of a child that ends as it should.
pub(crate) fn say_goodbye() {
    crate::logging::report_lost_lines();
    let usage = process::resource_usage();
    info!(
        "Stopped - used {:.6} user time, {:.6} system time",
        usage.user.as_secs_f64(),
        usage.system.as_secs_f64()
    );
}
