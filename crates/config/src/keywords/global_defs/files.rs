//! Files: where dumps, copies and tables of names are, how files are made, and what happens around a reload.

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::machine::FileProblem;
use crate::read::Reading;
use crate::settings::global::BusyFile;

use super::super::arguments::{integer, optional, required};
use super::{FLAG, Keyword, PENDING, ROW, Role, SWITCH, lone_path, pending, switch, twice};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "umask",
        arguments: required("MODE | BIT[|BIT...]"),
        default: "0177",
        help: "permission bits that files are made without",
        role: Role::Set(umask),
        ..ROW
    },
    Keyword {
        name: "json_version",
        arguments: integer(1, 2).optional(),
        default: "1",
        help: "the format of JSON dumps",
        role: Role::Set(|r, s| {
            if let Some(version) = r.fits(s) {
                r.draft.global.json_version = version;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "state_dump_file",
        arguments: optional("PATH"),
        default: "in the temporary directory",
        help: "where SIGUSR1 writes to; a slash at the end makes it a directory",
        role: Role::Set(|r, s| {
            if let Some(path) = lone_path(r, s) {
                r.draft.global.files.state_dump = Some(path);
            }
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "stats_dump_file",
        arguments: optional("PATH"),
        default: "in the temporary directory",
        help: "where SIGUSR2 writes to; a slash at the end makes it a directory",
        role: Role::Set(|r, s| {
            if let Some(path) = lone_path(r, s) {
                r.draft.global.files.stats_dump = Some(path);
            }
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "json_dump_file",
        arguments: optional("PATH"),
        default: "in the temporary directory",
        help: "where the JSON signal writes to; a slash at the end makes it a directory",
        role: Role::Set(|r, s| {
            if let Some(path) = lone_path(r, s) {
                r.draft.global.files.json_dump = Some(path);
            }
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "data_use_instance",
        help: "the names of dumps carry those of the instance and the network namespace",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.global.files.dumps_carry_instance)),
        pending: PENDING,
        ..SWITCH
    },
    Keyword {
        name: "config_save_dir",
        arguments: required("DIRECTORY"),
        default: "off",
        help: "where copies of the configuration, and the state around a reload, are kept",
        role: Role::Set(save_directory),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "tmp_config_directory",
        arguments: optional("DIRECTORY"),
        default: "memory",
        help: "where keepalived keeps the text while it is being read; here no copy is made",
        role: Role::Set(|r, s| {
            if r.draft.global.files.tmp_config_directory.is_some() {
                twice(r, s);
            } else if let Some(path) = r.text(s, 1) {
                r.draft.global.files.tmp_config_directory = Some(path);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "iproute_usr_dir",
        arguments: optional("PATH"),
        default: "the system's",
        help: "the distribution's names of route tables, scopes and the like",
        role: Role::Set(|r, s| {
            if let Some(path) = lone_path(r, s) {
                r.draft.global.files.iproute_usr_dir = Some(path);
            }
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "iproute_etc_dir",
        arguments: optional("PATH"),
        default: "/etc/iproute2",
        help: "the administrator's names of them, which go first",
        role: Role::Set(|r, s| {
            if let Some(path) = lone_path(r, s) {
                r.draft.global.files.iproute_etc_dir = Some(path);
            }
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "include_check",
        arguments: optional("[[+|-]read|match|wildcard_match|brace_match ...]"),
        default: "none",
        help: "which mistakes in include lines stop the daemon",
        // The reader acts on it where it stands; here only the words are judged.
        role: Role::Set(|r, s| {
            for (index, word) in s.words().enumerate().skip(1) {
                let name = word.strip_prefix(['+', '-']).unwrap_or(word);
                if index > 1 && name == word {
                    let message = format!(
                        "include_check: '{word}' without a sign counts only as the first word"
                    );
                    let diagnostic = Diagnostic::error(Class::General, message)
                        .help(format!("+{word} adds it, -{word} takes it away"))
                        .keepalived(format!(
                            "Duplicate include_check '{word}' specified - ignoring"
                        ));
                    r.complain(s, index, diagnostic);
                    continue;
                }
                if !matches!(name, "read" | "match" | "wildcard_match" | "brace_match") {
                    let message = format!("include_check: unknown check '{name}' is ignored");
                    let help = "read, match, wildcard_match or brace_match";
                    r.complain(
                        s,
                        index,
                        Diagnostic::error(Class::General, message).help(help),
                    );
                }
            }
        }),
        ..ROW
    },
    Keyword {
        name: "reload_check_config",
        arguments: optional("[PATH]"),
        default: "off; bare: /dev/null",
        help: "a file with any mistake is not reloaded; the report goes to the path",
        role: Role::Set(|r, s| {
            if s.word(1).is_none() && !s.is_damaged() {
                r.draft.global.reload.check_config = Some("/dev/null".to_owned());
            } else if let Some(path) = r.text(s, 1) {
                r.draft.global.reload.check_config = Some(path);
            }
        }),
        pending: pending(
            "a file that cannot be used is never taken over; one with lesser mistakes is",
        ),
        ..ROW
    },
    Keyword {
        name: "reload_time_file",
        arguments: optional("PATH"),
        default: "none",
        help: "a file that holds the time of day of a reload to come",
        role: Role::Set(|r, s| {
            if let Some(path) = lone_path(r, s) {
                r.draft.global.reload.time_file = Some(path);
            }
        }),
        pending: pending("no reload happens by itself"),
        ..ROW
    },
    Keyword {
        name: "reload_repeat",
        help: "the reload of reload_time_file happens every day",
        role: Role::Set(|r, _| r.draft.global.reload.repeat = true),
        pending: PENDING,
        ..FLAG
    },
    Keyword {
        name: "reload_file",
        arguments: optional("[PATH]"),
        default: "off; bare: keepalived.reload beside the pid files",
        help: "a file that is there for as long as the configuration is being read",
        role: Role::Set(|r, s| {
            if s.word(1).is_none() && !s.is_damaged() {
                r.draft.global.reload.busy_file = Some(BusyFile::BesidePidFiles);
            } else if let Some(path) = r.text(s, 1) {
                r.draft.global.reload.busy_file = Some(BusyFile::At(path));
            }
        }),
        pending: pending("no file shows that the configuration is being read"),
        ..ROW
    },
];

/// A directory, or a name for one in a directory that is there.
fn save_directory(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(path) = reading.text(statement, 1) else {
        return;
    };
    let machine = reading.machine;
    let absolute = machine.current_dir().join(&path);
    let problem = match machine.read(&absolute, 0) {
        _ if path.is_empty() => Some("is no path"),
        Err(FileProblem::Directory) => None,
        Err(FileProblem::Missing) => {
            let above = absolute.parent().map(|parent| machine.read(parent, 0));
            (above != Some(Err(FileProblem::Directory))).then_some("cannot be made")
        }
        _ => Some("exists and is not a directory"),
    };
    let Some(problem) = problem else {
        reading.draft.global.files.config_save_dir = Some(path);
        return;
    };
    let message = format!("config_save_dir: '{path}' {problem}; nothing is saved");
    let diagnostic = Diagnostic::error(Class::General, message)
        .help("a directory, or a new name in an existing one")
        .keepalived(format!(
            "config_save_dir {path} exists and is not a directory"
        ));
    reading.complain(statement, 1, diagnostic);
}

/// A number in C's notation, or names of bits.
fn umask(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(first) = reading.required(statement, 1) else {
        return;
    };
    let mode = if first.starts_with(|c: char| c.is_ascii_digit()) {
        c_number(first).filter(|mode| *mode <= 0o777)
    } else {
        let text: String = statement.words().skip(1).collect();
        text.split('|')
            .try_fold(0, |mode, name| bit(name.trim()).map(|bit| mode | bit))
    };
    let rest = if first.starts_with(|c: char| c.is_ascii_digit()) {
        2
    } else {
        usize::MAX
    };
    if statement.word(rest).is_some() {
        let message = "umask takes one number; what follows is ignored";
        let diagnostic = Diagnostic::warning(Class::General, message)
            .keepalived("Extra parameter(s) to umask option");
        reading.complain(statement, rest, diagnostic);
    }
    match mode {
        Some(mode) => reading.draft.global.umask = mode,
        None => {
            let diagnostic =
                Diagnostic::error(Class::General, format!("umask '{first}' is not valid"))
                    .help("0 to 0777, or names of bits such as IRWXG|IRWXO");
            reading.complain(statement, 1, diagnostic);
        }
    }
}

fn c_number(text: &str) -> Option<u32> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    u32::from_str_radix(text, if text.starts_with('0') { 8 } else { 10 }).ok()
}

/// `IRUSR`, `IRWXG` and their kin (as in <sys/stat.h>).
fn bit(name: &str) -> Option<u32> {
    Some(match name {
        "IRUSR" => 0o400,
        "IWUSR" => 0o200,
        "IXUSR" => 0o100,
        "IRWXU" => 0o700,
        "IRGRP" => 0o040,
        "IWGRP" => 0o020,
        "IXGRP" => 0o010,
        "IRWXG" => 0o070,
        "IROTH" => 0o004,
        "IWOTH" => 0o002,
        "IXOTH" => 0o001,
        "IRWXO" => 0o007,
        _ => return None,
    })
}
