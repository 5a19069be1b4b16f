//! `rtt`, `rttvar`, `rto_min`: times with a unit, or in the unit of the kernel's attribute.

use crate::diagnostics::{Class, Diagnostic};
use crate::keywords::entry::{Dropped, Entry};

/// Shortest and longest time, in milliseconds (keepalived: 0.2 to 120 s).
const SHORTEST: u64 = 200;
const LONGEST: u64 = 120_000;
/// More digits than the longest time needs; the rest would only overflow.
const MOST_DIGITS: usize = 12;

/// A time in the kernel's unit, of which `per_millisecond` make a millisecond. Outside the bounds it is corrected and
/// reported; what is no time drops the entry.
pub(super) fn read(
    entry: &mut Entry<'_, '_, '_>,
    name: &str,
    per_millisecond: u64,
) -> Result<u32, Dropped> {
    let text = entry.argument(name)?;
    let Some((units, exact)) = parse(text, per_millisecond) else {
        let message = format!("{name} '{text}' is not a time; the route is dropped");
        let unit = match per_millisecond {
            1 => "milliseconds".to_owned(),
            parts => format!("milliseconds/{parts}"),
        };
        let help = format!("a number with the unit s or ms; without a unit it counts {unit}");
        let diagnostic = Diagnostic::error(Class::InvalidNumber, message)
            .help(help)
            .keepalived(format!("invalid number '{text}'"))
            .also(Class::General, format!("Invalid {name} {text} for route"));
        entry.say(diagnostic);
        return Err(Dropped);
    };
    let (least, most) = (SHORTEST * per_millisecond, LONGEST * per_millisecond);
    let used = units.clamp(least, most);
    // keepalived calls the variance 'rtt' too.
    let subject = if per_millisecond == 1 { "rto" } else { "rtt" };
    if used != units {
        let (bound, side) = if units < least {
            ("0.2 s", "below minimum 200ms")
        } else {
            ("120 s", "above maximum 120s")
        };
        let message = format!("{name} {text} is out of range; {bound} is used");
        let diagnostic = Diagnostic::warning(Class::General, message)
            .help("0.2 to 120 s; a number without a unit is in fractions of a millisecond")
            .keepalived(format!("{subject} value {text} {side}, resetting"));
        entry.say(diagnostic);
    } else if !exact {
        let message = format!("{name} {text} has too many decimals; it is rounded");
        let diagnostic = Diagnostic::warning(Class::InvalidNumber, message)
            .keepalived(format!("number '{text}' has too many decimal places"));
        entry.say(diagnostic);
    }
    Ok(u32::try_from(used).unwrap_or(u32::MAX))
}

/// The time in units, rounded half up, and whether that is exact.
fn parse(text: &str, per_millisecond: u64) -> Option<(u64, bool)> {
    let lower = text.to_ascii_lowercase();
    let end = lower
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(lower.len());
    let (number, unit) = (lower.get(..end)?, lower.get(end..)?);
    let scale = match unit {
        "" => 1,
        "ms" | "msec" | "msecs" => per_millisecond,
        "s" | "sec" | "secs" => per_millisecond * 1000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() && !text.is_empty() || fraction.contains('.') {
        return None;
    }
    let value = |digits: &str| match digits.trim_start_matches('0') {
        "" => 0,
        digits if digits.len() > MOST_DIGITS => 10_u64.pow(12),
        digits => digits.parse().unwrap_or(0),
    };
    // Six decimals: a microsecond, far below the finest unit.
    let kept = fraction.get(..fraction.len().min(6))?;
    let dropped = fraction.get(kept.len()..)?.trim_end_matches('0');
    let padded = format!("{kept:0<6}");
    let millionths = value(whole)
        .saturating_mul(1_000_000)
        .saturating_add(value(&padded))
        .saturating_mul(scale);
    let exact = dropped.is_empty() && millionths % 1_000_000 == 0;
    Some((millionths.saturating_add(500_000) / 1_000_000, exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, per_millisecond, expected) in [
            ("300", 8, Some((300, true))),
            ("3s", 8, Some((24_000, true))),
            ("3S", 4, Some((12_000, true))),
            ("3sec", 1, Some((3000, true))),
            ("3secs", 1, Some((3000, true))),
            ("300ms", 8, Some((2400, true))),
            ("300msec", 1, Some((300, true))),
            ("300msecs", 1, Some((300, true))),
            ("0.5s", 1, Some((500, true))),
            (".25s", 1, Some((250, true))),
            ("5.5", 8, Some((6, false))),
            ("0.0001ms", 8, Some((0, false))),
            ("0.00000001", 8, Some((0, false))),
            ("", 8, Some((0, true))),
            ("s", 8, None),
            (".", 8, None),
            ("1.2.3", 8, None),
            ("1e2", 8, None),
            ("-5", 8, None),
            ("3us", 8, None),
            ("x", 8, None),
        ] {
            assert_eq!(parse(text, per_millisecond), expected, "{text}");
        }
        let huge = parse("99999999999999999999999999s", 8);
        assert!(huge.is_some_and(|(units, _)| units > LONGEST * 8));
    }
}
