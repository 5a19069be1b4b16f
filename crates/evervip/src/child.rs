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

use log::{error, info};
use sys::channel::Channel;
use sys::process;

use self::beginning::wait_for_start;
use crate::exit::{Exit, NEEDED_RIGHTS};
use crate::messages::Role;
use crate::{bfd_process, checker_process, vrrp_process};

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
            Role::Vrrp => vrrp_process::run(beginning),
            Role::Checkers => checker_process::run(beginning),
            Role::Bfd => bfd_process::run(beginning),
        },
        // The parent went away before it had said anything.
        Ok(None) => Exit::Success,
        Err(problem) => cannot_start("child process", &problem),
    }
}

/// A child could not begin.
pub(crate) fn cannot_start(what: &str, problem: &anyhow::Error) -> Exit {
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
