//! The processes: their names, priorities, processors and limits.

use std::time::Duration;

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::read::{Garbage, Reading};
use crate::settings::global::{AutoPriority, Process};

use super::super::arguments::{integer, optional, required};
use super::{FLAG, Keyword, ROW, Role};

/// A task name of the kernel.
const LONGEST_NAME: usize = 15;
/// The kernel's limits of SCHED_RR.
const REALTIME_PRIORITIES: std::ops::RangeInclusive<i64> = 1..=99;

const NAME: Keyword = Keyword {
    arguments: required("NAME"),
    default: "keepalived",
    role: Role::Set(|r, s| {
        if let Some(name) = name(r, s) {
            process(r, s).name = Some(name);
        }
    }),
    ..ROW
};

const NICE: Keyword = Keyword {
    arguments: integer(-20, 19).optional(),
    default: "0",
    role: Role::Set(|r, s| {
        let nice = r.fits(s).unwrap_or(0);
        process(r, s).nice = nice;
    }),
    ..ROW
};

const NO_SWAP: Keyword = Keyword {
    role: Role::Set(|r, s| process(r, s).no_swap = true),
    ..FLAG
};

const REALTIME: Keyword = Keyword {
    arguments: integer(*REALTIME_PRIORITIES.start(), *REALTIME_PRIORITIES.end()).optional(),
    default: "off",
    role: Role::Set(realtime),
    ..ROW
};

const CPUS: Keyword = Keyword {
    arguments: optional("CPU [CPU ...]"),
    default: "all",
    role: Role::Set(cpus),
    ..ROW
};

const RTTIME: Keyword = Keyword {
    arguments: integer(1, 4_294_967_295),
    default: "10000",
    role: Role::Set(rttime),
    ..ROW
};

