//! The lists `track_file`, `track_process` and `track_bfd` of an instance or a sync group:
//! `NAME [weight N [reverse|noreverse]]`.

use vrrp::settings::TrackWeight;

use super::arguments::noted;
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{Inherited, TrackedDraft};
use crate::read::{Garbage, Reading, Refused, judge_number};

const ROW: Keyword = Keyword {
    blocks: &["vrrp_instance", "vrrp_sync_group"],
    arguments: noted("{ NAME [weight N [reverse|noreverse]] ... }"),
    ..super::ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "track_file",
        help: "files whose content is added to the priority",
        role: Role::List(|r, entry| add(r, entry, What::File)),
        ..ROW
    },
    Keyword {
        name: "track_process",
        help: "processes whose presence counts",
        role: Role::List(|r, entry| add(r, entry, What::Process)),
        ..ROW
    },
    Keyword {
        name: "track_bfd",
        help: "BFD sessions whose state counts",
        role: Role::List(|r, entry| add(r, entry, What::Bfd)),
        ..ROW
    },
];

/// What is tracked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    File,
    Process,
    Bfd,
}

impl What {
    /// As keepalived's messages and ours have it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Process => "process",
            Self::Bfd => "bfd",
        }
    }

    /// The block that defines one.
    const fn block(self) -> &'static str {
        match self {
            Self::File => "track_file",
            Self::Process => "vrrp_track_process",
            Self::Bfd => "bfd_instance",
        }
    }

    /// The weight is within this to either side.
    pub(super) const fn most(self) -> i64 {
        match self {
            Self::File | Self::Process => 254,
            Self::Bfd => 253,
        }
    }
}

fn add(reading: &mut Reading<'_>, entry: &Statement, what: What) {
    let name = entry.argument(0);
    let weights = &reading.names.weights;
    let known = match what {
        What::File => &weights.files,
        What::Process => &weights.processes,
        What::Bfd => &weights.bfd,
    };
    let Some(inherited) = known.get(name).copied() else {
        let near = crate::suggest::nearest(name, known.keys().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("a '{} {name}' must stand before its use", what.block()),
        };
        let owner = reading.tracked().1.to_owned();
        let word = what.word();
        let message = format!("{owner} tracks {word} '{name}', which is not defined");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help(help)
            .keepalived(format!(
                "({owner}) track {word} {name} not found, ignoring..."
            ));
        reading.complain(entry, 0, diagnostic);
        return;
    };
    if reading.names.tracked.contains(&(what, name.to_owned())) {
        let message = format!("'{name}' is tracked twice; the second one is ignored");
        reading.complain(entry, 0, Diagnostic::warning(Class::General, message));
        return;
    }
    let Some(track) = options(reading, entry, what, inherited) else {
        return;
    };
    reading.names.tracked.insert((what, name.to_owned()));
    let lists = reading.tracked().0;
    match what {
        What::File => lists.files.push(track),
        What::Process => lists.processes.push(track),
        What::Bfd => lists.bfd.push(track),
    }
}

/// `None`: the entry does not count.
fn options(
    reading: &mut Reading<'_>,
    entry: &Statement,
    what: What,
    Inherited { weight, reverse }: Inherited,
) -> Option<TrackedDraft> {
    let name = entry.argument(0);
    let mut track = TrackedDraft {
        name: name.to_owned(),
        weight,
        reverse,
        span: entry.whole(),
    };
    match entry.word(1) {
        None => return Some(track),
        Some("weight") => {}
        Some(other) => {
            let message = format!("unknown tracking option '{other}'; '{name}' is not tracked");
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("NAME weight N [reverse|noreverse]");
            reading.complain(entry, 1, diagnostic);
            return None;
        }
    }
    if entry.word(2).is_none() {
        let message = format!("'weight' lacks its number; '{name}' is not tracked");
        reading.complain(entry, 1, Diagnostic::error(Class::General, message));
        return None;
    }
    if let Some(weight) = weight_of(reading, entry, 2, what) {
        track.weight = weight;
    }
    match entry.word(3) {
        None => {}
        Some("reverse") => track.reverse = true,
        Some("noreverse") => track.reverse = false,
        Some(other) => {
            let kept = what == What::Process;
            let message = if kept {
                format!("unknown word '{other}' behind a weight is ignored")
            } else {
                format!("unknown word '{other}' behind a weight; '{name}' is not tracked")
            };
            let diagnostic =
                Diagnostic::error(Class::General, message).help("reverse or noreverse");
            reading.complain(entry, 3, diagnostic);
            return kept.then_some(track);
        }
    }
    Some(track)
}

/// A weight; anything else is reported and `None`.
pub(super) fn weight_of(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    what: What,
) -> Option<TrackWeight> {
    let most = what.most();
    reading.required(statement, index)?;
    let judged = judge_number(
        statement.argument(0),
        statement,
        index,
        &(-most..=most),
        Garbage::Tolerated,
    );
    let number = match judged {
        Ok(number) => number,
        Err(refusal) => {
            let Refused { used, diagnostic } = *refusal;
            let text = statement.argument(index);
            let second = format!("weight {text} must be between [-{most}..{most}] inclusive");
            reading.complain(statement, index, diagnostic.also(Class::General, second));
            used?
        }
    };
    i16::try_from(number).ok().and_then(TrackWeight::new)
}

/// `reverse` behind the weight of a definition; any other word is reported.
pub(super) fn reverse(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    match statement.word(2) {
        None => false,
        Some("reverse") => true,
        Some(other) => {
            let message = format!("unknown word '{other}' behind a weight is ignored");
            let diagnostic = Diagnostic::error(Class::General, message).help("reverse");
            reading.complain(statement, 2, diagnostic);
            false
        }
    }
}
