//! `track_file NAME { ... }`, also spelled `vrrp_track_file`: a file whose content is a number.

use std::path::Path;

use vrrp::settings::{FileInit, TrackWeight};

use super::arguments::{noted, optional, required};
use super::tracked::{What, reverse, weight_of};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{At, FileDraft, Inherited};
use crate::read::{Garbage, Reading};

const ROW: Keyword = Keyword {
    blocks: &["track_file", "vrrp_track_file"],
    ..super::ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        blocks: &[""],
        name: "track_file",
        arguments: required("NAME"),
        help: "a file whose content is a number; track_file in an instance and FILE_CHECK use it",
        role: Role::Block { open, close },
        ..ROW
    },
    Keyword {
        blocks: &[""],
        name: "vrrp_track_file",
        arguments: required("NAME"),
        help: "old spelling of track_file",
        role: Role::Block {
            open: |r, s| {
                let message = "'vrrp_track_file' is an old spelling";
                let diagnostic =
                    Diagnostic::warning(Class::Uncounted, message).help("use 'track_file'");
                r.complain(s, 0, diagnostic);
                open(r, s)
            },
            close,
        },
        ..ROW
    },
    Keyword {
        name: "file",
        arguments: optional("PATH"),
        default: "required",
        help: "where the file is; its directory must exist",
        role: Role::Set(|r, s| {
            if s.word(1).is_some() && r.file.path.is_some() {
                let message = format!(
                    "track_file {} has a file already; this one is ignored",
                    r.file.name
                );
                r.complain(s, 1, Diagnostic::warning(Class::General, message));
                return;
            }
            if let Some(value) = r.text(s, 1) {
                r.file.path = Some(At {
                    value,
                    span: s.span(1),
                });
            }
        }),
        ..ROW
    },
    Keyword {
        name: "weight",
        arguments: optional("-254..254 [reverse]"),
        default: "1",
        help: "what the content is multiplied by; 0: content other than 0 is a fault",
        role: Role::Set(|r, s| {
            let name = &r.file.name;
            let problem = if s.word(1).is_none() {
                Some(format!(
                    "track_file {name}: 'weight' lacks its number and is ignored"
                ))
            } else if r.file.weight.is_some() {
                Some(format!(
                    "track_file {name} has a weight already; this one is ignored"
                ))
            } else {
                None
            };
            if let Some(message) = problem {
                r.complain(s, 0, Diagnostic::warning(Class::General, message));
                return;
            }
            r.file.weight = weight_of(r, s, 1, What::File);
            r.file.reverse = reverse(r, s);
        }),
        ..ROW
    },
    Keyword {
        name: "init_file",
        arguments: noted("[N] [overwrite]"),
        default: "off",
        help: "write N, or 0, at start if the file does not exist, or always with 'overwrite'",
        role: Role::Set(init_file),
        ..ROW
    },
];

fn init_file(reading: &mut Reading<'_>, statement: &Statement) {
    let mut init = FileInit {
        value: 0,
        overwrite: false,
    };
    for (index, word) in statement.words().enumerate().skip(1) {
        if word == "overwrite" {
            init.overwrite = true;
        } else if word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
            let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
            let number = reading.number(statement, index, range, Garbage::Refused);
            init.value = number.and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
            if !(-254..=254).contains(&init.value) {
                let name = &reading.file.name;
                let value = init.value;
                let message =
                    format!("track_file {name}: {value} is more than a priority can change");
                let diagnostic = Diagnostic::warning(Class::General, message)
                    .help("-254 to 254")
                    .keepalived(format!(
                        "Track file {name} init value {value} is outside sensible range [-254, 254]"
                    ));
                reading.complain(statement, index, diagnostic);
            }
        } else {
            let message = format!("init_file: '{word}' is ignored");
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("a number, 'overwrite', or both")
                .keepalived(format!("Unknown track file init option {word}"));
            reading.complain(statement, index, diagnostic);
        }
    }
    reading.file.init = Some(init);
}

fn open(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    let Some(name) = reading.text(statement, 1) else {
        return false;
    };
    reading.file = FileDraft::new(name);
    true
}

/// Without a file that can be watched it does not exist for those who track it.
fn close(reading: &mut Reading<'_>, statement: &Statement) {
    let empty = FileDraft::new(String::new());
    let mut file = std::mem::replace(&mut reading.file, empty);
    let name = file.name.clone();
    let Some(At { value: path, span }) = &mut file.path else {
        let message = format!("track_file {name} has no file and is removed");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("file PATH")
            .keepalived(format!("No file set for track_file {name} - ignoring"));
        reading.complain(statement, 1, diagnostic);
        return;
    };
    let whole = reading.machine.current_dir().join(Path::new(path.as_str()));
    let directory = whole.parent().unwrap_or(Path::new("/"));
    if reading.machine.list(directory).is_none() {
        let message = format!("track_file {name} is removed: there is no directory for {path}");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("the file may come later, its directory must exist now")
            .keepalived(format!(
                "realpath() error 2 (No such file or directory) for {name}"
            ));
        reading.report.at(*span, diagnostic);
        return;
    }
    if let Some(text) = whole.to_str() {
        text.clone_into(path);
    }
    if !reading.names.track_files.insert(name.clone()) {
        let message = format!("track_file {name} is defined twice; the first one is used");
        reading.complain(statement, 1, Diagnostic::warning(Class::Uncounted, message));
        return;
    }
    let inherited = Inherited {
        weight: file.weight.unwrap_or(TrackWeight::ONE),
        reverse: file.reverse,
    };
    reading.names.weights.files.insert(name, inherited);
    reading.draft.files.push(file);
}