const OLD_RTTIME: Keyword = Keyword {
    role: Role::Set(|r, s| {
        old_spelling(r, s, "rlimit_rtime", "rlimit_rttime");
        rttime(r, s);
    }),
    ..RTTIME
};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "process_name",
        help: "the task name of the parent",
        role: Role::Set(|r, s| {
            if let Some(name) = name(r, s) {
                r.draft.global.processes.parent_name = Some(name);
            }
        }),
        ..NAME
    },
    Keyword {
        name: "process_names",
        default: "keepalived for all",
        help: "the children are called keepalived_vrrp and so on",
        role: Role::Set(|r, _| {
            let processes = &mut r.draft.global.processes;
            for (process, name) in [
                (&mut processes.vrrp, "keepalived_vrrp"),
                (&mut processes.checker, "keepalived_lvs"),
                (&mut processes.bfd, "keepalived_bfd"),
            ] {
                process.name.get_or_insert_with(|| name.to_owned());
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_process_name",
        help: "the task name of the VRRP child",
        ..NAME
    },
    Keyword {
        name: "checker_process_name",
        help: "the task name of the checker child",
        ..NAME
    },
    Keyword {
        name: "lvs_process_name",
        help: "an old spelling of checker_process_name",
        role: Role::Set(|r, s| {
            old_spelling(r, s, "lvs_process_name", "checker_process_name");
            if let Some(name) = name(r, s) {
                process(r, s).name = Some(name);
            }
        }),
        ..NAME
    },
    Keyword {
        name: "bfd_process_name",
        help: "the task name of the BFD child",
        ..NAME
    },
    Keyword {
        name: "max_auto_priority",
        arguments: integer(-1, 99).optional(),
        default: "0",
        help: "a process that is scheduled late raises its real-time priority up to this; 0: never, -1: without a word",
        role: Role::Set(|r, s| {
            if s.word(1).is_none() && !s.is_damaged() {
                r.draft.global.processes.max_auto_priority = AutoPriority::UpTo(99);
                return;
            }
            let Some(most) = r.fits::<i8>(s) else { return };
            r.draft.global.processes.max_auto_priority = match u8::try_from(most) {
                Ok(0) => AutoPriority::Off,
                Ok(most) => AutoPriority::UpTo(most),
                Err(_) => AutoPriority::OffAndQuiet,
            };
        }),
        ..ROW
    },
    Keyword {
        name: "min_auto_priority_delay",
        arguments: integer(1, 10_000_000).optional(),
        default: "1000000",
        help: "microseconds that a process must be scheduled late to raise its priority",
        role: Role::Set(|r, s| {
            if let Some(micros) = r.fits(s) {
                r.draft.global.processes.min_auto_priority_delay = Duration::from_micros(micros);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_priority",
        help: "the nice value of the VRRP child",
        ..NICE
    },
    Keyword {
        name: "vrrp_no_swap",
        help: "the VRRP child is never swapped out",
        ..NO_SWAP
    },
    Keyword {
        name: "vrrp_rt_priority",
        help: "the real-time priority of the VRRP child (SCHED_RR)",
        ..REALTIME
    },
    Keyword {
        name: "vrrp_cpu_affinity",
        help: "the CPUs that the VRRP child may run on",
        ..CPUS
    },
    Keyword {
        name: "vrrp_rlimit_rttime",
        help: "microseconds that the VRRP child may run at real-time priority without a system call",
        ..RTTIME
    },
    Keyword {
        name: "vrrp_rlimit_rtime",
        help: "an old spelling of vrrp_rlimit_rttime",
        ..OLD_RTTIME
    },
    Keyword {
        name: "checker_priority",
        help: "the nice value of the checker child",
        ..NICE
    },
    Keyword {
        name: "checker_no_swap",
        help: "the checker child is never swapped out",
        ..NO_SWAP
    },
    Keyword {
        name: "checker_rt_priority",
        help: "the real-time priority of the checker child (SCHED_RR)",
        ..REALTIME
    },
    Keyword {
        name: "checker_cpu_affinity",
        help: "the CPUs that the checker child may run on",
        ..CPUS
    },
    Keyword {
        name: "checker_rlimit_rttime",
        help: "microseconds that the checker child may run at real-time priority without a system call",
        ..RTTIME
    },
    Keyword {
        name: "checker_rlimit_rtime",
        help: "an old spelling of checker_rlimit_rttime",
        ..OLD_RTTIME
    },
    Keyword {
        name: "bfd_priority",
        help: "the nice value of the BFD child",
        ..NICE
    },
    Keyword {
        name: "bfd_no_swap",
        help: "the BFD child is never swapped out",
        ..NO_SWAP
    },
    Keyword {
        name: "bfd_rt_priority",
        help: "the real-time priority of the BFD child (SCHED_RR)",
        ..REALTIME
    },
    Keyword {
        name: "bfd_cpu_affinity",
        help: "the CPUs that the BFD child may run on",
        ..CPUS
    },
    Keyword {
        name: "bfd_rlimit_rttime",
        help: "microseconds that the BFD child may run at real-time priority without a system call",
        ..RTTIME
    },
    Keyword {
        name: "bfd_rlimit_rtime",
        help: "an old spelling of bfd_rlimit_rttime",
        ..OLD_RTTIME
    },
];

/// The child that a keyword is about; its name begins with it.
fn process<'r>(reading: &'r mut Reading<'_>, statement: &Statement) -> &'r mut Process {
    let processes = &mut reading.draft.global.processes;
    match statement.argument(0).split('_').next() {
        Some("vrrp") => &mut processes.vrrp,
        Some("bfd") => &mut processes.bfd,
        // checker_..., and lvs_process_name.
        _ => &mut processes.checker,
    }
}

fn name(reading: &mut Reading<'_>, statement: &Statement) -> Option<String> {
    let mut name = reading.text(statement, 1)?;
    if name.len() > LONGEST_NAME {
        let message = format!(
            "{}: '{name}' is cut to {LONGEST_NAME} bytes",
            statement.argument(0)
        );
        let diagnostic = Diagnostic::warning(Class::General, message).keepalived(format!(
            "Process name {name} more than {LONGEST_NAME} characters, truncating"
        ));
        reading.complain(statement, 1, diagnostic);
        name.truncate(crate::bytes::boundary(&name, LONGEST_NAME));
    }
    Some(name)
}

/// keepalived only logs these; a file with them passes its test.
fn old_spelling(reading: &mut Reading<'_>, statement: &Statement, old: &str, new: &str) {
    let name = statement.argument(0);
    let message = format!("'{name}' is an old spelling");
    let diagnostic = Diagnostic::warning(Class::Uncounted, message)
        .help(format!("use '{}'", name.replace(old, new)));
    reading.complain(statement, 0, diagnostic);
}

fn realtime(reading: &mut Reading<'_>, statement: &Statement) {
    let any = i64::from(i32::MIN)..=i64::from(i32::MAX);
    let Some(given) = reading.number(statement, 1, any, Garbage::Tolerated) else {
        return;
    };
    let (least, most) = (*REALTIME_PRIORITIES.start(), *REALTIME_PRIORITIES.end());
    let used = given.clamp(least, most);
    if used != given {
        let message = format!("{}: {given} becomes {used}", statement.argument(0));
        let diagnostic = Diagnostic::warning(Class::General, message).help(format!(
            "{least} to {most}; without the keyword the process is not real-time"
        ));
        reading.complain(statement, 1, diagnostic);
    }
    process(reading, statement).realtime = u8::try_from(used).ok();
}

/// One bad number makes all of them ineffective.
fn cpus(reading: &mut Reading<'_>, statement: &Statement) {
    if reading.required(statement, 1).is_none() {
        return;
    }
    let last = i64::from(reading.machine.processors()) - 1;
    let mut cpus = Vec::new();
    for index in 1..statement.len() {
        let number = reading.number(statement, index, 0..=last, Garbage::Tolerated);
        let Some(cpu) = number.and_then(|number| u16::try_from(number).ok()) else {
            return;
        };
        cpus.push(cpu);
    }
    cpus.sort_unstable();
    cpus.dedup();
    process(reading, statement).cpus = cpus;
}

fn rttime(reading: &mut Reading<'_>, statement: &Statement) {
    // The kernel compares after it has rounded up to its own tick, so that 1 is no limit that a process could live with.
    let limit = reading
        .fits(statement)
        .map(|micros: u64| Duration::from_micros(micros.max(2)));
    process(reading, statement).rttime_limit = limit;
}
