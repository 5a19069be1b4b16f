//! `FILE_CHECK { ... }` and `BFD_CHECK { ... }`: checkers that follow the state of something defined elsewhere.

use lvs::settings::checkers::FileWeight;

use super::super::arguments::{optional, required};
use super::super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::checkers::CheckerDraft;
use crate::read::{Garbage, Reading};
use crate::suggest::nearest;

const FILE: Keyword = Keyword {
    blocks: &[super::FILE],
    ..super::super::ROW
};

const BFD: Keyword = Keyword {
    blocks: &[super::BFD],
    ..FILE
};

/// keepalived's limit for the name of a `bfd_instance`.
const LONGEST_BFD_NAME: usize = 31;

pub(in crate::keywords) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "track_file",
        arguments: required("NAME"),
        default: "required",
        help: "a track_file that is defined before",
        role: Role::Set(track_file),
        ..FILE
    },
    Keyword {
        name: "weight",
        arguments: optional("-2147483647..2147483647 [reverse|noreverse]"),
        default: "that of the track_file",
        help: "what the number in the file is multiplied with; 0: any number but 0 is a failure",
        role: Role::Set(weight),
        ..FILE
    },
    Keyword {
        name: "name",
        arguments: optional("NAME"),
        default: "required",
        help: "a bfd_instance that is defined before",
        role: Role::Set(bfd_name),
        ..BFD
    },
];

fn track_file(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(name) = reading.text(statement, 1) else {
        return;
    };
    if reading.names.track_files.contains(&name) {
        reading.checker.file.track_file = Some(name);
        return;
    }
    let near = nearest(&name, reading.names.track_files.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean '{near}'?"),
        None => "define it above, with track_file NAME { file \"PATH\" }".to_owned(),
    };
    let message = format!("there is no track_file {name} so far");
    let diagnostic = Diagnostic::error(Class::General, message)
        .help(help)
        .keepalived(format!("track_file {name} not found"));
    reading.complain(statement, 1, diagnostic);
}

fn weight(reading: &mut Reading<'_>, statement: &Statement) {
    let range = -2_147_483_647..=2_147_483_647;
    let number = reading
        .number(statement, 1, range, Garbage::Tolerated)
        .and_then(|number| i32::try_from(number).ok());
    let Some(weight) = number else { return };
    let reverse = match statement.word(2) {
        None | Some("noreverse") => false,
        Some("reverse") => true,
        Some(other) => {
            let message = format!("weight: unknown word '{other}', so the weight is ignored");
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("reverse or noreverse")
                .keepalived(format!(
                    "unknown track file weight option {other} - ignoring"
                ));
            reading.complain(statement, 2, diagnostic);
            return;
        }
    };
    reading.checker.file.weight = Some(FileWeight { weight, reverse });
}

/// A name that is wrong in any way drops the checker.
fn bfd_name(reading: &mut Reading<'_>, statement: &Statement) {
    if reading.checker.removed || statement.is_damaged() {
        reading.checker.removed = true;
        return;
    }
    let name = statement.argument(1);
    let known = &reading.names;
    let taken = !reading.checkers.is_empty() && known.bfd_checks.contains(name);
    let (why, help, keepalived) = if statement.len() != 2 {
        (
            "it needs one name".to_owned(),
            Some("name NAME".to_owned()),
            "No or too many names specified - skipping checker".to_owned(),
        )
    } else if let Some(first) = &reading.checker.bfd {
        (
            format!("it follows '{first}' already"),
            Some("write one BFD_CHECK for each".to_owned()),
            format!("BFD {name} already specified as {first}"),
        )
    } else if name.len() > LONGEST_BFD_NAME {
        (
            format!("'{name}' is too long for the name of a bfd_instance"),
            Some(format!("at most {LONGEST_BFD_NAME} bytes")),
            format!("BFD name {name} too long"),
        )
    } else if taken {
        (
            format!("another one of this real server follows '{name}' already"),
            None,
            format!("RS already monitoring {name}"),
        )
    } else if known.checked_sessions.contains(name) {
        reading.checker.bfd = Some(name.to_owned());
        return;
    } else if known.bfd_instances.contains(name) {
        (
            format!("the checkers are not told of bfd_instance '{name}'"),
            Some("add 'checker' to it, or take 'vrrp' out".to_owned()),
            format!("BFD {name} not configured"),
        )
    } else {
        let near = nearest(name, known.checked_sessions.iter().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean '{near}'?"),
            None => "define it above, with bfd_instance NAME { ... }".to_owned(),
        };
        (
            format!("there is no bfd_instance '{name}' so far"),
            Some(help),
            format!("BFD {name} not configured"),
        )
    };
    reading.checker.removed = true;
    let diagnostic = Diagnostic::error(Class::General, format!("this BFD_CHECK is dropped: {why}"))
        .maybe_help(help)
        .keepalived(format!("BFD_CHECK - {keepalived}"));
    reading.complain(statement, 1, diagnostic);
}

/// Ends a FILE_CHECK. Its weight is that of the file, unless it says another one.
pub(super) fn judge_file(reading: &mut Reading<'_>, checker: &mut CheckerDraft) -> bool {
    let Some(name) = &checker.file.track_file else {
        super::lacks(
            reading,
            checker,
            "track_file",
            "track_file NAME",
            "FILE_CHECK has no track_file specified - ignoring",
        );
        return false;
    };
    if let Some(inherited) = reading.names.weights.files.get(name) {
        checker.file.weight.get_or_insert(FileWeight {
            weight: i32::from(inherited.weight.get()),
            reverse: inherited.reverse,
        });
    }
    true
}

/// Ends a BFD_CHECK.
pub(super) fn judge_bfd(reading: &mut Reading<'_>, checker: &mut CheckerDraft) -> bool {
    let Some(name) = &checker.bfd else {
        super::lacks(
            reading,
            checker,
            "name",
            "name NAME",
            "No name has been specified for BFD_CHECKER - skipping",
        );
        return false;
    };
    if reading.checkers.is_empty() {
        // The first one of a real server.
        reading.names.bfd_checks.clear();
    }
    reading.names.bfd_checks.insert(name.clone());
    true
}

#[cfg(test)]
mod tests;
