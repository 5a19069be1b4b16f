//! What the content of a tracked file means.
//!
//! keepalived: `track_file`. The host watches the files and hands over what they say; [`file_number`] reads it.

use types::Priority;

/// What a file says that is empty, missing, or holds no number that a priority could be moved by.
const NOTHING: i32 = 0;

/// A product of content and weight as low as this is a fault.
const FAULT: i64 = -254;
/// What a file can add to a priority, or take from it.
const MOST: i64 = 253;

/// The number that a file begins with, in C's notation: white space, a sign, then `0x` and hexadecimal digits, `0` and octal
/// ones, or decimal ones. What follows it does not count. No number, or one that has more than 32 bits: 0.
#[must_use]
pub fn file_number(content: &[u8]) -> i32 {
    let mut rest = content.trim_ascii_start();
    // C's white space has one more.
    while let [0x0b, more @ ..] = rest {
        rest = more.trim_ascii_start();
    }
    let negative = matches!(rest, [b'-', ..]);
    if let [b'-' | b'+', more @ ..] = rest {
        rest = more;
    }
    let (base, digits) = match rest {
        [b'0', b'x' | b'X', first, ..] if first.is_ascii_hexdigit() => (16, rest.get(2..)),
        [b'0', ..] => (8, Some(rest)),
        _ => (10, Some(rest)),
    };
    let mut number: i64 = 0;
    for byte in digits.unwrap_or_default() {
        let Some(digit) = char::from(*byte).to_digit(base) else {
            break;
        };
        number = number * i64::from(base) + i64::from(digit);
        // One more than the largest can still be the smallest.
        if number > i64::from(i32::MAX) + 1 {
            return NOTHING;
        }
    }
    let number = if negative { -number } else { number };
    i32::try_from(number).unwrap_or(NOTHING)
}

/// What a file does to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Fault,
    /// Added to the priority.
    Adds(i32),
}

/// The effect of a file that says `value`. Without a weight a value is a fault, or with `reverse` that there is none; with
/// one they are multiplied, and `reverse` turns the sign.
pub(crate) fn effect(value: i32, weight: i16, reverse: bool) -> Effect {
    if weight == 0 {
        return if (value == 0) == reverse {
            Effect::Fault
        } else {
            Effect::Adds(0)
        };
    }
    let product = i64::from(value) * i64::from(weight);
    let product = if reverse { -product } else { product };
    if product <= FAULT {
        return Effect::Fault;
    }
    let limited = product.clamp(-MOST, MOST);
    Effect::Adds(i32::try_from(limited).unwrap_or(i32::from(Priority::OWNER.get())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_files() {
        let cases: [(&str, i32); 27] = [
            ("", 0),
            ("0", 0),
            ("7\n", 7),
            ("  \t\n 7", 7),
            ("\x0b 7", 7),
            ("+4\n7", 4),
            ("-5", -5),
            ("12abc", 12),
            ("1 2", 1),
            ("abc", 0),
            ("--1", 0),
            ("- 1", 0),
            ("0x10", 16),
            ("0XfF", 255),
            ("-0x10", -16),
            ("0x", 0),
            ("0xg", 0),
            ("010", 8),
            ("08", 0),
            ("019", 1),
            ("2147483647", i32::MAX),
            ("2147483648", 0),
            ("-2147483648", i32::MIN),
            ("-2147483649", 0),
            ("99999999999999999999999999999999999999", 0),
            ("7\x009", 7),
            ("\u{661}", 0),
        ];
        for (text, number) in cases {
            assert_eq!(file_number(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn values_and_weights() {
        let adds = Effect::Adds;
        let cases = [
            // value, weight, reverse
            (0, 0, false, adds(0)),
            (1, 0, false, Effect::Fault),
            (-1, 0, false, Effect::Fault),
            (0, 0, true, Effect::Fault),
            (1, 0, true, adds(0)),
            (10, 1, false, adds(10)),
            (10, 1, true, adds(-10)),
            (10, -2, false, adds(-20)),
            (10, -2, true, adds(20)),
            (253, -1, false, adds(-253)),
            (254, -1, false, Effect::Fault),
            (-254, 1, false, Effect::Fault),
            (-254, 1, true, adds(253)),
            (254, 1, false, adds(253)),
            (127, -2, false, Effect::Fault),
            (i32::MAX, 254, false, adds(253)),
            (i32::MIN, 254, false, Effect::Fault),
            (i32::MIN, -254, false, adds(253)),
        ];
        for (value, weight, reverse, expected) in cases {
            assert_eq!(
                effect(value, weight, reverse),
                expected,
                "{value} {weight} {reverse}"
            );
        }
    }
}
