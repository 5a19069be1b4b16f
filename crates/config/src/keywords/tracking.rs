//! Entries of `track_interface` and `track_script`: `NAME [weight N [reverse|noreverse]]`.

use types::Weight;

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::TrackDraft;
use crate::read::{Reading, leading_number};

/// An entry of `track_interface`; an interface that does not exist is reported.
pub(super) fn interface(reading: &mut Reading<'_>, entry: &Statement) -> Option<TrackDraft> {
    let name = reading.interface(entry, 0)?;
    if entry.word(3) == Some("noreverse") {
        let message = "'noreverse' behind a weight is ignored: an interface has no other default";
        let diagnostic = Diagnostic::error(Class::General, message).help("reverse, or nothing");
        reading.complain(entry, 3, diagnostic);
    }
    options(reading, entry, name.to_string(), Weight::FAULT, false)
}

/// An entry of `track_script`; the script must stand before it.
pub(super) fn script(
    reading: &mut Reading<'_>,
    entry: &Statement,
    owner: &str,
) -> Option<TrackDraft> {
    let name = entry.argument(0);
    let Some((weight, reverse)) = reading.names.scripts.get(name).copied() else {
        let known = reading.names.scripts.keys().map(String::as_str);
        let near = crate::suggest::nearest(name, known).map(str::to_owned);
        let help = match &near {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("define it with 'vrrp_script {name} {{ ... }}' above this block"),
        };
        let meant = near.unwrap_or_else(|| name.to_owned());
        reading.draft.misspelt_scripts.insert(meant);
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("{owner} tracks script '{name}', which is not defined"),
        )
        .help(help)
        .keepalived(format!(
            "({owner}) track script {name} not found, ignoring..."
        ));
        reading.complain(entry, 0, diagnostic);
        return None;
    };
    options(reading, entry, name.to_owned(), weight, reverse)
}

/// Adds an entry unless its name is there already.
pub(super) fn add(
    reading: &mut Reading<'_>,
    entry: &Statement,
    group: bool,
    scripts: bool,
    track: TrackDraft,
) {
    let list = match (group, scripts) {
        (false, false) => &mut reading.instance.track_interface,
        (false, true) => &mut reading.instance.track_script,
        (true, false) => &mut reading.group.track_interface,
        (true, true) => &mut reading.group.track_script,
    };
    if list.iter().any(|other| other.name == track.name) {
        let message = format!(
            "'{}' is tracked twice; the second one is ignored",
            track.name
        );
        reading.complain(entry, 0, Diagnostic::warning(Class::General, message));
        return;
    }
    list.push(track);
}

fn options(
    reading: &mut Reading<'_>,
    entry: &Statement,
    name: String,
    weight: Weight,
    reverse: bool,
) -> Option<TrackDraft> {
    let mut track = TrackDraft {
        name,
        weight,
        reverse,
        span: entry.whole(),
    };
    match entry.word(1) {
        None => return Some(track),
        Some("weight") => {}
        Some(other) => {
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("unknown tracking option '{other}' is ignored"),
            )
            .help("NAME weight -253..253 [reverse]");
            reading.complain(entry, 1, diagnostic);
            return Some(track);
        }
    }
    if entry.word(2).is_none() {
        let message = format!("'weight' lacks its number; '{}' is not tracked", track.name);
        reading.complain(entry, 1, Diagnostic::error(Class::General, message));
        return None;
    }
    match weight_of(reading, entry, 2) {
        Some(weight) => track.weight = weight,
        None => return Some(track),
    }
    match entry.word(3) {
        None => {}
        Some("reverse") => track.reverse = true,
        Some("noreverse") => track.reverse = false,
        Some(other) => {
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("unknown word '{other}' behind a weight"),
            )
            .help("reverse or noreverse");
            reading.complain(entry, 3, diagnostic);
        }
    }
    Some(track)
}

/// A weight; 254 and -254 become 253 and -253. Anything else is reported and `None`.
pub(super) fn weight_of(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
) -> Option<Weight> {
    let text = statement.argument(index);
    let (number, clean) = leading_number(text);
    let wanted = number.and_then(|number| i16::try_from(number).ok());
    let weight = match wanted {
        Some(254) => Weight::new(253).ok(),
        Some(-254) => Weight::new(-253).ok(),
        Some(other) => Weight::new(other).ok(),
        None => None,
    };
    if clean
        && let (Some(wanted), Some(weight)) = (wanted, weight)
        && weight.get() == wanted
    {
        return Some(weight);
    }
    let help = match weight {
        Some(weight) => format!("-253 to 253; {} is used", weight.get()),
        None => "-253 to 253".to_owned(),
    };
    let message = format!("weight '{text}' is not valid");
    let limits = format!("weight {text} must be between [-253..253] inclusive");
    // In a list keepalived corrects what is only one too many.
    let is_corrected = clean && weight.is_some() && statement.keyword().is_none();
    let diagnostic = if is_corrected {
        Diagnostic::error(Class::General, message).keepalived(limits)
    } else {
        let bad = if clean && number.is_some() {
            format!("number '{text}' outside range [-253, 253]")
        } else {
            format!("invalid number '{text}'")
        };
        Diagnostic::error(Class::InvalidNumber, message)
            .keepalived(bad)
            .also(Class::General, limits)
    };
    let diagnostic = diagnostic.help(help);
    reading.complain(statement, index, diagnostic);
    weight
}
