//! `vrrp_track_process NAME { ... }`: processes that are counted.

use std::time::Duration;

use vrrp::settings::{ParameterMatch, TrackWeight};

use super::arguments::{decimal, integer, noted, optional, required};
use super::tracked::{What, reverse, weight_of};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{Inherited, ProcessDraft};
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &["vrrp_track_process"],
    ..super::ROW
};

/// A delay in seconds: more than nothing, an hour at most.
const DELAY: Keyword = Keyword {
    arguments: decimal(1, 3_600_000_000, 6),
    default: "0",
    ..ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        blocks: &[""],
        name: "vrrp_track_process",
        arguments: required("NAME"),
        help: "processes that are counted; track_process uses the result",
        role: Role::Block { open, close },
        ..ROW
    },
    Keyword {
        name: "process",
        arguments: required("COMMAND [PARAMETER ...]"),
        default: "required",
        help: "the program; with parameters, the whole command line is compared",
        role: Role::Set(|r, s| {
            if !r.process.command.is_empty() {
                let name = &r.process.name;
                let message =
                    format!("vrrp_track_process {name} has a process already; this one is ignored");
                r.complain(s, 1, Diagnostic::warning(Class::General, message));
                return;
            }
            r.process.command = (1..s.len()).filter_map(|index| r.text(s, index)).collect();
        }),
        ..ROW
    },
    Keyword {
        name: "param_match",
        arguments: noted("[initial|partial]"),
        default: "all parameters, and no others",
        help: "how parameters are compared",
        role: Role::Set(|r, s| {
            let matching = match s.word(1) {
                None => ParameterMatch::Exact,
                Some("initial") => ParameterMatch::Initial,
                Some("partial") => ParameterMatch::Partial,
                Some(other) => {
                    let message = format!("unknown param_match '{other}' is ignored");
                    let diagnostic = Diagnostic::error(Class::General, message)
                        .help("initial, partial, or nothing");
                    r.complain(s, 1, diagnostic);
                    return;
                }
            };
            r.process.matching = Some(matching);
            r.process.full_command = true;
        }),
        ..ROW
    },
    Keyword {
        name: "weight",
        arguments: optional("-254..254 [reverse]"),
        default: "0",
        help: "what the presence adds to the priority; 0: absence is a fault",
        role: Role::Set(|r, s| {
            let name = &r.process.name;
            let problem = if s.word(1).is_none() {
                Some(format!(
                    "vrrp_track_process {name}: 'weight' lacks its number and is ignored"
                ))
            } else if r.process.weight != TrackWeight::FAULT {
                Some(format!(
                    "vrrp_track_process {name} has a weight already; this one is ignored"
                ))
            } else {
                None
            };
            if let Some(message) = problem {
                r.complain(s, 0, Diagnostic::warning(Class::General, message));
                return;
            }
            if let Some(weight) = weight_of(r, s, 1, What::Process) {
                r.process.weight = weight;
            }
            r.process.reverse = reverse(r, s);
        }),
        ..ROW
    },
    Keyword {
        name: "quorum",
        arguments: integer(1, 65_535),
        default: "1",
        help: "so many processes at least",
        role: Role::Set(|r, s| {
            let Some(quorum) = r.fits::<u16>(s) else {
                return;
            };
            if r.process.quorum_max.is_some_and(|most| most < quorum) {
                let message = format!("quorum {quorum} is above quorum_max; it is ignored");
                r.complain(s, 1, Diagnostic::error(Class::General, message));
                return;
            }
            r.process.quorum = quorum;
            r.process.quorum_given = true;
        }),
        ..ROW
    },
    Keyword {
        name: "quorum_max",
        arguments: integer(0, 65_535),
        default: "no limit",
        help: "so many processes at most; 0: there must be none",
        role: Role::Set(|r, s| {
            let Some(most) = r.fits::<u16>(s) else {
                return;
            };
            if r.process.quorum_given && most < r.process.quorum {
                let message = format!("quorum_max {most} is below the quorum; it is ignored");
                let diagnostic = Diagnostic::error(Class::General, message)
                    .keepalived("quorum_max is less than quorum - ignoring");
                r.complain(s, 1, diagnostic);
                return;
            }
            r.process.quorum_max = Some(most);
            r.process.quorum = r.process.quorum.min(most);
        }),
        ..ROW
    },
    Keyword {
        name: "delay",
        help: "seconds that a change must last, either way",
        role: Role::Set(|r, s| {
            if let Some(delay) = r.decimal(s).map(Duration::from_micros) {
                r.process.fork_delay = delay;
                r.process.terminate_delay = delay;
            }
        }),
        ..DELAY
    },
    Keyword {
        name: "terminate_delay",
        help: "seconds that too few processes must last",
        role: Role::Set(|r, s| {
            if let Some(delay) = r.decimal(s) {
                r.process.terminate_delay = Duration::from_micros(delay);
            }
        }),
        ..DELAY
    },
    Keyword {
        name: "fork_delay",
        help: "seconds that enough processes must last",
        role: Role::Set(|r, s| {
            if let Some(delay) = r.decimal(s) {
                r.process.fork_delay = Duration::from_micros(delay);
            }
        }),
        ..DELAY
    },
    Keyword {
        name: "full_command",
        default: "off, unless there are parameters",
        help: "compare the command line instead of the name that the kernel keeps",
        role: Role::Set(|r, _| r.process.full_command = true),
        ..ROW
    },
];

fn open(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    let Some(name) = reading.text(statement, 1) else {
        return false;
    };
    reading.process = ProcessDraft::new(name);
    true
}

fn close(reading: &mut Reading<'_>, statement: &Statement) {
    let empty = ProcessDraft::new(String::new());
    let process = std::mem::replace(&mut reading.process, empty);
    let name = process.name.clone();
    if process.command.first().is_none_or(String::is_empty) {
        let message = format!("vrrp_track_process {name} names no process and is removed");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("process COMMAND")
            .keepalived(format!("track process '{name}' process name not specified"));
        reading.complain(statement, 1, diagnostic);
        return;
    }
    if !reading.names.track_processes.insert(name.clone()) {
        let message = format!("vrrp_track_process {name} is defined twice; the first one is used");
        reading.complain(statement, 1, Diagnostic::warning(Class::Uncounted, message));
        return;
    }
    let inherited = Inherited {
        weight: process.weight,
        reverse: process.reverse,
    };
    reading.names.weights.processes.insert(name, inherited);
    reading.draft.processes.push(process);
}
